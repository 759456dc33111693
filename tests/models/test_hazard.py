"""The discrete-time competing risks against simulated hazards whose truth is known."""

import numpy as np
import pyarrow as pa
import pytest

from models.calibrator import sigmoid
from models.hazard import fit_calibrators
from models.hazard_learners import LEARNERS
from models.metrics import calibration_line
from models.person_period import Durations, Grid, even_grid
from models.survival import incidence_of, recalibrate

CAUSES = ("won", "lost")
GRID = even_grid(8, 7.0)


@pytest.mark.parametrize("learner", ["hazard_logistic", pytest.param("hazard_booster", marks=pytest.mark.slow)])
def test_fitted_incidence_comes_near_the_truth_in_spite_of_censoring(learner, simulate, fit):
    table, _, outcome = simulate(8_000, 1)
    encoder, model = fit(learner, table, outcome)
    unseen, hazards, _ = simulate(2_000, 2)
    found = model.incidence(encoder.encode_table(unseen))
    truth = incidence_of(hazards, GRID, CAUSES)
    error = found.values[:, -1] - truth.values[:, -1]
    assert np.abs(error.mean(axis=0)).max() < 0.015
    # A hundred small trees, all that so few events get, stay nearer to the mean than the lines that made these data.
    assert np.abs(error).mean() < (0.02 if learner == "hazard_logistic" else 0.06)
    assert (outcome.cause == 0).mean() > 0.4


def test_counting_open_rows_as_negatives_would_be_far_off(simulate):
    _, hazards, outcome = simulate(12_000, 1)
    truth = incidence_of(hazards, GRID, CAUSES).values[:, -1, 0].mean()
    assert ((outcome.cause == 1).mean()) < 0.75 * truth


def test_the_rate_of_each_step_is_the_same_for_everyone(simulate, fit):
    table, hazards, outcome = simulate(12_000, 1)
    encoder, model = fit("hazard_rate", table, outcome)
    found = model.hazards(encoder.encode_table(table))
    assert np.ptp(found, axis=0).max() == 0
    assert np.abs(found[0, 0] - hazards[:, 0].mean(axis=0)).max() < 0.01


def test_incidence_by_hand():
    hazards = np.array([[[0.2, 0.3], [0.4, 0.0], [0.0, 1.0]]])
    found = incidence_of(hazards, Grid(edges=(0.0, 1.0, 3.0, 4.0)), CAUSES)
    assert found.curve("won").tolist() == [[0.0, 0.2, 0.4, 0.4]]
    assert found.curve("lost")[0] == pytest.approx([0, 0.3, 0.3, 0.6])
    assert found.survival[0] == pytest.approx([0.5, 0.3, 0.0])
    assert found.by(2.0, "won") == pytest.approx([0.3])
    assert found.by(np.array([99.0])) == pytest.approx([1.0])
    assert found.median() == pytest.approx([1.0])
    assert found.median("won").tolist() == [np.inf]
    assert found.quantile(0.3, "won") == pytest.approx([2.0])
    assert found.expected("won") == pytest.approx([(0.2 * 0.5 + 0.2 * 2.0) / 0.4])
    assert found.restricted_mean() == pytest.approx([0.75 + 0.8 + 0.15])
    assert found.mass()[0] == pytest.approx([0.5, 0.2, 0.3])


def test_expected_time_equals_a_plain_loop(simulate):
    _, hazards, _ = simulate(50, 4)
    found = incidence_of(hazards, GRID, CAUSES)
    for row in range(50):
        alive, chances = 1.0, []
        for step in range(8):
            chances.append(alive * hazards[row, step, 0])
            alive *= 1 - hazards[row, step].sum()
        mean = sum(p * 7 * (step + 0.5) for step, p in enumerate(chances)) / sum(chances)
        assert found.expected("won")[row] == pytest.approx(mean)
        assert found.survival[row, -1] == pytest.approx(alive)


def test_calibration_mends_a_wrong_level_and_keeps_the_incidence_coherent(simulate):
    _, hazards, outcome = simulate(12_000, 6)
    truth = incidence_of(hazards, GRID, CAUSES)
    tilted = incidence_of(np.stack([hazards[:, :, 0] ** 1.3, hazards[:, :, 1] * 0.6], axis=2), GRID, CAUSES)
    horizon = 28.0
    calibrators = fit_calibrators(tilted, outcome, horizon)
    mended = recalibrate(tilted, horizon, calibrators)
    assert (np.diff(mended.values, axis=1) >= -1e-12).all()
    assert mended.values.sum(axis=2).max() <= 1 + 1e-12
    for place, cause in enumerate(CAUSES, start=1):
        y = outcome.known_by(horizon, place)
        known = np.isfinite(y)
        slope, _ = calibration_line(y[known], mended.by(horizon, cause)[known])
        assert slope == pytest.approx(1, abs=0.1)
        assert mended.by(horizon, cause).mean() == pytest.approx(truth.by(horizon, cause).mean(), abs=0.02)


def test_few_outcomes_leave_the_hazards_as_they_are(simulate):
    _, hazards, outcome = simulate(60, 6)
    incidence = incidence_of(hazards, GRID, CAUSES)
    same = recalibrate(incidence, 28.0, fit_calibrators(incidence, outcome, 28.0))
    assert same.values == pytest.approx(incidence.values)


def test_an_outcome_within_the_horizon_is_unknown_until_the_window_has_passed():
    outcome = Durations(
        duration=np.array([5.0, 5.0, 9.0, 30.0]),
        cause=np.array([1, 1, 0, 0]),
        follow_up=np.array([99.0, 9.0, 9.0, 30.0]),
    )
    assert np.array_equal(outcome.known_by(28.0, 1), [1, np.nan, np.nan, 0], equal_nan=True)


def test_what_is_known_ahead_of_a_step_moves_its_hazard(fit):
    random = np.random.default_rng(8)
    n_rows = 3_000
    ahead = (random.random((n_rows, 8, 1)) < 0.3).astype(float)
    table = pa.table({"x": random.normal(size=n_rows), "team": ["north"] * n_rows})
    chance = sigmoid(-3 + 2 * ahead[:, :, 0])
    hit = random.random((n_rows, 8)) < chance
    step = np.where(hit.any(axis=1), hit.argmax(axis=1), 8)
    outcome = Durations(duration=np.minimum(7.0 * step + 3, 56.0), cause=(step < 8).astype(np.intp))
    encoder, model = fit("hazard_logistic", table, outcome, ahead=ahead)
    days = np.zeros((1, 8, 1))
    days[0, 3, 0] = 1.0
    found = model.hazards(encoder.encode({"x": 0.0, "team": "north"}), days)[0, :, 0]
    assert found[3] == pytest.approx(sigmoid(np.array(-1.0)), abs=0.04)
    assert found[4] == pytest.approx(sigmoid(np.array(-3.0)), abs=0.03)
    with pytest.raises(ValueError, match="known ahead"):
        model.hazards(encoder.encode({"x": 0.0}))


def test_a_cause_that_training_never_saw_never_happens(simulate, fit):
    table, _, outcome = simulate(1_000, 9)
    kept = outcome.cause != 2
    for learner in LEARNERS:
        encoder, model = fit(learner, table.filter(pa.array(kept)), outcome.take(kept))
        found = model.incidence(encoder.encode_table(table))
        assert found.by(56.0, "lost").max() < 0.02
