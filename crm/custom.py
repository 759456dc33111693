"""Columns that the record does not know: kept under the source's own name, typed strictly and stably."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from crm.cell_text import as_strings, clean_text
from crm.parse import parse_column
from crm.parse_numbers import plain_number
from crm.parse_rule import BadCell, Parsed, Rule
from crm.schema import DType
from crm.yes_no import NO, YES

_MOMENT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?\s?(Z|[+-]\d\d:?\d\d)?$"
_DAY = r"^\d{4}-\d\d-\d\d$"
_EXACT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CustomColumn:
    """A column beyond the stated ones.

    Attributes
    ----------
    words : tuple of str
        How the source writes no and yes, for a flag: what it becomes again when it has to be text.
    """

    name: str
    dtype: DType
    values: pa.Array
    bad: tuple[BadCell, ...] = ()
    words: tuple[str, ...] = ()


def read_custom(
    name: str,
    cells: pa.ChunkedArray | pa.Array,
    *,
    missing: tuple[str, ...],
    rule: Rule | None,
    known: DType | None,
    words: tuple[str, ...] = (),
) -> CustomColumn | None:
    """A custom column, or None when it is empty and the record does not have it yet.

    Parameters
    ----------
    name : str
        Name to keep it under.
    cells : pa.ChunkedArray or pa.Array
        As the reader gave them.
    missing : tuple of str
        Cells that mean "no value".
    rule : Rule or None
        The dtype that the mapping states, with its formats; None infers it from the whole column.
    known : DType or None
        The dtype that the record has already; what does not fit it makes the column text.
    words : tuple of str
        How the record's values of a flag were written.
    """
    if rule is not None:
        parsed = parse_column(cells, rule, missing)
        return CustomColumn(name=name, dtype=rule.dtype, values=parsed.values, bad=parsed.bad)
    array = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    text = clean_text(array, missing)
    if text.null_count == len(text) and known is None:
        return None
    inferred = known or _typed(array) or infer_dtype(text)
    dtype = inferred if known is None or fits(text, known, words) else DType.TEXT
    if dtype is DType.TEXT:
        return CustomColumn(name=name, dtype=dtype, values=text)
    found = flag_words(text) if dtype is DType.FLAG and pa.types.is_string(array.type) else ()
    return CustomColumn(name=name, dtype=dtype, values=_read(array, text, dtype).values, words=_merged(words, found))


def infer_dtype(text: pa.Array) -> DType:
    """The narrowest dtype that loses nothing of any cell; text in doubt.

    Examples
    --------
    >>> infer_dtype(pa.array(["1", "2.5", None])), infer_dtype(pa.array(["0007", "12"]))
    (<DType.NUMBER: 'number'>, <DType.TEXT: 'text'>)
    """
    for dtype in (DType.FLAG, DType.NUMBER, DType.DATE, DType.TIMESTAMP):
        if fits(text, dtype, ()):
            return dtype
    return DType.TEXT


def fits(text: pa.Array, dtype: DType, words: tuple[str, ...]) -> bool:
    """Whether every cell can be kept as that dtype and be written again as it was."""
    if text.null_count == len(text) or dtype is DType.TEXT:
        return True
    distinct: list[str] = pc.unique(text.drop_null()).to_pylist()
    if dtype is DType.FLAG:
        spellings = {*distinct, *(word for word in words if word)}
        yes = {word for word in spellings if word.casefold() in YES}
        no = {word for word in spellings if word.casefold() in NO}
        return len(yes) <= 1 and len(no) <= 1 and yes | no == spellings
    if dtype is DType.NUMBER:
        return all(plain_number(value) is not None for value in distinct)
    if dtype not in (DType.DATE, DType.TIMESTAMP):
        return not parse_column(text, Rule(dtype=dtype)).bad
    pattern = _DAY if dtype is DType.DATE else f"{_MOMENT}|{_DAY}"
    if not pc.all(pc.match_substring_regex(text, pattern)).as_py():
        return False
    return not parse_column(text, Rule(dtype=dtype)).bad


def flag_words(text: pa.Array) -> tuple[str, ...]:
    """How a flag column writes no and yes; empty for a word that does not occur."""
    distinct: list[str] = pc.unique(text.drop_null()).to_pylist()
    no = next((word for word in distinct if word.casefold() in NO), "")
    yes = next((word for word in distinct if word.casefold() in YES), "")
    return (no, yes)


def as_custom_text(values: pa.ChunkedArray, dtype: DType, words: tuple[str, ...]) -> pa.Array:
    """A kept column as text again, when a later file holds cells that its dtype cannot."""
    array = values.combine_chunks()
    if dtype is DType.FLAG and any(words):
        return pc.if_else(array, words[1] or "true", words[0] or "false")
    return as_strings(array)


def words_fact(words: tuple[str, ...]) -> str:
    """Flag words as the text of a fact."""
    return json.dumps(list(words), ensure_ascii=False)


def words_of(facts: Mapping[str, str], column: str) -> tuple[str, ...]:
    """Flag words that the facts of a table hold for a column."""
    return tuple(json.loads(facts.get(f"words.{column}", "[]")))


def _merged(known: tuple[str, ...], found: tuple[str, ...]) -> tuple[str, ...]:
    if not known or not found:
        return known or found
    return tuple(old or new for old, new in zip(known, found, strict=True))


def _read(array: pa.Array, text: pa.Array, dtype: DType) -> Parsed:
    if pa.types.is_string(array.type):
        return parse_column(text, Rule(dtype=dtype))
    return parse_column(array, Rule(dtype=dtype))


def _typed(array: pa.Array) -> DType | None:
    kind = array.type
    if pa.types.is_boolean(kind):
        return DType.FLAG
    if pa.types.is_date(kind):
        return DType.DATE
    if pa.types.is_timestamp(kind):
        return DType.TIMESTAMP
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return DType.NUMBER
    if pa.types.is_integer(kind):
        bounds = pc.min_max(array).as_py()
        return DType.NUMBER if max(abs(bounds["min"] or 0), abs(bounds["max"] or 0)) < _EXACT else DType.TEXT
    return None
