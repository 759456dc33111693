"""What an outcome makes of a row, and which rows there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.config import Config
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Generation, Store
from features.labels import build_labels, event_of, happened_at, label_rows, read_events
from features.matrix import Grade
from features.question import BadQuestion, Question
from features.spine import MOST_ROWS, build_open_spine, build_spine
from features.training_set import build_training_set

ZONE = ZoneInfo("Asia/Shanghai")


def question(event: str = "qualified", **changed: int) -> Question:
    window = {"horizon_days": 90, "gap_days": 1, **changed}
    return Question(task="lead_score", entity="leads", event=event, groups=("lead_profile", "lead_activity"), **window)


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    store = Store(tmp_path_factory.mktemp("record"))
    write_company(make_company("tiny", 4), store)
    return store.current()


def moments(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


def labels(as_of: str, happened: str, recorded_to: str) -> float:
    reach = datetime.fromisoformat(recorded_to).replace(tzinfo=UTC)
    found = build_labels(moments(as_of), moments(happened), horizon_days=10, gap_days=2, recorded_to=reach)
    return float(found[0])


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ("2026-01-03T00:00:00", 0.0),  # at the very end of the gap: not inside
        ("2026-01-03T00:00:01", 1.0),
        ("2026-01-13T00:00:00", 1.0),  # at the very end of the window: inside
        ("2026-01-13T00:00:01", 0.0),
        ("NaT", 0.0),
    ],
)
def test_label_looks_at_the_window_open_before_and_closed_behind(happened: str, expected: float) -> None:
    assert labels("2026-01-01", happened, "2026-02-01") == expected


def test_label_is_unknown_until_window_has_passed() -> None:
    assert np.isnan(labels("2026-01-01", "NaT", "2026-01-12T23:59:59"))
    assert np.isnan(labels("2026-01-01", "2026-01-05", "2026-01-12T23:59:59"))
    assert labels("2026-01-01", "NaT", "2026-01-13T00:00:00") == 0.0


def test_an_unknown_event_is_refused_by_naming_those_that_exist() -> None:
    with pytest.raises(BadQuestion, match="qualified, opportunity, won"):
        event_of(question("signed"))


def test_spine_holds_open_leads_at_local_midnights_at_most_four_each(generation: Generation) -> None:
    spine = build_spine(generation, question(), zone=ZONE, seed=1)
    as_of = spine.column("as_of").to_numpy()
    local = as_of + np.timedelta64(8, "h")
    assert (local == local.astype("datetime64[D]")).all()
    names, counts = np.unique(spine.column("entity_id").to_numpy().astype(str), return_counts=True)
    assert counts.max() == MOST_ROWS
    assert len(names) > 300
    leads = {row["lead_id"]: row for row in generation.read("leads").to_pylist()}
    for row in spine.to_pylist():
        lead = leads[row["entity_id"]]
        assert lead["recorded_at"] <= row["as_of"]
        for closing in ("converted_at", "disqualified_at"):
            assert lead[closing] is None or lead[closing] > row["as_of"]


def test_spine_is_drawn_by_its_seed_alone(generation: Generation) -> None:
    first, again, other = (build_spine(generation, question(), zone=ZONE, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_spine_without_leads_is_empty(tmp_path: Path, generation: Generation) -> None:
    store = Store(tmp_path)
    with store.writing() as writer:
        writer.replace("leads", generation.read("leads").slice(0, 0))
    assert build_spine(store.current(), question(), zone=ZONE, seed=1).num_rows == 0


def test_open_spine_holds_each_open_lead_once(generation: Generation) -> None:
    as_of = generation.recorded_to - timedelta(days=100)
    spine = build_open_spine(generation, question(), as_of=as_of)
    moment = as_of.replace(tzinfo=None)
    expected = [
        row["lead_id"]
        for row in generation.read("leads").to_pylist()
        if row["recorded_at"] <= moment
        and all(row[closing] is None or row[closing] > moment for closing in ("converted_at", "disqualified_at"))
    ]
    assert spine.column("entity_id").to_pylist() == sorted(expected)


@pytest.mark.parametrize("event", ["qualified", "opportunity", "won"])
def test_labels_agree_with_a_plain_loop(generation: Generation, event: str) -> None:
    spine = build_spine(generation, question(event), zone=ZONE, seed=1)
    found = label_rows(generation, question(event), spine)
    deals = generation.read("opportunities").to_pylist()
    leads = {row["lead_id"]: row for row in generation.read("leads").to_pylist()}
    reach = generation.recorded_to.replace(tzinfo=None)
    for row, label in zip(spine.to_pylist(), found, strict=True):
        opens, closes = row["as_of"] + timedelta(days=1), row["as_of"] + timedelta(days=91)
        own = [d for d in deals if d["lead_id"] == row["entity_id"]]
        times = {
            "qualified": [leads[row["entity_id"]]["converted_at"]],
            "opportunity": [d["created_at"] for d in own],
            "won": [d["closed_at"] for d in own if d["outcome"] == "won"],
        }[event]
        if closes > reach:
            assert np.isnan(label)
        else:
            assert label == float(any(t is not None and opens < t <= closes for t in times))


def test_training_set_carries_value_group_and_position(generation: Generation) -> None:
    rows = build_training_set(generation, question("won"), config=Config())
    assert rows.rows.num_rows == len(rows.label) == len(rows.value)
    won = np.isfinite(rows.value)
    assert 0 < won.sum() < len(won)
    assert (rows.value[won] > 0).all()
    assert rows.has_time
    assert rows.position[0] == pytest.approx(rows.as_of[0].astype("datetime64[s]").astype(float) / 86_400)
    assert set(rows.group) != set(rows.entity_id)
    assert [field.name for field in rows.fields] == rows.rows.column_names


def test_an_overwritten_column_without_kept_changes_is_known_as_of_now_only(
    tmp_path: Path, generation: Generation
) -> None:
    change = generation.read("changes").slice(0, 1).to_pylist()[0] | {"entity": "leads", "field": "rep_id"}
    changes = pa.Table.from_pylist([change], generation.read("changes").schema)
    grades = []
    for name, kept in (("kept", changes), ("not kept", changes.slice(0, 0))):
        store = Store(tmp_path / name)
        with store.writing() as writer:
            writer.replace("leads", generation.read("leads"))
            writer.replace("changes", kept)
        rows = build_training_set(store.current(), question(), config=Config())
        grades.append({field.name: field.grade for field in rows.fields})
    assert [found["rep_id"] for found in grades] == [Grade.A, Grade.B]
    assert [found["channel"] for found in grades] == [Grade.A, Grade.A]


def test_configuration_stands_above_the_task_file(generation: Generation) -> None:
    config = Config.model_validate({"tasks": {"lead_score": {"event": "won", "horizon_days": 30}}})
    rows = build_training_set(generation, question(), config=config)
    assert (rows.event, rows.horizon_days, rows.gap_days) == ("opportunity won", 30, 1)


def test_a_record_without_the_events_table_is_refused(tmp_path: Path, generation: Generation) -> None:
    store = Store(tmp_path)
    with store.writing() as writer:
        writer.replace("leads", generation.read("leads"))
    with pytest.raises(BadQuestion, match="opportunities"):
        build_training_set(store.current(), question("won"), config=Config())


def test_first_event_counts_when_a_lead_has_several() -> None:
    events = pa.table({"entity_id": ["a"], "happened_at": pa.array([datetime(2026, 1, 2, tzinfo=UTC)])})
    found = happened_at(np.array(["a", "b"]), events)
    assert str(found[0]).startswith("2026-01-02")
    assert np.isnat(found[1])


def test_events_are_read_once_per_entity(generation: Generation) -> None:
    with generation.engine() as engine:
        events = read_events(engine, event_of(question("won")))
    names = events.column("entity_id").to_pylist()
    assert len(names) == len(set(names)) > 0
