"""Arrow columns from Python values as Excel cells and database rows give them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa

# Beyond it, neighbouring whole numbers share one float.
_EXACT_FLOAT = 2**53
_DECIMAL_DIGITS = 38


def build_column(values: Sequence[object]) -> pa.Array:
    """A column of the one type that holds all values without changing any; text when they differ in kind.

    Parameters
    ----------
    values : sequence of object
        bool, int, float, Decimal, str, date, datetime, time, timedelta, list of str, dict or None.

    Returns
    -------
    pa.Array
        bool, int64, float64, decimal128, date32, timestamp[us] (with `UTC` when aware), list of string, or string;
        null when there is no value.

    Examples
    --------
    >>> build_column([1, None, 2]).type
    DataType(int64)
    >>> build_column([7, "0007"]).to_pylist()
    ['7', '0007']
    """
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.nulls(len(values))
    try:
        return _typed(values, kinds)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _texts(values)


def join_columns(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Parts of one column under the one type that holds them all; text when they differ in kind.

    Examples
    --------
    >>> join_columns([build_column([None]), build_column([1])]).type
    DataType(int64)
    """
    kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
    if not kinds:
        return pa.chunked_array(parts, pa.null())
    kind = next(iter(kinds))
    if len(kinds) > 1:
        if all(pa.types.is_decimal(each) for each in kinds):
            kind = pa.decimal128(_DECIMAL_DIGITS, max(each.scale for each in kinds))
        elif kinds == {pa.int64(), pa.float64()}:
            kind = pa.float64()
        else:
            kind = pa.string()
    try:
        return pa.chunked_array([part.cast(kind) for part in parts], kind)
    except pa.ArrowInvalid:
        return pa.chunked_array([_texts(part.to_pylist()) for part in parts], pa.string())


def _typed(values: Sequence[object], kinds: set[type]) -> pa.Array:
    if kinds == {str}:
        return pa.array(values, pa.string())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int}:
        return pa.array(values, pa.int64())
    if kinds <= {int, float} and all(abs(v) <= _EXACT_FLOAT for v in values if isinstance(v, int)):
        return pa.array(values, pa.float64())
    if kinds <= {Decimal, int}:
        return _decimals(values)
    if kinds == {date}:
        return pa.array(values, pa.date32())
    if kinds <= {date, datetime}:
        return _moments(values)
    if kinds == {list} and all(isinstance(item, str) for v in values if isinstance(v, list) for item in v):
        return pa.array(values, pa.list_(pa.string()))
    return _texts(values)


def _decimals(values: Sequence[object]) -> pa.Array:
    numbers = [None if v is None else Decimal(str(v)) for v in values]
    exponents = [int(number.as_tuple().exponent) for number in numbers if number is not None]
    scale = max(0, -min(exponents))
    return pa.array(numbers, pa.decimal128(_DECIMAL_DIGITS, scale))


def _moments(values: Sequence[object]) -> pa.Array:
    aware = {v.tzinfo is not None for v in values if isinstance(v, datetime)}
    if len(aware) > 1 or (True in aware and any(type(v) is date for v in values)):
        return _texts(values)
    moments = [datetime.combine(v, time()) if type(v) is date else v for v in values]
    return pa.array(moments, pa.timestamp("us", "UTC" if True in aware else None))


def _texts(values: Sequence[object]) -> pa.Array:
    return pa.array([None if value is None else as_text(value) for value in values], pa.string())


def as_text(value: object) -> str:
    """A value as it would stand in a CSV file.

    Examples
    --------
    >>> as_text(17850.0), as_text(0.1), as_text(True), as_text(datetime(2026, 1, 31))
    ('17850', '0.1', 'TRUE', '2026-01-31')
    """
    match value:
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer() and abs(value) <= _EXACT_FLOAT:
            return str(int(value))
        case float():
            return repr(value)
        case datetime() if value.tzinfo is None and value.time() == time():
            return value.date().isoformat()
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)
