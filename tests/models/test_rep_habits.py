"""Habits of salespeople are believed as far as they tell more than chance does."""

from __future__ import annotations

import numpy as np
import pytest

from models.deal_snapshots import Snapshots
from models.rep_habits import learn_amount_habits, shrunk_means, shrunk_rates


def test_reps_who_differ_by_chance_alone_are_taken_alike() -> None:
    rng = np.random.default_rng(1)
    expected = rng.uniform(5, 40, 60)
    factors = shrunk_rates(rng.poisson(expected).astype(float), expected)
    assert np.abs(np.log(factors)).max() < 0.1
    means = shrunk_means(rng.normal(size=2000), rng.integers(0, 50, 2000), 50)
    assert np.abs(means).max() < 0.15


def test_reps_who_differ_are_found_and_less_so_from_few_deals() -> None:
    rng = np.random.default_rng(2)
    truth, expected = np.exp(rng.normal(0, 0.5, 400)), np.tile([4.0, 60.0], 200)
    factors = shrunk_rates(rng.poisson(expected * truth).astype(float), expected)
    few, many = (np.std(np.log(factors[start::2])) for start in (0, 1))
    assert few < many
    wrong = np.abs(np.log(factors) - np.log(truth))
    assert wrong[1::2].mean() < 0.15
    plain = np.abs(np.log(np.maximum(rng.poisson(expected * truth), 0.5) / expected) - np.log(truth))
    assert wrong[0::2].mean() < plain[0::2].mean()


def test_no_deal_and_one_rep_have_no_habit() -> None:
    none = np.zeros(0)
    assert shrunk_means(none, none.astype(np.int64), 3).tolist() == [0, 0, 0]
    assert shrunk_means(np.array([3.0, 4.0]), np.zeros(2, dtype=np.int64), 1).tolist() == [0]


def test_amounts_told_too_high_are_found_beside_the_stages() -> None:
    rng = np.random.default_rng(3)
    n, mornings = 600, 4
    deal = np.repeat(np.arange(n), mornings)
    rep = np.array([f"R{number}" for number in range(20)], dtype=object)[np.arange(n) % 20]
    told = np.where(np.arange(n) % 20 < 5, 1.3, 1.0)
    stage = rng.integers(0, 2, len(deal))
    ratio = np.array([0.9, 1.0])[stage] * np.exp(rng.normal(0, 0.15, n))[deal] / told[deal]
    facts = {"rep": rep[deal], "stage": np.array(["early", "late"], dtype=object)[stage]}
    day = np.zeros(len(deal), dtype=np.int64)
    rows = Snapshots(deal=deal, day=day, facts=facts, amount=np.ones(len(deal)), tender=day, usual=1.0)
    habits = learn_amount_habits(rows, ratio)
    biased, others = ([habits[f"R{number}"] for number in who] for who in (range(5), range(5, 20)))
    assert np.mean(biased) / np.mean(others) == pytest.approx(1 / 1.3, rel=0.04)
