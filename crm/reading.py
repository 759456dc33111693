"""A whole table as it was known at one moment: rows on both clocks, mutable values rolled back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.clocks import AsOf, is_visible, moment, value_as_known
from crm.engine import DuckDBEngine, quote_name, quote_text
from crm.schema import KEY_SEPARATOR, SYSTEM_COLUMNS, Column, DType, Table
from crm.store import Generation
from crm.tables import empty_table, table

_CAST = {
    DType.TEXT: "VARCHAR",
    DType.INTEGER: "BIGINT",
    DType.NUMBER: "DOUBLE",
    DType.MONEY: "BIGINT",
    DType.FLAG: "BOOLEAN",
    DType.DATE: "DATE",
    DType.TIMESTAMP: "TIMESTAMP",
}


def read_as_of(
    generation: Generation,
    name: str,
    as_of: datetime,
    zone: ZoneInfo,
    *,
    engine: DuckDBEngine | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """The rows of one table as they were known at `as_of`, in the order of the key.

    Parameters
    ----------
    generation : Generation
        The record.
    name : str
        A table of the record.
    as_of : datetime
        With a time zone. What happened or was recorded later is left out.
    zone : ZoneInfo
        The company's time zone, in which its days begin.
    engine : DuckDBEngine or None
        An open engine over the same generation, for many reads; None opens one for this read.
    columns : sequence of str or None
        Stated columns to read, in their order; None reads them all. A mutable column that is not asked for is not
        rolled back either, which is most of the work.

    Returns
    -------
    pa.Table
        Stated, system and custom columns, or those asked for. A mutable column holds the value it had: the last
        change that was known wins; before the first known change, the old value of the next one.

    Raises
    ------
    ValueError
        `as_of` has no time zone.
    UnknownTable
        The record states no such table.
    """
    if as_of.tzinfo is None:
        raise ValueError("as_of came without a time zone; give one, for instance datetime(..., tzinfo=UTC)")
    stated = table(name)
    if not generation.has(name):
        return empty_table(name) if columns is None else empty_table(name).select(list(columns))
    at = as_of.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    known = moment(at, as_of.astimezone(zone).strftime("%Y-%m-%d"))
    if engine is not None:
        return engine.query(_select(engine, generation, stated, known, columns))
    with generation.engine() as own:
        return own.query(_select(own, generation, stated, known, columns))


def _select(
    engine: DuckDBEngine, generation: Generation, stated: Table, known: AsOf, asked: Sequence[str] | None
) -> str:
    """SQL of the whole read; columns that no file of the table has come as nulls of their type."""
    listed = engine.query(f"SELECT * FROM {quote_name(stated.name)} LIMIT 0").column_names
    changed = _changed_fields(engine, stated) if generation.has("changes") else set()
    columns: list[str] = []
    joins: list[str] = []
    every = (*stated.columns, *SYSTEM_COLUMNS)
    for column in every if asked is None else [stated.column(name) for name in asked]:
        if column.name not in listed:
            columns.append(f"CAST(NULL AS {_CAST.get(column.dtype, 'VARCHAR[]')}) AS {quote_name(column.name)}")
            continue
        value = value_as_known(stated, column, "t", known)
        if column.mutable and column.name in changed and column.dtype in _CAST:
            value = _rolled_back(column, value, alias := f"c{len(joins)}")
            joins.append(_join(stated, column, alias, known))
        columns.append(f"{value} AS {quote_name(column.name)}")
    if asked is None:
        columns += [f"t.{quote_name(name)}" for name in generation.custom(stated.name)]
    order = ", ".join(f"t.{quote_name(name)}" for name in stated.key)
    return (
        f"SELECT {', '.join(columns)} FROM {quote_name(stated.name)} t {' '.join(joins)} "
        f"WHERE {is_visible(stated, 't', known)} ORDER BY {order}"
    )


def _changed_fields(engine: DuckDBEngine, stated: Table) -> set[str]:
    """The columns of the table that ever changed, so that the others need no join."""
    rows = engine.query(f"SELECT DISTINCT field FROM changes WHERE entity = {quote_text(stated.name)}")
    return {str(field) for field in rows.column("field").to_pylist()}


def _join(stated: Table, column: Column, alias: str, known: AsOf) -> str:
    """The last known change and the first unknown one of a column, one row a key."""
    seen = f"occurred_at <= {known.at} AND recorded_at <= {known.at}"
    moments = "(occurred_at, recorded_at, change_id)"
    key = f" || {quote_text(KEY_SEPARATOR)} || ".join(f"CAST(t.{quote_name(name)} AS VARCHAR)" for name in stated.key)
    return (
        "LEFT JOIN (SELECT entity_id, "
        f"COUNT(CASE WHEN {seen} THEN 1 END) AS n_seen, "
        f"COUNT(CASE WHEN NOT ({seen}) THEN 1 END) AS n_unseen, "
        f"MAX_BY(COALESCE(new_value, ''), CASE WHEN {seen} THEN {moments} END) AS last_value, "
        f"MIN_BY(COALESCE(old_value, ''), CASE WHEN NOT ({seen}) THEN {moments} END) AS next_value "
        f"FROM changes WHERE entity = {quote_text(stated.name)} AND field = {quote_text(column.name)} "
        f"GROUP BY entity_id) {alias} ON {alias}.entity_id = {key}"
    )


def _rolled_back(column: Column, value: str, alias: str) -> str:
    """The value of a changed column: as it stands when every change is known, else as the changes say."""
    dtype = _CAST[column.dtype]
    last, following = (f"CAST(NULLIF({alias}.{side}, '') AS {dtype})" for side in ("last_value", "next_value"))
    before = f"CASE WHEN {alias}.n_seen > 0 THEN {last} ELSE {following} END"
    if column.known_at is not None:
        before = value.replace(f"THEN t.{quote_name(column.name)} END", f"THEN {before} END")
    return f"CASE WHEN {alias}.n_unseen > 0 THEN {before} ELSE {value} END"
