"""Values computed from the record's history, as known at a moment: for entities of the record and for rows sent along.

A row that comes with a request speaks for itself, whatever id it has, so that it tells nothing of entities its
sender may not see; what it names is joined where the sender may see that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

import pyarrow as pa

from crm.schema import DType
from crm.tables import table
from crm.tables_derived import DERIVED_TABLES
from features.build import build_features, custom_groups, tables_read
from features.catalogue import group_named
from features.online import compute_features, source_of
from features.question import Question
from features.spec import Aggregate, Attribute, FeatureGroup, Ratio, Source
from models.encoding import Value, Values
from serving.access import VisibleReps
from serving.account_records import AccountRecords
from serving.invoice_records import InvoiceRecords
from serving.joined import JoinedFeatures
from serving.openness import NOT_YET, openness_of
from serving.record_view import EntityState, RecordView
from serving.records import ReadRecord, Row, form_of_table

Events = dict[str, Sequence[Row]]


class Completes(Protocol):
    """What an entity's rows need beside their own events and what they name."""

    sources: frozenset[str]

    def warm_up(self) -> None:
        """Compute beforehand what many requests share."""
        ...

    def complete(self, row: Row, events: Events, *, known_to: datetime, may_join: bool) -> tuple[Row, Events]:
        """The row and its events with what is derived of them."""
        ...


