"""The organisation of the demo company: units, people, leave, products, partners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.demo.frames import build_table, days, ids, numbers, picks, same, whole
from crm.demo.names import make_companies, make_people
from crm.demo.parameters import INDUSTRIES, REGION_SHARES, REGIONS
from crm.demo.working_time import Floats, Ints, at_hour, local_day
from crm.demo.world import World, change_rows

_FAR = 10**7
# The first people came long before the record, the founders earliest.
_SENIOR_DAYS, _FOUNDING_DAYS = 1_700, 2_000
_TEAM_SIZE = 8
PRODUCTS = (
    ("云协同标准版", "云服务", 180_000_00, 40_000_00, "subscription"),
    ("云协同专业版", "云服务", 420_000_00, 90_000_00, "subscription"),
    ("数据中台", "平台", 900_000_00, 380_000_00, "project"),
    ("行业解决方案", "平台", 1_500_000_00, 700_000_00, "project"),
    ("本地部署许可", "软件许可", 600_000_00, 60_000_00, "licence"),
    ("维保服务", "服务", 90_000_00, 35_000_00, "maintenance"),
)
PRODUCT_SHARES = (0.30, 0.24, 0.14, 0.08, 0.16, 0.08)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Staff:
    """The people who sell, by their place in the table `reps`.

    Attributes
    ----------
    region, team : ndarray of int64, shape (n_reps,)
        Place in `REGIONS`, number of the team.
    hired, left : ndarray of int64, shape (n_reps,)
        Epoch days; `left` lies far ahead for those who stay.
    lead_skill, deal_skill : ndarray of float64, shape (n_reps,)
        Log effect on converting and on winning, before `effects`.
    optimism : ndarray of float64, shape (n_reps,)
        Above 0 promises too early and too much, below 0 holds deals back.
    n_support : int
        Presales, success and collectors, who follow the reps in the table.
    """

    region: Ints
    team: Ints
    hired: Ints
    left: Ints
    lead_skill: Floats
    deal_skill: Floats
    optimism: Floats
    n_support: int

    def assign(self, rng: np.random.Generator, world: World, on: Ints, region: Ints) -> Ints:
        """A rep for every piece of work: one of its region who is there and not about to leave, else anyone."""
        chosen = np.zeros(len(on), dtype=np.int64)
        month = np.searchsorted(world.month_starts(), on, side="right") - 1
        order = np.lexsort((region, month))
        cell = month[order] * len(REGIONS) + region[order]
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        for begin, end in zip(starts, np.append(starts[1:], len(order)), strict=True):
            rows = order[begin:end]
            day = world.month_starts()[month[rows[0]]]
            there = (self.hired <= day) & (self.left > day + 120)
            local = np.flatnonzero(there & (self.region == region[rows[0]]))
            pool = local if len(local) else np.flatnonzero(there)
            chosen[rows] = pool[rng.integers(len(pool), size=len(rows))]
        return chosen


def make_staff(world: World) -> Staff:
    """The people who sell; a third join later, some leave."""
    rng = world.streams["people"]
    n = world.size.reps
    span = world.last_day - world.first_day
    region = np.sort(np.searchsorted(np.cumsum(REGION_SHARES), (np.arange(n) + 0.5) / n))
    late = rng.random(n) < 0.35
    hired = np.where(
        late, world.first_day + (rng.random(n) * 0.8 * span).astype(np.int64), world.first_day - _SENIOR_DAYS
    )
    # Somebody of every region is there from the first day on.
    hired[np.unique(region, return_index=True)[1]] = world.first_day - _FOUNDING_DAYS
    tenure = 400 + (rng.random(n) * 1_500).astype(np.int64)
    left = np.where(
        (rng.random(n) < 0.20) & (hired > world.first_day - _FOUNDING_DAYS),
        np.maximum(hired, world.first_day) + tenure,
        _FAR,
    )
    left = np.where(left > world.last_day, _FAR, left)
    laws = world.laws
    return Staff(
        region=region,
        team=_teams(region),
        hired=hired,
        left=left,
        lead_skill=rng.normal(0, laws.lead.rep_skill_sd, n),
        deal_skill=rng.normal(0, laws.deal.rep_skill_sd, n),
        optimism=rng.normal(0, 0.8, n),
        n_support=max(3, n // 5),
    )


def _teams(region: Ints) -> Ints:
    """Number of each rep's team: teams of one region, of about `_TEAM_SIZE` people."""
    team = np.zeros(len(region), dtype=np.int64)
    number = 0
    for place in np.unique(region):
        rows = np.flatnonzero(region == place)
        teams = np.array_split(rows, max(1, round(len(rows) / _TEAM_SIZE)))
        for members in teams:
            team[members] = number
            number += 1
    return team


