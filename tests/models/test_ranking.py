"""Rankings of alternatives are judged a list, beside the rules that people use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from features.matrix import Field, Kind, TrainingSet
from models.ranking import judge_ranking, list_figures, lists_of, rank_within
from models.tasks.next_product import TASK
from models.train import fit_task


def test_ranks_and_figures_equal_hand_numbers() -> None:
    lists = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    p = np.array([0.9, 0.5, 0.4, 0.1, 0.2, 0.8, 0.6, 0.4, 0.3, 0.4])
    y = np.array([0.0, 1, 1, 0, 1, 0, 0, 0, 0, 0])
    rank = rank_within(lists, p)
    assert rank.tolist() == [1, 2, 3, 4, 4, 1, 2, 3, 2, 1]
    judged, figures = list_figures(lists, y, rank)
    assert judged.tolist() == [0, 1]
    assert figures.tolist() == [[0.0, 1.0, 0.5], [0.0, 0.0, 0.25]]


def test_ties_are_broken_by_the_next_key_and_what_is_unknown_comes_last() -> None:
    rank = rank_within(np.zeros(3, dtype=np.intp), np.array([np.nan, 1.0, 1.0]), np.array([9.0, 0.1, 0.2]))
    assert rank.tolist() == [3, 2, 1]


def alternatives(n_accounts: int, *, strength: float) -> TrainingSet:
    """Three lines at four moments each; accounts buy again what they bought last, as strongly as said."""
    random = np.random.default_rng(7)
    n = n_accounts * 12
    line = np.tile(np.arange(3), n_accounts * 4)
    since = random.integers(1, 400, n).astype(np.float64)
    popularity = np.array([0.4, 0.3, 0.1])[line]
    chance = 1 / (1 + np.exp(-(np.log(popularity / (1 - popularity)) + strength * (200 - since) / 100)))
    name = np.repeat([f"a{number:04d}" for number in range(n_accounts)], 12)
    moments = np.array(["2024-01-01", "2024-08-01", "2025-03-01", "2025-10-01"], dtype="datetime64[us]")
    as_of = np.tile(np.repeat(moments, 3), n_accounts)
    return TrainingSet(
        fields=(
            Field(name="line", kind=Kind.CATEGORY),
            Field(name="days_since_line", kind=Kind.NUMBER),
            Field(name="share_of_accounts_buying", kind=Kind.NUMBER),
        ),
        rows=pa.table(
            {
                "line": np.array(["one", "two", "three"])[line],
                "days_since_line": since,
                "share_of_accounts_buying": popularity,
            }
        ),
        entity_id=name,
        as_of=as_of,
        position=as_of.astype(np.int64) / 86_400e6,
        label=(random.random(n) < chance).astype(np.float64),
        group=name,
        value=np.full(n, np.nan),
        event="product line bought",
        horizon_days=180,
        gap_days=0,
    )


def test_a_ranking_that_knows_more_than_popularity_is_above_it_by_a_paired_interval() -> None:
    rows = alternatives(300, strength=1.5)
    p = -rows.rows.column("days_since_line").to_numpy() / 400 + rows.rows.column("share_of_accounts_buying").to_numpy()
    metrics, intervals = judge_ranking(rows, p, seed=1, n_draws=100)
    assert metrics["test"]["hit_at_1"] > metrics["popularity"]["hit_at_1"]
    assert intervals["hit_at_1_minus_popularity"][0] > 0
    assert metrics["test"]["hit_at_3"] == 1.0
    assert set(metrics) == {"test", "popularity", "bought_last"}


def test_rows_that_stand_alone_are_no_ranking() -> None:
    rows = alternatives(20, strength=1.0)
    alone = rows.take(np.asarray(rows.rows.column("line").to_numpy(zero_copy_only=False) == "one"))
    assert judge_ranking(alone, np.zeros(len(alone.label)), seed=1, n_draws=10) == ({}, {})
    assert lists_of(rows.entity_id, rows.as_of).max() == 79


@pytest.mark.parametrize(("strength", "status"), [(1.5, "trained"), (0.0, "fallback")])
def test_the_task_ranks_where_there_is_signal_and_says_popularity_where_there_is_none(
    strength: float, status: str
) -> None:
    quick = replace(TASK, candidates=("base_rate", "logistic"))
    rows = alternatives(400, strength=strength)
    report = fit_task(quick, rows, seed=1).report
    assert report.status == status
    assert "hit_at_1" in report.metrics["test"]
    if status == "fallback":
        assert report.learner == "base_rate"
        assert report.metrics["test"]["hit_at_1"] == report.metrics["popularity"]["hit_at_1"]
