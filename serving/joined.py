"""What is known of the things a row names - its owner, channel, campaign - computed once and kept for a while.

These features are the same for every row that names the same thing at the same moment, and reading a channel's
whole history for one request would be slow. They run as the SQL that training runs.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from threading import Lock

import numpy as np
import pyarrow as pa

from features.asof import local_days
from features.compile import SPINE, compile_source, key_name
from features.online import source_of
from features.spec import Attribute, Calendar, Feature, FeatureGroup, Source
from models.encoding import Value
from serving.record_view import RecordView

_MOST_KEPT = 20_000


class JoinedFeatures:
    """Features of reached sources by the value they are reached by.

    Parameters
    ----------
    record : RecordView
        The record.
    groups : sequence of FeatureGroup
        The groups whose reached sources are wanted.
    """

    def __init__(self, record: RecordView, groups: Sequence[FeatureGroup]) -> None:
        self._record = record
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, str, datetime], dict[str, Value]] = OrderedDict()
        by_source: dict[Source, list[Feature]] = {}
        for group in groups:
            for feature in group.features:
                if not isinstance(feature.primitive, Attribute | Calendar):
                    source = source_of(feature.primitive)
                    if source.reach:
                        by_source.setdefault(source, []).append(feature)
        has_changes = record.generation.has("changes")
        self._queries = {
            source: compile_source(source, features, with_changes=has_changes)
            for source, features in by_source.items()
            if record.generation.has(source.table)
        }

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that are reached, as far as the record has their tables."""
        return tuple(self._queries)

    def values(self, source: Source, keys: Iterable[str], at: datetime) -> dict[str, dict[str, Value]]:
        """The features by key, as known at a moment."""
        wanted = list(dict.fromkeys(keys))
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
