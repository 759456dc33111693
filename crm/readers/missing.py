"""Cells that mean "no value"."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def blank_missing(column: pa.Array, words: Sequence[str]) -> pa.Array:
    """The text column with null for the blank cell and for the words, whatever spaces stand around them.

    Examples
    --------
    >>> blank_missing(pa.array(["NA", "", " Select ", "0007"]), ["Select"]).to_pylist()
    ['NA', None, None, '0007']
    """
    trimmed = pc.utf8_trim_whitespace(column)
    is_missing = pc.is_in(trimmed, pa.array(["", *words], pa.string())) if words else pc.equal(trimmed, "")
    if not pc.any(is_missing).as_py():
        return column
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), column)
