"""The training job: from the record to a registered challenger, whichever kind of rows the company keeps."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import pyarrow as pa

from crm.config import Config
from crm.facts import known_at_entry
from crm.store import Generation, Store
from features.catalogue import group_named
from features.first_seen import forget_before_history
from features.invoice_set import build_invoice_set
from features.leakage_figures import back_dated
from features.leakage_record import find_leaks_of_record
from features.leakage_store import require_sound_store
from features.matrix import TrainingSet
from features.observations import read_observations
from features.timed_set import TimedSet, build_timed_set
from features.training_set import build_training_set
from models.hazard_task import HazardTask
from models.report import TrainReport
from models.series_task import SeriesTask
from models.task import BaseTask, EntityTask, Task
from models.train import asked_of, train
from models.train_series import train_series


class RowSource(StrEnum):
    """Where training rows come from."""

    AUTO = "auto"
    RECORD = "record"
    OBSERVATIONS = "observations"


def read_rows(generation: Generation, task: EntityTask, source: RowSource, *, config: Config) -> TrainingSet | TimedSet:
    """The rows that a task trains on.

    Parameters
    ----------
    generation : Generation
        The record.
    task : EntityTask
        The task.
    source : RowSource
        `auto` takes the record's history when it has the tables that the task needs, else the flat rows.
    config : Config
        Time zone, events and horizons.

    Raises
    ------
    BadQuestion, NoObservations
        The record has neither.
    """
    if isinstance(task, HazardTask):
        build = build_invoice_set if task.entity == "invoices" else build_timed_set
        timed = build(generation, task.question, config=config)
        return forget_before_history(generation, [group_named(name) for name in task.feature_groups], timed)
    has_history = all(generation.has(name) for name in task.needs)
    if source is RowSource.RECORD or (source is RowSource.AUTO and has_history):
        if isinstance(task, Task) and task.build_rows is not None:
            return task.build_rows(generation, task.question, config=config)
        return build_training_set(generation, task.question, config=config)
    return read_observations(generation, task.name)


def train_task(
    config: Config,
    task: BaseTask,
    *,
    source: RowSource = RowSource.AUTO,
    seed: int | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> TrainReport:
    """Train a task on the present record and register the model as a challenger.

    Parameters
    ----------
    config : Config
        Folders, MLflow, seed.
    task : BaseTask
        The task.
    source : RowSource
        Which rows to train on.
    seed : int or None
        Random state; None takes the configured one.
    on_progress : callable or None
        Called with what is being done and the share done.

    Raises
    ------
    NoRecord
        Nothing was taken in.
    FeaturesLeak
        A feature knows more than was known at its moment; nothing is trained.
    """
    generation = Store(config.record_folder).current()
    if isinstance(task, SeriesTask):
        chosen = config.seed if seed is None else seed
        return train_series(task, generation, config=config, seed=chosen, on_progress=on_progress)
    if on_progress is not None:
        on_progress("computing features", 0.0)
    if isinstance(task, HazardTask):
        task = task.as_configured(config.tasks, config.collection)
    assert isinstance(task, EntityTask)
    rows = read_rows(generation, task, source, config=config)
    asked = asked_of(task, rows)
    chosen = config.seed if seed is None else seed
    findings, measures = None, []
    # Rows of another form are searched column by column in `train`; the search of the record rebuilds rows an entity.
    has_own_rows = isinstance(task, Task) and task.build_rows is not None
    if asked.horizon_days is not None:
        if on_progress is not None:
            on_progress("searching for leaks", 0.0)
        spine = _moments(asked) if has_own_rows else None
        require_sound_store(generation, task.question, config=config, seed=chosen, spine=spine)
    if asked.horizon_days is not None and not has_own_rows:
        vouched = known_at_entry(generation, task.entity)
        findings = find_leaks_of_record(
            generation,
            task.question,
            asked,
            config=config,
            seed=chosen,
            confirmed=vouched | {f"days_since_{name}" for name in vouched},
        )
        measures.append(back_dated(generation, task.question.as_configured(config.tasks)))
    vouched = known_at_entry(generation, "observations", task.name)
    return train(
        task,
        rows,
        config=config,
        seed=chosen,
        findings=findings,
        measures=measures,
        confirmed=vouched,
        on_progress=on_progress,
    )


def _moments(rows: TrainingSet) -> pa.Table:
    """The entities of rows and the moments they are asked at, each once."""
    pairs = pa.table({"entity_id": rows.entity_id, "as_of": rows.as_of})
    order = [("entity_id", "ascending"), ("as_of", "ascending")]
    return pairs.group_by(pairs.column_names).aggregate([]).sort_by(order)
