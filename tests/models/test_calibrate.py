import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from models.calibrate import METHODS, choose_calibrator, fit_isotonic, fit_level, pool_adjacent, venn_abers
from models.calibrator import IDENTITY, calibrator_from_json, calibrator_to_json, logit, sigmoid
from models.metrics import calibration_line, log_loss


def make_scores(n: int, *, slope: float = 1.0, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    log_odds = random.normal(-0.5, 1.5, n)
    y = (random.random(n) < 1 / (1 + np.exp(-(slope * log_odds + shift)))).astype(float)
    return log_odds, y


def slow_venn_abers(scores: np.ndarray, y: np.ndarray, asked: float) -> tuple[float, float]:
    """By the definition: refit isotonic regression with the asked score added under each label."""
    answers = []
    for label in (0.0, 1.0):
        model = IsotonicRegression(out_of_bounds="clip")
        model.fit(np.append(scores, asked), np.append(y, label))
        answers.append(float(model.predict([asked])[0]))
    return answers[0], answers[1]


@pytest.mark.parametrize("seed", range(4))
def test_venn_abers_equals_refitting_isotonic_regression_with_each_label(seed: int) -> None:
    log_odds, y = make_scores(60, seed=seed)
    scores = np.round(log_odds, 1)
    asked = np.concatenate([scores[:10], [-9.0, 9.0, 0.05]])
    p0, p1 = venn_abers(scores, y, asked)
    expected = np.array([slow_venn_abers(scores, y, float(score)) for score in asked])
    np.testing.assert_allclose(p0, expected[:, 0], atol=1e-7)
    np.testing.assert_allclose(p1, expected[:, 1], atol=1e-7)
    assert (p0 <= p1).all()


def test_pooling_equals_isotonic_regression() -> None:
    y = np.random.default_rng(1).normal(size=200)
    expected = IsotonicRegression().fit_transform(np.arange(200), y)
    np.testing.assert_allclose(pool_adjacent(y, np.ones(200)), expected, atol=1e-9)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("seed", range(3))
def test_every_calibrator_rises_without_ties_and_survives_json(method: str, seed: int) -> None:
    log_odds, y = make_scores(3000, slope=0.6, shift=-0.4, seed=seed)
    calibrator = METHODS[method](log_odds, y)
    at = np.linspace(-12, 12, 4001)
    assert (np.diff(calibrator(at)) > 0).all()
    again = calibrator_from_json(calibrator_to_json(calibrator))
    assert again(at).tolist() == calibrator(at).tolist()
    assert [float(again(np.array([value]))[0]) for value in at[::97]] == calibrator(at)[::97].tolist()


@pytest.mark.parametrize("method", sorted(METHODS))
def test_calibrators_undo_a_wrong_slope(method: str) -> None:
    log_odds, y = make_scores(6000, slope=0.6, shift=-0.4)
    fresh, outcome = make_scores(6000, slope=0.6, shift=-0.4, seed=9)
    p = sigmoid(METHODS[method](log_odds, y)(fresh))
    assert log_loss(outcome, p) < log_loss(outcome, sigmoid(fresh)) - 0.01
    slope, intercept = calibration_line(outcome, p)
    assert 0.9 < slope < 1.1
    assert abs(intercept) < 0.12


def test_level_shift_matches_the_mean() -> None:
    log_odds, y = make_scores(500, shift=1.0)
    assert sigmoid(fit_level(log_odds, y)(log_odds)).mean() == pytest.approx(y.mean(), abs=1e-9)


def test_isotonic_is_not_tried_on_few_points_and_nothing_is_on_fewer() -> None:
    parts = [make_scores(300, slope=0.7, seed=seed) for seed in range(3)]
    chosen = choose_calibrator(parts, in_time=True)
    assert chosen.losses["isotonic"] == chosen.losses["identity"]
    few = choose_calibrator([make_scores(30, seed=seed) for seed in range(4)], in_time=True)
    assert few.calibrator is IDENTITY
    assert few.losses == {}


def test_level_is_followed_when_it_drifts_and_not_when_it_wanders() -> None:
    drifting = [make_scores(4000, shift=0.0 + 0.8, seed=seed) for seed in range(5)]
    assert choose_calibrator(drifting, in_time=True).calibrator.shift == pytest.approx(0.8, abs=0.2)
    wandering = [make_scores(4000, shift=0.4 * (-1) ** seed, seed=seed) for seed in range(5)]
    assert choose_calibrator(wandering, in_time=True).calibrator.shift == 0.0
    assert choose_calibrator(drifting, in_time=False).calibrator.shift == 0.0


def test_early_models_that_were_too_sure_do_not_make_a_grown_one_timid() -> None:
    too_sure = [make_scores(3000, slope=0.5, seed=seed) for seed in range(3)]
    grown = make_scores(3000, seed=9)
    assert choose_calibrator([*too_sure, grown], in_time=True).calibrator.method == "identity"
    # Without an order no window is nearer than another to the model that answers.
    assert choose_calibrator([*too_sure, grown], in_time=False).calibrator.method != "identity"
    still_too_sure = make_scores(3000, slope=0.5, seed=9)
    assert choose_calibrator([*too_sure, still_too_sure], in_time=True).calibrator.method != "identity"


def test_pure_blocks_never_promise_certainty() -> None:
    log_odds = np.linspace(-3, 3, 100)
    calibrator = fit_isotonic(log_odds, (log_odds > 0).astype(float))
    p = sigmoid(calibrator(log_odds))
    assert 0 < p.min() < 0.02
    assert 0.98 < p.max() < 1


def test_log_odds_and_probabilities_are_each_others_inverse() -> None:
    p = np.array([0.0, 1e-12, 0.3, 0.999, 1.0])
    np.testing.assert_allclose(sigmoid(logit(p)), p, atol=1e-14)
