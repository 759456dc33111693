"""What can be said of a row before there is a model: how often the event came to rows like these at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm.config import Config
from crm.engine import quote_name
from crm.tables import table
from features.labels import build_labels, event_of, happened_at
from models.task import BaseTask
from serving.record_view import RecordView


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRate:
    """The share of entities that had the event within the horizon after they came to be; None while none is mature."""

    event: str
    horizon_days: int
    share: float | None
    n: int


def read_base_rate(config: Config, record: RecordView, task: BaseTask) -> BaseRate:
    """The base rate of a task in the present record."""
    question = task.question.as_configured(config.tasks)
    event, stated = event_of(question), table(question.entity)
    labels = np.empty(0)
    if all(record.generation.has(name) for name in (*event.needs, question.entity)):
        key, clock = quote_name(stated.key[0]), quote_name(str(stated.clock))
        began = record.query(f"SELECT {key} AS id, {clock} AS began FROM {quote_name(question.entity)}")
        ids = began.column("id").to_numpy().astype(np.str_)
        labels = build_labels(
            began.column("began").cast(pa.timestamp("us")).to_numpy(),
            happened_at(ids, record.query(event.sql)),
            horizon_days=question.horizon_days,
            gap_days=question.gap_days,
            recorded_to=record.watermark,
        )
    known = labels[np.isfinite(labels)]
    share = float(known.mean()) if len(known) else None
    return BaseRate(event=event.phrase_en, horizon_days=question.horizon_days, share=share, n=len(known))
