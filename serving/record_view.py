"""One generation of the record as the service reads it: who owns an entity, whether it is open, what belongs to it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.clocks import AsOf, is_visible, moment
from crm.engine import Engine, quote_name, quote_text
from crm.settlements import register_derived
from crm.store import Generation
from crm.tables import table
from crm.tables_derived import DERIVED_TABLES
from features.build import build_features
from features.spec import FeatureGroup
from serving.access import Organisation, VisibleReps, read_organisation, visible_reps
from serving.roles import Principal

_MOST_ROWS_JOINED = 5000
_MOST_CACHED = 512
# Entities that belong to whoever has the agreement or the account; leads and opportunities are somebody's own.
_LENT = frozenset({"agreements", "invoices"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityState:
    """Who owns an entity, and what can be said of it at a moment.

    Attributes
    ----------
    rep_id : str or None
        The owner.
    closed : str or None
        Why there is nothing to score at that moment; None while it is open.
    """

    rep_id: str | None
    closed: str | None

    @property
    def is_open(self) -> bool:
        """Whether there is something to score."""
        return self.closed is None


class RecordView:
    """Reads one generation; safe to share between threads.

    Parameters
    ----------
    generation : Generation
        The state of the record.
    zone : ZoneInfo
        Where the company's days begin.
    """

    def __init__(self, generation: Generation, zone: ZoneInfo) -> None:
        self.generation = generation
        self.zone = zone
        self._engine = generation.engine(threads=1)
        self._lock = threading.Lock()
        self._organisation: Organisation | None = None
        self._seen: dict[tuple[Principal, date], VisibleReps] = {}
        self._joined: OrderedDict[tuple[str, str, str], list[dict[str, object]]] = OrderedDict()
        self._tables = frozenset(generation.tables)

    def has(self, name: str) -> bool:
        """Whether a table has rows, or was derived from tables that have."""
        return name in self._tables

    def derive(self) -> None:
        """Derive what became of every invoice, once, so that the derived tables can be read like any other."""
        with self._lock:
            self._tables = register_derived(self._engine, self._tables, DERIVED_TABLES, self.zone)

    def features(self, groups: Sequence[FeatureGroup], spine: pa.Table) -> pa.Table:
        """The features of a spine's rows, same order, derived tables among what they are made of."""
        with self._lock:
            return build_features(self._engine, groups, spine, zone=self.zone, tables=self._tables)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The engine, for whoever brings rows of its own to a query; nobody else asks it meanwhile."""
        with self._lock:
            yield self._engine

    @property
    def watermark(self) -> datetime:
        """How far the record reaches, UTC."""
        return self.generation.recorded_to

    def query(self, sql: str) -> pa.Table:
        """The rows that a SQL text selects."""
        with self._lock:
            return self._engine.query(sql)

    def query_over(self, name: str, rows: pa.Table, sql: str) -> pa.Table:
        """The rows that a SQL text selects when `rows` stand under a name."""
        with self._lock:
            self._engine.register(name, rows)
            return self._engine.query(sql)

    def reps_seen_by(self, principal: Principal, now: datetime) -> VisibleReps:
        """The salespeople whose rows the caller sees today."""
        day = now.astimezone(self.zone).date()
        known = self._seen.get((principal, day))
        if known is not None:
            return known
        organisation = self._organisation
        if organisation is None or organisation.day != day:
            organisation = self._organisation = read_organisation(self.generation, day)
            self._seen = {}
        if len(self._seen) > _MOST_CACHED:
            self._seen = {}
        seen = self._seen[principal, day] = visible_reps(principal, organisation)
        return seen

    def as_of(self, at: datetime) -> AsOf:
        """A moment as SQL."""
        local = at.astimezone(self.zone).date()
        return moment(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}", f"{local:%Y-%m-%d}")

    def owners(self, entity: str, ids: pa.Array) -> list[str | None]:
        """The owners of entities, same order."""
        asked = pa.table({"n": pa.array(range(len(ids)), pa.int64()), "id": ids})
        text = f"SELECT a.n, o.rep_id FROM asked a LEFT JOIN ({self._owned(entity)}) o ON o.id = a.id"
        owners: list[str | None] = self.query_over("asked", asked, text).sort_by("n").column("rep_id").to_pylist()
        return owners

    def existing(self, entity: str, ids: Sequence[str], at: datetime) -> dict[str, tuple[str | None, bool]]:
        """The owner of those of the entities that exist, and whether they were there at a moment, by id."""
        if not self.has(entity):
            return {}
        stated, when = table(entity), self.as_of(at)
        key = quote_name(stated.key[0])
        listed = ", ".join(quote_text(value) for value in dict.fromkeys(ids))
        rows = self.query(
            f"SELECT e.{key} AS id, o.rep_id, {is_visible(stated, 'e', when)} AS visible FROM {quote_name(entity)} e "
            f"JOIN ({self._owned(entity)}) o ON o.id = e.{key} WHERE e.{key} IN ({listed})"
        )
        return {row["id"]: (row["rep_id"], bool(row["visible"])) for row in rows.to_pylist()}

    def _owned(self, entity: str) -> str:
        """SQL of `id` and `rep_id`: the owner of an entity, else of the agreement or the account it belongs to."""
        stated = table(entity)
        key = quote_name(stated.key[0])
        owners, joins = ["e.rep_id"] if stated.has("rep_id") else [], ""
        for other in ("agreements", "accounts"):
            named = table(other).key[0]
            if other != entity and stated.has(named) and entity in _LENT and self.has(other):
                owners.append(f"{other}.rep_id")
                joins += f" LEFT JOIN {other} ON {other}.{named} = e.{named}"
        owner = f"COALESCE({', '.join(owners)})" if owners else "CAST(NULL AS VARCHAR)"
        return f"SELECT e.{key} AS id, {owner} AS rep_id FROM {quote_name(entity)} e{joins}"

    def rows_where(self, name: str, column: str, value: str) -> list[dict[str, object]]:
        """The rows of a table whose column holds a value, the newest first; those last asked for are kept in memory.

        Of very many rows the newest are taken, the same ones each time.
        """
        if not self.has(name):
            return []
        asked = (name, column, value)
        with self._lock:
            if asked in self._joined:
                self._joined.move_to_end(asked)
                return self._joined[asked]
        stated = table(name)
        newest = [] if stated.clock is None else [f"{quote_name(stated.clock)} DESC NULLS LAST"]
        ordered = ", ".join([*newest, *(quote_name(key) for key in stated.key)])
        found: list[dict[str, object]] = self.query(
            f"SELECT * FROM {quote_name(name)} WHERE {quote_name(column)} = {quote_text(value)} "
            f"ORDER BY {ordered} LIMIT {_MOST_ROWS_JOINED}"
        ).to_pylist()
        with self._lock:
            self._joined[asked] = found
            while len(self._joined) > _MOST_CACHED:
                self._joined.popitem(last=False)
        return found
