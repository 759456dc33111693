"""From NumPy columns to tables of the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo.working_time import Ints
from crm.schema import SYSTEM_COLUMNS, DType, arrow_type
from crm.tables import table

Mask = npt.NDArray[np.bool_]
SOURCE = "demo"


def ids(prefix: str, numbers: Ints, *, width: int = 6) -> pa.Array:
    """Identifiers such as `L000042`; a negative number gives null.

    Examples
    --------
    >>> ids("L", np.array([7, -1])).to_pylist()
    ['L000007', None]
    """
    digits = pc.utf8_lpad(pa.array(numbers, mask=numbers < 0).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")


def picks(words: Sequence[str], index: Ints) -> pa.Array:
    """The words at the given places; a negative place gives null."""
    return pa.array(words, pa.string()).take(pa.array(index, mask=index < 0))


def moments(values: Ints, known: Mask | None = None) -> pa.Array:
    """UTC microseconds as timestamps, null where not `known`."""
    return pa.array(values.astype(np.int64), mask=None if known is None else ~known).cast(pa.timestamp("us"))


def days(values: Ints, known: Mask | None = None) -> pa.Array:
    """Epoch days as dates, null where not `known`."""
    return pa.array(values.astype(np.int32), mask=None if known is None else ~known).cast(pa.date32())


def whole(values: Ints, known: Mask | None = None) -> pa.Array:
    """Whole numbers or minor units, null where not `known`."""
    return pa.array(values.astype(np.int64), mask=None if known is None else ~known)


def numbers(values: npt.NDArray[np.float64], known: Mask | None = None) -> pa.Array:
    """Floating-point numbers, null where not `known`."""
    return pa.array(values.astype(np.float64), mask=None if known is None else ~known)


def same(word: str, n: int) -> pa.Array:
    """One word, n times."""
    return pa.repeat(pa.scalar(word, pa.string()), n)


def build_table(
    name: str,
    columns: Mapping[str, pa.Array],
    recorded_at: Ints,
    *,
    ends_us: int,
    custom: Mapping[str, DType] | None = None,
) -> pa.Table:
    """A table of the record with its stated, custom and system columns; stated columns not given are null.

    Parameters
    ----------
    name : str
        Table name.
    columns : mapping of str to pa.Array
        Values by column.
    recorded_at : ndarray of int64, shape (n_rows,)
        UTC microseconds; what was recorded later than the end of the record is capped to it.
    ends_us : int
        End of the record, UTC microseconds.
    custom : mapping of str to DType or None
        Columns beyond the stated ones.
    """
    stated = table(name)
    n = len(recorded_at)
    given = dict(columns)
    given["recorded_at"] = moments(np.minimum(recorded_at, ends_us))
    given["backfilled"] = pa.repeat(pa.scalar(False), n)
    given["ingested_at"] = moments(np.full(n, ends_us))
    given["source"] = same(SOURCE, n)
    types = [(c.name, arrow_type(c.dtype)) for c in (*stated.columns, *SYSTEM_COLUMNS)]
    types += [(column, arrow_type(dtype)) for column, dtype in (custom or {}).items()]
    strange = set(given) - {column for column, _ in types}
    if strange:
        raise ValueError(f"table {name} states no column {', '.join(sorted(strange))}")
    arrays = []
    for column, kind in types:
        values = given.get(column)
        arrays.append(pa.nulls(n, kind) if values is None else _flat(values).cast(kind))
    return pa.table(arrays, schema=pa.schema(types))


def _flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
