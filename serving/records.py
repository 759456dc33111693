"""Rows that come with a request: read against the columns that the record states, one error a row.

A row has the record's own column names; amounts come in currency units and become hundredths, moments come as
ISO 8601 with an offset and become UTC, as the record holds them. A message names the column, never a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import TypeAlias

from crm.schema import Column, DType, Table
from crm.tables import table

Row: TypeAlias = Mapping[str, object]

EVENTS = "events"
MOST_EVENTS = 2000
_LONGEST_TEXT = 2000
_LONGEST_NAME = 40
_LONGEST_ID = 200
_CENTS = 100
_BIGGEST = 10**15


class BadRecord(ValueError):
    """A row that cannot be read; the message names the column and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """A row as the record would hold it."""

    entity_id: str | None
    row: Row
    events: Mapping[str, Sequence[Row]]


class RecordForm:
    """Which columns a row may have, and what they hold.

    Parameters
    ----------
    columns : sequence of Column
        The columns of a row.
    key : str
        The column that names the entity.
    events : mapping of str to Table
        The lists of rows that may come along, by name.
    """

    def __init__(self, columns: Sequence[Column], key: str, events: Mapping[str, Table]) -> None:
        self.columns = {column.name: column for column in columns}
        self.key = key
        self.events = dict(events)
        self._event_columns = {name: {column.name: column for column in t.columns} for name, t in events.items()}

    def entity_id(self, record: object) -> str | None:
        """The entity's id when the row states one that can be answered with."""
        return stated_id(record, self.key)

    def read(self, record: object) -> ReadRecord:
        """The row in the record's own types.

        Raises
        ------
        BadRecord
            It is no object, or a column is unknown or of another type.
        """
        if not isinstance(record, dict):
            raise BadRecord("expected an object of columns")
        events = record.get(EVENTS)
        row = _read_row(record, self.columns, "column", skip=EVENTS)
        return ReadRecord(entity_id=self.entity_id(record), row=row, events=self._events(events))

    def _events(self, events: object) -> dict[str, list[Row]]:
        if events is None:
            return {}
        if not isinstance(events, dict):
            raise BadRecord("column events: expected an object of lists")
        _require_known(events, self.events, "events: list")
        found: dict[str, list[Row]] = {}
        for name, rows in events.items():
            if not isinstance(rows, list) or len(rows) > MOST_EVENTS:
                raise BadRecord(f"events.{name}: expected a list of at most {MOST_EVENTS} rows")
            found[name] = [self._event(name, place, row) for place, row in enumerate(rows)]
        return found

    def _event(self, name: str, place: int, row: object) -> Row:
        if not isinstance(row, dict):
            raise BadRecord(f"events.{name}.{place}: expected an object of columns")
        found = _read_row(row, self._event_columns[name], f"events.{name}.{place}: column")
        stated = self.events[name]
        if stated.clock is not None and found.get(stated.clock) is None:
            raise BadRecord(f"events.{name}.{place}: column {stated.clock} is required")
        # Rows without a key are told apart, and ordered within one moment, by their place.
        keys = {key: f"{place:06d}" for key in stated.key if found.get(key) is None}
        return {**found, **keys}


def stated_id(record: object, key: str) -> str | None:
    """The id that a row as it came states under a column; None when it states none that can be answered with.

    Examples
    --------
    >>> stated_id({"lead_id": "L1"}, "lead_id"), stated_id({"lead_id": 7}, "lead_id"), stated_id("L1", "lead_id")
    ('L1', None, None)
    """
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID else None


def form_of_table(entity: str, custom: Mapping[str, DType], events: Mapping[str, str]) -> RecordForm:
    """The form of a row of a table of the record, with its custom columns.

    Parameters
    ----------
    entity : str
        The table.
    custom : mapping of str to DType
        Its custom columns.
    events : mapping of str to str
        The lists of rows that may come along: their table by their name.

    Examples
    --------
    >>> form = form_of_table("leads", {"budget": DType.MONEY}, {"activities": "activities"})
    >>> form.read({"lead_id": "L1", "budget": 12.5}).row
    {'lead_id': 'L1', 'budget': 1250}
    """
    stated = table(entity)
    columns = [*stated.columns, *(_custom(name, dtype) for name, dtype in custom.items())]
    if "account_id" not in stated.names:
        columns.append(Column(name="account_id", dtype=DType.TEXT, doc="The account to join."))
    return RecordForm(columns, stated.key[0], {name: table(named) for name, named in events.items()})


def _custom(name: str, dtype: DType) -> Column:
    return Column(name=name, dtype=dtype, doc="Custom column.")


def _read_row(record: Mapping[str, object], columns: Mapping[str, Column], where: str, skip: str = "") -> Row:
    row: dict[str, object] = {}
    for name, value in record.items():
        column = columns.get(name)
        if column is None:
            if name == skip:
                continue
            _require_known(record, columns, where)
            raise BadRecord(f"{where}: unknown")
        if value is None:
            row[name] = None
            continue
        try:
            read = _READ[column.dtype](value)
        except (ValueError, OverflowError):
            raise BadRecord(f"{where} {name}: expected {_EXPECTED[column.dtype]}") from None
        if column.values and read not in column.values:
            raise BadRecord(f"{where} {name}: expected one of {', '.join(column.values)}")
        row[name] = read
    return row


def _require_known(came: Mapping[str, object], known: Mapping[str, object], where: str) -> None:
    for name in came:
        if name in known or name == EVENTS:
            continue
        near = get_close_matches(name[:_LONGEST_NAME], known, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known)[:20])}"
        # A name like those of columns is repeated so that it can be found; anything else is input and is not.
        shown = name if len(name) <= _LONGEST_NAME and name.replace("_", "").isalnum() else "(not shown)"
        raise BadRecord(f"{where} {shown}: there is no such column{hint}")


def _text(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\x00" in value:
        raise ValueError
    return value if value.strip() else None


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_EVENTS or not all(isinstance(item, str) for item in value):
        raise ValueError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    if abs(value) > _BIGGEST:
        raise ValueError
    return value


def _integer(value: object) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _money(value: object) -> int:
    return round(_number(value) * _CENTS)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004  # a wrong type is a wrong value of the caller here
    return value


def _date(value: object) -> date:
    if not isinstance(value, str) or len(value) != len("2026-01-31"):
        raise ValueError
    return date.fromisoformat(value)


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise ValueError
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC).replace(tzinfo=None)


_READ: dict[DType, Callable[[object], object]] = {
    DType.TEXT: _text,
    DType.TEXTS: _texts,
    DType.INTEGER: _integer,
    DType.NUMBER: _number,
    DType.MONEY: _money,
    DType.FLAG: _flag,
    DType.DATE: _date,
    DType.TIMESTAMP: _moment,
}
_EXPECTED = {
    DType.TEXT: f"text of at most {_LONGEST_TEXT} characters",
    DType.TEXTS: "a list of texts",
    DType.INTEGER: "a whole number",
    DType.NUMBER: "a number",
    DType.MONEY: "an amount in currency units, as a number",
    DType.FLAG: "true or false",
    DType.DATE: "a day such as 2026-03-31",
    DType.TIMESTAMP: "a moment with its offset such as 2026-03-31T08:00:00+08:00",
}
