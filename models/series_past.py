"""What a forecast learns from: the panels and the rows of the record as they were known at every origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from crm.config import Config
from crm.store import Generation
from features.panel import Panel, end_of_month
from models.flow_batch import FlowOrigin, read_flows, replay_flows, with_flows
from models.series_candidates import PIPELINE
from models.series_points import Batch, choose_origins, read_batch
from models.series_task import SeriesTask

Progress: TypeAlias = Callable[[str, float], None] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """What a training reads.

    Attributes
    ----------
    panels : mapping of str to Panel
        As known now.
    present : Batch
        The same, side by side.
    batches : tuple of Batch
        One an origin, oldest first, each as known when its last month closed.
    flows : tuple of FlowOrigin or None
        The rows of the record at each origin; None where it tells no single sales.
    """

    panels: Mapping[str, Panel]
    present: Batch
    batches: tuple[Batch, ...]
    flows: tuple[FlowOrigin | None, ...]


def read_past(
    task: SeriesTask,
    generation: Generation,
    *,
    config: Config,
    seed: int,
    as_of: datetime | None = None,
    on_progress: Progress = None,
) -> Past | None:
    """The panels as known now and at every origin; None when nothing is told by month.

    Parameters
    ----------
    task : SeriesTask
        Measures, levels, horizon, origins.
    generation : Generation
        The record.
    config : Config
        Time zone, currency, holidays.
    seed : int
        Random state of the joint samples.
    as_of : datetime or None
        Nothing that was recorded later is read; None takes all that is on record.
    on_progress : callable or None
        Called with what is being done and the share done.
    """
    company = config.company
    with generation.engine() as engine:
        panels, present = read_batch(task, generation, as_of or generation.recorded_to, company, engine=engine)
        if present is None:
            return None
        found = []
        for month in choose_origins(present.months, task):
            if on_progress is not None:
                on_progress(f"reading the record as of the end of {month}", 0.0)
            at = end_of_month(month, company.zone)
            batch = read_batch(task, generation, at, company, engine=engine)[1]
            if batch is None:
                continue
            flows = read_flows(generation, at, company, engine=engine) if PIPELINE in task.candidates else None
            if flows is not None:
                batch = with_flows(batch, replay_flows(task, flows, seed=seed), horizon=task.horizon_months)
            found.append((batch, flows))
    return Past(
        panels=panels,
        present=present,
        batches=tuple(batch for batch, _ in found),
        flows=tuple(flows for _, flows in found),
    )
