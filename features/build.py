"""Feature tables for many rows: the groups' SQL run on an engine, in the order of the spine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.engine import Engine
from crm.facts import feature_columns
from crm.schema import Column
from crm.settlements import register_derived
from crm.store import Generation
from crm.tables import TABLES
from features.asof import column_of, local_days
from features.calendar import calendar_value
from features.catalogue import custom_group, group_named
from features.compile import SPINE, Query, compile_source, key_name
from features.compile_attributes import compile_attributes
from features.matrix import Field, Kind
from features.online import source_of
from features.spec import Attribute, Calendar, Feature, FeatureGroup, Source


class BadSpine(ValueError):
    """A spine that lacks a column or holds an empty cell."""


def build_features(
    record: Generation | Engine,
    groups: Sequence[str | FeatureGroup],
    spine: pa.Table,
    *,
    zone: ZoneInfo,
    tables: Collection[str] | None = None,
) -> pa.Table:
    """The features of every row of a spine, in its order.

    Parameters
    ----------
    record : Generation or Engine
        The record, or an engine on which its tables are registered.
    groups : sequence of str or FeatureGroup
        Groups of one entity, by name in `features.catalogue` or as they are.
    spine : pa.Table
        Shape (n_rows, >= 2): `entity_id` (string), `as_of` (timestamp[us], naive UTC); more columns are ignored.
    zone : ZoneInfo
        Where the company's days begin.
    tables : collection of str or None
        With an engine: the tables registered on it; None for all tables of the record.

    Returns
    -------
    pa.Table
        Shape (n_rows, n_fields), one column per field in the order of the groups: float64 with NaN for unknown,
        or string with null.

    Raises
    ------
    BadSpine
        A column is missing or has empty cells.
    """
    stated = [group_named(group) if isinstance(group, str) else group for group in groups]
    with _opened(record, tables) as (engine, found):
        names = register_derived(engine, found, tables_read(stated), zone)
        return _Build(engine, names, stated, _with_days(spine, zone)).run()


def reached_spine(
    engine: Engine, groups: Sequence[FeatureGroup], spine: pa.Table, *, zone: ZoneInfo, tables: Collection[str]
) -> pa.Table:
    """The spine as the compiled SQL reads it: row numbers, local days, and what joined rows are reached by."""
    return _Build(engine, frozenset(tables), groups, _with_days(spine, zone)).prepare()


def tables_read(groups: Sequence[FeatureGroup]) -> frozenset[str]:
    """The tables that the features of some groups are made of, derived ones as such, without the entity's own."""
    primitives = (feature.primitive for group in groups for feature in group.features)
    return frozenset(
        primitive.table if isinstance(primitive, Attribute) else source_of(primitive).table
        for primitive in primitives
        if not isinstance(primitive, Calendar)
    )


def custom_groups(generation: Generation, table_name: str) -> tuple[FeatureGroup, ...]:
    """The group of custom columns of an entity's table; empty when the company has none."""
    dtypes = feature_columns(generation, table_name)
    if not dtypes:
        return ()
    kept: list[str] = []
    if generation.has("changes"):
        with generation.engine() as engine:
            found = engine.query(f"SELECT DISTINCT field FROM changes WHERE entity = '{table_name}'")
            kept = found.column("field").to_pylist()
    group = custom_group(table_name, dtypes, with_history=kept)
    return (group,) if group.features else ()


@contextmanager
def _opened(record: Generation | Engine, tables: Collection[str] | None) -> Iterator[tuple[Engine, frozenset[str]]]:
    if isinstance(record, Generation):
        with record.engine() as engine:
            yield engine, frozenset(name for name in record.tables if record.rows(name))
    else:
        yield record, frozenset(TABLES if tables is None else tables)


def _with_days(spine: pa.Table, zone: ZoneInfo) -> pa.Table:
    for name in ("entity_id", "as_of"):
        if name not in spine.column_names:
            raise BadSpine(f"a spine needs the column {name}; it has {', '.join(spine.column_names)}")
        if spine.column(name).null_count:
            raise BadSpine(f"{spine.column(name).null_count} rows of the spine have no {name}")
    as_of = spine.column("as_of").cast(pa.timestamp("us"))
    return pa.table(
        {
            "n": pa.array(np.arange(spine.num_rows, dtype=np.int64)),
            key_name(""): spine.column("entity_id").cast(pa.string()),
            "as_of": as_of,
            "as_of_on": pa.array(local_days(as_of.to_numpy(), zone), pa.date32()),
        }
    )


