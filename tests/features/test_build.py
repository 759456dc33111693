"""Feature tables keep the order of their spine and say unknown where the record is silent."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.config import Config
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.engine import DuckDBEngine
from crm.schema import DType
from crm.store import Store
from features.asof import local_days, moment_of, read_flat
from features.build import BadSpine, build_features, custom_groups
from features.catalogue import GROUPS
from features.matrix import Grade
from features.question import Question
from features.spine import build_spine
from features.training_set import build_training_set

ZONE = ZoneInfo("Asia/Shanghai")
LEAD_GROUPS = tuple(name for name, group in GROUPS.items() if group.entity == "leads")


def test_rows_come_back_in_the_order_of_the_spine(world: Any) -> None:
    order = np.random.default_rng(1).permutation(world.spine.num_rows)
    shuffled = world.spine.take(pa.array(order))
    with world.engine() as engine:
        straight = build_features(engine, LEAD_GROUPS, world.spine, zone=ZONE, tables=world.tables)
        mixed = build_features(engine, LEAD_GROUPS, shuffled, zone=ZONE, tables=world.tables)
    for one, two in zip(straight.take(pa.array(order)).columns, mixed.columns, strict=True):
        assert [repr(value) for value in one.to_pylist()] == [repr(value) for value in two.to_pylist()]


def test_a_table_the_record_has_not_leaves_its_features_unknown(world: Any) -> None:
    tables = [name for name in world.tables if name not in {"activities", "changes"}]
    with world.engine() as engine:
        found = build_features(engine, LEAD_GROUPS, world.spine, zone=ZONE, tables=tables)
    assert np.isnan(found.column("n_activities_30d").to_numpy()).all()
    assert found.column("last_activity_kind").null_count == found.num_rows
    assert np.isfinite(found.column("n_channel_leads_90d").to_numpy()).any()


def test_a_lead_without_rows_has_counts_of_zero_and_an_unknown_one_has_no_attributes(world: Any) -> None:
    nobody = pa.table({"entity_id": ["nobody"], "as_of": pa.array([datetime(2025, 6, 1, tzinfo=UTC)])})
    with world.engine() as engine:
        row = build_features(engine, LEAD_GROUPS, nobody, zone=ZONE, tables=world.tables).to_pylist()[0]
    assert row["n_activities_30d"] == 0
    assert row["channel"] is None
    assert np.isnan(row["lead_age_days"])
    assert np.isnan(row["n_rep_leads_90d"])


@pytest.mark.parametrize(
    ("spine", "reason"),
    [
        (pa.table({"entity_id": ["a"]}), "as_of"),
        (pa.table({"entity_id": ["a"], "as_of": pa.array([None], pa.timestamp("us"))}), "no as_of"),
        (
            pa.table({"entity_id": pa.array([None], pa.string()), "as_of": pa.array([datetime.now(UTC)])}),
            "no entity_id",
        ),
    ],
)
def test_a_spine_with_gaps_is_refused(spine: pa.Table, reason: str) -> None:
    with DuckDBEngine({}) as engine, pytest.raises(BadSpine, match=reason):
        build_features(engine, ("lead_season",), spine, zone=ZONE)


def test_groups_of_two_entities_do_not_share_a_spine(world: Any) -> None:
    with world.engine() as engine, pytest.raises(ValueError, match="leads, opportunities"):
        build_features(engine, ("lead_profile", "opportunity_profile"), world.spine, zone=ZONE, tables=world.tables)


def test_an_empty_spine_gives_an_empty_table(world: Any) -> None:
    with world.engine() as engine:
        found = build_features(engine, LEAD_GROUPS, world.spine.slice(0, 0), zone=ZONE, tables=world.tables)
    assert found.num_rows == 0
    assert "days_to_spring_festival" in found.column_names


def test_local_days_begin_at_the_company_and_follow_its_summer_time() -> None:
    zone = ZoneInfo("America/New_York")
    moments = np.array(["2026-03-08T04:59:59", "2026-03-08T05:00:00", "2026-07-01T03:59:59"], dtype="datetime64[us]")
    assert local_days(moments, zone).astype(str).tolist() == ["2026-03-07", "2026-03-08", "2026-06-30"]
    for moment, day in zip(moments.tolist(), local_days(moments, zone).tolist(), strict=True):
        assert moment_of(moment, zone).on == day


def test_custom_columns_are_read_as_known_with_the_grade_of_their_history(tmp_path: Path) -> None:
    company = make_company("tiny", 4)
    leads = company.tables["leads"]
    sizes = pa.array(["big" if row % 2 else "small" for row in range(leads.num_rows)])
    store = Store(tmp_path)
    write_company(company, store)
    with store.writing() as writer:
        writer.replace("leads", leads.append_column("size", sizes), {"size": DType.TEXT})
    (group,) = custom_groups(store.current(), "leads")
    assert [(field.name, field.grade) for field in group.fields] == [("size", Grade.B)]
    question = Question(task="t", entity="leads", event="qualified", horizon_days=90, gap_days=0, groups=())
    rows = build_training_set(store.current(), question, config=Config())
    assert set(rows.rows.column("size").to_pylist()) == {"big", "small"}


def test_a_table_with_a_history_is_never_read_flat(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_company(make_company("tiny", 4), store)
    with pytest.raises(ValueError, match="as of a moment"):
        read_flat(store.current(), "leads")


@pytest.mark.benchmark
def test_features_of_the_small_company_take_less_than_three_seconds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_company(make_company("small", 4), store)
    generation = store.current()
    question = Question(task="t", entity="leads", event="qualified", horizon_days=90, gap_days=0, groups=())
    spine = build_spine(generation, question, zone=ZONE, seed=1)
    began = time.perf_counter()
    build_features(generation, LEAD_GROUPS, spine, zone=ZONE)
    assert time.perf_counter() - began < 3
