"""Typed columns of Parquet files, databases and workbooks: taken as they are, within the same bounds as text."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.cell_text import as_strings
from crm.parse_dates import EARLIEST_YEAR, LATEST_YEAR
from crm.parse_rule import BadCell, Parsed, Rule
from crm.schema import DType

_LONGEST_SHOWN = 80


def parse_typed(array: pa.Array, rule: Rule, missing: Sequence[str] = ()) -> Parsed | None:
    """A typed column that needs no reading; None when it is to be read as text.

    Infinite numbers and years out of bounds are bad cells; NaN is an empty one.
    """
    kind, dtype = array.type, rule.dtype
    if rule.period is not None:
        return None
    if missing and not pa.types.is_null(kind):
        words = pa.array([word.strip() for word in missing], pa.string())
        array = pc.if_else(pc.is_in(as_strings(array), value_set=words), pa.scalar(None, kind), array)
    if pa.types.is_date(kind) and dtype is DType.DATE:
        return _within_years(array.cast(pa.date32()))
    if pa.types.is_timestamp(kind) and dtype in (DType.DATE, DType.TIMESTAMP):
        return _parse_timestamps(array, rule)
    if pa.types.is_boolean(kind) and dtype is DType.FLAG:
        return Parsed(values=array)
    if pa.types.is_integer(kind) and dtype is DType.INTEGER and rule.scale == 1 and not pa.types.is_uint64(kind):
        return Parsed(values=array.cast(pa.int64()))
    if (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and dtype is DType.NUMBER and rule.scale == 1:
        values = array.cast(pa.float64(), safe=False)
        fits = pc.or_kleene(pc.is_finite(values), pc.is_nan(values))
        return _only(pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values), fits, "a finite number")
    if pa.types.is_list(kind) and dtype is DType.TEXTS:
        return Parsed(values=array.cast(pa.list_(pa.string())))
    return None


def amount_text(array: pa.Array) -> pa.Array:
    """Amounts that a source keeps as binary fractions, as a person reads them: 15 digits, as spreadsheets show.

    Examples
    --------
    >>> amount_text(pa.array([0.1 + 0.2, 1e6])).to_pylist()
    ['0.3', '1000000']
    """
    numbers = array.to_pylist()
    return pa.array([None if x is None or x != x else _plain(f"{x:.15g}", x) for x in numbers], pa.string())


def _plain(written: str, value: float) -> str:
    return f"{value:.0f}" if "e+" in written else f"{value:.15f}" if "e-" in written else written


def _parse_timestamps(array: pa.Array, rule: Rule) -> Parsed | None:
    micros = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    try:
        if array.type.tz is not None:
            zone = rule.zone.key if rule.dtype is DType.DATE else "UTC"
            found = pc.local_timestamp(micros.cast(pa.timestamp("us", zone)))
        else:
            found = micros if rule.dtype is DType.DATE else zoned(micros, rule.zone)
    except pa.ArrowInvalid:
        return None  # an hour that never was: reading it as text names it
    return _within_years(found.cast(pa.date32(), safe=False) if rule.dtype is DType.DATE else found)


def zoned(local: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Naive local times as naive UTC.

    Raises
    ------
    pa.ArrowInvalid
        The clocks jumped over one of them.
    """
    if zone.key == "UTC":
        return local
    aware = pc.assume_timezone(local, zone.key, ambiguous="earliest", nonexistent="raise")
    return aware.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))


def _within_years(values: pa.Array) -> Parsed:
    years = pc.year(values)
    fits = pc.and_kleene(pc.greater_equal(years, EARLIEST_YEAR), pc.less_equal(years, LATEST_YEAR))
    return _only(values, fits, f"a year from {EARLIEST_YEAR} to {LATEST_YEAR}")


def _only(values: pa.Array, fits: pa.Array, expected: str) -> Parsed:
    """The values that fit; the others are null and named."""
    fits = pc.fill_null(fits, True)
    if pc.all(fits, min_count=0).as_py():
        return Parsed(values=values)
    text = as_strings(values)
    bad = tuple(
        BadCell(row=int(row), value=str(text[int(row)].as_py())[:_LONGEST_SHOWN], reason=f"expected {expected}")
        for row in np.flatnonzero(~fits.to_numpy(zero_copy_only=False))
    )
    return Parsed(values=pc.if_else(fits, values, pa.scalar(None, values.type)), bad=bad)