class _Build:
    """One run: the queries of all groups and their columns."""

    def __init__(self, engine: Engine, tables: frozenset[str], groups: Sequence[FeatureGroup], spine: pa.Table) -> None:
        self._engine = engine
        self._tables = tables
        self._groups = groups
        self._spine = spine
        self._found: dict[str, pa.ChunkedArray] = {}

    def run(self) -> pa.Table:
        """Every field's column in the order of the groups."""
        features = [feature for group in self._groups for feature in group.features]
        self.prepare()
        self._attributes(features)
        self._sources(features)
        self._calendar(features)
        fields = [feature.field for feature in features]
        if not fields:
            return self._spine.select([])
        return pa.table(
            {field.name: _typed(field, self._found.get(field.name), self._spine.num_rows) for field in fields}
        )

    def prepare(self) -> pa.Table:
        """Register the spine with what joined rows are reached by."""
        entities = {group.entity for group in self._groups}
        if len(entities) > 1:
            raise ValueError(f"one spine cannot serve the entities {', '.join(sorted(entities))} together")
        self._engine.register(SPINE, self._spine)
        features = [feature for group in self._groups for feature in group.features]
        self._reach(next(iter(entities)) if entities else "", features)
        return self._spine

    def _run(self, query: Query) -> None:
        """Keep the columns of a query; a table that the record has not leaves them unknown."""
        if not self._tables.issuperset(query.tables):
            return
        rows = self._engine.query(query.sql)
        for name in query.names:
            self._found[name] = rows.column(name)

    def _reach(self, entity: str, features: Sequence[Feature]) -> None:
        """Add to the spine what joined rows are reached by, as known at each moment."""
        wanted = {source_of(f.primitive).reach for f in features if not isinstance(f.primitive, Attribute | Calendar)}
        wanted |= {f.primitive.reach for f in features if isinstance(f.primitive, Attribute)}
        reaches = sorted(wanted - {""})
        if not reaches:
            return
        columns = [(key_name(r), Attribute(column=r, table=entity), column_of(entity, r)) for r in reaches]
        query = compile_attributes(entity, "", columns, with_changes="changes" in self._tables)
        self._run(query)
        for name, _, _ in columns:
            keys = self._found.pop(name, pa.nulls(self._spine.num_rows, pa.string()))
            self._spine = self._spine.append_column(name, keys)
        self._engine.register(SPINE, self._spine)

    def _attributes(self, features: Sequence[Feature]) -> None:
        by_row: dict[tuple[str, str], list[tuple[str, Attribute, Column]]] = {}
        for feature in features:
            primitive = feature.primitive
            if isinstance(primitive, Attribute):
                column = column_of(primitive.table, primitive.column, primitive.dtype)
                wanted = by_row.setdefault((primitive.table, primitive.reach), [])
                wanted.append((feature.field.name, primitive, column))
        for (table_name, reach), wanted in by_row.items():
            self._run(compile_attributes(table_name, reach, wanted, with_changes="changes" in self._tables))

    def _sources(self, features: Sequence[Feature]) -> None:
        by_source: dict[Source, list[Feature]] = {}
        for feature in features:
            if not isinstance(feature.primitive, Attribute | Calendar):
                by_source.setdefault(source_of(feature.primitive), []).append(feature)
        for source, wanted in by_source.items():
            self._run(compile_source(source, wanted, with_changes="changes" in self._tables))

    def _calendar(self, features: Sequence[Feature]) -> None:
        wanted = [(f.field.name, f.primitive) for f in features if isinstance(f.primitive, Calendar)]
        if not wanted:
            return
        days, place = np.unique(self._spine.column("as_of_on").to_numpy(), return_inverse=True)
        for name, primitive in wanted:
            values = np.array([calendar_value(primitive, day) for day in days.tolist()], dtype=np.float64)
            self._found[name] = pa.chunked_array([pa.array(values[place] if len(days) else np.empty(0))])


def _typed(field: Field, column: pa.ChunkedArray | None, n_rows: int) -> pa.ChunkedArray | pa.Array:
    if field.kind is Kind.CATEGORY:
        return pa.nulls(n_rows, pa.string()) if column is None else column.cast(pa.string())
    if column is None:
        return pa.array(np.full(n_rows, np.nan))
    return pc.fill_null(column.cast(pa.float64()), float("nan"))
