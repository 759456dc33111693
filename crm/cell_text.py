"""Cells as clean text: trimmed, composed, one form for every type a source may have."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from crm.raw import BadSource


def clean_text(column: pa.ChunkedArray | pa.Array, missing: Sequence[str] = ()) -> pa.Array:
    """Cells as trimmed, NFC-normalised text; null where empty or one of `missing`.

    Non-breaking and ideographic spaces count as spaces at the ends and stay inside.

    Examples
    --------
    >>> clean_text(pa.array([" 0007 ", "Select", ""]), ["Select"]).to_pylist()
    ['0007', None, None]
    """
    array = one_array(column)
    text = _composed(pc.utf8_trim_whitespace(as_strings(array)))
    words = pa.array(["", *(word.strip() for word in missing)], pa.string())
    return pc.if_else(pc.is_in(text, value_set=words), pa.scalar(None, pa.string()), text)


def _composed(text: pa.Array) -> pa.Array:
    """Text in Unicode's composed form; Arrow's own kernel leaves combining marks apart."""
    if pc.all(pc.string_is_ascii(text), min_count=0).as_py():
        return text
    coded = text.dictionary_encode()
    words = [unicodedata.normalize("NFC", word) for word in coded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(coded.indices)


def as_strings(array: pa.Array) -> pa.Array:
    """A column of any type as text: whole floats without `.0`, times in ISO 8601, lists joined by `;`."""
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_dictionary(kind):
        return as_strings(array.dictionary_decode())
    if pa.types.is_floating(kind):
        numbers = array.to_pylist()
        return pa.array([None if x is None or x != x else _float_text(x) for x in numbers], pa.string())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        naive = array.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
        return pc.binary_join_element_wise(naive.cast(pa.string()), "Z", "")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.array([None if x is None else ";".join(map(str, x)) for x in array.to_pylist()], pa.string())
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return pa.array([None if x is None else str(x) for x in array.to_pylist()], pa.string())
    return array.cast(pa.string())


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array of plain strings or of its own type.

    Raises
    ------
    BadSource
        It holds more text than one array can.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            raise BadSource("a column holds more than 2 GB of text; split the file into parts")
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    return column


def _float_text(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
