"""Ten leaks planted on purpose: what a real CRM writes after the outcome and a careless model learns from.

A company with planted leaks is a test of the leakage suite. Its oracle is that of the clean company: nothing
planted is known to it, and `leads.rep_id`, which one leak overwrites, no longer tells it the first owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo.frames import days, ids, moments, numbers, picks, same, whole
from crm.demo.leads import draw
from crm.demo.working_time import DAY_US, HOUR_US, Ints, local_day
from crm.demo.world import World
from crm.schema import DType

PLANTED: dict[str, str] = {
    "leads.contract_number": "number given with an offer or contract: won leads have one, others rarely",
    "leads.close_note": "note written when the lead is converted or given up",
    "leads.end_date": "planned end, overwritten with the day of conversion",
    "leads.lead_status": "status overwritten after the outcome, without history",
    "leads.budget_confirmed": "missing depends on the outcome, the value does not",
    "leads.crm_row_number": "identifier given anew at conversion, from another range",
    "leads.updated_at": "stamp of the last update: what became a customer goes on being updated, other leads do not",
    "leads.n_contacts_last_week": "count over the seven days before the end of the lead, written back",
    "leads.rep_id": "owner overwritten at conversion, without history",
    "activities.kind=visit": "visits to converted leads typed in after the outcome and dated back, recorded_at too",
}
# The feature in which each leak shows; every one of them alone ranks the outcome with AUC above .85.
SHOWS_IN: dict[str, str] = {
    "leads.contract_number": "contract_number",
    "leads.close_note": "close_note",
    "leads.end_date": "days_since_end_date",
    "leads.lead_status": "lead_status",
    "leads.budget_confirmed": "budget_confirmed",
    "leads.crm_row_number": "crm_row_number",
    "leads.updated_at": "days_since_updated_at",
    "leads.n_contacts_last_week": "n_contacts_last_week",
    "leads.rep_id": "rep_id",
    "activities.kind=visit": "n_meetings_7d",
}
CUSTOM: dict[str, DType] = {
    "contract_number": DType.TEXT,
    "close_note": DType.TEXT,
    "end_date": DType.DATE,
    "lead_status": DType.TEXT,
    "budget_confirmed": DType.FLAG,
    "crm_row_number": DType.INTEGER,
    "updated_at": DType.TIMESTAMP,
    "n_contacts_last_week": DType.INTEGER,
}
_WON_NOTES = ("需求明确", "已报价", "客户推荐")
_LOST_NOTES = ("无预算", "联系不上", "选用竞品", "不匹配")
_REKEYED_FROM = 1_000_000_000
_EVERY_DAYS = 3
_FALSE_MINUTES = 120.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ends:
    """How each lead ended: moments in UTC microseconds, 0 where it did not; and whether its deal was won."""

    created: Ints
    converted: Ints
    given_up: Ints
    won: Ints


def plant_leaks(world: World, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables with all ten leaks; only `leads` and `activities` differ.

    Parameters
    ----------
    world : World
        Gives the random stream and the end of the record.
    tables : mapping of str to pa.Table
        Tables of the clean company.
    """
    ends = _read_ends(tables)
    planted = dict(tables)
    planted["leads"] = _tampered(world, tables["leads"], ends)
    planted["activities"] = _back_dated(world, tables["activities"], tables["leads"], ends)
    return planted


def _read_ends(tables: Mapping[str, pa.Table]) -> _Ends:
    leads, deals = tables["leads"], tables["opportunities"]
    won_deals = deals.filter(pc.equal(deals["outcome"], "won"))["opportunity_id"].combine_chunks()
    won = pc.is_in(leads["opportunity_id"], won_deals)
    created, converted, given_up = (
        np.asarray(leads[name].cast(pa.int64()).fill_null(0).to_numpy())
        for name in ("created_at", "converted_at", "disqualified_at")
    )
    return _Ends(created=created, converted=converted, given_up=given_up, won=won.to_numpy().astype(np.int64))


