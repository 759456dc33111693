"""Flat tables as training sets."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crm.schema import DType
from crm.store import Generation, Store
from features.observations import NoObservations, read_observations

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def store_of(folder: Path, custom: dict[str, tuple[DType, pa.Array]], *, position: list[float | None]) -> Generation:
    n_rows = len(position)
    rows = pa.table(
        {
            "task": ["lead_score"] * n_rows,
            "entity_id": [f"{row:04d}" for row in range(n_rows)],
            "position": pa.array(position, pa.float64()),
            "label": pa.array([None if row == 0 else row % 2 == 0 for row in range(n_rows)], pa.bool_()),
            **{name: values for name, (_, values) in custom.items()},
            "recorded_at": pa.array([NOON] * n_rows, pa.timestamp("us")),
            "backfilled": [True] * n_rows,
            "ingested_at": pa.array([NOON] * n_rows, pa.timestamp("us")),
            "source": ["flat"] * n_rows,
        }
    )
    store = Store(folder / "record")
    with store.writing() as writer:
        writer.replace("observations", rows, {name: dtype for name, (dtype, _) in custom.items()})
    return store.current()


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    n_rows = 100
    custom = {
        "visits": (DType.INTEGER, pa.array([None, *[row % 7 for row in range(1, n_rows)]], pa.int64())),
        "spend": (DType.MONEY, pa.array([row * 100 for row in range(n_rows)], pa.int64())),
        "channel": (DType.TEXT, pa.array(["web", " ", *["fair"] * (n_rows - 2)])),
        "constant": (DType.TEXT, pa.array(["No"] * n_rows)),
        "empty": (DType.TEXT, pa.array([None] * n_rows, pa.string())),
        "guid": (DType.TEXT, pa.array([f"{row}-{row * 7919}" for row in range(n_rows)])),
        "number": (DType.INTEGER, pa.array(range(600_000, 600_000 + n_rows), pa.int64())),
        "agreed": (DType.FLAG, pa.array([row % 3 == 0 for row in range(n_rows)])),
    }
    return store_of(tmp_path, custom, position=[float(row) for row in range(n_rows)])


def test_custom_columns_become_fields_by_dtype(generation: Generation) -> None:
    found = read_observations(generation, "lead_score")
    assert [field.name for field in found.fields] == ["visits", "spend", "channel", "agreed"]
    assert [field.kind.value for field in found.fields] == ["number", "number", "category", "flag"]
    assert found.rows.column("spend").to_pylist()[3] == 3.0
    assert np.isnan(found.rows.column("visits").to_pylist()[0])
    assert found.rows.column("channel").to_pylist()[:3] == ["web", None, "fair"]


def test_identifiers_constants_and_empty_columns_are_left_out_with_a_reason(generation: Generation) -> None:
    reasons = {left.column: left.reason for left in read_observations(generation, "lead_score").left_out}
    assert set(reasons) == {"constant", "empty", "guid", "number"}
    assert "one value" in reasons["constant"]
    assert "identifier" in reasons["guid"]


def test_an_unknown_outcome_is_censored_and_never_a_negative(generation: Generation) -> None:
    label = read_observations(generation, "lead_score").label
    assert np.isnan(label[0])
    assert set(label[1:]) == {0.0, 1.0}


def test_one_row_without_order_means_there_is_no_time(tmp_path: Path) -> None:
    custom = {"visits": (DType.NUMBER, pa.array([1.0, 2.0, 3.0]))}
    found = read_observations(store_of(tmp_path, custom, position=[1.0, None, 3.0]), "lead_score")
    assert not found.has_time
    assert np.isnan(found.position).all()


def test_a_task_without_rows_is_refused_by_naming_those_that_have_some(generation: Generation) -> None:
    with pytest.raises(NoObservations, match="lead_score"):
        read_observations(generation, "churn_risk")


def test_columns_written_after_the_outcome_are_left_out_and_other_tasks_keep_theirs(tmp_path: Path) -> None:
    numbers = (DType.NUMBER, pa.array([float(row % 7) for row in range(40)], pa.float64()))
    store = Store(tmp_path / "record")
    store_of(tmp_path, {"visits": numbers, "duration": numbers, "tenure": numbers}, position=[1.0] * 40)
    with store.writing() as writer:
        current = store.current()
        facts = {"lead_score.written_after_outcome": '["duration"]', "lead_score.columns": '["visits", "duration"]'}
        writer.replace("observations", current.read("observations"), current.custom("observations"), facts)
    found = read_observations(store.current(), "lead_score")
    assert [field.name for field in found.fields] == ["visits"]
    assert [(left.column, left.reason) for left in found.left_out] == [
        ("duration", "the mapping says that it is written after the outcome")
    ]
