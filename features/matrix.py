"""What a model learns from and is asked with: typed fields and the training set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Kind(StrEnum):
    """How a model treats a field."""

    NUMBER = "number"
    CATEGORY = "category"
    FLAG = "flag"


class Grade(StrEnum):
    """How far a field's past can be trusted: A history kept, B current value only, C written after the outcome."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input of a model, as people and models read it.

    Parameters
    ----------
    name : str
        Column name, `n_emails_30d`; for a custom column the name its source gave it.
    kind : Kind
        Number (float64, NaN unknown), category (text, None unknown) or flag (0, 1, NaN).
    unit : str
        Unit of a number, empty otherwise.
    null_meaning : str
        What an empty value says, for instance `no e-mail yet`.
    group : str
        Business group in which reasons are summed, for instance `activity`.
    phrase_en, phrase_zh : str
        How the field is called in a sentence.
    grade : Grade
        How far its past can be trusted.
    """

    name: str
    kind: Kind
    unit: str = ""
    null_meaning: str = "unknown"
    group: str = "other"
    phrase_en: str = ""
    phrase_zh: str = ""
    grade: Grade = Grade.A


WRITTEN_LATE = "the mapping says that it is written after the outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A column of the source that became no field, and why."""

    column: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingSet:
    """Rows of features with their outcomes; one row per entity and moment.

    Attributes
    ----------
    fields : tuple of Field
        The inputs, in the order of the columns of `rows`.
    rows : pa.Table
        Shape (n_rows, n_fields): float64 for numbers and flags, string for categories.
    entity_id : ndarray of str, shape (n_rows,)
        The entity.
    as_of : ndarray of datetime64[us], shape (n_rows,)
        The moment of the row; NaT throughout when the source has no time.
    position : ndarray of float64, shape (n_rows,)
        Order in time used for splits: days since 1970 of `as_of`, or the source's own order; NaN throughout
        when there is neither, in which case folds are drawn by hash.
    label : ndarray of float64, shape (n_rows,)
        1 event, 0 no event within the window, NaN not known yet (censored, never a negative).
    group : ndarray of str, shape (n_rows,)
        What is resampled together in intervals: the account, else the entity.
    value : ndarray of float64, shape (n_rows,)
        Money that came with the outcome, in currency units; NaN where unknown.
    event : str
        What label 1 means, for instance `opportunity won`.
    horizon_days, gap_days : int or None
        The label's window; None for a flat table with given outcomes.
    left_out : tuple of LeftOut
        Columns of the source that became no field, with the reason.
    """

    fields: tuple[Field, ...]
    rows: pa.Table
    entity_id: npt.NDArray[np.str_]
    as_of: npt.NDArray[np.datetime64]
    position: npt.NDArray[np.float64]
    label: npt.NDArray[np.float64]
    group: npt.NDArray[np.str_]
    value: npt.NDArray[np.float64]
    event: str
    horizon_days: int | None
    gap_days: int | None
    left_out: tuple[LeftOut, ...] = ()

    @property
    def has_time(self) -> bool:
        """Whether the rows can be split by time."""
        return bool(np.isfinite(self.position).all()) and len(self.position) > 0

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> TrainingSet:
        """The training set of the chosen rows, in the given order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return replace(
            self,
            rows=self.rows.take(pa.array(index)),
            entity_id=self.entity_id[index],
            as_of=self.as_of[index],
            position=self.position[index],
            label=self.label[index],
            group=self.group[index],
            value=self.value[index],
        )

    def without(self, names: frozenset[str] | set[str]) -> TrainingSet:
        """The training set without the named fields."""
        fields = tuple(field for field in self.fields if field.name not in names)
        return replace(self, fields=fields, rows=self.rows.select([field.name for field in fields]))

    def digest(self) -> str:
        """A name for these rows and outcomes: equal data have it, others have another; no value can be read from it."""
        found = hashlib.sha256(repr([(field.name, field.kind.value) for field in self.fields]).encode())
        for name in self.rows.column_names:
            column = self.rows.column(name).combine_chunks()
            held = column.to_numpy(zero_copy_only=False)
            found.update("\x1f".join(map(str, held.tolist())).encode() if held.dtype == object else held.tobytes())
        for values in (self.entity_id.astype(str), self.position, self.label):
            found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()
