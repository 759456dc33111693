"""What moved the chance of one row, field by field."""

import numpy as np
import pytest

from models.calibrator import logit
from models.hazard import design_of, softmax
from models.hazard_reasons import contributions_within
from models.person_period import even_grid
from models.survival import incidence_of

CAUSES = ("won", "lost")
GRID = even_grid(8, 7.0)


@pytest.mark.parametrize("learner", ["hazard_logistic", "hazard_booster"])
def test_reasons_sum_to_the_log_odds_and_follow_the_path_from_the_average_row(learner, simulate, fit):
    table, _, outcome = simulate(1_500, 14)
    encoder, model = fit(learner, table, outcome)
    rows = encoder.encode_table(table)[:40]
    horizon = np.linspace(9.0, 56.0, len(rows))
    parts = contributions_within(model, rows, horizon, "won")
    p = model.incidence(rows).by(horizon, "won")
    assert parts.sum(axis=1) == pytest.approx(logit(p), abs=1e-9)
    # What drives winning in the simulation weighs more than what does not.
    assert np.abs(parts[:, 0]).mean() > 0.1
    # A field whose value changes nothing in any tree or term adds nothing.
    flat = fit("hazard_rate", table, outcome)[1]
    assert np.abs(contributions_within(flat, rows, horizon, "won")[:, :-1]).max() == 0


def test_a_reason_is_the_slope_along_the_path_summed_step_by_step(simulate, fit):
    table, _, outcome = simulate(1_500, 14)
    encoder, model = fit("hazard_logistic", table, outcome)
    rows = encoder.encode_table(table)[:5]
    n_steps = GRID.n_steps
    period = design_of(rows, None, np.repeat(np.arange(5), n_steps), np.tile(np.arange(n_steps), 5))
    scores = np.stack([each.log_odds(period) for each in model.additives], axis=1).reshape(5, n_steps, -1)
    parts = model.score_parts(period)[:, :2].reshape(5, n_steps, 2, -1)

    def log_odds(path):
        hazards = softmax(np.column_stack([np.zeros(5 * n_steps), path.reshape(5 * n_steps, -1)]))[:, 1:]
        return logit(incidence_of(hazards.reshape(path.shape), GRID, CAUSES).by(GRID.end, "won"))

    found, n = np.zeros((5, 2)), 400
    for share in (np.arange(n) + 0.5) / n:
        here = scores - (1 - share) * parts.sum(axis=2)
        for place in range(2):
            small = 1e-5 * parts[:, :, place]
            found[:, place] += (log_odds(here + small) - log_odds(here - small)) / 2e-5 / n
    exact = contributions_within(model, rows, np.full(5, GRID.end), "won")[:, :2]
    assert exact == pytest.approx(found, abs=2e-3)
