"""What stands in an opportunity's fields over time: amounts, promised dates, the rep's call.

Each mutable field is a list of versions (moment, value); the last one holds now and the others become rows of
`changes`. Optimists promise early and call deals committed too soon, sandbaggers do neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.cell_text import as_strings
from crm.demo.deals import LOST, WON, Accounts, Deals
from crm.demo.frames import ids, picks
from crm.demo.leads import draw
from crm.demo.people import PRODUCT_SHARES, PRODUCTS, Staff
from crm.demo.working_time import DAY_US, Floats, Ints, at_hour, local_day
from crm.demo.world import World, change_rows

Flags = npt.NDArray[np.bool_]
COMPETITORS = ("甲骨云", "蓝图软件", "智联云", "本地厂商")
CATEGORIES = ("pipeline", "best_case", "commit", "closed", "omitted")
# What a rep promises first, and by how much a promise that passed is put off, in days.
_USUAL_CYCLE_DAYS, _USUAL_SLIP_DAYS = 55.0, 30.0
_SLIPS = 14
_USD = 7.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """The terms of every opportunity, each of shape (n_deals,).

    Attributes
    ----------
    product : ndarray of int64
        Place in `PRODUCTS`.
    list_amount, net_amount : ndarray of int64
        Now, minor units.
    discount : ndarray of float64
        Now, share of the list amount.
    expected_day : ndarray of int64
        Epoch day on which the rep now expects to close.
    category, competitor : ndarray of int64
        Places in `CATEGORIES` and `COMPETITORS` now.
    tender_day : ndarray of int64
        Epoch day of the tender once it is announced, 0 otherwise.
    foreign : ndarray of bool
        Priced in US dollars.
    """

    product: Ints
    list_amount: Ints
    net_amount: Ints
    discount: Floats
    expected_day: Ints
    category: Ints
    competitor: Ints
    tender_day: Ints
    foreign: Flags


def make_terms(
    world: World, staff: Staff, accounts: Accounts, deals: Deals, foreign: Flags
) -> tuple[Terms, list[pa.Table]]:
    """The terms now, and all their changes."""
    rng = world.streams["deal_history"]
    product = draw(rng, PRODUCT_SHARES, deals.n)
    entered = [_moment(world, deals.entered[:, stage]) for stage in range(deals.entered.shape[1])]
    closed = _moment(world, deals.closed)
    name = ids("O", np.arange(1, deals.n + 1))
    changes = [*_stage_changes(world, deals, entered, closed, name)]
    amounts, amount_changes = _amounts(world, rng, accounts, deals, product, foreign[deals.account], entered, name)
    expected, slip_changes = _expected_close(world, rng, staff, deals, entered, closed, name)
    category, call_changes = _category(world, rng, staff, deals, entered, closed, name)
    competitor = np.where(deals.competes, rng.integers(len(COMPETITORS), size=deals.n), -1)
    named = (competitor >= 0) & (entered[2] > 0)
    competitor = np.where(named, competitor, -1)
    announced = np.maximum(deals.created + 15 * DAY_US, deals.created)
    known_tender = (deals.tender_day > 0) & (announced <= world.end_us)
    changes += [*amount_changes, *slip_changes, *call_changes]
    changes += [
        change_rows(
            "opportunities",
            name.take(pa.array(rows := np.flatnonzero(named))),
            entered[2][rows],
            "competitor",
            pa.nulls(len(rows), pa.string()),
            picks(COMPETITORS, competitor[rows]),
        ),
        change_rows(
            "opportunities",
            name.take(pa.array(rows := np.flatnonzero(known_tender))),
            announced[rows],
            "tender_on",
            pa.nulls(len(rows), pa.string()),
            day_text(deals.tender_day[rows]),
        ),
    ]
    terms = Terms(
        product=product,
        list_amount=amounts[0],
        net_amount=amounts[1],
        discount=amounts[2] / 100,
        expected_day=expected,
        category=category,
        competitor=competitor,
        tender_day=np.where(known_tender, deals.tender_day, 0),
        foreign=foreign[deals.account],
    )
    return terms, changes


def day_text(days: Ints) -> pa.Array:
    """Epoch days as ISO text."""
    return pa.array(days.astype("datetime64[D]").astype(str), pa.string())


def whole_text(values: Ints) -> pa.Array:
    """Whole numbers as text."""
    return pa.array(values).cast(pa.string())


def _moment(world: World, times: Floats) -> Ints:
    """UTC microseconds of working times; 0 where the time never comes."""
    there = np.isfinite(times)
    return np.where(there, world.clock.moment(np.where(there, times, 0.0)), 0)


def _stage_changes(world: World, deals: Deals, entered: list[Ints], closed: Ints, name: pa.Array) -> list[pa.Table]:
    stages = world.laws.deal.stages
    parts = []
    for stage in range(1, len(stages)):
        rows = np.flatnonzero(entered[stage] > 0)
        old, new = (pa.repeat(pa.scalar(stages[k]), len(rows)) for k in (stage - 1, stage))
        parts.append(change_rows("opportunities", name.take(pa.array(rows)), entered[stage][rows], "stage", old, new))
    rows = np.flatnonzero(closed > 0)
    reached = np.isfinite(deals.entered[rows]).sum(axis=1) - 1
    new = picks(("won", "lost"), np.where(deals.outcome[rows] == WON, 0, 1))
    ended = change_rows("opportunities", name.take(pa.array(rows)), closed[rows], "stage", picks(stages, reached), new)
    return [*parts, ended]


def stage_now(world: World, deals: Deals) -> pa.Array:
    """The stage each opportunity stands in at the end of the record."""
    reached = np.isfinite(deals.entered).sum(axis=1) - 1
    n_stages = len(world.laws.deal.stages)
    place = np.where(deals.outcome == WON, n_stages, np.where(deals.outcome == LOST, n_stages + 1, reached))
    return picks((*world.laws.deal.stages, "won", "lost"), place)


def _amounts(
    world: World,
    rng: np.random.Generator,
    accounts: Accounts,
    deals: Deals,
    product: Ints,
    foreign: Flags,
    entered: list[Ints],
    name: pa.Array,
) -> tuple[tuple[Ints, Ints, Ints], list[pa.Table]]:
    """List amount, net amount and discount in per cent now, and their changes at proposal and negotiation."""
    n = deals.n
    price = np.array([row[2] for row in PRODUCTS])[product] / np.where(foreign, _USD, 1.0)
    size = (accounts.employees[deals.account] / 150.0) ** 0.25
    drawn = price * size * np.exp(rng.normal(-0.2, 0.55, n))
    offered = (np.round(drawn / 100_000) * 100_000).astype(np.int64) + 100_000
    rescoped = (rng.random(n) < 0.35) & (entered[2] > 0)
    factor = np.where(rescoped, rng.uniform(0.7, 1.25, n), 1.0)
    final = (np.round(offered * factor / 100_000) * 100_000).astype(np.int64) + np.where(rescoped, 100_000, 0)
    discounted = entered[3] > 0
    discount = np.where(discounted, np.round(rng.beta(2.0, 9.0, n) * 100), 0).astype(np.int64)
    net = (final * (100 - discount)) // 100
    changes = []
    for field, where, at, old, new in (
        ("list_amount", rescoped, entered[2], offered, final),
        ("net_amount", rescoped, entered[2], offered, final),
        ("net_amount", discounted & (discount > 0), entered[3], final, net),
    ):
        rows = np.flatnonzero(where)
        old_text, new_text = whole_text(old[rows]), whole_text(new[rows])
        changes.append(change_rows("opportunities", name.take(pa.array(rows)), at[rows], field, old_text, new_text))
    rows = np.flatnonzero(discounted & (discount > 0))
    share = as_strings(pa.array(discount[rows] / 100))
    zero = pa.repeat(pa.scalar("0"), len(rows))
    changes.append(change_rows("opportunities", name.take(pa.array(rows)), entered[3][rows], "discount", zero, share))
    return (final, net, discount), changes


def _expected_close(
    world: World,
    rng: np.random.Generator,
    staff: Staff,
    deals: Deals,
    entered: list[Ints],
    closed: Ints,
    name: pa.Array,
) -> tuple[Ints, list[pa.Table]]:
    """The promised day now, and how it slipped: each promise that passes is replaced by a later one."""
    n, effects = deals.n, world.laws.effects
    optimism = staff.optimism[deals.rep]
    end = np.where(closed > 0, local_day(closed), world.last_day + 1)
    guess = _USUAL_CYCLE_DAYS * np.exp(-0.35 * effects * optimism + rng.normal(0, 0.3, n))
    day = local_day(deals.created) + np.maximum(guess, 14).astype(np.int64)
    changes = []
    for _ in range(_SLIPS):
        late = rng.integers(-6, 9, n)
        rows = np.flatnonzero(day + late < end)
        if not len(rows):
            break
        on = day[rows] + late[rows]
        mood = -0.3 * effects * optimism[rows] + rng.normal(0, 0.4, len(rows))
        later = on + np.maximum(10, _USUAL_SLIP_DAYS * np.exp(mood))
        at = np.maximum(at_hour(on, 17.0), deals.created[rows] + 3_600_000_000)
        changes.append(_day_changes(name, rows, at, "expected_close_on", day[rows], later.astype(np.int64)))
        day[rows] = later.astype(np.int64)
    rows = np.flatnonzero((deals.outcome == WON) & (local_day(closed) != day))
    on = local_day(closed[rows])
    changes.append(_day_changes(name, rows, closed[rows], "expected_close_on", day[rows], on))
    day[rows] = on
    return day, changes


def _day_changes(name: pa.Array, rows: Ints, at: Ints, field: str, old: Ints, new: Ints) -> pa.Table:
    return change_rows("opportunities", name.take(pa.array(rows)), at, field, day_text(old), day_text(new))


def _category(
    world: World,
    rng: np.random.Generator,
    staff: Staff,
    deals: Deals,
    entered: list[Ints],
    closed: Ints,
    name: pa.Array,
) -> tuple[Ints, list[pa.Table]]:
    """The rep's call now and its changes; it follows the stage, belief and the rep's optimism."""
    mood = world.laws.effects * (staff.optimism[deals.rep] + 0.4 * world.laws.grid.belief[deals.state])
    mood = mood + rng.normal(0, 0.5, deals.n)
    call = np.zeros(deals.n, dtype=np.int64)
    changes = []
    steps = (
        (entered[1], np.where(mood > 1.2, 1, 0)),
        (entered[2], np.where(mood > 0.9, 2, np.where(mood > -0.8, 1, 0))),
        (entered[3], np.where(mood > -0.5, 2, 1)),
        (closed, np.where(deals.outcome == WON, 3, 4)),
    )
    for at, wanted in steps:
        rows = np.flatnonzero((at > 0) & (wanted != call))
        old, new = picks(CATEGORIES, call[rows]), picks(CATEGORIES, wanted[rows])
        changes.append(change_rows("opportunities", name.take(pa.array(rows)), at[rows], "forecast_category", old, new))
        call[rows] = wanted[rows]
    return call, changes
