"""The array form of attributes: what a column said at a moment, mutable ones rolled back through `changes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import cast

from crm.schema import Column, DType
from crm.tables import table
from features.asof import DAY_SECONDS, Moment, Row, age_seconds, cell_as_known, column_of, happened, naive_utc
from features.spec import AgeDays, Attribute, DaysInState, Drift

_TRUE, _FALSE = frozenset({"true", "t", "1", "yes"}), frozenset({"false", "f", "0", "no"})


def known_value(table_name: str, name: str, row: Row, events: Mapping[str, Sequence[Row]], moment: Moment) -> object:
    """The value of a column of a row as known at a moment; None when the row was not visible yet."""
    column = column_of(table_name, name)
    if not entity_is_visible(table_name, row, moment):
        return None
    return _rolled_back(table_name, column, row, events, moment)


def attribute_value(
    attribute: Attribute, row: Row, events: Mapping[str, Sequence[Row]], moment: Moment
) -> float | str | None:
    """The value of an attribute feature of a row at a moment."""
    if not entity_is_visible(attribute.table, row, moment):
        return None
    column = column_of(attribute.table, attribute.column, attribute.dtype)
    if isinstance(attribute, DaysInState):
        return _days_in_state(attribute, row, events, moment)
    value = _rolled_back(attribute.table, column, row, events, moment)
    if value is None:
        return None
    if isinstance(attribute, Drift):
        return _drift(attribute, column, value, row, events, moment)
    if isinstance(attribute, AgeDays):
        return _days(cast("date", value), moment)
    if isinstance(value, str):
        return value
    return float(cast("float", value)) / (100.0 if column.dtype is DType.MONEY else 1.0)


def entity_is_visible(table_name: str, row: Row, moment: Moment) -> bool:
    """Whether an entity's row is visible; a request that leaves its clock out speaks of one that exists."""
    stated = table(table_name)
    recorded = row.get("recorded_at")
    if recorded is not None and not happened(recorded, moment):
        return False
    began = row.get(stated.clock) if stated.clock is not None else None
    return began is None or happened(began, moment)


def _changes_of(table_name: str, column: str, row: Row, events: Mapping[str, Sequence[Row]]) -> list[Row]:
    key = row.get(table(table_name).key[0])
    return [
        change
        for change in events.get("changes", ())
        if change.get("field") == column
        and change.get("entity", table_name) == table_name
        and (key is None or change.get("entity_id", key) == key)
    ]


def _seen(change: Row, moment: Moment) -> bool:
    recorded = change.get("recorded_at")
    return happened(change.get("occurred_at"), moment) and (recorded is None or happened(recorded, moment))


def _rolled_back(
    table_name: str, column: Column, row: Row, events: Mapping[str, Sequence[Row]], moment: Moment
) -> object:
    if not column.mutable:
        return cell_as_known(column, row, moment)
    changes = _changes_of(table_name, column.name, row, events)
    if not changes:
        return cell_as_known(column, row, moment)
    seen = [change for change in changes if _seen(change, moment)]
    if seen:
        text = max(seen, key=_by_occurrence).get("new_value")
    else:
        text = min(changes, key=lambda change: (_recorded(change), *_by_occurrence(change))).get("old_value")
    return parsed(cast("str | None", text), column.dtype)


def _by_occurrence(change: Row) -> tuple[datetime, str]:
    return naive_utc(cast("datetime", change["occurred_at"])), str(change.get("change_id", ""))


def _recorded(change: Row) -> datetime:
    return naive_utc(cast("datetime", change.get("recorded_at") or change["occurred_at"]))


def _drift(
    attribute: Drift, column: Column, value: object, row: Row, events: Mapping[str, Sequence[Row]], moment: Moment
) -> float | None:
    """The way from the value before the first visible change to the one known; 0 when nothing changed."""
    seen = [c for c in _changes_of(attribute.table, attribute.column, row, events) if _seen(c, moment)]
    if not seen or not column.mutable:
        return 0.0
    first = parsed(cast("str | None", min(seen, key=_by_occurrence).get("old_value")), column.dtype)
    if first is None:
        return None
    if column.dtype is DType.DATE:
        return _days(cast("date", first), moment) - _days(cast("date", value), moment)
    before = float(cast("float", first))
    return None if before == 0 else float(cast("float", value)) / before - 1.0


def _days_in_state(
    attribute: DaysInState, row: Row, events: Mapping[str, Sequence[Row]], moment: Moment
) -> float | None:
    seen = [c for c in _changes_of(attribute.table, attribute.column, row, events) if _seen(c, moment)]
    if seen:
        return _days(max(_by_occurrence(change)[0] for change in seen), moment)
    began = row.get(str(table(attribute.table).clock))
    return None if began is None else _days(cast("date", began), moment)


def _days(value: date, moment: Moment) -> float:
    shift = 0 if isinstance(value, datetime) else DAY_SECONDS
    return (age_seconds(value, moment) + shift) / DAY_SECONDS


def parsed(text: str | None, dtype: DType) -> object:
    """A value of `changes` as its column holds it; None when it is empty or does not parse.

    Examples
    --------
    >>> parsed("12", DType.INTEGER), parsed("", DType.TEXT), parsed("soon", DType.DATE)
    (12.0, None, None)
    """
    if not text:
        return None
    if dtype is DType.TEXT:
        return text
    if dtype is DType.FLAG:
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
    try:
        if dtype is DType.DATE:
            return date.fromisoformat(text)
        return naive_utc(datetime.fromisoformat(text)) if dtype is DType.TIMESTAMP else float(text)
    except ValueError:
        return None
