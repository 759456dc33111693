"""Figures beside the search for leaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.leakage_figures import (
    back_dated,
    measure_leakage,
    noise_column,
    permuted_labels,
    random_against_time,
    shared_groups,
)
from features.matrix import Field, Grade, Kind, TrainingSet
from features.question import Question
from features.screening import Floats

N_ROWS = 3000


@pytest.fixture
def drifting() -> TrainingSet:
    """A column that follows the season of its label: telling inside the years it was seen in, useless afterwards."""
    rng = np.random.default_rng(1)
    season = np.arange(N_ROWS) // 100
    label = (rng.random(N_ROWS) < np.where(season % 2 == 0, 0.7, 0.2)).astype(float)
    names = np.array([str(row // 2) for row in range(N_ROWS)])
    return TrainingSet(
        fields=(Field(name="season", kind=Kind.NUMBER, grade=Grade.B),),
        rows=pa.table({"season": season + rng.normal(size=N_ROWS) / 10}),
        entity_id=names,
        as_of=np.full(N_ROWS, np.datetime64("NaT", "us")),
        position=np.arange(N_ROWS, dtype=float),
        label=label,
        group=names,
        value=np.full(N_ROWS, np.nan),
        event="event",
        horizon_days=None,
        gap_days=None,
    )


def test_models_of_shuffled_labels_rank_by_chance(drifting: TrainingSet) -> None:
    figure = permuted_labels(drifting, seed=2)
    assert figure.verdict == "ok"
    assert figure.low is not None
    assert figure.low < 0.5 < (figure.high or 0)


def test_a_learner_that_remembers_its_judges_fails(drifting: TrainingSet) -> None:
    """The learner knows the rows it is judged on by their values, and their labels by a side door."""
    seen: dict[float, float] = {}

    def cheat(x: Floats, y: Floats, categories: Sequence[int], seed: int) -> Callable[[Floats], Floats]:
        seen.update(zip(x[:, 0].tolist(), y.tolist(), strict=True))
        return lambda rows: np.array([seen.get(value, 0.5) for value in rows[:, 0].tolist()])

    assert permuted_labels(drifting, seed=2, fit=cheat).verdict == "fails"


def test_gap_between_random_and_temporal_split_is_shown(drifting: TrainingSet) -> None:
    figure = random_against_time(drifting, seed=1)
    assert figure.verdict == "review"
    assert figure.value > 0.1


def test_rows_without_time_leave_the_gap_unmeasured(drifting: TrainingSet) -> None:
    figure = random_against_time(replace(drifting, position=np.full(N_ROWS, np.nan)), seed=1)
    assert np.isnan(figure.value)
    assert "optimistic" in figure.text


def test_noise_takes_nothing_away(drifting: TrainingSet) -> None:
    assert abs(noise_column(drifting, seed=1).value) < 0.05


def test_shared_accounts_are_counted(drifting: TrainingSet) -> None:
    assert shared_groups(drifting, seed=1).value == pytest.approx(0.0, abs=0.01)
    halves = np.array([str(row % 10) for row in range(N_ROWS)])
    assert shared_groups(replace(drifting, group=halves), seed=1).value == 1.0


def test_back_dating_is_counted_and_its_owner_named(tmp_path: Path) -> None:
    company = make_company("tiny", 4)
    leads = company.tables["leads"]
    owner = leads.column("rep_id")[0].as_py()
    mine = pc.equal(leads.column("rep_id"), owner)
    moved = pc.if_else(
        pc.and_(mine, leads.column("converted_at").is_valid()), leads.column("created_at"), leads.column("converted_at")
    )
    tampered = leads.set_column(leads.schema.get_field_index("converted_at"), "converted_at", moved)
    question = Question(task="t", entity="leads", event="qualified", horizon_days=90, gap_days=0, groups=())
    shares = []
    for name, rows in (("clean", leads), ("tampered", tampered)):
        store = Store(tmp_path / name)
        write_company(replace(company, tables={**company.tables, "leads": rows}), store)
        shares.append(back_dated(store.current(), question))
    assert [figure.verdict for figure in shares] == ["ok", "review"]


def test_nothing_is_measured_where_all_outcomes_are_alike(drifting: TrainingSet) -> None:
    assert measure_leakage(replace(drifting, label=np.zeros(N_ROWS)), seed=1) == ()
    assert measure_leakage(drifting.without({"season"}), seed=1) == ()
    assert len(measure_leakage(drifting, seed=1)) == 4