_COMPLETES: dict[str, Callable[[RecordView], Completes]] = {"accounts": AccountRecords, "invoices": InvoiceRecords}


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
        self._groups = (*(group_named(name) for name in question.groups), *custom_groups(generation, self._entity))
        self._is_derived = bool(tables_read(self._groups) & set(DERIVED_TABLES)) or self._entity == "invoices"
        if self._is_derived:
            record.derive()
        self._openness = openness_of(record, question)
        self._completes: Completes | None = None
        if self._entity in _COMPLETES:
            self._completes = _COMPLETES[self._entity](record)
        brought = self._completes.sources if self._completes else frozenset()
        self._joined = JoinedFeatures(record, self._groups, without=brought)
        self._attributes = _reached_attributes(self._groups, without=brought)
        own = {name: named for name, named in _own_sources(self._groups).items() if name not in brought}
        self.form = form_of_table(self._entity, generation.custom(self._entity), own)
        # What the record keeps was never unknown in training: an entity of which nothing is told has had nothing yet.
        self._nothing_yet: Events = {name: [] for name, named in own.items() if record.has(named)}
        self._clock = table(self._entity).column(str(table(self._entity).clock))

    def warm_up(self) -> None:
        """Compute what is known of everything a row may name."""
        self._joined.warm_up()
        if self._completes is not None:
            self._completes.warm_up()

    def open_entities(self, at: datetime) -> tuple[list[str], list[str | None]]:
        """Ids and owners of the open entities."""
        ids = self._openness.open_ids(at)
        return ids, self._record.owners(self._entity, pa.array(ids, pa.string()))

    def states(self, ids: Sequence[str], at: datetime, seen: VisibleReps) -> dict[str, EntityState]:
        """Owner and openness of those ids that exist and may be seen."""
        existing = self._record.existing(self._entity, ids, at)
        # Left out before anything is computed of them: the time of the answer must not tell that they exist.
        found = {name: one for name, one in existing.items() if seen.may_see(one[0])}
        there = [name for name, (_, is_there) in found.items() if is_there]
        closed = self._openness.closed(there, at) if there else {}
        return {
            name: EntityState(rep_id=rep_id, closed=closed.get(name) if is_there else NOT_YET)
            for name, (rep_id, is_there) in found.items()
        }

    def rows(self, ids: Sequence[str], at: datetime) -> pa.Table:
        """The features of entities at a moment."""
        moment = at.astimezone(UTC).replace(tzinfo=None)
        spine = pa.table(
            {
                "entity_id": pa.array(ids, pa.string()),
                "as_of": pa.array([moment] * len(ids), pa.timestamp("us")),
            }
        )
        if self._is_derived:
            return self._record.features(self._groups, spine)
        return build_features(self._record.generation, self._groups, spine, zone=self._record.zone)

    def closed(self, records: Sequence[ReadRecord], at: datetime) -> list[str | None]:
        """Why rows that came with a request cannot be scored, same order; None for those that can."""
        moments = [self.moment(record, at) for record in records]
        reasons = self._openness.closed_records(records, moments) if records else []
        return [
            NOT_YET if type(began := record.row.get(self._clock.name)) is date and began > self._local(at) else why
            for record, why in zip(records, reasons, strict=True)
        ]

    def moment(self, record: ReadRecord, at: datetime) -> datetime:
        """The moment at which a row is asked: what began today counts from midnight on, as in training."""
        began = record.row.get(self._clock.name)
        if type(began) is not date or began != self._local(at):
            return at
        return datetime.combine(began + timedelta(days=1), time(), tzinfo=self._record.zone)

    def values(
        self, records: Sequence[ReadRecord], at: datetime, joined_at: datetime, seen: VisibleReps
    ) -> list[Values]:
        """The features of rows with their own events, joined with what is known of what they name.

        Without a moment of creation a row came to be at `at`; a list of events that is left out is empty.
        """
        joined = {source: self._keys(source, records, seen) for source in self._joined.sources}
        known = {
            source: self._joined.values(source, {key for key in keys if key is not None}, joined_at)
            for source, keys in joined.items()
        }
        found: list[Values] = []
        for place, record in enumerate(records):
            row, moment = self._begun(record.row, at), self.moment(record, at)
            events: Events = {**self._nothing_yet, **record.events, **self._rows_named(record, seen)}
            if self._completes is not None:
                account = row.get("account_id")
                may_join = isinstance(account, str) and self._may_join("account_id", account, seen)
                row, events = self._completes.complete(row, events, known_to=joined_at, may_join=may_join)
            values: dict[str, Value] = dict(compute_features(self._groups, row, events, moment, zone=self._record.zone))
            for source, keys in joined.items():
                key = keys[place]
                if key is not None:
                    values.update(known[source][key])
            found.append(values)
        return found

    def _begun(self, row: Row, at: datetime) -> Row:
        """The row with the moment it came to be."""
        name = self._clock.name
        if row.get(name) is not None:
            return row
        # A day counts from the midnight after it.
        is_day = self._clock.dtype is DType.DATE
        return {**row, name: self._local(at) - timedelta(days=1) if is_day else at.astimezone(UTC).replace(tzinfo=None)}

    def _local(self, at: datetime) -> date:
        return at.astimezone(self._record.zone).date()

    def _keys(self, source: Source, records: Sequence[ReadRecord], seen: VisibleReps) -> list[str | None]:
        keys: list[str | None] = []
        for record in records:
            value = record.row.get(source.reach)
            keys.append(value if isinstance(value, str) and self._may_join(source.reach, value, seen) else None)
        return keys

    def _rows_named(self, record: ReadRecord, seen: VisibleReps) -> Events:
        found: Events = {}
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
            # A company that keeps no accounts names its customers all the same.
            is_known = bool(rows) or not self._record.has("accounts")
            return is_known and seen.may_see(owner if isinstance(owner, str) else None)
        # Whatever else a row names, a channel or a campaign, is nobody's.
        return not reach.endswith("_id") or seen.everyone


def _own_sources(groups: Sequence[FeatureGroup]) -> dict[str, str]:
    """The lists of rows that belong to the entity itself: their table by their name."""
    own = {"changes": "changes"}
    for group in groups:
        for feature in group.features:
            primitive = feature.primitive
            if isinstance(primitive, Aggregate | Ratio) and not source_of(primitive).reach:
                own[source_of(primitive).name] = source_of(primitive).table
    return dict(sorted(own.items()))


def _reached_attributes(groups: Sequence[FeatureGroup], *, without: frozenset[str]) -> list[tuple[str, str]]:
    """Tables of joined rows with the column that names them."""
    primitives = (feature.primitive for group in groups for feature in group.features)
    return sorted(
        {
            (one.table, one.reach)
            for one in primitives
            if isinstance(one, Attribute) and one.reach and one.table not in without
        }
    )
