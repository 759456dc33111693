"""What stands beside the deals: channel spend, expenses, market signals, exchange rates, past plans."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.demo import parameters as law
from crm.demo.agreements import Agreements
from crm.demo.frames import build_table, days, numbers, picks, same, whole
from crm.demo.leads import Leads
from crm.demo.people import Staff
from crm.demo.working_time import Floats, Ints, at_hour, day_weights, local_day
from crm.demo.world import World

_USD = 7.0
_SEASON = np.array([0.06, 0.04, 0.09, 0.07, 0.08, 0.10, 0.06, 0.06, 0.10, 0.07, 0.10, 0.17])
_STEP = 1_000_000


def build_market(
    world: World, staff: Staff, leads: Leads, agreements: Agreements, foreign: npt.NDArray[np.bool_]
) -> dict[str, pa.Table]:
    """The tables `channel_spend`, `expenses`, `market_signals`, `fx_rates` and `targets`."""
    return {
        "channel_spend": _channel_spend(world, leads),
        "expenses": _expenses(world, staff),
        "market_signals": _signals(world),
        "fx_rates": _fx_rates(world),
        "targets": _targets(world, staff, agreements, foreign),
    }


def _next_month(firsts: Ints, hour: float) -> Ints:
    """The given hour on the second of the month after each first."""
    after = (firsts.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(np.int64)
    return at_hour(after + 1, hour)


def _channel_spend(world: World, leads: Leads) -> pa.Table:
    rng, firsts = world.streams["market"], world.month_starts()
    n = len(law.CHANNELS)
    month = np.searchsorted(firsts, local_day(leads.created), side="right") - 1
    count = np.bincount(month * n + leads.channel, minlength=len(firsts) * n).reshape(len(firsts), n)
    yuan = (count + 1.0) * np.array(law.CHANNEL_COSTS) * np.exp(rng.normal(0, 0.2, count.shape))
    at = np.repeat(firsts, n)
    columns = {
        "channel": picks(law.CHANNELS, np.tile(np.arange(n), len(firsts))),
        "spend_month": days(at),
        "amount": whole(np.round(yuan.ravel()).astype(np.int64) * 100),
        "currency": same("CNY", len(at)),
    }
    return build_table("channel_spend", columns, _next_month(at, 10.0), ends_us=world.end_us)


def _expenses(world: World, staff: Staff) -> pa.Table:
    rng, firsts = world.streams["market"], world.month_starts()
    regions = np.unique(staff.region)
    place, at = np.tile(regions, len(firsts)), np.repeat(firsts, len(regions))
    there = (staff.hired[None, :] <= at[:, None]) & (staff.left[None, :] >= at[:, None])
    heads = (there & (staff.region[None, :] == place[:, None])).sum(axis=1)
    yuan = 22_000 * (heads + 0.5) * np.exp(rng.normal(0, 0.1, len(at)))
    columns = {
        "unit_id": pa.array([f"U-R{region + 1}" for region in place]),
        "expense_month": days(at),
        "amount": whole(np.round(yuan).astype(np.int64) * 100),
        "currency": same("CNY", len(at)),
    }
    return build_table("expenses", columns, _next_month(at, 11.0), ends_us=world.end_us)


def _walk(rng: np.random.Generator, n: int, *, pull: float, step: float) -> Floats:
    """A first-order autoregression around 0."""
    shocks = rng.normal(0, step, n)
    level = np.zeros(n)
    for month in range(1, n):
        level[month] = pull * level[month - 1] + shocks[month]
    return level


def _signals(world: World) -> pa.Table:
    rng, firsts = world.streams["market"], world.month_starts()
    after = (firsts.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(np.int64)
    working = [float(np.sum(day_weights(np.arange(a, b)) >= 0.3)) for a, b in zip(firsts, after, strict=True)]
    names, segments, values, ahead = ["working_days"], ["*"], [np.array(working)], [True]
    names.append("pmi")
    segments.append("*")
    values.append(50.0 + _walk(rng, len(firsts), pull=0.8, step=0.6))
    ahead.append(False)
    for industry in law.INDUSTRIES:
        names.append("industry_climate")
        segments.append(industry)
        values.append(100.0 + _walk(rng, len(firsts), pull=0.9, step=2.0))
        ahead.append(False)
    n, k = len(firsts), len(names)
    known_ahead = np.repeat(ahead, n)
    at = np.tile(firsts, k)
    columns = {
        "name": pa.array(np.repeat(names, n).tolist()),
        "segment": pa.array(np.repeat(segments, n).tolist()),
        "signal_month": days(at),
        "value": numbers(np.round(np.concatenate(values), 2)),
        "known_ahead": pa.array(known_ahead),
    }
    recorded = np.where(known_ahead, at_hour(at - 60, 9.0), _next_month(at, 9.5))
    return build_table("market_signals", columns, recorded, ends_us=world.end_us)


def _fx_rates(world: World) -> pa.Table:
    rng = world.streams["market"]
    day = np.arange(world.first_day - 400, world.last_day + 1)
    rate = _USD * np.exp(_walk(rng, len(day), pull=0.998, step=0.002))
    columns = {
        "currency": same("USD", len(day)),
        "rate_on": days(day),
        "rate": numbers(np.round(rate, 4)),
    }
    return build_table("fx_rates", columns, at_hour(day, 17.0), ends_us=world.end_us)


def _targets(world: World, staff: Staff, agreements: Agreements, foreign: npt.NDArray[np.bool_]) -> pa.Table:
    """A yearly plan of bookings by rep: last year's own result and the team's mean, raised; units add up."""
    firsts = world.month_starts().astype("datetime64[D]").astype("datetime64[M]")
    years = np.unique(firsts.astype("datetime64[Y]").astype(np.int64) + 1970)
    net = np.where(foreign[agreements.account], _USD, 1.0) * agreements.net.astype(np.float64)
    year_of = agreements.signed.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    parts = [
        _year_plan(world, staff, int(year), np.asarray(net, dtype=np.float64), year_of, agreements) for year in years
    ]
    node, kind, month, amount, version, approved = (np.concatenate(part) for part in zip(*parts, strict=True))
    columns = {
        "plan_version": pa.array([f"FY{v}" for v in version.tolist()]),
        "node_kind": pa.array(kind.tolist(), pa.string()),
        "node_id": pa.array(node.tolist(), pa.string()),
        "measure": same("bookings", len(month)),
        "product": same("*", len(month)),
        "segment": same("*", len(month)),
        "target_month": days(month),
        "amount": whole(amount),
        "currency": same("CNY", len(month)),
        "approved_at": pa.array(approved).cast(pa.timestamp("us")),
        "rounding_step": whole(np.full(len(month), _STEP)),
    }
    return build_table("targets", columns, approved, ends_us=world.end_us)


def _year_plan(
    world: World, staff: Staff, year: int, net: Floats, year_of: Ints, agreements: Agreements
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_], Ints, Ints, Ints, Ints]:
    """Node, kind of node, month, amount, version and approval of one year's plan."""
    january = np.datetime64(f"{year}-01")
    firsts = (january + np.arange(12)).astype("datetime64[D]").astype(np.int64)
    first = int(firsts[0])
    active = np.flatnonzero((staff.hired <= first + 180) & (staff.left > first + 60))
    own = np.bincount(agreements.rep, weights=net * (year_of == year - 1), minlength=world.size.reps)
    usual = max(float(own[active].mean()), 800_000_00.0)
    plan = 1.1 * (0.5 * own[active] + 0.5 * usual)
    amounts = np.round(plan[:, None] * _SEASON / _STEP).astype(np.int64) * _STEP
    nodes = [f"R{rep + 1:04d}" for rep in active]
    rows = [amounts]
    kinds = ["rep"] * len(active)
    for label, group in (("U-T{:03d}", staff.team[active]), ("U-R{}", staff.region[active])):
        for place in np.unique(group):
            nodes.append(label.format(place + 1))
            rows.append(amounts[group == place].sum(axis=0, keepdims=True))
            kinds.append("unit")
    nodes.append("U-ALL")
    kinds.append("unit")
    rows.append(amounts.sum(axis=0, keepdims=True))
    n = len(nodes)
    approved = at_hour(np.full(n * 12, first - 12), 15.0)
    flat = np.concatenate(rows).ravel()
    node = np.repeat(np.array(nodes, dtype=np.object_), 12)
    kind = np.repeat(np.array(kinds, dtype=np.object_), 12)
    return node, kind, np.tile(firsts, n), flat, np.full(n * 12, year), approved
