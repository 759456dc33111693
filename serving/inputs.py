"""Where the values come from that a model is asked with: the record's history, or a flat table.

The one place that knows both; scoring asks either through `Inputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from crm.config import Config
from models.encoding import Values
from models.task import EntityTask
from serving.access import VisibleReps
from serving.champion import Champion
from serving.flat_inputs import FlatInputs
from serving.history_inputs import HistoryInputs
from serving.record_view import EntityState, RecordView
from serving.records import ReadRecord, RecordForm


class Inputs(Protocol):
    """How a task's model is asked."""

    form: RecordForm

    def warm_up(self) -> None:
        """Compute beforehand what many requests share."""
        ...

    def open_entities(self, at: datetime) -> tuple[list[str], list[str | None]]:
        """Ids and owners of what can be scored at a moment."""
        ...

    def states(self, ids: Sequence[str], at: datetime, seen: VisibleReps) -> dict[str, EntityState]:
        """Owner and openness of those ids that exist and may be seen; of others nothing is computed."""
        ...

    def rows(self, ids: Sequence[str], at: datetime) -> pa.Table:
        """The values of entities at a moment, one row an id, same order."""
        ...

    def closed(self, records: Sequence[ReadRecord], at: datetime) -> list[str | None]:
        """Why rows that came with a request cannot be scored, same order; None for those that can."""
        ...

    def moment(self, record: ReadRecord, at: datetime) -> datetime:
        """The moment at which a row that came with a request is asked: `at`, or when it begins to count."""
        ...

    def values(
        self, records: Sequence[ReadRecord], at: datetime, joined_at: datetime, seen: VisibleReps
    ) -> list[Values]:
        """The values of rows that came with a request, same order.

        `joined_at` is the moment at which what they name is known; at or a little before `at`.
        """
        ...


def make_inputs(config: Config, record: RecordView, champion: Champion, task: EntityTask) -> Inputs:
    """How a champion is asked."""
    if champion.is_flat:
        return FlatInputs(record, task, champion.predictor.encoder.fields)
    return HistoryInputs(record, task.question.as_configured(config.tasks))
