from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from features.matrix import TrainingSet
from models.calibrator import sigmoid
from models.learn import fit_model
from models.metrics import log_loss
from models.shrunk import fit_ridge

Make = Callable[..., TrainingSet]
N_DRAWS = 40


def gains(training_set: TrainingSet, n_closed: int) -> np.ndarray:
    """Log loss of the fallback less that of the base rate on later rows, one entry a draw."""
    random = np.random.default_rng(n_closed)
    later = np.arange(3000, 4000)
    found = []
    for draw in range(N_DRAWS):
        rows = np.sort(random.choice(3000, n_closed, replace=False))
        rate = (training_set.label[rows].sum() + 0.5) / (n_closed + 1)
        p = sigmoid(fit_model(training_set, rows, "shrunk", seed=draw).log_odds(training_set, later))
        y = training_set.label[later]
        found.append(log_loss(y, p) - log_loss(y, np.full(len(y), rate)))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("n_closed", [20, 40, 80, 160])
def test_few_closed_rows_are_never_worse_than_the_base_rate_on_average(make_training_set: Make, n_closed: int) -> None:
    found = gains(make_training_set(4000), n_closed)
    assert found.mean() - 1.96 * found.std() / np.sqrt(N_DRAWS) <= 1e-12


def test_eighty_closed_rows_with_a_clear_signal_already_help(make_training_set: Make) -> None:
    assert gains(make_training_set(4000), 80).mean() < -0.01


def test_without_signal_the_base_rate_is_the_answer_nearly_always(make_training_set: Make) -> None:
    training_set = make_training_set(4000, effect=0.0)
    kinds = [
        fit_model(training_set, np.arange(start, start + 80), "shrunk", seed=1).fitted.kind
        for start in range(0, 3200, 80)
    ]
    assert kinds.count("base_rate") >= 36


def test_fewer_than_eight_events_say_nothing_but_the_base_rate(make_training_set: Make) -> None:
    training_set = make_training_set(100)
    label = np.zeros(100)
    label[:7] = 1.0
    rows = np.arange(100)
    assert fit_model(replace(training_set, label=label), rows, "shrunk", seed=1).fitted.kind == "base_rate"


def test_ridge_equals_scikit_learn() -> None:
    random = np.random.default_rng(0)
    design = random.normal(size=(200, 5))
    y = (random.random(200) < sigmoid(design[:, 0])).astype(float)
    weights = fit_ridge(design, y, 4.0)
    expected = LogisticRegression(C=0.25, tol=1e-9, max_iter=1000).fit(design, y)
    np.testing.assert_allclose(weights[1:], expected.coef_[0], atol=1e-4)
    assert weights[0] == pytest.approx(expected.intercept_[0], abs=1e-4)


def test_a_prior_holds_few_rows_back_and_lets_many_speak(make_training_set: Make) -> None:
    training_set = make_training_set(4000)
    later = np.arange(3000, 4000)
    y = training_set.label[later]

    def loss(learner: str, n_rows: int) -> float:
        fitted = fit_model(training_set, np.arange(n_rows), learner, seed=1)
        return log_loss(y, sigmoid(fitted.log_odds(training_set, later)))

    def spread(n_rows: int) -> float:
        ridge, plain = (fit_model(training_set, np.arange(n_rows), name, seed=1) for name in ("ridge", "logistic"))
        return float(ridge.log_odds(training_set, later).std() / plain.log_odds(training_set, later).std())

    assert spread(100) < 0.5 < 0.8 < spread(3000)
    assert loss("ridge", 3000) == pytest.approx(loss("logistic", 3000), abs=0.01)
