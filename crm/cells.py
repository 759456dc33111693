"""Cells of a source as one column of the record: joined, computed, looked up, translated, then parsed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import add, mul, sub
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.cell_text import as_strings, clean_text
from crm.mapping import Source, nearest
from crm.mapping_columns import UNITS, ColumnSpec
from crm.parse import parse_column
from crm.parse_numbers import FALSE_WORDS, TRUE_WORDS, parse_amount, to_hundredths
from crm.parse_rule import BadCell, Parsed, Rule
from crm.raw import BadSource, Reject
from crm.schema import Column, DType, arrow_type

_FINGERPRINT_LENGTH = 16
_GROSS_ELSEWHERE = frozenset({"credit_limit"})
_GROSS_TABLES = frozenset({"receipt_allocations", "promises"})
_JOINT = "\x1f"


class Record(Protocol):
    """The tables as they stand while an ingest goes on, for lookups."""

    def rows_now(self, name: str) -> pa.Table:
        """All rows of a table."""
        ...

    def custom_now(self, name: str) -> Mapping[str, DType]:
        """The custom columns of a table."""
        ...

    def facts_now(self, name: str) -> Mapping[str, str]:
        """What mappings stated about a table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceRows:
    """Rows of one source with what the mapping says of all of them.

    Attributes
    ----------
    rows : pa.Table
        As the reader gave them.
    line : ndarray of int64, shape (n_rows,)
        Where each row stands in the source.
    number : ndarray of int64, shape (n_rows,)
        Number of each row of the source, from 1.
    parts : tuple of (str, int)
        Name and number of rows of each file, when the source is several.
    """

    source: Source
    rows: pa.Table
    line: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    zone: ZoneInfo
    currency: str
    decimal_comma: bool
    parts: tuple[tuple[str, int], ...] = ()

    def reject(self, row: int, column: str, value: str, reason: str) -> Reject:
        """A cell of a row at fault, named by line, and by file when the source is several."""
        number, file = int(self.number[row]), ""
        for name, count in self.parts if len(self.parts) > 1 else ():
            if number <= count:
                file = f"{name}: "
                break
            number -= count
        return Reject(
            source=self.source.name, line=int(self.line[row]), column=column, value=value, reason=f"{file}{reason}"
        )

    def cells(self, name: str) -> pa.ChunkedArray:
        """A source column.

        Raises
        ------
        BadSource
            The source has no such column; the message gives the nearest spelling.
        """
        if name not in self.rows.column_names:
            raise BadSource(f"source {self.source.name}: no column {name!r}; {nearest(name, self.rows.column_names)}")
        return self.rows.column(name)

    def missing(self, name: str, spec: ColumnSpec | None = None) -> tuple[str, ...]:
        """The cells of a column that mean "no value"."""
        return (*self.source.missing, *self.source.missing_in.get(name, ()), *(spec.missing if spec else ()))

    def text(self, name: str, spec: ColumnSpec | None = None) -> pa.Array:
        """A source column as clean text."""
        return clean_text(self.cells(name), self.missing(name, spec))

    def take(self, index: npt.NDArray[np.int64]) -> SourceRows:
        """The rows at these positions."""
        return replace(self, rows=self.rows.take(pa.array(index)), line=self.line[index], number=self.number[index])


def fill_column(rows: SourceRows, spec: ColumnSpec, column: Column, *, table: str, record: Record) -> Parsed:
    """The values of one column of the record, one a row of the source, with the cells that do not fit.

    Parameters
    ----------
    rows : SourceRows
        The source.
    spec : ColumnSpec
        How the mapping fills the column.
    column : Column
        What the record states about it.
    """
    if (spec.add or spec.subtract or spec.multiply) and column.dtype in (DType.MONEY, DType.NUMBER):
        return _computed(rows, spec, column)
    cells, missing = _source_cells(rows, spec, record)
    return parse_column(cells, rule_of(rows, spec, column, table), missing)


def _source_cells(
    rows: SourceRows, spec: ColumnSpec, record: Record
) -> tuple[pa.ChunkedArray | pa.Array, tuple[str, ...]]:
    n_rows = rows.rows.num_rows
    if spec.constant is not None:
        return pa.repeat(pa.scalar(spec.constant), n_rows), ()
    if spec.row_number:
        return pa.array(rows.number), ()
    if spec.fingerprint:
        return fingerprints(rows, spec.from_ or rows.rows.column_names), ()
    plain = not (spec.values or spec.default or spec.lookup or spec.prefix)
    if len(spec.from_) == 1 and plain:
        return rows.cells(spec.from_[0]), rows.missing(spec.from_[0], spec)
    text = _joined(rows, spec)
    if spec.parse == "whole_number":
        text = pc.replace_substring_regex(text, r"^(-?\d+)\.0+$", r"\1")
    if spec.values:
        text = _translated(text, spec.values)
    if spec.lookup is not None:
        found = record.rows_now(spec.lookup.table)
        keys = as_strings(found.column(spec.lookup.key).combine_chunks())
        values = as_strings(found.column(spec.lookup.take).combine_chunks())
        text = values.take(pc.index_in(text, value_set=keys)) if len(keys) else pa.nulls(n_rows, pa.string())
    if spec.default is not None:
        text = pc.fill_null(text, spec.default)
    if spec.prefix is not None:
        text = pc.binary_join_element_wise(spec.prefix, text, "")
    return text, ()


