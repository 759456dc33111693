"""What a reader hands to ingest: cells as the source has them, with the line they stand in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One record that could not be taken in.

    Parameters
    ----------
    source : str
        Name of the mapping source.
    line : int
        Line of the file (1 = first line, the header's), or number of the row of a table.
    column : str
        The column at fault; empty when the whole record is.
    value : str
        What came, cut to 80 characters; empty for personal columns.
    reason : str
        What was expected, and how to mend it.
    """

    source: str
    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawTable:
    """The rows of one source before parsing.

    Attributes
    ----------
    rows : pa.Table
        Columns under the source's own names. Text sources: strings only, null where the cell is empty.
        Typed sources (Parquet, DuckDB, SQL) keep their types.
    line : ndarray of int64, shape (n_rows,)
        Where each row stands in the source.
    rejects : tuple of Reject
        Records that could not be read as rows.
    parts : tuple of (str, int)
        Name and number of rows of each file, in order, when the source is several files.
    """

    rows: pa.Table
    line: npt.NDArray[np.int64]
    rejects: tuple[Reject, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()

    def file_of(self, row: int) -> str:
        """The file in which a row stands; empty when the source is one file."""
        for name, count in self.parts:
            if row < count:
                return name
            row -= count
        return ""


class BadSource(ValueError):
    """A source that is refused whole; the message says what was expected, what came, where, how to mend it."""
