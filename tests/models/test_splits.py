from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.matrix import TrainingSet
from models.splits import TooFewRows, embargo_of, hash_shares, make_plan, random_split
from models.task import Folds

Make = Callable[..., TrainingSet]
FOLDS = Folds(n_origins=4, test_share=0.25, calibration_share=0.25)


@given(st.integers(0, 10_000), st.integers(40, 400), st.integers(0, 60), st.integers(0, 5))
def test_no_label_window_of_a_fit_row_reaches_the_judged_rows(
    make_training_set: Make, seed: int, n: int, horizon: int, gap: int
) -> None:
    random = np.random.default_rng(seed)
    # Several rows a day, in any order, as snapshots come.
    position = random.integers(0, 400, n).astype(float)
    training_set = replace(make_training_set(n), position=position, horizon_days=horizon, gap_days=gap)
    try:
        plan = make_plan(training_set, FOLDS)
    except TooFewRows:
        return
    assert plan.embargo == embargo_of(training_set, FOLDS) == horizon + gap
    test_start = position[plan.test.judge].min()
    for split in (*plan.origins, plan.test):
        assert position[split.fit].max() + plan.embargo < position[split.judge].min() or plan.embargo == 0
        assert position[split.fit].max() < position[split.judge].min()
    for split in plan.origins:
        assert position[split.judge].max() + plan.embargo < test_start or plan.embargo == 0
        assert set(split.judge) <= set(plan.test.fit)
        assert not set(split.judge) & set(plan.test.judge)


def test_flat_rows_are_cut_by_position_three_to_one(make_training_set: Make) -> None:
    plan = make_plan(make_training_set(9240), FOLDS)
    assert (len(plan.test.fit), len(plan.test.judge)) == (6930, 2310)
    assert len(plan.origins) == 4
    judged = np.concatenate([split.judge for split in plan.origins])
    assert len(judged) == len(set(judged.tolist()))
    assert judged.max() == 6929


def test_rows_of_one_group_share_a_hash_fold_whatever_the_order(make_training_set: Make) -> None:
    training_set = replace(
        make_training_set(500, with_time=False), group=np.array([f"a{place % 60}" for place in range(500)])
    )
    plan = make_plan(training_set, FOLDS)
    assert not plan.has_time
    for split in (*plan.origins, plan.test):
        assert not set(training_set.group[split.fit]) & set(training_set.group[split.judge])
    assert hash_shares(np.array(["x", "y"])).tolist() == hash_shares(np.array(["y", "x"])).tolist()[::-1]


def test_horizon_longer_than_the_record_is_refused(make_training_set: Make) -> None:
    with pytest.raises(TooFewRows):
        make_plan(replace(make_training_set(100), horizon_days=365, gap_days=1), FOLDS)


def test_random_split_ignores_time_but_not_rows(make_training_set: Make) -> None:
    split = random_split(make_training_set(200), test_share=0.25, seed=1)
    assert sorted([*split.fit, *split.judge]) == list(range(200))
    assert split.fit.max() > split.judge.min()
