"""The rows that the array form needs, read from the record: an entity's own, and those it is joined to.

Rows are handed over whole, those of the future too: the array form judges itself what was visible.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from crm.engine import Engine, quote_name, quote_text
from crm.schema import SYSTEM_COLUMNS
from crm.tables import table
from features.asof import Row
from features.compile import SPINE, key_name, keyed_rows_sql
from features.online import source_of
from features.spec import Attribute, Calendar, Feature, FeatureGroup, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What `features.online.compute_features` takes for one row of a spine."""

    record: Row
    events: dict[str, list[Row]]


def read_histories(
    engine: Engine,
    groups: Sequence[FeatureGroup],
    spine: pa.Table,
    *,
    tables: Collection[str],
    custom: Collection[str] = (),
) -> list[History]:
    """The record and events of every row of a prepared spine (with the columns that `build` adds), in its order."""
    entity = groups[0].entity
    features = [feature for group in groups for feature in group.features]
    engine.register(SPINE, spine)
    histories = [History(record={}, events={}) for _ in range(spine.num_rows)]
    own = _joined(engine, entity, "", custom)
    for n, row in own:
        histories[n] = History(record=row, events={})
    for source in _sources(features, tables):
        for history in histories:
            history.events.setdefault(source.name, [])
        for n, row in _of_source(engine, source, with_changes="changes" in tables):
            histories[n].events[source.name].append(row)
    for table_name, reach in _joined_rows(features, tables):
        for n, row in _joined(engine, table_name, reach, ()):
            histories[n].events.setdefault(table_name, []).append(row)
    if "changes" in tables:
        _add_changes(engine, histories, {(entity, ""), *_joined_rows(features, tables)})
    return histories


def _sources(features: Iterable[Feature], tables: Collection[str]) -> list[Source]:
    found: dict[Source, None] = {}
    for feature in features:
        if not isinstance(feature.primitive, Attribute | Calendar):
            source = source_of(feature.primitive)
            if source.table in tables:
                found[source] = None
    return [source for source in found if source.table != "changes"]


def _joined_rows(features: Iterable[Feature], tables: Collection[str]) -> list[tuple[str, str]]:
    attributes = (feature.primitive for feature in features if isinstance(feature.primitive, Attribute))
    return sorted({(a.table, a.reach) for a in attributes if a.reach and a.table in tables})


def _columns(table_name: str, custom: Collection[str] = ()) -> str:
    names = [*table(table_name).names, *(column.name for column in SYSTEM_COLUMNS[:1]), *custom]
    return ", ".join(f"e.{quote_name(name)}" for name in names)


def _joined(engine: Engine, table_name: str, reach: str, custom: Collection[str]) -> list[tuple[int, Row]]:
    key = table(table_name).key[0]
    sql = (
        f"SELECT s.n, {_columns(table_name, custom)} FROM {SPINE} AS s "
        f"JOIN {table_name} AS e ON e.{quote_name(key)} = s.{key_name(reach)}"
    )
    return _numbered(engine.query(sql))


def _of_source(engine: Engine, source: Source, *, with_changes: bool) -> list[tuple[int, Row]]:
    sql = (
        f"SELECT s.n, {_columns(source.table)} FROM {SPINE} AS s "
        f"JOIN ({keyed_rows_sql(source, with_changes=with_changes)}) AS e ON e.k = s.{key_name(source.reach)}"
    )
    return _numbered(engine.query(sql))


def _add_changes(engine: Engine, histories: Sequence[History], rows: Iterable[tuple[str, str]]) -> None:
    for history in histories:
        history.events.setdefault("changes", [])
    for table_name, reach in sorted(rows):
        sql = (
            f"SELECT s.n, {_columns('changes')} FROM {SPINE} AS s JOIN changes AS e "
            f"ON e.entity_id = s.{key_name(reach)} WHERE e.entity = {quote_text(table_name)}"
        )
        for n, row in _numbered(engine.query(sql)):
            histories[n].events["changes"].append(row)


def _numbered(rows: pa.Table) -> list[tuple[int, Row]]:
    return [(row.pop("n"), row) for row in rows.to_pylist()]
