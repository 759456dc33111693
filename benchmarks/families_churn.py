"""Figures of churn risk: a flat file, purchases against the own habit, and a record that holds no signal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure
from benchmarks.shared_data import taken_in
from crm.config import Config
from crm.store import Generation
from features.account_moments import customers_at
from features.leakage import find_leaks
from features.leakage_record import find_leaks_of_record
from features.matrix import TrainingSet
from features.observations import read_observations
from features.training_set import build_training_set
from models.calibrator import sigmoid
from models.candidates import BASELINES, Floats
from models.learn import fit_model
from models.metrics import auc, ece, ece_plain, interval, make_blocks, paired_interval
from models.report import TrainReport
from models.tasks import renewal_risk
from models.tasks.churn_risk import TASK
from models.train import fit_task

N_REPEATS = 2
N_FOLDS = 5
N_DRAWS = 400
N_VERDICTS = 10
CUT_OFF = datetime(2011, 6, 11)  # noqa: DTZ001 - a local midnight, placed in the company's zone where it is used
# The newest moment whose 90 days had passed before the cut-off, and every second week before it.
TRAINING_CUTS = tuple(datetime(2011, 3, 12) - timedelta(days=14 * n) for n in range(6))  # noqa: DTZ001
NO_SIGNAL = "no signal"
Mask = npt.NDArray[np.bool_]


def measure_churn(seed: int) -> Iterator[Figure]:
    """The figures of churn risk, one after the other."""
    yield from _telco(seed)
    yield _online_retail(seed)
    yield _ravenstack(seed)


def _telco(seed: int) -> Iterator[Figure]:
    protocol = (
        f"{N_REPEATS} x {N_FOLDS}-fold by customer; in each fold leak search, choice of learner and calibration see "
        "the other folds only; no time: optimistic"
    )
    with taken_in("ibm_telco_churn", Config()) as generation:
        if generation is None:
            yield Figure(name="families/telco_auc", value=None, goal=0.851, protocol=protocol)
            yield Figure(name="families/telco_ece", value=None, goal=0.012, protocol=protocol)
            return
        rows = read_observations(generation, TASK.name)
    y, repeats = rows.label, []
    for repeat in range(N_REPEATS):
        fold = np.random.default_rng([seed, repeat]).permutation(len(y)) % N_FOLDS
        repeats.append((fold, _out_of_fold(rows, fold, seed + repeat)))
        print(f"telco: repeat {repeat + 1} of {N_REPEATS}", file=sys.stderr)
    by_fold = {
        name: float(np.mean([auc(y[fold == n], found[name][fold == n]) for fold, found in repeats for n in range(5)]))
        for name in ("model", *BASELINES)
    }
    best = max(BASELINES, key=lambda name: by_fold[name])
    model, baseline = (np.mean([found[name] for _, found in repeats], axis=0) for name in ("model", best))
    blocks = make_blocks(rows.group, n_draws=N_DRAWS, seed=seed)
    spread = interval(auc, y, model, blocks)
    difference = paired_interval(auc, y, model, baseline, blocks)
    yield Figure(
        name="families/telco_auc",
        value=by_fold["model"],
        low=spread.low,
        high=spread.high,
        baseline=by_fold[best],
        goal=0.851,
        protocol=f"{protocol}; mean AUC of the folds; interval by customers on the mean of the repeats; difference to "
        f"the baseline ({best}) {difference.low:+.4f} to {difference.high:+.4f}",
    )
    errors = {name: float(np.mean([ece(y, found[name]) for _, found in repeats])) for name in ("model", best)}
    plain = float(np.mean([ece_plain(y, found["model"]) for _, found in repeats]))
    spread = interval(ece, y, model, blocks)
    yield Figure(
        name="families/telco_ece",
        value=errors["model"],
        low=spread.low,
        high=spread.high,
        baseline=errors[best],
        goal=0.012,
        protocol=f"{protocol}; ten bins of equal mass, debiased, mean of the repeats; not debiased {plain:.4f}",
    )


def _out_of_fold(rows: TrainingSet, fold: np.ndarray[tuple[int], np.dtype[np.intp]], seed: int) -> dict[str, Floats]:
    """Probabilities of the task's own training and of the baselines, each row by a model that did not see it."""
    found = {name: np.zeros(len(fold)) for name in ("model", *BASELINES)}
    for number in range(N_FOLDS):
        fit, judge = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        past = rows.take(fit)
        trained = fit_task(TASK, past, seed=seed, findings=find_leaks(past, seed=seed))
        if trained.predictor is None:
            raise RuntimeError(f"the flat file could not be trained: {trained.report.reason}")
        found["model"][judge] = trained.predictor.predict_table(rows.take(judge).rows)
        for name in BASELINES:
            found[name][judge] = sigmoid(fit_model(rows, fit, name, seed=seed).log_odds(rows, judge))
    return found


