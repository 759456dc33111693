"""What is known of the things a row names - its owner, channel, campaign - computed once and kept for a while.

These features are the same for every row that names the same thing at the same moment, and reading a channel's
whole history for one request would be slow. They run as the SQL that training runs.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from threading import Lock

import numpy as np
import pyarrow as pa

from crm.engine import quote_name, quote_text
from features.asof import local_days
from features.compile import SPINE, compile_source, key_name
from features.online import source_of
from features.spec import Attribute, Calendar, Feature, FeatureGroup, Source
from models.encoding import Value
from serving.record_view import RecordView

_MOST_KEPT = 20_000
# Stands for whatever the record has never seen; no id or name of a company begins like this.
_UNSEEN = "\x00unseen"


class JoinedFeatures:
    """Features of reached sources by the value they are reached by.

    Parameters
    ----------
    record : RecordView
        The record.
    groups : sequence of FeatureGroup
        The groups whose reached sources are wanted.
    without : collection of str
        Names of sources that somebody else brings.
    """

    def __init__(self, record: RecordView, groups: Sequence[FeatureGroup], without: Collection[str] = ()) -> None:
        self._record = record
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, str, datetime], dict[str, Value]] = OrderedDict()
        self._ready: dict[str, dict[str, dict[str, Value]]] = {}
        self._ready_at: datetime | None = None
        by_source: dict[Source, list[Feature]] = {}
        for group in groups:
            for feature in group.features:
                if not isinstance(feature.primitive, Attribute | Calendar):
                    source = source_of(feature.primitive)
                    if source.reach and source.name not in without:
                        by_source.setdefault(source, []).append(feature)
        has_changes = record.has("changes")
        self._queries = {
            source: compile_source(source, features, with_changes=has_changes)
            for source, features in by_source.items()
            if record.has(source.table)
        }

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that are reached, as far as the record has their tables."""
        return tuple(self._queries)

    def warm_up(self) -> None:
        """Compute the features of everything the record has seen, as of how far it reaches.

        Answers at that moment then need no query, whatever a row names.
        """
        at = self._record.watermark
        ready = {}
        for source in self._queries:
            seen = self._keys_of(source)
            if len(seen) <= _MOST_KEPT:
                ready[source.name] = self._compute(source, [*seen, _UNSEEN], at)
        self._ready, self._ready_at = ready, at

    def _keys_of(self, source: Source) -> list[str]:
        key, name = quote_name(source.key), quote_name(source.table)
        texts = f"SELECT CAST({key} AS VARCHAR) AS k FROM {name}"
        if self._record.has("changes"):
            # A mutable key counts as it stood when the row came to be.
            texts += (
                f" UNION SELECT old_value FROM changes WHERE entity = {quote_text(source.table)} "
                f"AND field = {quote_text(source.key)}"
            )
        found = self._record.query(f"SELECT DISTINCT k FROM ({texts}) WHERE k IS NOT NULL ORDER BY k")
        keys: list[str] = found.column("k").to_pylist()
        return keys

    def values(self, source: Source, keys: Iterable[str], at: datetime) -> dict[str, dict[str, Value]]:
        """The features by key, as known at a moment."""
        wanted = list(dict.fromkeys(keys))
        if at == self._ready_at and source.name in self._ready:
            ready = self._ready[source.name]
            return {key: ready.get(key) or ready[_UNSEEN] for key in wanted}
        with self._lock:
            found = {key: self._kept[source.name, key, at] for key in wanted if (source.name, key, at) in self._kept}
        missing = [key for key in wanted if key not in found]
        if missing:
            computed = self._compute(source, missing, at)
            found |= computed
            with self._lock:
                self._kept.update({(source.name, key, at): values for key, values in computed.items()})
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return found

    def _compute(self, source: Source, keys: Sequence[str], at: datetime) -> dict[str, dict[str, Value]]:
        query = self._queries[source]
        moments = np.full(len(keys), np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us"))
        spine = pa.table(
            {
                "n": pa.array(np.arange(len(keys), dtype=np.int64)),
                key_name(""): pa.array([""] * len(keys), pa.string()),
                key_name(source.reach): pa.array(keys, pa.string()),
                "as_of": pa.array(moments),
                "as_of_on": pa.array(local_days(moments, self._record.zone), pa.date32()),
            }
        )
        rows = self._record.query_over(SPINE, spine, query.sql).sort_by("n").select(list(query.names)).to_pylist()
        return {
            key: {name: _as_value(value) for name, value in row.items()} for key, row in zip(keys, rows, strict=True)
        }


def _as_value(value: object) -> Value:
    if value is None or isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    return None if math.isnan(number) else number