def _joined(rows: SourceRows, spec: ColumnSpec) -> pa.Array:
    parts = [rows.text(name, spec) for name in spec.from_]
    if len(parts) == 1:
        return parts[0]
    joined = pc.binary_join_element_wise(*parts, spec.joined_by, null_handling="replace", null_replacement="")
    anything = reduce(pc.or_, [pc.is_valid(part) for part in parts])
    return pc.if_else(anything, joined, pa.scalar(None, pa.string()))


def _translated(text: pa.Array, values: Mapping[str, str]) -> pa.Array:
    at = pc.index_in(text, value_set=pa.array(list(values)))
    return pc.coalesce(pa.array(list(values.values())).take(at), text)


def fingerprints(rows: SourceRows, names: Sequence[str]) -> pa.Array:
    """A digest of each row's cells, with `#2`, `#3` ... on further rows of the same cells.

    The same rows in another order have the same fingerprints.
    """
    joint = _content(rows, names).dictionary_encode()
    words: list[str] = joint.dictionary.to_pylist()
    digests = [hashlib.sha256(word.encode()).hexdigest()[:_FINGERPRINT_LENGTH] for word in words]
    codes = joint.indices.to_numpy(zero_copy_only=False)
    occurrence = occurrences(codes)
    plain = pa.array(digests).take(joint.indices)
    if occurrence.max(initial=0) == 0:
        return plain
    numbered = pc.binary_join_element_wise(plain, pa.array(occurrence + 1).cast(pa.string()), "#")
    return pc.if_else(pa.array(occurrence > 0), numbered, plain)


def occurrences(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many earlier rows have the same code, for each row.

    Examples
    --------
    >>> occurrences(np.array([3, 1, 3, 3])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(codes) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(codes)])
    counts = np.empty(len(codes), dtype=np.int64)
    counts[order] = np.arange(len(codes)) - np.repeat(starts, lengths)
    return counts


def _content(rows: SourceRows, names: Sequence[str]) -> pa.Array:
    parts = [rows.text(name) for name in names]
    if len(parts) == 1:
        return pc.fill_null(parts[0], "")
    return pc.binary_join_element_wise(*parts, _JOINT, null_handling="replace", null_replacement="")


def rule_of(rows: SourceRows, spec: ColumnSpec, column: Column, table: str) -> Rule:
    """How the cells that a setting names are read for a column of a table."""
    scale = Decimal(UNITS[spec.unit]) if spec.unit else Decimal(1)
    if spec.unit == "cents":
        scale = Decimal(1) / 100
    factor = _tax_factor(spec, column, table)
    return Rule(
        dtype=column.dtype,
        zone=ZoneInfo(spec.time_zone) if spec.time_zone else rows.zone,
        formats=spec.format or (rows.source.date_formats if spec.constant is None else ()),
        period=spec.period,
        decimal_comma=spec.decimal_comma or rows.decimal_comma,
        scale=scale * factor,
        rounded=spec.rounded or factor != 1,
        style=spec.parse,
        true=spec.true or TRUE_WORDS,
        false=spec.false or FALSE_WORDS,
        split=spec.split,
        allowed=column.values,
    )


def _tax_factor(spec: ColumnSpec, column: Column, table: str) -> Decimal:
    if spec.tax is None or spec.tax_rate is None:
        return Decimal(1)
    is_gross = column.name.startswith("gross") or column.name in _GROSS_ELSEWHERE or table in _GROSS_TABLES
    with_tax = 1 + Decimal(repr(spec.tax_rate))
    if spec.tax == ("gross" if is_gross else "net"):
        return Decimal(1)
    return with_tax if is_gross else 1 / with_tax


def _computed(rows: SourceRows, spec: ColumnSpec, column: Column) -> Parsed:
    names = spec.add or spec.subtract or spec.multiply
    operation = add if spec.add else sub if spec.subtract else mul
    joint = pc.binary_join_element_wise(*[rows.text(name, spec) for name in names], _JOINT, null_handling="emit_null")
    coded = joint.dictionary_encode()
    words: list[str] = coded.dictionary.to_pylist()
    comma = spec.decimal_comma or rows.decimal_comma
    values: list[int | float | None] = []
    reasons: dict[int, str] = {}
    for code, word in enumerate(words):
        try:
            amount = reduce(operation, [parse_amount(part, decimal_comma=comma) for part in word.split(_JOINT)])
            if column.dtype is DType.MONEY:
                values.append(to_hundredths(amount, rounded=spec.rounded))
            else:
                values.append(float(amount))
        except ValueError as error:
            values.append(None)
            reasons[code] = f"{' and '.join(names)}: {error}"
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    at_fault = np.flatnonzero(np.isin(codes, list(reasons)))
    bad = tuple(
        BadCell(row=int(row), value=_shown(words[codes[row]]), reason=reasons[int(codes[row])]) for row in at_fault
    )
    return Parsed(values=pa.array(values, arrow_type(column.dtype)).take(coded.indices), bad=bad)


def _shown(joint: str) -> str:
    return joint.replace(_JOINT, ", ")
