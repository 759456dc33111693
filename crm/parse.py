"""Columns of cells as typed columns of the record: every distinct cell is read once, strictly.

A cell that does not fit becomes null and is named with what was expected; the caller rejects its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.cell_text import clean_text, one_array
from crm.parse_dates import parse_day, parse_moment, parse_period, parse_serial, to_utc
from crm.parse_numbers import (
    has_foreign_comma,
    parse_amount,
    parse_flag,
    parse_integer,
    parse_number,
    to_hundredths,
)
from crm.parse_rule import BadCell, Parsed, Rule
from crm.parse_typed import amount_text, parse_typed, zoned
from crm.schema import DType, arrow_type

_ISO_MOMENTS = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?$"
_OFFSET_MOMENTS = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)$"
_ISO_DAYS = r"^\d{4}-\d\d-\d\d$"
_PLAIN_AMOUNTS = r"^-?(\d{1,12}|\d{1,3}(,\d{3}){1,3})(\.\d{1,2})?$"
_PLAIN_NUMBERS = r"^-?(\d{1,15}|\d{1,3}(,\d{3}){1,4})(\.\d{1,15})?$"
_LONGEST_SHOWN = 80
_HUNDRED = pa.scalar(100, pa.decimal128(3, 0))


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
        typed = parse_typed(array, rule, missing)
        if typed is not None:
            return typed
        rule = replace(rule, formats=(), decimal_comma=False)
        if rule.dtype is DType.MONEY and pa.types.is_floating(array.type):
            array = amount_text(array)
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
                return _in_range(zoned(text.cast(pa.timestamp("us")), rule.zone))
            if _all_match(text, _OFFSET_MOMENTS):
                return _in_range(text.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us")))
        elif rule.dtype is DType.DATE and plain_date and _all_match(text, _ISO_DAYS):
            return _in_range(text.cast(pa.date32()))
        elif rule.dtype is DType.MONEY and plain_number and _all_match(text, _PLAIN_AMOUNTS):
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


def _reader(rule: Rule, words: list[str]) -> Callable[[str], object]:
    numeric = rule.dtype in (DType.INTEGER, DType.NUMBER, DType.MONEY)
    commas = not (numeric and not rule.decimal_comma and has_foreign_comma(words))
    comma, zone, formats = rule.decimal_comma, rule.zone, rule.formats
    if rule.dtype is DType.MONEY:
        return lambda word: to_hundredths(
            parse_amount(word, decimal_comma=comma, commas=commas) * rule.scale,
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
