"""What can be said of an entity before there is a model: how often the event came to entities like it at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.config import Config
from crm.engine import quote_name
from crm.tables import table
from features.invoice_rows import build_invoice_rows
from features.labels import Event, build_labels, event_of, happened_at, label_rows
from features.question import BadQuestion, Question
from features.spine import build_spine
from models.headline import LATE
from models.task import EntityTask
from serving.record_view import RecordView

Labels: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRate:
    """The share of entities that had the event within the horizon after they came to be; None while none is mature."""

    event: str
    horizon_days: int | None
    share: float | None
    n: int


def read_base_rate(config: Config, record: RecordView, task: EntityTask) -> BaseRate:
    """The base rate of a task in the present record.

    Leads and opportunities count from their creation; accounts and agreements at the moments at which the task asks
    about them; of invoices it is the share that were paid late.
    """
    question = task.question.as_configured(config.tasks)
    try:
        event: Event | None = event_of(question)
    except BadQuestion:
        event = None
    needed = (*task.needs, *(event.needs if event else ()), question.entity)
    labels = np.empty(0)
    if all(record.generation.has(name) for name in needed):
        labels = _LABELS.get(question.entity, _since_creation)(config, record, question)
    known = labels[np.isfinite(labels)]
    share = float(known.mean()) if len(known) else None
    if question.entity == "invoices":
        return BaseRate(event=LATE, horizon_days=None, share=share, n=len(known))
    phrase = event.phrase_en if event else question.event
    return BaseRate(event=phrase, horizon_days=question.horizon_days, share=share, n=len(known))


def _since_creation(config: Config, record: RecordView, question: Question) -> Labels:
    stated = table(question.entity)
    key, clock = quote_name(stated.key[0]), quote_name(str(stated.clock))
    began = record.query(f"SELECT {key} AS id, {clock} AS began FROM {quote_name(question.entity)}")
    ids = began.column("id").to_numpy().astype(np.str_)
    return build_labels(
        began.column("began").cast(pa.timestamp("us")).to_numpy(),
        happened_at(ids, record.query(event_of(question).sql)),
        horizon_days=question.horizon_days,
        gap_days=question.gap_days,
        recorded_to=record.watermark,
    )


def _when_asked(config: Config, record: RecordView, question: Question) -> Labels:
    spine = build_spine(record.generation, question, zone=record.zone, seed=config.seed)
    return label_rows(record.generation, question, spine)


def _paid_late(config: Config, record: RecordView, question: Question) -> Labels:
    rows = build_invoice_rows(record.generation, zone=record.zone, weekly=False)
    return rows.late(after_days=config.collection.late_days - 1)


_LABELS: dict[str, Callable[[Config, RecordView, Question], Labels]] = {
    "accounts": _when_asked,
    "agreements": _when_asked,
    "invoices": _paid_late,
}
