"""Training competing risks on weekly rows of simulated deals, without a record in between."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from crm.config import Config, TaskSection
from features.matrix import Field, Kind
from features.outcomes import time_outcomes
from features.question import BadQuestion
from features.timed_set import TimedSet
from models.bundle import read_card
from models.calibrator import logit, sigmoid
from models.champions import load_champion
from models.choose_hazard import simplest_best, try_learners
from models.hazard_bundle import HazardPredictor, load_hazard, save_hazard
from models.hazard_fit import fit_rows, reachable_grid
from models.person_period import even_grid
from models.promote import promote
from models.task_files import UnknownTask, entity_task, task_named, task_names
from models.tasks.win_probability import TASK
from models.train import train
from models.train_hazard import fit_hazard_task

SMALL = replace(
    TASK, headline_days=28, grid=even_grid(8, 7.0), candidates=("hazard_rate", "hazard_logistic"), feature_groups=()
)
DAY = np.timedelta64(86_400_000_000, "us")


def make_rows(n_deals, seed, *, slope=1.2):
    """Deals begun over forty weeks; each week won or lost with chances that hang on one number."""
    random = np.random.default_rng(seed)
    first = np.datetime64("2026-01-05", "us")
    begun, x = random.integers(0, 40, n_deals), random.normal(size=n_deals)
    parts = []
    for deal in range(n_deals):
        hazard = sigmoid(np.array([-2.6 + slope * x[deal], -2.2 - 0.5 * slope * x[deal]]))
        draws = random.random(200)
        week = int(np.argmax(draws < hazard.sum()))
        cause = 1 if draws[week] < hazard[0] else 2
        end = begun[deal] + week + random.random()
        for row in range(begun[deal], min(begun[deal] + week + 1, 44)):
            parts.append((deal, row, x[deal], end, cause))
    deal, row, number, end, cause = (np.array(column) for column in zip(*parts, strict=True))
    as_of, ended = first + row * 7 * DAY, first + (end * 7 * 86_400e6).astype("timedelta64[us]")
    never = np.datetime64("NaT", "us")
    happened = {"won": np.where(cause == 1, ended, never), "lost": np.where(cause == 2, ended, never)}
    last = datetime(2026, 1, 5, tzinfo=UTC).timestamp() + 44 * 7 * 86_400
    return TimedSet(
        fields=(Field(name="x", kind=Kind.NUMBER),),
        rows=pa.table({"x": number}),
        entity_id=deal.astype(str),
        as_of=as_of,
        on=as_of.astype("datetime64[D]"),
        group=deal.astype(str),
        amount=np.full(len(deal), 100.0),
        outcomes=time_outcomes(as_of, happened, recorded_to=datetime.fromtimestamp(last, UTC)),
    )


def test_training_finds_the_signal_and_is_judged_on_later_weeks(tmp_path):
    rows = make_rows(900, 1)
    trained = fit_hazard_task(SMALL, rows, seed=1)
    report = trained.report
    assert report.status == "trained"
    assert report.learner == "hazard_logistic"
    losses = {one.learner: one.log_loss for one in report.candidates}
    assert losses["hazard_logistic"] < losses["hazard_rate"]
    assert report.intervals["auc"][0] > 0.65
    # One number ranks alike in every model; what the hazards add is time and the second cause.
    test, baseline = report.metrics["test"], report.metrics["baseline"]
    assert test["auc"] - baseline["auc"] == pytest.approx(0, abs=0.02)
    assert test["auc_censored"] == pytest.approx(test["auc"], abs=0.06)
    assert trained.test.as_of.min() > np.quantile(rows.as_of.astype(np.int64), 0.5).astype("datetime64[us]")
    assert len(trained.predicted.values) == report.n_test == len(trained.baseline_p)
    closed = rows.outcomes.follow_up_days >= SMALL.headline_days
    assert report.n_censored == (~closed).sum() > 0
    save_hazard(trained.predictor, tmp_path / "b", cards={"en": "", "zh": ""}, report="{}", golden="[]")
    found = load_hazard(tmp_path / "b").predict_table(rows.rows)
    assert np.array_equal(found, trained.predictor.predict_table(rows.rows))


def test_without_signal_the_rate_of_each_step_answers():
    report = fit_hazard_task(SMALL, make_rows(500, 2, slope=0.0), seed=1).report
    assert report.status == "fallback"
    assert report.learner == "hazard_rate"
    assert report.reason.startswith("no signal")


def test_a_later_outcome_changes_nothing_that_was_learned_before_the_test_window():
    rows = make_rows(500, 3)
    one = fit_hazard_task(SMALL, rows, seed=1)
    start = one.test.as_of.min()
    late = (rows.as_of + (rows.outcomes.duration_days * 86_400e6).astype("timedelta64[us]")) >= start
    swapped = np.where(late & (rows.outcomes.cause > 0), 3 - rows.outcomes.cause, rows.outcomes.cause)
    other = fit_hazard_task(SMALL, replace(rows, outcomes=replace(rows.outcomes, cause=swapped)), seed=1)
    assert np.array_equal(one.predicted.values, other.predicted.values)


def test_too_little_is_refused_with_the_number_that_is_missing():
    few = make_rows(20, 4)
    assert "30 are needed" in fit_hazard_task(SMALL, few, seed=1).report.reason
    young = replace(SMALL, headline_days=364, grid=even_grid(52, 7.0))
    assert "followed for 364 days" in fit_hazard_task(young, make_rows(500, 5), seed=1).report.reason


def test_a_blend_of_parts_that_stand_ready_is_the_blend_fitted_anew():
    task = replace(SMALL, candidates=("hazard_rate", "hazard_logistic", "hazard_booster", "hazard_blend"))
    rows = make_rows(900, 8)
    start = np.datetime64("2026-08-03", "us")
    past = rows.known_at(start)
    (window, *_) = try_learners(task, past, start, task.grid, seed=1)["hazard_blend"]
    before = past.known_at(window.origin)
    anew = fit_rows(task, before, "hazard_blend", reachable_grid(task.grid, before.outcomes), seed=1)
    assert anew.model.additives
    assert anew.model.booster_text is not None
    assert logit(anew.incidence(past.take(window.rows)).by(28.0, "won")) == pytest.approx(window.log_odds[0])


def test_a_blend_stands_for_its_parts_where_it_competes():
    one, other = (SimpleNamespace(losses=np.stack([np.full(50, loss), np.ones(50)])) for loss in (0.9, 0.8))
    parts = {"hazard_rate": [one], "hazard_logistic": [other]}
    assert simplest_best(parts) == "hazard_logistic"
    assert simplest_best({**parts, "hazard_booster": [other], "hazard_blend": [other]}) == "hazard_blend"
    assert simplest_best({**parts, "hazard_booster": [other], "hazard_blend": [one]}) == "hazard_rate"
    apart = {**parts, "hazard_blend": [other]}
    assert (simplest_best(apart), simplest_best(apart, is_blended=False)) == ("hazard_blend", "hazard_logistic")


def test_a_young_record_shortens_the_grid():
    rows = make_rows(300, 6)
    assert reachable_grid(even_grid(8, 7.0), rows.outcomes).n_steps == 8
    young = rows.known_at(np.datetime64("2026-02-02", "us"))
    assert reachable_grid(even_grid(8, 7.0), young.outcomes).n_steps < 4
    assert reachable_grid(even_grid(8, 7.0), young.outcomes, least=10_000) is None


def test_a_task_is_listed_where_it_is_asked_of_entities_and_a_forecast_is_not():
    assert TASK.name in task_names()
    assert task_named(TASK.name) is entity_task(TASK.name) is TASK
    assert task_named("sales_forecast").name not in task_names()
    with pytest.raises(UnknownTask, match="sales_forecast is not asked of entities"):
        entity_task("sales_forecast")
    with pytest.raises(UnknownTask):
        task_named("no_such_task")


def test_a_configured_horizon_must_be_a_step_of_the_grid():
    assert TASK.as_configured({TASK.name: TaskSection(horizon_days=28)}).headline_days == 28
    with pytest.raises(BadQuestion, match="no step of its grid"):
        TASK.as_configured({TASK.name: TaskSection(horizon_days=30)})


def test_a_hazard_is_registered_promoted_and_loaded_like_any_other_model(tmp_path):
    config = Config.model_validate(
        {
            "store": {"folder": str(tmp_path / "var")},
            "mlflow": {
                "tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}",
                "artifacts": str(tmp_path / "artifacts"),
            },
        }
    )
    task = replace(SMALL, gates=replace(SMALL.gates, max_ece=0.2))
    report = train(task, make_rows(500, 1), config=config, seed=1)
    assert report.status == "trained"
    assert report.model_version == "1"
    promote(task, config=config, by="test")
    found = load_champion(config.champions_folder, task.name)
    assert found is not None
    digest, loaded = found[0].digest, found[1]
    assert isinstance(loaded, HazardPredictor)
    one = loaded.predict({"x": 1.5}, n_reasons=1)
    assert one.probability > loaded.predict({"x": -1.5}).probability
    assert one.reasons[0].feature == "x"
    card = read_card(Path(report.bundle), "zh")
    assert "赢单" in card
    # Trained again on the same rows, it is compared with itself and is no better.
    again = train(task, make_rows(500, 1), config=config, seed=1)
    assert again.versus_champion is not None
    assert again.versus_champion.champion == digest
    assert again.versus_champion.auc.value == pytest.approx(0, abs=1e-9)
