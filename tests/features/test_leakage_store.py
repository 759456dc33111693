"""What was not known changes no feature, and the check notices when it does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

import features.compile
from crm.config import Config
from crm.store import Generation, Store
from features.build import build_features
from features.catalogue import GROUPS
from features.leakage_store import FeaturesLeak, check_store, compare, require_sound_store
from models.tasks.lead_score import TASK

ZONE = ZoneInfo("Asia/Shanghai")
LEAD_GROUPS = [group for group in GROUPS.values() if group.entity == "leads"]


def table_of(world: Any, name: str) -> pa.Table:
    with world.engine() as engine:
        return engine.query(f"SELECT * FROM {name}")


@pytest.fixture(scope="module")
def generation(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    store = Store(tmp_path_factory.mktemp("record"))
    with store.writing() as writer:
        for name in world.tables:
            writer.replace(name, table_of(world, name))
    return store.current()


@pytest.fixture(scope="module")
def spine(world: Any) -> pa.Table:
    """Every lead at one moment."""
    middle = np.sort(world.spine.column("as_of").to_numpy())[500]
    names = world.spine.column("entity_id")
    return pa.table({"entity_id": names, "as_of": np.full(len(names), middle)})


def test_features_of_a_sound_build_pass_every_check(generation: Generation, spine: pa.Table) -> None:
    assert check_store(generation, LEAD_GROUPS, spine, zone=ZONE, seed=1) == ()


def test_a_build_that_forgets_when_rows_were_recorded_is_caught(
    generation: Generation, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.compile, "visible_sql", lambda stated: f"e.{stated.clock} <= p.as_of")
    found = check_store(generation, LEAD_GROUPS, spine, zone=ZONE, seed=1)
    assert {difference.check for difference in found} == {"future_rows", "truncation", "array_form"}
    assert "n_activities_30d" in {difference.feature for difference in found}


def test_a_build_that_sees_what_happens_later_is_caught(
    generation: Generation, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.compile, "known_sql", lambda stated, column: f"e.{column.name}")
    found = check_store(generation, LEAD_GROUPS, spine, zone=ZONE, seed=1)
    assert "channel_conversion_180d" in {difference.feature for difference in found}


def test_rows_of_another_form_are_checked_at_their_own_moments(
    generation: Generation, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = replace(TASK.question, event="an event that no spine is known for")
    monkeypatch.setattr(features.compile, "visible_sql", lambda stated: f"e.{stated.clock} <= p.as_of")
    with pytest.raises(FeaturesLeak, match="future_rows"):
        require_sound_store(generation, question, config=Config(), seed=1, spine=spine)


def test_ten_thousand_late_rows_change_no_feature(world: Any) -> None:
    tables = {name: table_of(world, name) for name in world.tables}
    last = max(rows.column("recorded_at").to_numpy().max() for rows in tables.values()).item()
    late = late_rows(tables, last, 10_000)
    assert sum(rows.num_rows for rows in late.values()) == 10_000
    widened = {name: pa.concat_tables([rows, late[name]]) for name, rows in tables.items()}
    before, after = (_built(world, each) for each in (tables, widened))
    assert compare("late_rows", world.spine.column("entity_id").to_pylist(), before, after) == []


def _built(world: Any, tables: dict[str, pa.Table]) -> pa.Table:
    from crm.engine import DuckDBEngine

    with DuckDBEngine({}) as engine:
        for name, rows in tables.items():
            engine.register(name, rows)
        return build_features(engine, LEAD_GROUPS, world.spine, zone=ZONE, tables=tuple(tables))


def late_rows(tables: dict[str, pa.Table], last: Any, n_rows: int) -> dict[str, pa.Table]:
    """Rows drawn from the tables' own, with new keys and mixed columns, that came on record after every moment.

    A late change is one of a field of which an earlier change is on record: a change that nobody knew of yet cannot
    say what the field was before.
    """
    rng = np.random.default_rng(3)
    found: dict[str, pa.Table] = {}
    names = sorted(tables)
    sizes = [n_rows // len(names)] * (len(names) - 1)
    for name, size in zip(names, [*sizes, n_rows - sum(sizes)], strict=True):
        rows = tables[name]
        columns = {c: rows.column(c).take(pa.array(rng.integers(0, len(rows), size))) for c in rows.column_names}
        if name == "changes":
            same = rows.take(pa.array(rng.integers(0, len(rows), size)))
            columns |= {column: same.column(column) for column in ("entity", "entity_id", "field")}
        key = {"orders": "order_id"}.get(name, rows.column_names[0])
        columns[key] = pa.array([f"late-{number}" for number in range(size)])
        moments = [last + timedelta(seconds=1 + number % 500_000) for number in range(size)]
        columns["recorded_at"] = pa.array(moments, pa.timestamp("us"))
        found[name] = pa.table([columns[column] for column in rows.column_names], schema=rows.schema)
    return found
