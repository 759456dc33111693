"""When rows were known: as the source says, or derived for what a first load brings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.batch import Moment, TableState
from crm.mapping_columns import RecordedAt
from crm.schema import Table

_MICROS_PER_DAY = 86_400_000_000
_BEGINNING = datetime(1970, 1, 1)  # noqa: DTZ001 - timestamps are kept as naive UTC
_TIMESTAMP = pa.timestamp("us")
_MONTHS = {"month": 1, "quarter": 3}
_DAYS_OF_A_WEEK = 7

# Reference data: what a first load brings was there before anything that refers to it.
KNOWN_EVER_SINCE = frozenset({"partners", "products"})

# Rows that come into the world with another row: the column that names it, its table and its key.
BORNE_BY: dict[str, tuple[str, str, str]] = {
    "installments": ("agreement_id", "agreements", "agreement_id"),
    "opportunity_splits": ("opportunity_id", "opportunities", "opportunity_id"),
    "receipt_allocations": ("receipt_id", "receipts", "receipt_id"),
}


def recorded_moments(
    rows: pa.Table, known: pa.Array | None, table: Table, moment: Moment, *, first_load: bool
) -> tuple[pa.Array, pa.Array]:
    """When each new row was known, and whether that was derived.

    Parameters
    ----------
    rows : pa.Table
        The new rows.
    known : pa.Array or None
        What the source says, one a row; None when the mapping names no column.
    table : Table
        Their table.
    moment : Moment
        The ingest.
    first_load : bool
        Whether the source never brought rows of this table before.

    Returns
    -------
    tuple of (pa.Array of timestamp, pa.Array of bool)
        `recorded_at` and `backfilled`.
    """
    n_rows = rows.num_rows
    now = pa.repeat(pa.scalar(moment.now, _TIMESTAMP), n_rows)
    stated = moment.recorded
    if _known_ever_since(stated, table, first_load=first_load):
        return pa.repeat(pa.scalar(_BEGINNING, _TIMESTAMP), n_rows), pa.repeat(pa.scalar(True), n_rows)
    latency_days = stated.latency_days if stated is not None else 0
    if known is not None:
        # What stands in the file now was known by now at the latest: a later moment is a slip of the source.
        return pc.min_element_wise(_days_later(known, latency_days), now), pa.repeat(pa.scalar(False), n_rows)
    derive = first_load or (stated is not None and stated.every_load)
    if not derive or table.clock is None or table.clock not in rows.column_names:
        return now, pa.repeat(pa.scalar(first_load), n_rows)
    clock = rows.column(table.clock).combine_chunks()
    if pa.types.is_date(clock.type):
        days = period_ends(clock, rows) if table.clock == "ds" or table.clock.endswith("_month") else clock
        local = pc.assume_timezone(days.cast(_TIMESTAMP), moment.zone.key, ambiguous="earliest", nonexistent="latest")
        clock = local.cast(pa.timestamp("us", "UTC")).cast(_TIMESTAMP)
    derived = pc.min_element_wise(_days_later(clock, latency_days), now, skip_nulls=False)
    return pc.coalesce(derived, now), pa.repeat(pa.scalar(True), n_rows)


def period_ends(first_days: pa.Array, rows: pa.Table) -> pa.Array:
    """The day after each period: a month's sum is not known on its first day.

    `rows` may hold a column `frequency` (`week`, `month`, `quarter`); without it periods are months.
    """
    months = first_days.to_numpy(zero_copy_only=False).astype("datetime64[M]")
    if "frequency" not in rows.column_names:
        return pa.array((months + 1).astype("datetime64[D]"), pa.date32())
    frequency = rows.column("frequency").combine_chunks()
    ends = pa.array(
        first_days.to_numpy(zero_copy_only=False).astype("datetime64[D]") + np.timedelta64(_DAYS_OF_A_WEEK, "D"),
        pa.date32(),
    )
    for name, length in _MONTHS.items():
        later = pa.array((months + length).astype("datetime64[D]"), pa.date32())
        ends = pc.if_else(pc.equal(frequency, name), later, ends)
    return ends


def _known_ever_since(stated: RecordedAt | None, table: Table, *, first_load: bool) -> bool:
    """Whether rows count as known from the beginning: stated so, or reference data of a first load."""
    if stated is not None:
        return stated.beginning
    return first_load and table.name in KNOWN_EVER_SINCE


def _days_later(moments: pa.Array, days: int) -> pa.Array:
    return pc.add(moments, pa.scalar(days * _MICROS_PER_DAY, pa.duration("us")))


def borrow_moments(state: TableState, parent: TableState, column: str, key: str, now: datetime) -> TableState:
    """The table with its backfilled rows of this ingest recorded when the rows they belong to were.

    Parameters
    ----------
    state, parent : TableState
        The table without a clock, and the one whose rows bear its rows.
    column : str
        The column of `state` that names a row of `parent`.
    key : str
        The key of `parent`.
    now : datetime
        The moment of ingest, naive UTC: rows recorded then were given no better moment yet.
    """
    rows = state.rows
    if rows.num_rows == 0 or parent.rows.num_rows == 0:
        return state
    moment = pa.scalar(now, pa.timestamp("us"))
    open_rows = pc.and_(rows.column("backfilled"), pc.equal(rows.column("recorded_at"), moment))
    at = pc.index_in(rows.column(column), value_set=parent.rows.column(key).combine_chunks())
    borne = parent.rows.column("recorded_at").combine_chunks().take(at.combine_chunks())
    kept = rows.column("recorded_at").combine_chunks()
    recorded = pc.if_else(open_rows.combine_chunks(), pc.coalesce(borne, kept), kept)
    position = rows.column_names.index("recorded_at")
    return replace(state, rows=rows.set_column(position, "recorded_at", recorded))
