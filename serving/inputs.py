"""Where the values come from that a model is asked with: the record's history, or a flat table.

The one place that knows both; scoring asks either through `Inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from crm.config import Config
from crm.facts import flat_form
from crm.schema import DType
from crm.tables import table
from features.build import build_features, custom_groups
from features.catalogue import group_named
from features.matrix import Field
from features.online import compute_features, source_of
from features.question import Question
from features.spec import Aggregate, Attribute, FeatureGroup, Ratio, Source
from features.spine import build_open_spine
from models.encoding import Value
from models.task import BaseTask
from serving.access import VisibleReps
from serving.champion import Champion
from serving.flat_records import FlatRecordForm
from serving.joined import JoinedFeatures
from serving.record_view import EntityState, RecordView
from serving.records import ReadRecord, RecordForm, form_of_table

_CENTS = 100.0


class Inputs(Protocol):
    """How a task's model is asked."""

    form: RecordForm

    def warm_up(self) -> None:
        """Compute beforehand what many requests share."""
        ...

    def open_entities(self, at: datetime) -> tuple[list[str], list[str | None]]:
        """Ids and owners of what can be scored at a moment."""
        ...

    def states(self, ids: Sequence[str], at: datetime) -> dict[str, EntityState]:
        """Owner and openness of those ids that exist."""
        ...

    def rows(self, ids: Sequence[str], at: datetime) -> pa.Table:
        """The values of entities at a moment, one row an id, same order."""
        ...

    def values(
        self, records: Sequence[ReadRecord], at: datetime, joined_at: datetime, seen: VisibleReps
    ) -> list[Mapping[str, Value]]:
        """The values of rows that came with a request, same order.

        `joined_at` is the moment at which what they name is known; at or a little before `at`.
        """
        ...


