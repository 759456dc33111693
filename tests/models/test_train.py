from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crm.config import Config, StoreSection
from features.matrix import Field, Kind, TrainingSet
from models.bundle import load_bundle, read_report
from models.report import LeakageFinding
from models.tasks.lead_score import TASK
from models.train import fit_task, train

SMALL_TASK = replace(TASK, candidates=("base_rate", "logistic", "booster_small"))


def make_training_set(n: int = 2000, *, effect: float = 1.0, seed: int = 5, with_time: bool = True) -> TrainingSet:
    random = np.random.default_rng(seed)
    visits, junk = random.poisson(3, n).astype(float), random.normal(size=n)
    channel = random.choice(["web", "fair", "partner"], n)
    log_odds = -1 + effect * (0.5 * (visits - 3) + 1.5 * (channel == "partner"))
    label = (random.random(n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return TrainingSet(
        fields=(
            Field(name="visits", kind=Kind.NUMBER),
            Field(name="junk", kind=Kind.NUMBER),
            Field(name="channel", kind=Kind.CATEGORY),
        ),
        rows=pa.table({"visits": visits, "junk": junk, "channel": channel}),
        entity_id=np.array([f"l{i}" for i in range(n)]),
        as_of=np.full(n, np.datetime64("NaT", "us")),
        position=np.arange(n, dtype=float) if with_time else np.full(n, np.nan),
        label=label,
        group=np.array([f"l{i}" for i in range(n)]),
        value=np.where(label == 1, random.lognormal(8, 1, n), np.nan),
        event="won",
        horizon_days=None,
        gap_days=None,
    )


def test_training_ends_in_a_bundle_that_scores_with_reasons(tmp_path: Path) -> None:
    config = Config(store=StoreSection(folder=tmp_path))
    report = train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=())
    assert report.status == "trained"
    assert report.metrics["test"]["auc"] > 0.7
    assert (report.n_train, report.n_test) == (1500, 500)
    model = load_bundle(Path(report.bundle), report.digest)
    answer = model.predict({"visits": 9.0, "channel": "partner"}, n_reasons=3)
    assert answer.score > 80
    assert answer.reasons[0].feature == "visits"
    assert read_report(Path(report.bundle))["status"] == "trained"


def test_permuted_labels_are_said_to_hold_no_signal() -> None:
    training_set = make_training_set()
    shuffled = replace(training_set, label=np.random.default_rng(0).permutation(training_set.label))
    report = fit_task(SMALL_TASK, shuffled, seed=1).report
    assert report.status == "fallback"
    assert "signal" in report.reason or "base rate" in report.reason
    assert report.learner == "base_rate"


def test_too_few_closed_rows_are_refused_with_the_number_needed() -> None:
    trained = fit_task(SMALL_TASK, make_training_set(29), seed=1)
    assert trained.report.status == "refused"
    assert "30 are needed" in trained.report.reason
    assert trained.predictor is None


@pytest.mark.parametrize("n", [30, 80, 300])
def test_few_outcomes_fall_back_to_a_shrunken_model(n: int) -> None:
    trained = fit_task(SMALL_TASK, make_training_set(n), seed=1)
    assert trained.report.status == "fallback"
    assert "boosting needs 200" in trained.report.reason
    assert trained.predictor is not None
    assert 0 < trained.predictor.predict({}).probability < 1


def test_found_leaks_stay_out_of_the_model_and_in_the_report() -> None:
    finding = LeakageFinding(column="visits", verdict="quarantined", check="single field", evidence="AUC 0.99")
    trained = fit_task(SMALL_TASK, make_training_set(), seed=1, findings=[finding])
    assert trained.report.leakage == (finding,)
    assert trained.predictor is not None
    assert [field.name for field in trained.predictor.encoder.fields] == ["junk", "channel"]


def test_rows_without_time_are_split_by_hash_and_said_to_be_optimistic() -> None:
    report = fit_task(SMALL_TASK, make_training_set(with_time=False), seed=1).report
    assert report.status == "trained"
    assert any("no time: " in limit for limit in report.limits)
    assert report.random_split_gap is None


def test_censored_rows_are_counted_and_never_negatives() -> None:
    training_set = make_training_set()
    label = training_set.label.copy()
    label[-200:] = np.nan
    report = fit_task(SMALL_TASK, replace(training_set, label=label), seed=1).report
    assert report.n_censored == 200
    assert report.n_train + report.n_test == 1800
