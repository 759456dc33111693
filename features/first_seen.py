"""From when on past values are on record: what is overwritten elsewhere is known here from its first change on.

A company that exports today's values has no past: closed deals show their final stage. From its first day here every
change is kept, so that rows of later days are right, and rows of earlier days are not. What was not seen yet at a
row's moment can be forgotten again, row by row, instead of losing the whole field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.store import Generation
from features.asof import column_of
from features.matrix import Kind, LeftOut, TrainingSet
from features.online import source_of
from features.spec import Attribute, Calendar, Feature, FeatureGroup
from features.timed_set import TimedSet

Begins: TypeAlias = Mapping[tuple[str, str], np.datetime64]
Moments: TypeAlias = npt.NDArray[np.datetime64]
Rows = TypeVar("Rows", TrainingSet, TimedSet)

NOT_SEEN = "today's value only: what it was at the row's moment is not on record"
_NEVER = np.datetime64("9999-01-01", "us")


def history_begins(generation: Generation) -> dict[tuple[str, str], np.datetime64]:
    """The first change on record, by table and column; by table and "" that of any column. Naive UTC."""
    begins: dict[tuple[str, str], np.datetime64] = {}
    if not generation.has("changes"):
        return begins
    with generation.engine() as engine:
        found = engine.query(
            "SELECT entity, field, MIN(occurred_at) AS first FROM changes GROUP BY entity, field"
        ).to_pylist()
    for row in found:
        first = np.datetime64(row["first"], "us")
        begins[row["entity"], row["field"]] = first
        begins[row["entity"], ""] = min(begins.get((row["entity"], ""), first), first)
    return begins


def unseen_rows(begins: Begins, groups: Sequence[FeatureGroup], as_of: Moments) -> dict[str, npt.NDArray[np.bool_]]:
    """By field that rests on overwritten values, the rows before those were seen; fields without such rows are absent.

    From the first change of any column of a table on, all its columns are watched. Without a single change on record
    nobody watched the entity's own table; other tables are taken as they are, graded B.

    Parameters
    ----------
    begins : mapping
        From `history_begins`.
    groups : sequence of FeatureGroup
        What the rows are made of.
    as_of : ndarray of datetime64[us], shape (n_rows,)
        The rows' moments, naive UTC.
    """
    found: dict[str, npt.NDArray[np.bool_]] = {}
    for group in groups:
        for each in group.features:
            begin = _begin(each, group.entity, begins)
            if begin is not None and (as_of < begin).any():
                found[each.field.name] = as_of < begin
    return found


def _begin(each: Feature, entity: str, begins: Begins) -> np.datetime64 | None:
    """From when on a field is right; None when nothing is overwritten beneath it or its table is taken as it is."""
    primitive, unwatched = each.primitive, None if begins else _NEVER
    if isinstance(primitive, Calendar):
        return None
    if isinstance(primitive, Attribute):
        column = column_of(primitive.table, primitive.column, primitive.dtype)
        if not column.mutable or column.set_once:
            return None
        return begins.get((primitive.table, ""), unwatched if primitive.table == entity else None)
    return begins.get((entity, ""), unwatched) if source_of(primitive).table == "changes" else None


def forget_unseen(rows: Rows, unseen: Mapping[str, npt.NDArray[np.bool_]]) -> Rows:
    """The rows with fields emptied where they were not seen yet; a field that is left empty is dropped and named.

    Parameters
    ----------
    rows : TrainingSet or TimedSet
        Rows and fields.
    unseen : mapping
        From `unseen_rows`, of the same rows.
    """
    table = rows.rows
    dropped: list[str] = []
    for field in rows.fields:
        mask = unseen.get(field.name)
        if mask is None:
            continue
        if mask.all():
            dropped.append(field.name)
            continue
        values = table.column(field.name).combine_chunks()
        if field.kind is Kind.CATEGORY:
            kept = pa.array(np.where(mask, None, values.to_numpy(zero_copy_only=False)), pa.string())
        else:
            kept = pa.array(np.where(mask, np.nan, values.to_numpy(zero_copy_only=False)))
        table = table.set_column(table.column_names.index(field.name), field.name, kept)
    left_out = (*rows.left_out, *(LeftOut(column=name, reason=NOT_SEEN) for name in dropped))
    return replace(rows, rows=table, left_out=left_out).without(set(dropped))


def forget_before_history(generation: Generation, groups: Sequence[FeatureGroup], rows: Rows) -> Rows:
    """The rows of a record without the values that nobody had seen yet at their moments."""
    return forget_unseen(rows, unseen_rows(history_begins(generation), groups, rows.as_of))