class HistoryInputs:
    """Values computed from the record's history, as known at a moment.

    Parameters
    ----------
    record : RecordView
        The record.
    question : Question
        Names the entity, its event and the feature groups.
    """

    def __init__(self, record: RecordView, question: Question) -> None:
        self._record = record
        self._question = question
        self._entity = question.entity
        generation = record.generation
        self._groups = (
            *(group_named(name) for name in question.groups),
            *custom_groups(generation, self._entity),
        )
        self._joined = JoinedFeatures(record, self._groups)
        self._attributes = sorted(
            {
                (feature.primitive.table, feature.primitive.reach)
                for group in self._groups
                for feature in group.features
                if isinstance(feature.primitive, Attribute) and feature.primitive.reach
            }
        )
        own = _own_sources(self._groups)
        self.form = form_of_table(self._entity, generation.custom(self._entity), own)
        # What the record keeps was never unknown in training: an entity of which nothing is told has had nothing yet.
        self._nothing_yet: dict[str, list[dict[str, object]]] = {name: [] for name in own if generation.has(name)}
        self._clock = str(table(self._entity).clock)

    def warm_up(self) -> None:
        """Compute what is known of everything a row may name."""
        self._joined.warm_up()

    def open_entities(self, at: datetime) -> tuple[list[str], list[str | None]]:
        """Ids and owners of the open entities."""
        spine = build_open_spine(self._record.generation, self._question, as_of=at)
        ids = spine.column("entity_id").combine_chunks()
        return ids.to_pylist(), self._record.owners(self._entity, ids)

    def states(self, ids: Sequence[str], at: datetime) -> dict[str, EntityState]:
        """Owner and openness of those ids that exist."""
        return self._record.states(self._entity, ids, at)

    def rows(self, ids: Sequence[str], at: datetime) -> pa.Table:
        """The features of entities at a moment."""
        moment = at.astimezone(UTC).replace(tzinfo=None)
        spine = pa.table(
            {
                "entity_id": pa.array(ids, pa.string()),
                "as_of": pa.array([moment] * len(ids), pa.timestamp("us")),
            }
        )
        return build_features(self._record.generation, self._groups, spine, zone=self._record.zone)

    def values(
        self, records: Sequence[ReadRecord], at: datetime, joined_at: datetime, seen: VisibleReps
    ) -> list[Mapping[str, Value]]:
        """The features of rows with their own events, joined with what is known of what they name.

        A row speaks for itself, whatever id it has, so that it tells nothing of entities its sender may not see.
        Without a moment of creation it came to be at `at`; a list of events that is left out is empty.
        """
        created = at.astimezone(UTC).replace(tzinfo=None)
        joined = {source: self._keys(source, records, seen) for source in self._joined.sources}
        known = {
            source: self._joined.values(source, {key for key in keys if key is not None}, joined_at)
            for source, keys in joined.items()
        }
        found: list[Mapping[str, Value]] = []
        for place, record in enumerate(records):
            events = {**self._nothing_yet, **record.events, **self._rows_named(record, seen)}
            row = record.row
            if row.get(self._clock) is None:
                row = {**row, self._clock: created}
            values: dict[str, Value] = dict(compute_features(self._groups, row, events, at, zone=self._record.zone))
            for source, keys in joined.items():
                key = keys[place]
                if key is not None:
                    values.update(known[source][key])
            found.append(values)
        return found

    def _keys(self, source: Source, records: Sequence[ReadRecord], seen: VisibleReps) -> list[str | None]:
        keys: list[str | None] = []
        for record in records:
            value = record.row.get(source.reach)
            keys.append(value if isinstance(value, str) and self._may_join(source.reach, value, seen) else None)
        return keys

    def _rows_named(self, record: ReadRecord, seen: VisibleReps) -> dict[str, list[dict[str, object]]]:
        found = {}
        for name, reach in self._attributes:
            value = record.row.get(reach)
            if isinstance(value, str) and self._may_join(reach, value, seen):
                found[name] = self._record.rows_where(name, table(name).key[0], value)
        return found

    def _may_join(self, reach: str, value: str, seen: VisibleReps) -> bool:
        if reach == "rep_id":
            return seen.may_see(value)
        if reach == "account_id":
            rows = self._record.rows_where("accounts", "account_id", value)
            owner = rows[0].get("rep_id") if rows else None
            return bool(rows) and seen.may_see(owner if isinstance(owner, str) else None)
        # Whatever else a row names, a channel or a campaign, is nobody's.
        return not reach.endswith("_id") or seen.everyone


def make_inputs(config: Config, record: RecordView, champion: Champion, task: BaseTask) -> Inputs:
    """How a champion is asked."""
    if champion.is_flat:
        return FlatInputs(record, task, champion.predictor.encoder.fields)
    return HistoryInputs(record, task.question.as_configured(config.tasks))


def _own_sources(groups: Sequence[FeatureGroup]) -> list[str]:
    own = {"changes"}
    for group in groups:
        for feature in group.features:
            primitive = feature.primitive
            if isinstance(primitive, Aggregate | Ratio) and not source_of(primitive).reach:
                own.add(source_of(primitive).name)
    return sorted(own)


class FlatInputs:
    """Values taken from the rows of a flat table as they are.

    Parameters
    ----------
    record : RecordView
        The record.
    task : BaseTask
        Its name chooses the rows.
    fields : sequence of Field
        What the model reads.
    """

    def __init__(self, record: RecordView, task: BaseTask, fields: Sequence[Field]) -> None:
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

    def states(self, ids: Sequence[str], at: datetime) -> dict[str, EntityState]:
        """Those ids that exist; a flat table has no owners, and nothing in it closes."""
        known = set(self._rows()[0])
        return {name: EntityState(rep_id=None, exists=True, is_open=True) for name in ids if name in known}

    def rows(self, ids: Sequence[str], at: datetime) -> pa.Table:
        """The rows of the table."""
        known, rows = self._rows()
        places = {entity: place for place, entity in enumerate(known)}
        return rows.take(pa.array([places[entity] for entity in ids], pa.int64()))

    def values(
        self, records: Sequence[ReadRecord], at: datetime, joined_at: datetime, seen: VisibleReps
    ) -> list[Mapping[str, Value]]:
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