def _online_retail(seed: int) -> Figure:
    name, goal = "families/online_retail_auc", 0.75
    config = Config.model_validate({"company": {"currency": "GBP", "time_zone": "Europe/London"}})
    with taken_in("online_retail", config) as generation:
        if generation is None:
            return Figure(name=name, value=None, goal=goal)
        rows, is_due = retail_rows(generation, TRAINING_CUTS, config=config)
    is_test = rows.as_of == rows.as_of.max()
    report = _judged(rows, is_test, seed)
    due = _judged(rows.take(is_due), is_test[is_due], seed)
    test = rows.take(is_test)
    recency = auc(test.label, test.rows.column("days_since_purchase").to_numpy())
    (low, high), (less, more) = report.intervals["auc"], report.intervals["auc_minus_baseline"]
    cuts = ", ".join(f"{cut:%Y-%m-%d}" for cut in sorted(TRAINING_CUTS))
    return Figure(
        name=name,
        value=report.metrics["test"]["auc"],
        low=low,
        high=high,
        baseline=report.metrics["baseline"]["auc"],
        goal=goal,
        protocol=f"accounts that bought within a year before 2011-06-11 ({report.n_test}; {test.label.mean():.1%} "
        f"bought nothing within 90 days; the record reaches to 2011-09-09), whether or not a purchase was due by their "
        f"habit; on the {due.n_test} of whom one was, whom the product asks about, {due.metrics['test']['auc']:.3f}; "
        f"training cut-offs {cuts}, all mature by then; learner ({report.learner}) chosen across accounts; recency "
        f"rule on the same rows {recency:.3f}; difference to the baseline ({report.baseline_learner}) {less:+.4f} to "
        f"{more:+.4f}; ECE {report.metrics['test']['ece']:.3f}: the training cut-offs follow Christmas and lapse less",
    )


def _judged(rows: TrainingSet, is_test: Mask, seed: int) -> TrainReport:
    report = fit_task(
        replace(TASK, folds=replace(TASK.folds, test_share=float(is_test.mean()))), rows, seed=seed
    ).report
    if report.n_test != int(is_test.sum()):
        raise RuntimeError(f"{report.n_test} rows were judged, not the {int(is_test.sum())} of the cut-off")
    return report


def retail_rows(generation: Generation, cuts: Sequence[datetime], *, config: Config) -> tuple[TrainingSet, Mask]:
    """Rows at the training cut-offs and of all customers at the cut-off that judges, and which of them are asked about.

    Those who bought within a year before it are judged, whether or not their habit makes a purchase due.
    """
    zone = config.company.zone
    moments = [cut.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for cut in (*cuts, CUT_OFF)]
    last = moments[-1]
    with generation.engine() as engine:
        asked = customers_at(engine, TASK.question, moments, zone=zone)
        engine.register("asked", asked)
        spine = engine.query(
            "SELECT entity_id, as_of FROM asked UNION "
            f"SELECT account_id AS entity_id, CAST('{last}' AS TIMESTAMP) AS as_of FROM orders "
            f"WHERE account_id IS NOT NULL AND quantity >= 0 AND ordered_at <= CAST('{last}' AS TIMESTAMP) "
            f"AND ordered_at > CAST('{last - timedelta(days=365)}' AS TIMESTAMP) ORDER BY entity_id, as_of"
        )
    rows = build_training_set(generation, TASK.question, config=config, spine=spine)
    due = set(zip(asked["entity_id"].to_pylist(), asked["as_of"].to_pylist(), strict=True))
    is_due = [one in due for one in zip(rows.entity_id.tolist(), rows.as_of.tolist(), strict=True)]
    return rows, np.array(is_due)


def _ravenstack(seed: int) -> Figure:
    name = "families/ravenstack_verdict"
    task = renewal_risk.TASK
    # Its subscriptions have no last day that all of them reach: they are left in the middle.
    config = Config.model_validate(
        {
            "company": {"currency": "USD", "time_zone": "UTC"},
            "tasks": {task.name: {"event": "cancelled", "horizon_days": 90}},
        }
    )
    with taken_in("ravenstack", config) as generation:
        if generation is None:
            return Figure(name=name, value=None, goal=NO_SIGNAL)
        rows = build_training_set(generation, task.question, config=config)
        findings = find_leaks_of_record(generation, task.question, rows, config=config, seed=seed)
    said: list[str] = []
    shuffled: list[str] = []
    for run in range(N_VERDICTS):
        report = fit_task(task, rows, seed=seed + run, findings=findings).report
        said.append(report.reason if report.status == "fallback" else f"trained {report.learner}")
        print(f"ravenstack: seed {seed + run}: {said[-1]}", file=sys.stderr)
    for run in range(3):
        label = rows.label.copy()
        known = np.flatnonzero(np.isfinite(label))
        label[known] = np.random.default_rng([seed, run]).permutation(label[known])
        report = fit_task(task, replace(rows, label=label), seed=seed + run, findings=findings).report
        shuffled.append(report.reason if report.status == "fallback" else f"trained {report.learner}")
    agreed = [one for one in said if one.startswith(NO_SIGNAL)]
    also = sum(one.startswith(NO_SIGNAL) for one in shuffled)
    return Figure(
        name=name,
        value=NO_SIGNAL if len(agreed) == len(said) else f"{NO_SIGNAL} in {len(agreed)} of {len(said)}",
        goal=NO_SIGNAL,
        protocol="running agreements at up to four moments each, cancelled within 90 days; "
        f"{len(agreed)} of {len(said)} runs with other seeds say so, and {also} of {len(shuffled)} on shuffled labels",
    )