def build_people(world: World, staff: Staff) -> tuple[dict[str, pa.Table], list[pa.Table]]:
    """The tables of the organisation, and the moves between teams as changes."""
    tables = {
        "org_units": _build_units(world, staff),
        "absences": _build_absences(world, staff),
        "products": _build_products(world),
        "partners": _build_partners(world),
    }
    tables["reps"], moves = _build_reps(world, staff)
    return tables, [moves]


def n_partners(world: World) -> int:
    """How many channel partners there are."""
    return max(3, world.size.reps // 2)


def _build_units(world: World, staff: Staff) -> pa.Table:
    present = np.unique(staff.region)
    team_region = [int(staff.region[staff.team == team][0]) for team in range(staff.team.max() + 1)]
    start, middle = world.first_day - _FOUNDING_DAYS, (world.first_day + world.last_day) // 2
    rows: list[tuple[str, int, int, str, str, str | None]] = [("U-ALL", start, -1, "company", "示例公司", None)]
    rows += [(f"U-R{r + 1}", start, -1, "region", f"{REGIONS[r]}大区", "U-ALL") for r in present]
    for team, region in enumerate(team_region):
        parent, name = f"U-R{region + 1}", f"{REGIONS[region]}{team + 1}组"
        if team == len(team_region) - 1 and len(present) > 1:
            # The last team reports to the first region until the middle of the record.
            rows.append((f"U-T{team + 1:03d}", start, middle - 1, "team", name, f"U-R{present[0] + 1}"))
            rows.append((f"U-T{team + 1:03d}", middle, -1, "team", name, parent))
        else:
            rows.append((f"U-T{team + 1:03d}", start, -1, "team", name, parent))
    unit, begins, ends, kind, name_, parent_ = zip(*rows, strict=True)
    begin_days, end_days = np.array(begins), np.array(ends)
    columns = {
        "unit_id": pa.array(unit),
        "valid_from": days(begin_days),
        "valid_to": days(end_days, end_days > 0),
        "kind": pa.array(kind),
        "name": pa.array(name_),
        "parent_id": pa.array(parent_, pa.string()),
    }
    return build_table("org_units", columns, at_hour(begin_days, 8.0), ends_us=world.end_us)


def _build_reps(world: World, staff: Staff) -> tuple[pa.Table, pa.Table]:
    rng = world.streams["people"]
    n, support = world.size.reps, staff.n_support
    total = n + support
    team = np.concatenate([staff.team, staff.team[rng.integers(n, size=support)]])
    region = np.concatenate([staff.region, staff.region[rng.integers(n, size=support)]])
    hired = np.concatenate([staff.hired, np.full(support, world.first_day - _FOUNDING_DAYS)])
    left = np.concatenate([staff.left, np.full(support, _FAR)])
    role = np.concatenate([np.zeros(n, dtype=np.int64), 1 + np.arange(support) % 3])
    skills = [[INDUSTRIES[i] for i in sorted(set(pair))] for pair in rng.integers(len(INDUSTRIES), size=(total, 2))]
    languages = [["zh", "en"] if english else ["zh"] for english in rng.random(total) < 0.3]
    recorded = at_hour(hired, 8.0)
    team_ids = pa.array([f"U-T{t + 1:03d}" for t in team])
    columns = {
        "rep_id": ids("R", np.arange(1, total + 1), width=4),
        "name": pa.array(make_people(rng, total)),
        "team_id": team_ids,
        "region": picks(REGIONS, region),
        "role": picks(("rep", "presales", "success", "collector"), role),
        "skills": pa.array(skills, pa.list_(pa.string())),
        "languages": pa.array(languages, pa.list_(pa.string())),
        "hired_on": days(hired),
        "left_on": days(left, left < _FAR),
        "capacity_leads": whole(rng.integers(30, 80, total)),
        "capacity_hours": numbers(np.where(rng.random(total) < 0.1, 20.0, 40.0)),
    }
    return build_table("reps", columns, recorded, ends_us=world.end_us), _moves(world, staff)


def _moves(world: World, staff: Staff) -> pa.Table:
    """One rep in ten came from another team of the region."""
    rng = world.streams["people"]
    movers, before = [], []
    for rep in np.flatnonzero((rng.random(world.size.reps) < 0.1) & (staff.left > world.last_day)):
        others = np.unique(staff.team[(staff.region == staff.region[rep]) & (staff.team != staff.team[rep])])
        if len(others):
            movers.append(rep)
            before.append(f"U-T{others[0] + 1:03d}")
    place = np.array(movers, dtype=np.int64)
    after = pa.array([f"U-T{staff.team[rep] + 1:03d}" for rep in movers], pa.string())
    from_day = np.maximum(staff.hired[place], world.first_day)
    on = from_day + ((world.last_day - from_day) * rng.random(len(place))).astype(np.int64)
    rep_ids = ids("R", place + 1, width=4)
    return change_rows("reps", rep_ids, at_hour(on, 9.0), "team_id", pa.array(before, pa.string()), after)


def _build_absences(world: World, staff: Staff) -> pa.Table:
    rng = world.streams["people"]
    per_rep = rng.poisson(1.6 * world.size.months / 12, world.size.reps)
    rep = np.repeat(np.arange(world.size.reps), per_rep)
    until = np.minimum(staff.left, world.last_day)[rep]
    since = np.maximum(staff.hired, world.first_day)[rep]
    starts = since + (rng.random(len(rep)) * np.maximum(until - since, 1)).astype(np.int64)
    ends = starts + rng.integers(0, 10, len(rep))
    known = starts - rng.integers(1, 30, len(rep))
    columns = {
        "absence_id": ids("AB", np.arange(1, len(rep) + 1)),
        "rep_id": ids("R", rep + 1, width=4),
        "starts_on": days(starts),
        "ends_on": days(ends),
    }
    return build_table("absences", columns, at_hour(known, 10.0), ends_us=world.end_us)


def _build_products(world: World) -> pa.Table:
    columns = {
        "product": pa.array([row[0] for row in PRODUCTS]),
        "line": pa.array([row[1] for row in PRODUCTS]),
        "list_price": pa.array([row[2] for row in PRODUCTS]),
        "cost": pa.array([row[3] for row in PRODUCTS]),
        "currency": same("CNY", len(PRODUCTS)),
    }
    recorded = np.full(len(PRODUCTS), world.start_us)
    return build_table("products", columns, recorded, ends_us=world.end_us)


def _build_partners(world: World) -> pa.Table:
    rng = world.streams["people"]
    n = n_partners(world)
    industry = [INDUSTRIES[i] for i in rng.integers(len(INDUSTRIES), size=n)]
    columns = {
        "partner_id": ids("P", np.arange(1, n + 1), width=4),
        "name": pa.array(make_companies(rng, industry)),
        "kind": picks(("代理商", "集成商", "咨询"), rng.integers(3, size=n)),
        "region": picks(REGIONS, rng.integers(len(REGIONS), size=n)),
    }
    return build_table("partners", columns, np.full(n, world.start_us), ends_us=world.end_us)


def leaving_moment(staff: Staff, rep: Ints) -> Ints:
    """UTC microseconds of the evening of each rep's last day."""
    return at_hour(staff.left[rep], 18.0)


def successor(staff: Staff, rep: Ints) -> Ints:
    """Who takes over from each rep: the next who stays, of the same region when there is one."""
    stays = np.flatnonzero(staff.left >= _FAR)
    heir = np.empty(len(staff.region), dtype=np.int64)
    for place in range(len(heir)):
        local = stays[staff.region[stays] == staff.region[place]]
        pool = local if len(local) else stays
        heir[place] = pool[place % len(pool)]
    return np.asarray(heir[rep])


def is_gone(staff: Staff, rep: Ints, at: Ints) -> npt.NDArray[np.bool_]:
    """Whether each rep had left by each moment."""
    return np.asarray(staff.left[rep] < local_day(at))
