"""The solver that never writes person-periods out, against scikit-learn on the table written out."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models.pooled_logistic import Periods, fit_pooled


def make_periods(n_rows, seed, n_causes):
    random = np.random.default_rng(seed)
    fixed, n_periods = random.normal(size=(n_rows, 4)), random.integers(0, 6, n_rows)
    fixed[:, 3] = fixed[:, 2] > 0
    row = np.repeat(np.arange(n_rows), n_periods)
    varying = random.normal(size=(len(row), 2))
    truth = random.normal(size=(6, n_causes))
    scores = np.column_stack([np.zeros(len(row)), np.column_stack([fixed[row], varying]) @ truth - 1.5])
    chance = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    cause = (random.random((len(row), 1)) > np.cumsum(chance, axis=1)).sum(axis=1)
    return fixed, varying, row, cause, random.uniform(0.2, 3.0, len(row))


@pytest.mark.parametrize("strength", [1.0, 0.05])
def test_the_weights_are_those_of_scikit_learn_on_the_whole_table(strength):
    fixed, varying, row, cause, weight = make_periods(700, 1, 2)
    found = fit_pooled(Periods(fixed, varying, row), cause, weight, 2, strength=strength)
    oracle = LogisticRegression(C=strength, max_iter=2_000, tol=1e-8, solver="lbfgs")
    oracle.fit(np.column_stack([fixed[row], varying]), cause, sample_weight=weight)
    expected = np.vstack([oracle.intercept_, oracle.coef_.T])
    assert found == pytest.approx(expected[:, 1:] - expected[:, :1], abs=2e-3)


def test_one_cause_is_plain_logistic_regression():
    fixed, varying, row, cause, weight = make_periods(700, 2, 1)
    found = fit_pooled(Periods(fixed, varying, row), cause, weight, 1)
    # Two sets of weights against each other are held half as much as one set.
    oracle = LogisticRegression(C=2.0, max_iter=2_000, tol=1e-8, solver="lbfgs")
    oracle.fit(np.column_stack([fixed[row], varying]), cause, sample_weight=weight)
    assert found[1:, 0] == pytest.approx(oracle.coef_[0], abs=2e-3)
    assert found[0, 0] == pytest.approx(oracle.intercept_[0], abs=2e-3)


def test_columns_that_repeat_each_other_and_separable_outcomes_have_an_answer():
    x = np.linspace(-1, 1, 40)
    fixed, row = np.column_stack([x, x, np.ones(40)]), np.arange(40)
    found = fit_pooled(Periods(fixed, np.zeros((40, 1)), row), (x > 0).astype(int), np.ones(40), 1)
    assert found[1, 0] == pytest.approx(found[2, 0], rel=1e-3)
    assert 0 < found[1, 0] < 20


def test_an_outcome_that_does_not_occur_is_refused():
    with pytest.raises(ValueError, match="expected 2 causes"):
        fit_pooled(Periods(np.zeros((3, 1)), np.zeros((3, 1)), np.arange(3)), np.array([0, 1, 1]), np.ones(3), 2)
