"""Attributes of an entity as known at a moment: mutable columns rolled back through `changes`, as portable SQL.

The value known at a moment is what the latest visible change made of it; when no change was visible yet, what the
first one still to come replaced; when there is none, what the row says.
"""

from __future__ import annotations

from collections.abc import Sequence

from crm.clocks import has_happened
from crm.engine import quote_name, quote_text
from crm.schema import Column, DType
from crm.tables import table
from features.asof import DAY_SECONDS, SPINE_AS_OF, age_sql, known_sql, visible_sql
from features.compile import SPINE, Query, key_name, to_number
from features.spec import AgeDays, Attribute, DaysInState, Drift

_TYPED = {
    DType.INTEGER: "DOUBLE",
    DType.NUMBER: "DOUBLE",
    DType.MONEY: "DOUBLE",
    DType.FLAG: "BOOLEAN",
    DType.DATE: "DATE",
    DType.TIMESTAMP: "TIMESTAMP",
}


def compile_attributes(
    table_name: str,
    reach: str,
    wanted: Sequence[tuple[str, Attribute, Column]],
    *,
    with_changes: bool,
) -> Query:
    """The SQL of attributes of the entity (or of one row it is joined to).

    Parameters
    ----------
    table_name, reach : str
        The table, and the entity's column that names its row; empty for the entity itself.
    wanted : sequence of (name, primitive, column)
        What to compute.
    with_changes : bool
        Whether the record has changes at all.
    """
    stated = table(table_name)
    mutable = sorted({column.name for _, _, column in wanted if column.mutable}) if with_changes else []
    places = {name: f"{place}" for place, name in enumerate(mutable)}
    parts = [
        f"{_attribute(table_name, primitive, column, places)} AS {quote_name(name)}"
        for name, primitive, column in wanted
    ]
    key = key_name(reach)
    changes = f", c AS ({_changes(table_name, mutable)})" if mutable else ""
    join = "LEFT JOIN c ON c.n = p.n " if mutable else ""
    sql = f"""
WITH p AS (SELECT n, {key} AS k, as_of, as_of_on FROM {SPINE} WHERE {key} IS NOT NULL){changes},
a AS (SELECT p.n, {", ".join(parts)} FROM p JOIN {table_name} AS e ON e.{quote_name(stated.key[0])} = p.k {join}
WHERE {visible_sql(stated)})
SELECT s.n, {", ".join(f"a.{quote_name(name)}" for name, _, _ in wanted)}
FROM {SPINE} AS s LEFT JOIN a ON a.n = s.n ORDER BY s.n"""
    tables = (table_name, "changes") if mutable else (table_name,)
    return Query(sql=sql, names=tuple(name for name, _, _ in wanted), tables=tables)


def _changes(table_name: str, fields: Sequence[str]) -> str:
    """Per spine row and field: the latest visible new value, the old value of the first change still to come."""
    stated = table("changes")
    seen = f"({has_happened(stated.column('occurred_at'), 'e', SPINE_AS_OF)} AND e.recorded_at <= {SPINE_AS_OF.at})"
    parts: list[str] = []
    for place, field in enumerate(fields):
        this = f"e.field = {quote_text(field)}"
        parts += [
            "MAX_BY(COALESCE(e.new_value, ''), (e.occurred_at, e.change_id)) "
            f"FILTER (WHERE {this} AND {seen}) AS new_{place}",
            "MIN_BY(COALESCE(e.old_value, ''), (e.recorded_at, e.occurred_at, e.change_id)) "
            f"FILTER (WHERE {this} AND NOT {seen}) AS old_{place}",
            f"MAX(e.occurred_at) FILTER (WHERE {this} AND {seen}) AS at_{place}",
            "MIN_BY(COALESCE(e.old_value, ''), (e.occurred_at, e.change_id)) "
            f"FILTER (WHERE {this} AND {seen}) AS first_{place}",
        ]
    listed = ", ".join(quote_text(field) for field in fields)
    return (
        f"SELECT p.n, {', '.join(parts)} FROM p JOIN changes AS e ON e.entity_id = p.k "
        f"WHERE e.entity = {quote_text(table_name)} AND e.field IN ({listed}) GROUP BY p.n"
    )


def _attribute(table_name: str, primitive: Attribute, column: Column, places: dict[str, str]) -> str:
    stated = table(table_name)
    value = known_sql(stated, column)
    place = places.get(column.name)
    if isinstance(primitive, DaysInState):
        assert stated.clock is not None
        clock = stated.column(stated.clock)
        since = _days(clock, f"e.{quote_name(clock.name)}")
        if place is None:
            return since
        changed = _days(table("changes").column("occurred_at"), f"c.at_{place}")
        return f"CASE WHEN c.at_{place} IS NOT NULL THEN {changed} ELSE {since} END"
    if place is not None:
        text = f"NULLIF(COALESCE(c.new_{place}, c.old_{place}), '')"
        known = f"COALESCE(c.new_{place}, c.old_{place}) IS NOT NULL"
        typed = text if column.dtype is DType.TEXT else f"TRY_CAST({text} AS {_TYPED[column.dtype]})"
        value = f"CASE WHEN {known} THEN {typed} ELSE {_plain(column, value)} END"
    if isinstance(primitive, Drift):
        return _drift(column, value, place)
    if isinstance(primitive, AgeDays):
        return _days(column, value)
    return value if column.dtype is DType.TEXT else to_number(column, value)


def _drift(column: Column, value: str, place: str | None) -> str:
    """SQL of the way from the value before the first visible change to the one known; 0 when nothing changed."""
    zero = f"CASE WHEN {value} IS NOT NULL THEN CAST(0 AS DOUBLE) END"
    if place is None:
        return zero
    first = f"TRY_CAST(NULLIF(c.first_{place}, '') AS {_TYPED[column.dtype]})"
    if column.dtype is DType.DATE:
        moved = f"{_days(column, first)} - {_days(column, value)}"
    else:
        moved = f"({value}) / NULLIF({first}, CAST(0 AS DOUBLE)) - CAST(1 AS DOUBLE)"
    return f"CASE WHEN c.first_{place} IS NULL THEN {zero} ELSE {moved} END"


def _plain(column: Column, value: str) -> str:
    return value if column.dtype is DType.TEXT else f"CAST({value} AS {_TYPED[column.dtype]})"


def _days(column: Column, value: str) -> str:
    """SQL of days from a moment to that of the row: whole days between two dates, a fraction between moments."""
    shift = DAY_SECONDS if column.dtype is DType.DATE else 0
    return f"CAST({age_sql(column, value)} + {shift} AS DOUBLE) / CAST({DAY_SECONDS} AS DOUBLE)"
