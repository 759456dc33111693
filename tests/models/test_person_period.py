"""Rows watched for a while as one entry for every step."""

import numpy as np
import pytest

from models.person_period import Durations, Grid, even_grid, expand

GRID = even_grid(8, 7.0)


def test_expansion_gives_one_entry_for_every_step_a_row_was_watched():
    outcome = Durations(
        duration=np.array([0.0, 7.0, 7.5, 60.0, 20.0]),
        cause=np.array([1, 2, 0, 1, 0]),
        follow_up=np.array([99.0, 99.0, 7.5, 99.0, 20.0]),
    )
    periods = expand(outcome, GRID)
    found = {row: periods.cause[periods.row == row].tolist() for row in range(5)}
    assert found == {0: [1], 1: [2], 2: [0], 3: [0] * 8, 4: [0, 0]}
    assert periods.step[periods.row == 3].tolist() == list(range(8))
    assert (periods.weight == 1).all()


def test_a_step_that_the_record_reaches_in_part_counts_for_nobody():
    outcome = Durations(duration=np.array([8.0, 10.0]), cause=np.array([1, 0]), follow_up=np.array([10.0, 10.0]))
    assert expand(outcome, GRID).cause.tolist() == [0, 0]


def test_without_a_known_follow_up_a_censored_row_counts_for_the_share_it_was_watched():
    periods = expand(Durations(duration=np.array([10.5]), cause=np.array([0])), GRID)
    assert periods.weight.tolist() == [1.0, 0.5]


def test_weights_are_bounded_and_thinning_keeps_every_event_and_the_total_weight(simulate):
    _, _, outcome = simulate(4_000, 3)
    plain = expand(outcome, GRID)
    heavy = expand(outcome, GRID, weight=np.where(np.arange(4_000) == 0, 1e9, 1.0))
    assert heavy.weight.max() <= 10.0
    thinned = expand(outcome, GRID, max_periods=len(plain.row) // 3, seed=5)
    assert (thinned.cause > 0).sum() == (plain.cause > 0).sum()
    assert len(thinned.row) < 0.4 * len(plain.row)
    assert thinned.weight.sum() == pytest.approx(plain.weight.sum(), rel=0.05)
    with pytest.raises(ValueError, match="finite numbers"):
        expand(outcome, GRID, weight=np.full(4_000, np.nan))


def test_a_grid_starts_at_zero_and_rises():
    with pytest.raises(ValueError, match="start at 0"):
        Grid(edges=(1.0, 2.0))
    with pytest.raises(ValueError, match="rise"):
        Grid(edges=(0.0, 2.0, 2.0))
