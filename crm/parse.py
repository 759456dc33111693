"""Columns of cells as typed columns of the record: every distinct cell is read once, strictly.

A cell that does not fit becomes null and is named with what was expected; the caller rejects its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.cell_text import clean_text, one_array
from crm.parse_dates import parse_day, parse_moment, parse_period, parse_serial, to_utc
from crm.parse_numbers import (
    FALSE_WORDS,
    TRUE_WORDS,
    has_foreign_comma,
    parse_amount,
    parse_flag,
    parse_integer,
    parse_number,
    to_minor_units,
)
from crm.schema import DType, arrow_type

UTC_ZONE = ZoneInfo("UTC")

_ISO_MOMENTS = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?$"
_OFFSET_MOMENTS = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)$"
_ISO_DAYS = r"^\d{4}-\d\d-\d\d$"
_PLAIN_AMOUNTS = r"^-?(\d{1,12}|\d{1,3}(,\d{3}){1,3})(\.\d{1,2})?$"
_PLAIN_NUMBERS = r"^-?(\d{1,15}|\d{1,3}(,\d{3}){1,4})(\.\d{1,15})?$"
_LONGEST_SHOWN = 80
_HUNDRED = pa.scalar(100, pa.decimal128(3, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the cells of one column are read.

    Parameters
    ----------
    dtype : DType
        What the column holds.
    zone : ZoneInfo
        Zone of times without an offset, and of the company's days.
    formats : tuple of str
        Patterns of dates, tried in order; none means ISO 8601.
    period : str or None
        Days are the first of this period (`week`, `month`, `quarter`).
    exponent : int
        Decimal places of the currency.
    scale : Decimal
        What one in the source counts (`万`: 10000), times the tax factor.
    rounded : bool
        Amounts finer than the minor unit are rounded half to even instead of rejected.
    allowed : tuple of str
        The closed list of the column; empty when any text is allowed.
    """

    dtype: DType
    zone: ZoneInfo = UTC_ZONE
    formats: tuple[str, ...] = ()
    period: str | None = None
    decimal_comma: bool = False
    exponent: int = 2
    scale: Decimal = Decimal(1)
    rounded: bool = False
    style: Literal["excel_serial", "whole_number", "percent", "lower", "upper"] | None = None
    true: tuple[str, ...] = TRUE_WORDS
    false: tuple[str, ...] = FALSE_WORDS
    split: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BadCell:
    """A cell that does not fit; `row` counts from 0."""

    row: int
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parsed:
    """A typed column, null where a cell was empty or bad."""

    values: pa.Array
    bad: tuple[BadCell, ...] = ()


def parse_column(column: pa.ChunkedArray | pa.Array, rule: Rule, missing: Sequence[str] = ()) -> Parsed:
    """A source column, text or typed, as a column of the record.

    Parameters
    ----------
    column : pa.ChunkedArray or pa.Array
        Cells as the reader gives them.
    rule : Rule
        What they mean.
    missing : sequence of str
        Cells that mean "no value".

    Returns
    -------
    Parsed
        Same length and order; bad cells are null and named.

    Examples
    --------
    >>> parse_column(pa.array(["1.50", "x"]), Rule(dtype=DType.MONEY)).bad[0].reason
    'expected an amount such as 1234.5'
    """
    array = one_array(column)
    if not pa.types.is_string(array.type):
        typed = _parse_typed(array, rule)
        if typed is not None:
            return typed
        rule = replace(rule, formats=(), decimal_comma=False)
    text = clean_text(array, missing)
    if rule.dtype is DType.TEXT:
        return _parse_text(text, rule)
    if len(text) == text.null_count:
        return Parsed(values=pa.nulls(len(text), arrow_type(rule.dtype)))
    quick = _parse_plain(text, rule)
    if quick is not None:
        return Parsed(values=quick)
    coded = text.dictionary_encode()
    words: list[str] = coded.dictionary.to_pylist()
    read = _reader(rule, words)
    values: list[object] = []
    reasons: dict[int, str] = {}
    for code, word in enumerate(words):
        try:
            values.append(read(word))
        except ValueError as error:
            values.append(None)
            reasons[code] = str(error)
    parsed = pa.array(values, arrow_type(rule.dtype)).take(coded.indices)
    return Parsed(values=parsed, bad=_bad_cells(coded.indices, words, reasons))


def _parse_text(text: pa.Array, rule: Rule) -> Parsed:
    if rule.style == "whole_number":
        text = pc.replace_substring_regex(text, r"^(-?\d+)\.0+$", r"\1")
    elif rule.style == "lower":
        text = pc.utf8_lower(text)
    elif rule.style == "upper":
        text = pc.utf8_upper(text)
    if not rule.allowed:
        return Parsed(values=text)
    fits = pc.or_kleene(pc.is_in(text, value_set=pa.array(rule.allowed)), pc.is_null(text))
    expected = f"expected one of {', '.join(rule.allowed[:12])}; map other words with `values:`"
    rows = np.flatnonzero(~fits.to_numpy(zero_copy_only=False))
    bad = tuple(BadCell(row=int(row), value=text[int(row)].as_py()[:_LONGEST_SHOWN], reason=expected) for row in rows)
    return Parsed(values=pc.if_else(fits, text, pa.scalar(None, pa.string())), bad=bad)


def _bad_cells(indices: pa.Array, words: list[str], reasons: dict[int, str]) -> tuple[BadCell, ...]:
    if not reasons:
        return ()
    codes = pc.fill_null(indices, -1).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(np.isin(codes, np.fromiter(reasons, dtype=np.int64)))
    return tuple(
        BadCell(row=int(row), value=words[codes[row]][:_LONGEST_SHOWN], reason=reasons[int(codes[row])]) for row in rows
    )


