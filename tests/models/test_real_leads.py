"""The protocols of the public files: oldest three quarters to learn from, the newest quarter opened once."""

import pytest

from features.matrix import TrainingSet
from models.tasks.lead_score import TASK
from models.train import fit_task


@pytest.mark.slow
def test_x_education_ranks_better_than_untuned_learners_and_is_calibrated(xeducation: TrainingSet) -> None:
    report = fit_task(TASK, xeducation, seed=20260101).report
    assert (report.n_train, report.n_test) == (6930, 2310)
    assert report.metrics["test"]["auc"] >= 0.885
    assert report.intervals["auc_minus_baseline"][1] > 0
    assert report.metrics["test"]["ece"] <= 0.03
    assert report.intervals["ece"][0] <= 0.03


@pytest.mark.slow
def test_bank_marketing_keeps_its_ranking_under_drift_and_shows_the_gap(bank: TrainingSet) -> None:
    report = fit_task(TASK, bank, seed=20260101).report
    assert report.n_test == 10297
    assert report.intervals["auc_minus_baseline"][1] >= 0
    # The constant of the test window itself knows its base rate; the model does not.
    rate = sum(tenth.n * tenth.event_rate for tenth in report.calibration) / report.n_test
    assert report.metrics["test"]["brier"] < rate * (1 - rate)
    assert report.random_split_gap is not None
    assert report.random_split_gap.gap > 0.05