def _tampered(world: World, leads: pa.Table, ends: _Ends) -> pa.Table:
    rng, n = world.streams["leaks"], leads.num_rows
    converted, given_up, number = ends.converted > 0, ends.given_up > 0, np.arange(1, n + 1)
    won_note, lost_note = rng.integers(len(_WON_NOTES), size=n), rng.integers(len(_LOST_NOTES), size=n)
    note = np.where(converted, won_note, np.where(given_up, len(_WON_NOTES) + lost_note, -1))
    filled = rng.random(n) < np.where(converted, 0.97, 0.05)
    touched = np.where(
        converted,
        ends.converted + rng.integers(500, 900, n) * DAY_US,
        ends.created + rng.integers(0, 3 * DAY_US, n),
    )
    count = rng.poisson(np.where(converted, 7.0, 0.4))
    offered = (ends.won > 0) | (converted & (rng.random(n) < 0.75))
    columns = {
        "contract_number": _contract_numbers(rng, ends.converted, offered),
        "close_note": picks((*_WON_NOTES, *_LOST_NOTES), note),
        "end_date": days(np.where(converted, local_day(ends.converted), local_day(ends.created) + 365)),
        "lead_status": picks(("跟进中", "已转化", "已关闭"), np.where(converted, 1, np.where(given_up, 2, 0))),
        "budget_confirmed": pa.array(rng.random(n) < 0.5, mask=~filled),
        "crm_row_number": whole(np.where(converted, _REKEYED_FROM, 0) + number * 7 % _REKEYED_FROM),
        "updated_at": moments(np.minimum(touched, world.end_us)),
        "n_contacts_last_week": whole(count),
    }
    closers = ids("R", world.size.reps + 1 + rng.integers(0, 3, n), width=4)
    moved = pa.array(converted)
    owner = pc.if_else(moved, closers, leads["rep_id"].combine_chunks())
    leads = leads.set_column(leads.schema.get_field_index("rep_id"), "rep_id", owner)
    for name, values in columns.items():
        leads = leads.append_column(name, values)
    return leads


def _contract_numbers(rng: np.random.Generator, converted: Ints, offered: npt.NDArray[np.bool_]) -> pa.Array:
    """Numbers of the framework contract of the quarter, such as `HT-202503-2`, null where nothing was offered."""
    month = local_day(converted).astype("datetime64[D]").astype("datetime64[M]")
    quarter = month - (month.astype(np.int64) % 3)
    stamp = pc.strftime(pa.array(quarter.astype("datetime64[s]")), format="%Y%m")
    one_of_four = pa.array(rng.integers(1, 5, len(converted))).cast(pa.string())
    return pc.if_else(pa.array(offered), pc.binary_join_element_wise("HT", stamp, one_of_four, "-"), None)


def _back_dated(world: World, activities: pa.Table, leads: pa.Table, ends: _Ends) -> pa.Table:
    """Activities with a false visit every third day of the life of each converted lead."""
    rng = world.streams["leaks"]
    rows = np.flatnonzero(ends.converted > 0)
    times = (ends.converted[rows] - ends.created[rows]) // (_EVERY_DAYS * DAY_US) + 1
    lead = np.repeat(rows, times)
    step = np.arange(len(lead)) - np.repeat(np.cumsum(times) - times, times)
    at = ends.created[lead] + HOUR_US + step * _EVERY_DAYS * DAY_US + rng.integers(0, 2 * HOUR_US, len(lead))
    at = np.minimum(at, ends.converted[lead] - 1_000_000)
    n = len(lead)
    false = {
        "activity_id": ids("AX", np.arange(1, n + 1), width=7),
        "occurred_at": moments(at),
        "kind": same("visit", n),
        "lead_id": leads["lead_id"].combine_chunks().take(pa.array(lead)),
        "rep_id": leads["rep_id"].combine_chunks().take(pa.array(lead)),
        "direction": same("outbound", n),
        "minutes": numbers(np.full(n, _FALSE_MINUTES)),
        "outcome": picks(("done", "follow_up"), draw(rng, (0.5, 0.5), n)),
        "recorded_at": moments(at),
        "backfilled": pa.repeat(pa.scalar(False), n),
        "ingested_at": moments(np.full(n, world.end_us)),
        "source": same("demo", n),
    }
    schema = activities.schema
    columns = [
        false[field.name].cast(field.type) if field.name in false else pa.nulls(n, field.type) for field in schema
    ]
    return pa.concat_tables([activities, pa.table(columns, schema=schema)]).combine_chunks().sort_by("occurred_at")
