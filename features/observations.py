"""Training sets of flat tables: one row per entity with its outcome, no history."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.facts import feature_columns, written_after_outcome
from crm.store import Generation
from features.asof import read_flat
from features.custom import custom_fields
from features.matrix import WRITTEN_LATE, LeftOut, TrainingSet


class NoObservations(LookupError):
    """The record holds no flat rows for the task; the message says which tasks it has."""


def read_observations(generation: Generation, task_name: str) -> TrainingSet:
    """The rows of table `observations` that train a task; custom columns become fields of grade B.

    Parameters
    ----------
    generation : Generation
        The record.
    task_name : str
        Value of the column `task`, for instance `lead_score`.

    Returns
    -------
    TrainingSet
        One row per entity in the order of the record. `position` is the source's order column, NaN
        throughout when it has none: folds are then drawn by hash and the result is optimistic. Identifiers,
        constants, empty columns and free text stand in `left_out`.

    Raises
    ------
    NoObservations
        No row names the task.
    """
    everything = read_flat(generation, "observations")
    rows = everything.filter(pc.equal(everything.column("task"), task_name))
    if rows.num_rows == 0:
        known = sorted(value for value in pc.unique(everything.column("task")).to_pylist() if value)
        raise NoObservations(f"no observations of task {task_name!r}; the record has {', '.join(known) or 'none'}")
    found = custom_fields(rows, feature_columns(generation, "observations", task_name), grades={})
    late = sorted(written_after_outcome(generation, "observations", task_name))
    n_rows = rows.num_rows
    entity_id = rows.column("entity_id").to_numpy().astype(np.str_)
    return TrainingSet(
        fields=found.fields,
        rows=found.rows,
        entity_id=entity_id,
        as_of=np.full(n_rows, np.datetime64("NaT", "us")),
        position=_position(rows),
        label=rows.column("label").cast(pa.int8()).cast(pa.float64()).to_numpy(),
        group=entity_id,
        value=np.full(n_rows, np.nan),
        event="the outcome of the source",
        horizon_days=None,
        gap_days=None,
        left_out=(*found.left_out, *(LeftOut(column=name, reason=WRITTEN_LATE) for name in late)),
    )


def _position(rows: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The order of the rows; NaN throughout as soon as one row has none, since folds need all of them."""
    position = pc.fill_null(rows.column("position").cast(pa.float64()), float("nan")).to_numpy()
    return position if np.isfinite(position).all() else np.full(rows.num_rows, np.nan)
