"""How named values become the numbers a model computes with, the same for one record and for a table.

A number stays a number, a flag becomes 0 or 1, a category becomes its place in a closed list: unknown and rare
categories share the place after the last, an empty value is NaN. A field that the caller left out counts as
empty; a field the model does not know is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.matrix import Field, Grade, Kind

Value: TypeAlias = float | str | bool | None
Values: TypeAlias = Mapping[str, Value]

# A category must be common to enter a bundle: rare values carry no skill and may name a person.
MIN_CATEGORY_ROWS = 20
MIN_CATEGORY_ROWS_SMALL = 5
MAX_CATEGORIES = 200


class BadValue(Exception):
    """A value cannot be read as its field demands; the message names the field, never the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How one field is encoded.

    Parameters
    ----------
    field : Field
        The input.
    categories : tuple of str
        Known categories of a category field, most frequent first; empty otherwise.
    low, high : float
        5 % and 95 % quantiles of a number in training, from which synthetic rows are drawn.
    """

    field: Field
    categories: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0


class Encoder:
    """Turns values into float64 rows of shape (n_rows, n_fields).

    Parameters
    ----------
    codings : sequence of Coding
        One a field, in the order of the columns.
    """

    def __init__(self, codings: Sequence[Coding]) -> None:
        self.codings = tuple(codings)
        self._places = tuple(
            {category: float(place) for place, category in enumerate(coding.categories)} for coding in self.codings
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields in column order."""
        return tuple(coding.field for coding in self.codings)

    @property
    def category_columns(self) -> list[int]:
        """Positions of the category fields."""
        return [place for place, coding in enumerate(self.codings) if coding.field.kind is Kind.CATEGORY]

    def encode(self, values: Values) -> npt.NDArray[np.float64]:
        """One record as a row of shape (1, n_fields).

        Raises
        ------
        BadValue
            A number is text or infinite, or a category is no text.
        """
        row = [self._number(place, values.get(coding.field.name)) for place, coding in enumerate(self.codings)]
        return np.array([row], dtype=np.float64)

    def _number(self, place: int, value: Value) -> float:
        if value is None:
            return math.nan
        coding = self.codings[place]
        if coding.field.kind is Kind.CATEGORY:
            if not isinstance(value, str):
                raise BadValue(f"field {coding.field.name!r}: expected text, got {type(value).__name__}")
            return self._places[place].get(value, float(len(coding.categories)))
        if not isinstance(value, (int, float)):
            raise BadValue(f"field {coding.field.name!r}: expected a {coding.field.kind}, got {type(value).__name__}")
        number = float(value)
        if math.isinf(number):
            raise BadValue(f"field {coding.field.name!r}: expected a finite number")
        return number

    def encode_table(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """A table as rows of shape (n_rows, n_fields), same order; a missing column counts as empty.

        Raises
        ------
        BadValue
            A column cannot be read as its field demands.
        """
        rows = np.full((table.num_rows, len(self.codings)), np.nan)
        for place, coding in enumerate(self.codings):
            if coding.field.name in table.column_names:
                rows[:, place] = _encode_column(table.column(coding.field.name), coding)
        return rows


def _encode_column(column: pa.ChunkedArray, coding: Coding) -> npt.NDArray[np.float64]:
    field = coding.field
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if field.kind is Kind.CATEGORY:
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            raise BadValue(f"column {field.name!r}: expected text, got {column.type}")
        known = pc.index_in(column, value_set=pa.array(coding.categories, column.type))
        places = pc.fill_null(known, len(coding.categories)).to_numpy().astype(np.float64)
        places[pc.is_null(column).to_numpy()] = np.nan
        return np.asarray(places)
    kinds = pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal
    if not any(is_kind(column.type) for is_kind in kinds):
        raise BadValue(f"column {field.name!r}: expected a {field.kind}, got {column.type}")
    numbers = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    if np.isinf(numbers).any():
        raise BadValue(f"column {field.name!r}: expected finite numbers")
    return numbers


def make_encoder(fields: Sequence[Field], rows: pa.Table) -> Encoder:
    """The encoder of a training part: categories and ranges are read from these rows alone."""
    return Encoder([_make_coding(field, rows.column(field.name)) for field in fields])


def _make_coding(field: Field, column: pa.ChunkedArray) -> Coding:
    if field.kind is Kind.CATEGORY:
        needed = min(MIN_CATEGORY_ROWS, max(MIN_CATEGORY_ROWS_SMALL, len(column) // 50))
        counts = column.value_counts().to_pylist()
        common = sorted(
            (-entry["counts"], entry["values"])
            for entry in counts
            if entry["values"] is not None and entry["counts"] >= needed
        )
        return Coding(field=field, categories=tuple(name for _, name in common[:MAX_CATEGORIES]))
    numbers = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) == 0:
        return Coding(field=field)
    low, high = np.quantile(numbers, [0.05, 0.95])
    return Coding(field=field, low=float(low), high=float(high))


def coding_to_json(coding: Coding) -> dict[str, object]:
    """A coding as plain JSON values."""
    field = coding.field
    return {
        "name": field.name,
        "kind": str(field.kind),
        "unit": field.unit,
        "null_meaning": field.null_meaning,
        "group": field.group,
        "phrase_en": field.phrase_en,
        "phrase_zh": field.phrase_zh,
        "grade": str(field.grade),
        "categories": list(coding.categories),
        "low": coding.low,
        "high": coding.high,
    }


def coding_from_json(content: Mapping[str, object]) -> Coding:
    """The coding written by `coding_to_json`."""
    categories = content["categories"]
    if not isinstance(categories, list):
        raise TypeError("categories: expected a list")
    return Coding(
        field=Field(
            name=str(content["name"]),
            kind=Kind(str(content["kind"])),
            unit=str(content["unit"]),
            null_meaning=str(content["null_meaning"]),
            group=str(content["group"]),
            phrase_en=str(content["phrase_en"]),
            phrase_zh=str(content["phrase_zh"]),
            grade=Grade(str(content["grade"])),
        ),
        categories=tuple(str(name) for name in categories),
        low=float(str(content["low"])),
        high=float(str(content["high"])),
    )
