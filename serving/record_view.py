"""One generation of the record as the service reads it: who owns an entity, whether it is open, what belongs to it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.clocks import AsOf, is_visible, moment, value_as_known
from crm.engine import quote_name, quote_text
from crm.store import Generation
from crm.tables import table
from serving.access import Organisation, VisibleReps, read_organisation, visible_reps
from serving.roles import Principal

_MOST_ROWS_JOINED = 5000
_MOST_CACHED = 512
# Columns that say an entity is closed: from that moment on there is nothing left to score.
CLOSED_BY: dict[str, tuple[str, ...]] = {"leads": ("converted_at", "disqualified_at")}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityState:
    """Who owns an entity, and what can be said of it at a moment."""

    rep_id: str | None
    exists: bool
    is_open: bool


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
        stated = table(entity)
        key = quote_name(stated.key[0])
        asked = pa.table({"n": pa.array(range(len(ids)), pa.int64()), "id": ids})
        rows = self.query_over(
            "asked", asked, f"SELECT a.n, e.rep_id FROM asked a LEFT JOIN {quote_name(entity)} e ON e.{key} = a.id"
        )
        owners: list[str | None] = rows.sort_by("n").column("rep_id").to_pylist()
        return owners

    def states(self, entity: str, ids: Sequence[str], at: datetime) -> dict[str, EntityState]:
        """What is known of those of the entities that exist, by id."""
        if not self.generation.has(entity):
            return {}
        stated, when = table(entity), self.as_of(at)
        key = quote_name(stated.key[0])
        listed = ", ".join(quote_text(value) for value in dict.fromkeys(ids))
        rows = self.query(
            f"SELECT e.{key} AS id, e.rep_id, {is_visible(stated, 'e', when)} AS visible, "
            f"{self._is_open(entity, 'e', when)} AS is_open "
            f"FROM {quote_name(entity)} e WHERE e.{key} IN ({listed})"
        )
        return {
            row["id"]: EntityState(
                rep_id=row["rep_id"], exists=bool(row["visible"]), is_open=bool(row["visible"] and row["is_open"])
            )
            for row in rows.to_pylist()
        }

    def _is_open(self, entity: str, alias: str, when: AsOf) -> str:
        stated = table(entity)
        closings = [value_as_known(stated, stated.column(name), alias, when) for name in CLOSED_BY[entity]]
        return " AND ".join(f"({closing}) IS NULL" for closing in closings)

    def rows_where(self, name: str, column: str, value: str) -> list[dict[str, object]]:
        """The rows of a table whose column holds a value; the latest asked for are kept in memory."""
        if not self.generation.has(name):
            return []
        asked = (name, column, value)
        with self._lock:
            if asked in self._joined:
                self._joined.move_to_end(asked)
                return self._joined[asked]
        found: list[dict[str, object]] = self.query(
            f"SELECT * FROM {quote_name(name)} WHERE {quote_name(column)} = {quote_text(value)} "
            f"LIMIT {_MOST_ROWS_JOINED}"
        ).to_pylist()
        with self._lock:
            self._joined[asked] = found
            while len(self._joined) > _MOST_CACHED:
                self._joined.popitem(last=False)
        return found
