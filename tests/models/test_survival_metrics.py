"""Metrics of competing risks on censored rows."""

from functools import partial

import numpy as np
import pytest

from models.metrics import make_blocks
from models.person_period import Durations, even_grid
from models.survival import incidence_of
from models.survival_metrics import (
    auc_at,
    brier_at,
    censoring_weights,
    concordance,
    interval_of,
    paired_interval_of,
)

CAUSES = ("won", "lost")
GRID = even_grid(8, 7.0)


def plain_concordance(outcome, score, cause):
    n_pairs = won = 0.0
    for i in range(len(score)):
        for j in range(len(score)):
            if i == j or outcome.cause[i] != cause:
                continue
            ends_otherwise = outcome.cause[j] not in (0, cause)
            is_later = outcome.duration[j] > outcome.duration[i] or (
                outcome.duration[j] == outcome.duration[i] and outcome.cause[j] == 0
            )
            if ends_otherwise or is_later:
                n_pairs += 1
                won += 1.0 if score[i] > score[j] else 0.5 * (score[i] == score[j])
    return won / n_pairs


def test_concordance_equals_a_loop_over_pairs(simulate):
    _, _, outcome = simulate(250, 10)
    rounded = Durations(duration=np.round(outcome.duration), cause=outcome.cause)
    score = np.round(np.random.default_rng(0).normal(size=250), 1)
    for cause in (1, 2):
        assert concordance(rounded, score, cause=cause) == pytest.approx(plain_concordance(rounded, score, cause))


def test_censored_rows_are_weighed_in_so_that_metrics_equal_those_of_full_outcomes(simulate):
    _, hazards, censored = simulate(40_000, 12)
    _, _, whole = simulate(40_000, 12, reach=1e9)
    p = incidence_of(hazards, GRID, CAUSES).by(28.0, "won")
    everything = Durations(duration=whole.duration, cause=whole.cause)
    open_ones = Durations(duration=censored.duration, cause=censored.cause)
    for metric in (auc_at, brier_at):
        truth = metric(everything, p, horizon=28.0, cause=1)
        assert metric(open_ones, p, horizon=28.0, cause=1) == pytest.approx(truth, abs=0.012)
    assert censoring_weights(open_ones, 28.0).mean() == pytest.approx(1.0, abs=0.03)


def test_intervals_draw_whole_groups(simulate):
    _, hazards, outcome = simulate(1_500, 13)
    p = incidence_of(hazards, GRID, CAUSES).by(28.0, "won")
    blocks = make_blocks(np.array([str(row // 5) for row in range(1_500)]), n_draws=60, seed=1)
    metric = partial(auc_at, horizon=28.0, cause=1)
    found = interval_of(metric, outcome, p, blocks)
    assert found.low < found.value < found.high
    assert paired_interval_of(metric, outcome, p, p, blocks).high == 0