def _parse_plain(text: pa.Array, rule: Rule) -> pa.Array | None:
    """The column by Arrow's own parsers when every cell is written plainly; None otherwise."""
    plain_date = not rule.formats and rule.style is None and rule.period is None
    plain_number = rule.scale == 1 and rule.style is None and not rule.decimal_comma
    try:
        if rule.dtype is DType.TIMESTAMP and plain_date:
            if _all_match(text, _ISO_MOMENTS):
                return _in_range(_zoned(text.cast(pa.timestamp("us")), rule.zone))
            if _all_match(text, _OFFSET_MOMENTS):
                return _in_range(text.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us")))
        elif rule.dtype is DType.DATE and plain_date and _all_match(text, _ISO_DAYS):
            return _in_range(text.cast(pa.date32()))
        elif rule.dtype is DType.MONEY and plain_number and rule.exponent == 2 and _all_match(text, _PLAIN_AMOUNTS):
            return pc.multiply(_without_commas(text).cast(pa.decimal128(15, 2)), _HUNDRED).cast(pa.int64())
        elif rule.dtype is DType.NUMBER and plain_number and _all_match(text, _PLAIN_NUMBERS):
            return _without_commas(text).cast(pa.float64())
    except pa.ArrowInvalid:
        return None  # one cell at least is no day or hour: the slow way names it
    return None


def _without_commas(text: pa.Array) -> pa.Array:
    return pc.replace_substring(text, ",", "")


def _all_match(text: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, pattern), min_count=0).as_py())


def _in_range(values: pa.Array) -> pa.Array | None:
    if len(values) == values.null_count:
        return values
    years = pc.min_max(pc.year(values)).as_py()
    return values if years["min"] >= 1901 and years["max"] <= 2199 else None


def _zoned(local: pa.Array, zone: ZoneInfo) -> pa.Array:
    if zone.key == "UTC":
        return local
    aware = pc.assume_timezone(local, zone.key, ambiguous="earliest", nonexistent="raise")
    return aware.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))


def _reader(rule: Rule, words: list[str]) -> Callable[[str], object]:
    numeric = rule.dtype in (DType.INTEGER, DType.NUMBER, DType.MONEY)
    commas = not (numeric and not rule.decimal_comma and has_foreign_comma(words))
    comma, zone, formats = rule.decimal_comma, rule.zone, rule.formats
    if rule.dtype is DType.MONEY:
        return lambda word: to_minor_units(
            parse_amount(word, decimal_comma=comma, commas=commas) * rule.scale,
            exponent=rule.exponent,
            rounded=rule.rounded,
        )
    if rule.dtype is DType.NUMBER:
        percent, scale = rule.style == "percent", float(rule.scale)
        return lambda word: parse_number(word, decimal_comma=comma, commas=commas, percent=percent) * scale
    if rule.dtype is DType.INTEGER:
        whole = int(rule.scale)
        return lambda word: parse_integer(word, decimal_comma=comma, commas=commas) * whole
    if rule.dtype is DType.FLAG:
        true, false = _folded(rule.true), _folded(rule.false)
        return lambda word: parse_flag(word, true=true, false=false)
    if rule.dtype is DType.TEXTS:
        separator = rule.split or ";"
        return lambda word: [part.strip() for part in word.split(separator) if part.strip()]
    if rule.style == "excel_serial":
        if rule.dtype is DType.DATE:
            return lambda word: parse_serial(word).date()
        return lambda word: to_utc(parse_serial(word), zone)
    if rule.period is not None:
        period = rule.period
        return lambda word: parse_period(word, formats=formats, frequency=period)
    if rule.dtype is DType.DATE:
        return lambda word: parse_day(word, formats=formats, zone=zone)
    return lambda word: parse_moment(word, formats=formats, zone=zone)


def _folded(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words)


def _parse_typed(array: pa.Array, rule: Rule) -> Parsed | None:
    """A typed column that needs no reading; None when it is to be read as text."""
    kind, dtype = array.type, rule.dtype
    if rule.period is not None:
        return None
    if pa.types.is_date(kind) and dtype is DType.DATE:
        return Parsed(values=array.cast(pa.date32()))
    if pa.types.is_timestamp(kind) and dtype in (DType.DATE, DType.TIMESTAMP):
        return _parse_timestamps(array, rule)
    if pa.types.is_boolean(kind) and dtype is DType.FLAG:
        return Parsed(values=array)
    if pa.types.is_integer(kind) and dtype is DType.INTEGER and rule.scale == 1 and not pa.types.is_uint64(kind):
        return Parsed(values=array.cast(pa.int64()))
    if (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and dtype is DType.NUMBER and rule.scale == 1:
        values = array.cast(pa.float64(), safe=False)
        finite = pc.is_finite(values)
        return Parsed(values=pc.if_else(finite, values, pa.scalar(None, pa.float64())))
    if pa.types.is_list(kind) and dtype is DType.TEXTS:
        return Parsed(values=array.cast(pa.list_(pa.string())))
    return None


def _parse_timestamps(array: pa.Array, rule: Rule) -> Parsed | None:
    zone: tzinfo = rule.zone
    micros = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    try:
        if array.type.tz is None:
            utc = micros if rule.dtype is DType.DATE else _zoned(micros, rule.zone)
        else:
            target = zone if rule.dtype is DType.DATE else UTC
            key = target.key if isinstance(target, ZoneInfo) else "UTC"
            utc = pc.local_timestamp(micros.cast(pa.timestamp("us", key)))
    except pa.ArrowInvalid:
        return None
    return Parsed(values=utc.cast(pa.date32(), safe=False) if rule.dtype is DType.DATE else utc)
