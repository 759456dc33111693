"""Proof that features see only what was known: the store is changed behind their back and nothing may move.

Three checks, each on the generation that is about to be trained on: what was not known at a moment is garbled, what
was not known is taken away, and the array form computes what the SQL computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.config import Config
from crm.customer_history import INPUTS as HISTORY_INPUTS
from crm.engine import DuckDBEngine
from crm.settlements import INPUTS, register_derived
from crm.store import Generation
from crm.tables_derived import DERIVED_TABLES
from features.build import build_features, custom_groups, reached_spine, tables_read
from features.catalogue import group_named
from features.history import read_histories
from features.online import compute_features
from features.question import Question
from features.spec import FeatureGroup
from features.spine import build_spine
from features.spoiling import Tables, spoil_future, truncate

MOST_ENTITIES = 200
# The array form takes its rows one by one, those of a whole channel among them.
MOST_BY_ARRAY = 12
_RELATIVE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A feature that moved although it must not.

    Parameters
    ----------
    check : str
        `future_rows`, `truncation` or `array_form`.
    feature : str
        The field.
    rows : int
        Rows in which it moved.
    example : str
        The first of them: entity, expected and found value.
    """

    check: str
    feature: str
    rows: int
    example: str


class FeaturesLeak(RuntimeError):
    """Features that know more than was known at their moment; the message names them."""


def check_store(
    generation: Generation,
    groups: Sequence[FeatureGroup],
    spine: pa.Table,
    *,
    zone: ZoneInfo,
    seed: int,
) -> tuple[Difference, ...]:
    """Every feature that knows more than was known; empty when all is well.

    Parameters
    ----------
    generation : Generation
        The record.
    groups : sequence of FeatureGroup
        The groups to be trained on.
    spine : pa.Table
        Rows to be trained on; at most 200 of those at one moment, in the middle, are checked, 12 by the array form.
    zone : ZoneInfo
        Where the company's days begin.
    seed : int
        Decides how the future is garbled.
    """
    if spine.num_rows == 0 or not groups:
        return ()
    as_of = np.sort(spine.column("as_of").to_numpy())[spine.num_rows // 2]
    at_once = pc.equal(spine.column("as_of"), pa.scalar(as_of, pa.timestamp("us")))
    chosen = spine.filter(at_once).slice(0, MOST_ENTITIES)
    moment: datetime = as_of.astype("datetime64[us]").item()
    tables = _read(generation, groups)
    dtypes = generation.custom(groups[0].entity)
    truth = features_of(tables, groups, chosen, zone)
    few = chosen.slice(0, MOST_BY_ARRAY)
    others = {
        "future_rows": features_of(spoil_future(tables, moment, zone, seed=seed), groups, chosen, zone),
        "truncation": features_of(truncate(tables, moment, zone, dtypes), groups, chosen, zone),
        "array_form": _array_form(tables, groups, few, zone, tuple(dtypes)),
    }
    entities = chosen.column("entity_id").to_pylist()
    return tuple(
        found
        for check, other in others.items()
        for found in compare(check, entities[: other.num_rows], truth.slice(0, other.num_rows), other)
    )


def require_sound_store(
    generation: Generation, question: Question, *, config: Config, seed: int, spine: pa.Table | None = None
) -> None:
    """Refuse to train on a store in which a feature of the question knows more than was known.

    Parameters
    ----------
    generation, question : Generation, Question
        The record, and what is asked of it.
    config : Config
        Time zone, tasks.
    seed : int
        Decides which rows are looked at.
    spine : Table or None
        Entities and moments, as of `build_spine`; None for those of the question.

    Raises
    ------
    FeaturesLeak
        The message names the features and the check that each failed.
    """
    asked = question.as_configured(config.tasks)
    zone = config.company.zone
    if spine is None:
        spine = build_spine(generation, asked, zone=zone, seed=seed)
    groups = tuple(group_named(name) for name in asked.groups) + custom_groups(generation, asked.entity)
    found = check_store(generation, groups, spine, zone=zone, seed=seed)
    if found:
        named = "; ".join(f"{one.feature} ({one.check}, {one.rows} rows)" for one in found[:3])
        raise FeaturesLeak(f"{len(found)} features know more than was known at their moment: {named}")


def compare(check: str, entities: Sequence[str], truth: pa.Table, other: pa.Table) -> list[Difference]:
    """The features in which two feature tables differ: texts exactly, numbers to 1e-9 relative."""
    found: list[Difference] = []
    for name in truth.column_names:
        pairs = zip(entities, truth.column(name).to_pylist(), other.column(name).to_pylist(), strict=True)
        moved = [(entity, one, two) for entity, one, two in pairs if not _same(one, two)]
        if moved:
            entity, one, two = moved[0]
            found.append(
                Difference(check=check, feature=name, rows=len(moved), example=f"{entity}: {one!r} became {two!r}")
            )
    return found


def features_of(tables: Tables, groups: Sequence[FeatureGroup], spine: pa.Table, zone: ZoneInfo) -> pa.Table:
    """The features of a spine from tables in memory."""
    with _engine(tables) as engine:
        return build_features(engine, groups, spine, zone=zone, tables=tuple(tables))


@contextmanager
def _engine(tables: Tables) -> Iterator[DuckDBEngine]:
    with DuckDBEngine({}) as engine:
        for name, rows in tables.items():
            engine.register(name, rows)
        yield engine


def _read(generation: Generation, groups: Sequence[FeatureGroup]) -> dict[str, pa.Table]:
    """The tables that the groups look at, and `changes`."""
    names = {group.entity for group in groups} | {"changes"} | tables_read(groups)
    if names & set(DERIVED_TABLES):
        names = (names - set(DERIVED_TABLES)) | set(INPUTS) | set(HISTORY_INPUTS) | {"usage"}
    with generation.engine() as engine:
        return {name: engine.query(f"SELECT * FROM {name}") for name in sorted(names) if generation.rows(name)}


def _array_form(
    tables: Tables, groups: Sequence[FeatureGroup], spine: pa.Table, zone: ZoneInfo, custom: tuple[str, ...]
) -> pa.Table:
    with _engine(tables) as engine:
        readable = register_derived(engine, tables, tables_read(groups), zone)
        reached = reached_spine(engine, groups, spine, zone=zone, tables=readable)
        histories = read_histories(engine, groups, reached, tables=readable, custom=custom)
    moments = spine.column("as_of").to_pylist()
    rows: list[Mapping[str, object]] = [
        compute_features(groups, history.record, history.events, as_of, zone=zone)
        for history, as_of in zip(histories, moments, strict=True)
    ]
    names = [field.name for group in groups for field in group.fields]
    return pa.table({name: pa.array([row[name] for row in rows]) for name in names})


def _same(one: object, two: object) -> bool:
    one, two = (None if isinstance(value, float) and math.isnan(value) else value for value in (one, two))
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=_RELATIVE, abs_tol=_RELATIVE)
    return one == two
