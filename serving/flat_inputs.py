"""Values of a flat table: its rows as they are, without history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from crm.facts import flat_form
from crm.schema import DType
from features.matrix import Field
from models.encoding import Value, Values
from models.task import EntityTask
from serving.access import VisibleReps
from serving.flat_records import FlatRecordForm
from serving.record_view import EntityState, RecordView
from serving.records import ReadRecord, RecordForm

_CENTS = 100.0


class FlatInputs:
    """Values taken from the rows of a flat table as they are.

    Parameters
    ----------
    record : RecordView
        The record.
    task : EntityTask
        Its name chooses the rows.
    fields : sequence of Field
        What the model reads.
    """

    def __init__(self, record: RecordView, task: EntityTask, fields: Sequence[Field]) -> None:
        self._record = record
        self._task = task
        self._custom = record.generation.custom("observations")
        self._wanted = {f.name: self._custom[f.name] for f in fields if f.name in self._custom}
        self.form: RecordForm = FlatRecordForm(self._custom, flat_form(record.generation, task.name))
        self._held: tuple[list[str], pa.Table] | None = None

    def warm_up(self) -> None:
        """Read the table."""
        self._rows()

    def _rows(self) -> tuple[list[str], pa.Table]:
        if self._held is None:
            found = self._record.generation.read("observations", ["task", "entity_id", *self._wanted])
            found = found.filter(pc.equal(found.column("task"), self._task.name))
            columns = {name: _as_model_column(found.column(name), dtype) for name, dtype in self._wanted.items()}
            self._held = found.column("entity_id").to_pylist(), pa.table(columns)
        return self._held

    def open_entities(self, at: datetime) -> tuple[list[str], list[str | None]]:
        """All rows; a flat table has no owners."""
        ids, _ = self._rows()
        return ids, [None] * len(ids)

    def states(self, ids: Sequence[str], at: datetime, seen: VisibleReps) -> dict[str, EntityState]:
        """Those ids that exist, for whoever sees what has no owner: a flat table has none, and nothing in it closes."""
        known = set(self._rows()[0]) if seen.may_see(None) else set()
        return {name: EntityState(rep_id=None, closed=None) for name in ids if name in known}

    def rows(self, ids: Sequence[str], at: datetime) -> pa.Table:
        """The rows of the table."""
        known, rows = self._rows()
        places = {entity: place for place, entity in enumerate(known)}
        return rows.take(pa.array([places[entity] for entity in ids], pa.int64()))

    def closed(self, records: Sequence[ReadRecord], at: datetime) -> list[str | None]:
        """Nothing: what came with a request is open."""
        return [None] * len(records)

    def moment(self, record: ReadRecord, at: datetime) -> datetime:
        """The moment asked about."""
        return at

    def values(
        self, records: Sequence[ReadRecord], at: datetime, joined_at: datetime, seen: VisibleReps
    ) -> list[Values]:
        """The rows' own columns."""
        wanted = self._wanted.items()
        return [{name: _as_model_value(record.row.get(name), dtype) for name, dtype in wanted} for record in records]


def _as_model_value(value: object, dtype: DType) -> Value:
    if value is None or dtype in {DType.DATE, DType.TIMESTAMP, DType.TEXTS}:
        return None
    if isinstance(value, bool | str):
        return value
    assert isinstance(value, int | float)
    return value / _CENTS if dtype is DType.MONEY else float(value)


def _as_model_column(column: pa.ChunkedArray, dtype: DType) -> pa.ChunkedArray:
    if dtype is DType.TEXT:
        text = column.cast(pa.string())
        return pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), pa.scalar(None, pa.string()), text)
    if dtype is DType.FLAG:
        return column.cast(pa.int8()).cast(pa.float64())
    if dtype in {DType.DATE, DType.TIMESTAMP, DType.TEXTS}:
        return pa.chunked_array([pa.nulls(len(column), pa.float64())])
    numbers = column.cast(pa.float64())
    return pc.divide(numbers, _CENTS) if dtype is DType.MONEY else numbers
