"""When a row, and a value in it, may be seen: the two clocks as portable SQL.

A row is visible at a moment when it had happened in the world (its clock) and was on record
(`recorded_at`). A timestamp counts from that very moment on; a day counts from the day after, since nothing
says at which hour it happened. A value with `known_at` is null before that moment. A mutable value is
rolled back through `changes`. Nothing else in the house decides what was known when.
"""

from __future__ import annotations

from dataclasses import dataclass

from crm.engine import quote_name, quote_text
from crm.schema import Column, DType, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """SQL expressions of one moment: a UTC timestamp and the same moment's day in the company's time zone."""

    at: str
    on: str


def has_happened(column: Column, alias: str, as_of: AsOf) -> str:
    """SQL that is true when the moment in `alias.column` lies at or before `as_of`.

    Examples
    --------
    >>> from crm.tables import table
    >>> moment = AsOf(at="s.as_of", on="s.as_of_on")
    >>> has_happened(table("invoices").column("issued_on"), "i", moment)
    'i."issued_on" < s.as_of_on'
    """
    name = f"{alias}.{quote_name(column.name)}"
    if column.dtype is DType.DATE:
        return f"{name} < {as_of.on}"
    return f"{name} <= {as_of.at}"


def is_visible(table: Table, alias: str, as_of: AsOf) -> str:
    """SQL that is true when a row of `table` is visible at `as_of`, on both clocks.

    A row whose clock the company does not know (an account without a day of creation) goes by `recorded_at` alone.
    """
    recorded = f"{alias}.recorded_at <= {as_of.at}"
    if table.clock is None:
        return recorded
    clock = table.column(table.clock)
    happened = has_happened(clock, alias, as_of)
    if clock.required:
        return f"{recorded} AND {happened}"
    return f"{recorded} AND ({alias}.{quote_name(clock.name)} IS NULL OR {happened})"


def value_as_known(table: Table, column: Column, alias: str, as_of: AsOf) -> str:
    """SQL of a column's value as known at `as_of`, before changes are rolled back."""
    name = f"{alias}.{quote_name(column.name)}"
    if column.known_at is None:
        return name
    return f"CASE WHEN {has_happened(table.column(column.known_at), alias, as_of)} THEN {name} END"


def moment(at: str, on: str) -> AsOf:
    """An `AsOf` of two literals, `2026-01-31 08:00:00` (UTC) and `2026-01-31` (local day)."""
    return AsOf(at=f"CAST({quote_text(at)} AS TIMESTAMP)", on=f"CAST({quote_text(on)} AS DATE)")
