"""What one target of one source brings, and the table that it meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.cell_text import as_strings
from crm.mapping_columns import RecordedAt
from crm.raw import Reject
from crm.schema import DType

_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Typed rows for one table.

    Attributes
    ----------
    table : str
        The table of the record.
    rows : pa.Table
        The stated columns that the mapping fills and the custom ones, no system columns.
    line : ndarray of int64, shape (n_rows,)
        Where each row stands in the source.
    custom : mapping of str to DType
        The custom columns among them.
    facts : mapping of str to str
        What the mapping states about the rows.
    recorded_at, updated_at : pa.Array or None
        When the source knew each row, and when it last changed it.
    on_change : mapping of str to str
        Columns that a later value does not simply overwrite.
    rejects : tuple of Reject
        Cells that did not fit; `rejected` counts their rows.
    skipped : int
        Rows that the mapping leaves out or reduces into another row.
    repeated : int
        Rows equal to an earlier one of the same source.
    """

    table: str
    rows: pa.Table
    line: npt.NDArray[np.int64]
    custom: Mapping[str, DType] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    recorded_at: pa.Array | None = None
    updated_at: pa.Array | None = None
    on_change: Mapping[str, str] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    rejected: int = 0
    skipped: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableState:
    """A table of the record while an ingest goes on."""

    rows: pa.Table
    custom: Mapping[str, DType]
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The moment of an ingest and how it dates rows.

    Parameters
    ----------
    now : datetime
        Naive UTC.
    zone : ZoneInfo
        Zone of days.
    source : str
        Name of the source.
    recorded : RecordedAt or None
        What the mapping says about it.
    """

    now: datetime
    zone: ZoneInfo
    source: str
    recorded: RecordedAt | None


def key_text(rows: pa.Table, key: tuple[str, ...], separator: str = _SEPARATOR) -> pa.Array:
    """The key of each row as one text."""
    parts = [as_strings(rows.column(name).combine_chunks()) for name in key]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, separator, null_handling="replace")


def content_text(rows: pa.Table) -> pa.Array:
    """All values of each row as one text: equal texts, equal rows."""
    parts = []
    for name in rows.column_names:
        values = as_strings(rows.column(name).combine_chunks())
        parts.append(pc.fill_null(pc.binary_join_element_wise("=", values, ""), "-"))
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, _SEPARATOR)
