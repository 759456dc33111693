from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crm.config import Config, MlflowSection, StoreSection
from features.leakage import Finding
from features.leakage_figures import Figure
from features.matrix import Field, Kind, TrainingSet
from models.bundle import load_bundle, read_report
from models.card import write_cards
from models.tasks.lead_score import TASK
from models.train import fit_task, train

Make = Callable[..., TrainingSet]
SMALL_TASK = replace(TASK, candidates=("base_rate", "logistic"))


def test_training_ends_in_a_bundle_that_scores_with_reasons(tmp_path: Path, make_training_set: Make) -> None:
    (tmp_path / "no-registry").touch()
    mlflow = MlflowSection(tracking_uri=f"sqlite:///{tmp_path}/no-registry/mlflow.db")
    config = Config(store=StoreSection(folder=tmp_path), mlflow=mlflow)
    report = train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=())
    assert report.status == "trained"
    assert report.metrics["test"]["auc"] > 0.7
    assert (report.n_train, report.n_test) == (1500, 500)
    names = {measure.name for measure in report.leakage_measures}
    assert names == {"permuted_labels_auc", "noise_column_share", "random_split_gap", "shared_accounts"}
    model = load_bundle(Path(report.bundle), report.digest)
    answer = model.predict({"visits": 9.0, "channel": "partner"}, n_reasons=3)
    assert answer.score > 80
    assert answer.reasons[0].feature == "visits"
    assert read_report(Path(report.bundle))["status"] == "trained"


def test_permuted_labels_are_said_to_hold_no_signal(make_training_set: Make) -> None:
    training_set = make_training_set()
    shuffled = replace(training_set, label=np.random.default_rng(0).permutation(training_set.label))
    report = fit_task(SMALL_TASK, shuffled, seed=1).report
    assert report.status == "fallback"
    assert "signal" in report.reason or "base rate" in report.reason
    assert report.learner == "base_rate"


def test_too_few_closed_rows_are_refused_with_the_number_needed(make_training_set: Make) -> None:
    trained = fit_task(SMALL_TASK, make_training_set(29), seed=1)
    assert trained.report.status == "refused"
    assert "30 are needed" in trained.report.reason
    assert trained.predictor is None


def test_small_sample_with_a_clear_signal_is_answered_by_more_than_the_base_rate(make_training_set: Make) -> None:
    trained = fit_task(SMALL_TASK, make_training_set(160, effect=1.5), seed=1)
    assert trained.report.status == "fallback"
    assert trained.predictor is not None
    assert trained.predictor.about.kind == "linear"
    low = trained.predictor.predict({"visits": 0.0, "channel": "web"}).probability
    assert trained.predictor.predict({"visits": 8.0, "channel": "partner"}).probability > low + 0.2


@pytest.mark.parametrize("n", [30, 80, 300])
def test_few_outcomes_fall_back_to_a_shrunken_model(n: int, make_training_set: Make) -> None:
    trained = fit_task(SMALL_TASK, make_training_set(n), seed=1)
    assert trained.report.status == "fallback"
    assert "boosting needs 200" in trained.report.reason
    assert trained.predictor is not None
    assert 0 < trained.predictor.predict({}).probability < 1


def test_found_leaks_stay_out_of_the_model_and_in_the_report(make_training_set: Make) -> None:
    finding = Finding(column="visits", verdict="quarantined", check="single field", evidence="AUC 0.99")
    trained = fit_task(SMALL_TASK, make_training_set(), seed=1, findings=[finding])
    assert trained.report.leakage == (finding,)
    assert trained.predictor is not None
    assert [field.name for field in trained.predictor.encoder.fields] == ["junk", "channel"]


def test_a_measure_that_fails_refuses_the_training_and_says_why(make_training_set: Make) -> None:
    failing = Figure(
        name="permuted_labels_auc", value=0.6, low=0.49, high=0.51, verdict="fails", text="shuffled", text_zh="打乱"
    )
    found = fit_task(SMALL_TASK, make_training_set(), seed=1, measures=[failing])
    assert found.predictor is None
    assert (found.report.status, found.report.reason) == ("refused", "permuted_labels_auc: shuffled")
    assert found.report.leakage_measures == (failing,)


def test_rows_without_time_are_split_by_hash_and_said_to_be_optimistic(make_training_set: Make) -> None:
    report = fit_task(SMALL_TASK, make_training_set(with_time=False), seed=1).report
    assert report.status == "trained"
    assert any("no time: " in limit for limit in report.limits)
    assert report.random_split_gap is None


def test_censored_rows_are_counted_and_never_negatives(make_training_set: Make) -> None:
    training_set = make_training_set()
    label = training_set.label.copy()
    label[-200:] = np.nan
    report = fit_task(SMALL_TASK, replace(training_set, label=label), seed=1).report
    assert report.n_censored == 200
    assert report.n_train + report.n_test == 1800


def test_events_in_the_test_window_alone_are_refused_not_an_error(make_training_set: Make) -> None:
    training_set = make_training_set(400)
    label = np.zeros(400)
    label[350:] = 1.0
    trained = fit_task(SMALL_TASK, replace(training_set, label=label), seed=1)
    assert trained.report.status == "refused"
    assert "before the test window are alike" in trained.report.reason


def test_test_window_without_events_still_ends_in_a_model_and_a_card(make_training_set: Make) -> None:
    training_set = make_training_set(1200)
    label = training_set.label.copy()
    label[900:] = 0.0
    trained = fit_task(SMALL_TASK, replace(training_set, label=label), seed=1)
    assert trained.predictor is not None
    assert "NaN" not in trained.report.to_json()
    cards = write_cards(SMALL_TASK, trained.report, trained.predictor)
    assert "There is no test window with both outcomes." in cards["en"]


def test_empty_and_constant_fields_are_no_obstacle(make_training_set: Make) -> None:
    training_set = make_training_set(800)
    empty = pa.array([None] * 800, pa.float64())
    rows = training_set.rows.set_column(1, "junk", empty).append_column("town", pa.array([None] * 800, pa.string()))
    fields = (*training_set.fields, Field(name="town", kind=Kind.CATEGORY))
    trained = fit_task(SMALL_TASK, replace(training_set, rows=rows, fields=fields), seed=1)
    assert trained.predictor is not None
    assert 0 < trained.predictor.predict({"junk": 3.0, "town": "Xi'an"}).probability < 1
