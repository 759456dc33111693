"""When rows of a first load were known, for tables that have no clock of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from crm.merge import TableState

# Rows that come into the world with another row: the column that names it, its table and its key.
BORNE_BY: dict[str, tuple[str, str, str]] = {
    "installments": ("agreement_id", "agreements", "agreement_id"),
    "opportunity_splits": ("opportunity_id", "opportunities", "opportunity_id"),
    "receipt_allocations": ("receipt_id", "receipts", "receipt_id"),
}


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
