"""The vocabulary in which `crm.tables` states every table of the record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import pyarrow as pa


class DType(StrEnum):
    """What a column holds; `arrow_type` says how it is stored."""

    TEXT = "text"
    TEXTS = "texts"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    FLAG = "flag"
    DATE = "date"
    TIMESTAMP = "timestamp"


_ARROW = {
    DType.TEXT: pa.string(),
    DType.TEXTS: pa.list_(pa.string()),
    DType.INTEGER: pa.int64(),
    DType.NUMBER: pa.float64(),
    DType.MONEY: pa.int64(),
    DType.FLAG: pa.bool_(),
    DType.DATE: pa.date32(),
    DType.TIMESTAMP: pa.timestamp("us"),
}


def arrow_type(dtype: DType) -> pa.DataType:
    """The storage type: money as int64 hundredths, timestamps as naive UTC microseconds."""
    return _ARROW[dtype]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Column name; the suffix carries the clock (`_at` UTC, `_on` local date, `_month` first of month).
    dtype : DType
        What it holds. `MONEY` is kept in whole hundredths of the currency unit, for every currency: 1 JPY is 100,
        1 KWD is 100 too. Finer amounts are rejected, or rounded when the mapping says so (ADR 0009).
    doc : str
        What it means, one sentence.
    unit : str or None
        Unit of a number (`days`, `hours`, `share`, `hundredths`).
    required : bool
        A row without it is rejected.
    mutable : bool
        The company changes it over time; changes are kept in the table `changes`.
    set_once : bool
        Written with the row and only corrected later: mutable, and yet today's value is as a rule the first one.
    known_at : str or None
        Column of the same row whose moment is the first at which this value was known. Reads as of an
        earlier moment see null. A column may name itself (`closed_at` is not known before it happens).
    personal : bool
        Personal data: never a category of a model, never in a log, erasable.
    values : tuple of str
        The allowed values of a closed list; empty when any text is allowed.
    refers_to : str or None
        The table whose key this column holds.
    """

    name: str
    dtype: DType
    doc: str
    unit: str | None = None
    required: bool = False
    mutable: bool = False
    set_once: bool = False
    known_at: str | None = None
    personal: bool = False
    values: tuple[str, ...] = ()
    refers_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the record.

    Parameters
    ----------
    name : str
        Table name, plural.
    grain : str
        What one row is, as a sentence.
    key : tuple of str
        The columns that identify a row; always text, dates or integers, never null.
    columns : tuple of Column
        All columns beyond `SYSTEM_COLUMNS`, key columns included.
    clock : str or None
        The column that says when the row came to be in the world. None, or empty in a row: known from
        `recorded_at` alone.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    clock: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in stated order, without the system columns."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises
        ------
        KeyError
            The table states no such column.
        """
        for candidate in self.columns:
            if candidate.name == name:
                return candidate
        raise KeyError(f"table {self.name} states no column {name!r}; it has {', '.join(self.names)}")

    def has(self, name: str) -> bool:
        """Whether the table states a column of that name."""
        return name in self.names


# Kept on every row beside the stated columns.
SYSTEM_COLUMNS: tuple[Column, ...] = (
    Column(name="recorded_at", dtype=DType.TIMESTAMP, doc="When the company's systems first knew the row."),
    Column(name="backfilled", dtype=DType.FLAG, doc="`recorded_at` was derived, not read from the source."),
    Column(name="ingested_at", dtype=DType.TIMESTAMP, doc="When salescast took the row in."),
    Column(name="source", dtype=DType.TEXT, doc="The mapping source that brought the row."),
)
# How a row with a key of several columns is named in `changes.entity_id`.
KEY_SEPARATOR = "|"

SYSTEM_NAMES = frozenset(c.name for c in SYSTEM_COLUMNS)


def text(
    name: str,
    doc: str,
    *,
    refers_to: str | None = None,
    values: tuple[str, ...] = (),
    required: bool = False,
    mutable: bool = False,
    personal: bool = False,
    known_at: str | None = None,
) -> Column:
    """A text column; `values` closes the list."""
    return Column(
        name=name,
        dtype=DType.TEXT,
        doc=doc,
        refers_to=refers_to,
        values=values,
        required=required,
        mutable=mutable,
        personal=personal,
        known_at=known_at,
    )


def correctable(column: Column) -> Column:
    """The column as one that is written with the row and may be corrected later; corrections are kept in `changes`."""
    return replace(column, mutable=True, set_once=True)


def texts(name: str, doc: str, *, mutable: bool = False) -> Column:
    """A column of text lists."""
    return Column(name=name, dtype=DType.TEXTS, doc=doc, mutable=mutable)


def integer(name: str, doc: str, *, unit: str | None = None, mutable: bool = False, required: bool = False) -> Column:
    """A whole-number column."""
    return Column(name=name, dtype=DType.INTEGER, doc=doc, unit=unit, mutable=mutable, required=required)


def number(
    name: str,
    doc: str,
    *,
    unit: str | None = None,
    mutable: bool = False,
    required: bool = False,
    known_at: str | None = None,
) -> Column:
    """A floating-point column; never money."""
    return Column(
        name=name, dtype=DType.NUMBER, doc=doc, unit=unit, mutable=mutable, required=required, known_at=known_at
    )


def money(name: str, doc: str, *, mutable: bool = False, required: bool = False) -> Column:
    """An amount in whole hundredths of the unit of the row's currency."""
    return Column(name=name, dtype=DType.MONEY, doc=doc, unit="hundredths", mutable=mutable, required=required)


def flag(name: str, doc: str, *, mutable: bool = False) -> Column:
    """A yes / no column."""
    return Column(name=name, dtype=DType.FLAG, doc=doc, mutable=mutable)


def date(name: str, doc: str, *, required: bool = False, mutable: bool = False, known_at: str | None = None) -> Column:
    """A calendar day in the company's time zone."""
    return Column(name=name, dtype=DType.DATE, doc=doc, required=required, mutable=mutable, known_at=known_at)


def moment(name: str, doc: str, *, required: bool = False, known_at: str | None = None) -> Column:
    """A UTC timestamp."""
    return Column(name=name, dtype=DType.TIMESTAMP, doc=doc, required=required, known_at=known_at)
