"""Typed rows (Parquet, DuckDB, SQL, Excel) checked: what no column of the record can hold is rejected or refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable, Reject
from crm.readers.header import require_names
from crm.readers.missing import blank_missing

Mask = npt.NDArray[np.bool_]

# Python, and every calendar a company uses, ends at these years; databases write "infinity" beyond them.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_US_PER_DAY = 86_400_000_000
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def check_rows(
    rows: pa.Table, source: SourceSpec, *, file: str, lines: npt.NDArray[np.int64] | None = None
) -> RawTable:
    """The rows with plain types; a row with an infinite number or a date out of the calendar is a reject.

    Parameters
    ----------
    rows : pa.Table
        Typed rows.
    source : SourceSpec
        Missing words and limits.
    file : str
        Name in errors.
    lines : ndarray of int64 or None
        Where each row stands; None numbers them from 1.

    Returns
    -------
    RawTable
        Dictionaries decoded, texts blanked where missing, timestamps in microseconds, NaN as null.

    Raises
    ------
    BadSource
        A column repeats a name or holds nested or binary values.
    """
    require_names(rows.column_names, file=file, line=1, most=source.limits.max_columns)
    line = np.arange(1, rows.num_rows + 1, dtype=np.int64) if lines is None else lines
    bad = np.zeros(rows.num_rows, bool)
    rejects: list[Reject] = []
    columns: list[pa.ChunkedArray] = []
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        plain = _plain(column, name, source, file)
        wrong, reason = _wrong(plain)
        fresh = wrong & ~bad
        rejects += [
            Reject(source=source.name, line=int(line[at]), column=name, value="", reason=reason)
            for at in np.flatnonzero(fresh)
        ]
        bad |= wrong
        columns.append(plain)
    table = pa.table(columns, names=rows.column_names)
    if bad.any():
        keep = ~bad
        table, line = table.filter(pa.array(keep)), line[keep]
    columns = [_finish(column) for column in table.columns]
    return RawTable(
        rows=pa.table(columns, names=rows.column_names),
        line=line,
        rejects=tuple(sorted(rejects, key=lambda reject: reject.line)),
    )


def _plain(column: pa.ChunkedArray, name: str, source: SourceSpec, file: str) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        raise _unfit(file, name, str(kind))
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column, kind = column.cast(pa.string()), pa.string()
    if pa.types.is_string(kind):
        chunks = [blank_missing(chunk, source.missing) for chunk in column.chunks]
        return pa.chunked_array(chunks, pa.string())
    if pa.types.is_integer(kind):
        return _integers(column, source.missing)
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return column.cast(pa.float64())
    if pa.types.is_date64(kind):
        return column.cast(pa.date32())
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return column
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return column.cast(pa.string()) if pa.types.is_time(kind) else column.cast(pa.int64())
    if any(fits(kind) for fits in _KEPT):
        return column
    raise _unfit(file, name, str(kind))


_KEPT = (
    pa.types.is_boolean,
    pa.types.is_float64,
    pa.types.is_decimal,
    pa.types.is_date32,
    pa.types.is_timestamp,
)


def _unfit(file: str, name: str, kind: str) -> BadSource:
    return BadSource(
        f"{file}: column {name[:40]!r} holds {kind[:60]}, which no column of the record can; leave it out of the export"
    )


def _integers(column: pa.ChunkedArray, missing: tuple[str, ...]) -> pa.ChunkedArray:
    try:
        column = column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column.cast(pa.string())  # keys above 2^63: as text, digit by digit
    words = [int(word) for word in missing if word.strip().removeprefix("-").isascii() and word.strip("- ").isdigit()]
    if not words:
        return column
    return pc.if_else(pc.is_in(column, pa.array(words, pa.int64())), pa.scalar(None, pa.int64()), column)


def _wrong(column: pa.ChunkedArray) -> tuple[Mask, str]:
    kind = column.type
    if pa.types.is_float64(kind):
        return _mask(pc.is_inf(column)), "expected a finite number, came infinity"
    if pa.types.is_date32(kind):
        days = column.cast(pa.int32())
        outside = pc.or_(pc.less(days, _FIRST_DAY), pc.greater(days, _LAST_DAY))
        return _mask(outside), "expected a date of the years 1 to 9999, came one outside or infinity"
    if pa.types.is_timestamp(kind):
        per_day = 86_400 * _PER_SECOND[kind.unit]
        ticks = column.cast(pa.int64())
        first, last = max(_FIRST_DAY * per_day, -(2**63)), min((_LAST_DAY + 1) * per_day, 2**63 - 1)
        outside = pc.or_(pc.less(ticks, first), pc.greater_equal(ticks, last))
        return _mask(outside), "expected a moment of the years 1 to 9999, came one outside or infinity"
    return np.zeros(len(column), bool), ""


def _mask(found: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)


def _finish(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_float64(kind):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    return column
