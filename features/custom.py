"""Columns that the record does not state, as fields: what a company kept beside the CRM's own columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from crm.schema import DType
from features.matrix import Field, Grade, Kind, LeftOut

# A category is learned from its rows: beyond this many values most of them are too rare to learn from.
MOST_CATEGORIES = 400
# Above this share of distinct values among the filled ones a text is a name or a number, not a category.
MOST_DISTINCT_SHARE = 0.5
FEWEST_FOR_SHARE = 30
LONGEST_CATEGORY = 60
_NUMBERS = frozenset({DType.INTEGER, DType.NUMBER, DType.MONEY})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CustomFields:
    """The custom columns that became fields, their values, and those that did not.

    Attributes
    ----------
    fields : tuple of Field
        In the order of the source.
    rows : pa.Table
        Shape (n_rows, n_fields): float64 for numbers and flags, string for categories.
    left_out : tuple of LeftOut
        The others, with the reason.
    """

    fields: tuple[Field, ...]
    rows: pa.Table
    left_out: tuple[LeftOut, ...]


def custom_fields(rows: pa.Table, dtypes: Mapping[str, DType], *, grades: Mapping[str, Grade]) -> CustomFields:
    """The custom columns of `rows` as fields; identifiers, free text, constants and empty columns are left out.

    Parameters
    ----------
    rows : pa.Table
        One row per observation, with at least the columns of `dtypes`.
    dtypes : mapping of str to DType
        The custom columns and what they hold.
    grades : mapping of str to Grade
        How far a column's past can be trusted; B where it is not named.

    Examples
    --------
    >>> found = custom_fields(
    ...     pa.table({"seats": [3, 4, None], "plan": ["a", "a", "a"]}),
    ...     {"seats": DType.INTEGER, "plan": DType.TEXT},
    ...     grades={},
    ... )
    >>> [f.name for f in found.fields], found.left_out[0].reason
    (['seats'], 'holds one value only')
    """
    fields: list[Field] = []
    columns: list[pa.ChunkedArray] = []
    left_out: list[LeftOut] = []
    for name, dtype in dtypes.items():
        column = _cleaned(rows.column(name))
        reason = why_left_out(column, dtype)
        if reason is not None:
            left_out.append(LeftOut(column=name, reason=reason))
            continue
        fields.append(custom_field(name, dtype, grades.get(name, Grade.B)))
        columns.append(as_values(column, dtype))
    names = [field.name for field in fields]
    return CustomFields(fields=tuple(fields), rows=_table(columns, names, rows), left_out=tuple(left_out))


def why_left_out(column: pa.ChunkedArray, dtype: DType) -> str | None:
    """Why a column can be no field, as a sentence; None when it can."""
    if dtype is DType.TEXTS:
        return "holds lists"
    if dtype in {DType.DATE, DType.TIMESTAMP}:
        return "is a date, and without the moment of the row its age cannot be told"
    filled = column.drop_null()
    if len(filled) == 0:
        return "is empty throughout"
    n_distinct = pc.count_distinct(filled).as_py()
    if n_distinct == 1 and len(filled) == len(column):
        return "holds one value only"
    if dtype is DType.INTEGER and _is_running_number(filled, n_distinct):
        return "is a different whole number in every row: an identifier"
    if dtype is not DType.TEXT:
        return None
    if n_distinct > FEWEST_FOR_SHARE and n_distinct > MOST_DISTINCT_SHARE * len(filled):
        return f"{n_distinct:,} different texts in {len(filled):,} filled rows: an identifier or free text"
    if n_distinct > MOST_CATEGORIES:
        return f"{n_distinct:,} different texts, more than {MOST_CATEGORIES}: too rare each to learn from"
    if pc.mean(pc.utf8_length(filled)).as_py() > LONGEST_CATEGORY:
        return f"texts of more than {LONGEST_CATEGORY} characters on average: free text"
    return None


def why_no_field(column: pa.ChunkedArray, field: Field) -> str | None:
    """Why a computed field tells nothing, as a sentence; None when it may."""
    if field.kind is Kind.CATEGORY:
        return why_left_out(column, DType.TEXT)
    filled = column.filter(pc.invert(pc.is_nan(column)))
    if len(filled) == 0:
        return "is empty throughout"
    if len(filled) == len(column) and pc.min(filled).as_py() == pc.max(filled).as_py():
        return "holds one value only"
    return None


def custom_field(name: str, dtype: DType, grade: Grade) -> Field:
    """The field of a custom column, under the name its source gave it."""
    kind = Kind.NUMBER if dtype in _NUMBERS else Kind.FLAG if dtype is DType.FLAG else Kind.CATEGORY
    return Field(
        name=name,
        kind=kind,
        unit="currency" if dtype is DType.MONEY else "",
        null_meaning="not filled in",
        group="custom",
        phrase_en=name,
        phrase_zh=name,
        grade=grade,
    )


def as_values(column: pa.ChunkedArray, dtype: DType) -> pa.ChunkedArray:
    """A column as models read it: text, or float64 with NaN for unknown."""
    if dtype is DType.TEXT:
        return column.cast(pa.string())
    numbers = column.cast(pa.int8()).cast(pa.float64()) if dtype is DType.FLAG else column.cast(pa.float64())
    if dtype is DType.MONEY:
        numbers = pc.divide(numbers, 100.0)
    return pc.fill_null(numbers, float("nan"))


def _cleaned(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), pa.scalar(None, pa.string()), column)


def _is_running_number(filled: pa.ChunkedArray, n_distinct: int) -> bool:
    """Whether whole numbers name their rows: all different, and more of them than a measurement would fill densely."""
    if n_distinct < len(filled) or n_distinct <= FEWEST_FOR_SHARE:
        return False
    bounds = pc.min_max(filled).as_py()
    return bool(bounds["max"] - bounds["min"] < 100 * n_distinct)


def _table(columns: Sequence[pa.ChunkedArray], names: Sequence[str], rows: pa.Table) -> pa.Table:
    if columns:
        return pa.table(dict(zip(names, columns, strict=True)))
    return pa.table({"": pa.nulls(rows.num_rows)}).select([])
