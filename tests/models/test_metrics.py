import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from models.metrics import (
    auc,
    average_precision,
    brier,
    calibration_line,
    ece,
    ece_plain,
    interval,
    lift,
    lift_ceiling,
    log_loss,
    make_blocks,
    paired_interval,
)


def make_case(n: int = 400, seed: int = 0, *, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    p = np.round(random.beta(1, 2, n), decimals)
    return (random.random(n) < p).astype(float), p


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_scikit_learn_with_ties(seed: int) -> None:
    y, p = make_case(seed=seed)
    assert auc(y, p) == pytest.approx(roc_auc_score(y, p))
    assert average_precision(y, p) == pytest.approx(average_precision_score(y, p))
    assert brier(y, p) == pytest.approx(brier_score_loss(y, p))
    inner = np.clip(p, 0.01, 0.99)
    assert log_loss(y, inner) == pytest.approx(sklearn_log_loss(y, inner))


def test_metrics_without_both_outcomes_are_nan_not_an_error() -> None:
    p = np.array([0.1, 0.4])
    assert np.isnan(auc(np.zeros(2), p))
    assert np.isnan(average_precision(np.zeros(2), p))
    assert np.isnan(lift(np.zeros(2), p, 0.1))
    assert np.isnan(calibration_line(np.ones(2), p)[0])


def test_certain_and_wrong_costs_much_but_not_infinity() -> None:
    assert np.isfinite(log_loss(np.array([1.0]), np.array([0.0])))


def test_lift_by_hand() -> None:
    y = np.array([1.0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    p = np.linspace(1, 0, 10)
    assert lift(y, p, 0.2) == pytest.approx(5.0)
    assert lift_ceiling(y, 0.2) == pytest.approx(5.0)
    assert lift(y, p[::-1], 0.2) == 0.0
    # All tied: the top share holds what any share would.
    assert lift(y, np.full(10, 0.3), 0.2) == pytest.approx(1.0)


def test_calibration_error_by_hand() -> None:
    y = np.tile([0.0, 1.0], 500)
    assert ece_plain(y, np.full(1000, 0.7)) == pytest.approx(0.2)
    assert 0.15 < ece(y, np.full(1000, 0.7)) < 0.2


def test_debiased_calibration_error_of_true_probabilities_is_near_zero() -> None:
    found, plain = [], []
    for seed in range(30):
        y, p = make_case(2000, seed, decimals=9)
        found.append(ece(y, p))
        plain.append(ece_plain(y, p))
    assert np.mean(found) < 0.6 * np.mean(plain)


def test_calibration_line_finds_slope_and_intercept() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=40_000)
    y = (random.random(40_000) < 1 / (1 + np.exp(-(0.5 * x - 0.3)))).astype(float)
    slope, intercept = calibration_line(y, 1 / (1 + np.exp(-x)))
    assert slope == pytest.approx(0.5, abs=0.03)
    assert intercept == pytest.approx(-0.3, abs=0.03)


def test_blocks_keep_the_rows_of_a_group_together() -> None:
    group = np.array(["a", "b", "a", "c", "b", "a"])
    for rows in make_blocks(group, n_draws=50, seed=1).draws:
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3


def test_grouped_rows_widen_the_interval() -> None:
    y, p = make_case(300, decimals=9)
    single = np.arange(1500).astype(str)
    grouped = np.repeat(np.arange(300), 5).astype(str)
    y, p = np.repeat(y, 5), np.repeat(p, 5)
    loose = interval(auc, y, p, make_blocks(single, n_draws=300, seed=1))
    tight = interval(auc, y, p, make_blocks(grouped, n_draws=300, seed=1))
    assert (tight.high - tight.low) > 1.6 * (loose.high - loose.low)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(60):
        y, p = make_case(300, seed, decimals=9)
        found = interval(brier, y, p, make_blocks(np.arange(300).astype(str), n_draws=150, seed=seed))
        hits += found.low <= 0.175 <= found.high or found.low <= float(np.mean(p * (1 - p))) <= found.high
    assert hits >= 51


def test_paired_interval_of_a_clear_difference_excludes_zero_and_of_none_is_zero() -> None:
    y, p = make_case(1500, decimals=9)
    noisy = np.clip(p + np.random.default_rng(1).normal(0, 0.3, len(p)), 0.01, 0.99)
    blocks = make_blocks(np.arange(1500).astype(str), n_draws=200, seed=1)
    worse = paired_interval(log_loss, y, noisy, p, blocks)
    assert worse.low > 0
    assert worse.excludes_zero
    same = paired_interval(log_loss, y, p, p, blocks)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert not same.excludes_zero
