"""Figures of the other families, on data that nobody here made; the win probability is measured here."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.day_one import measure_day_one
from benchmarks.families_churn import measure_churn
from benchmarks.families_collection import measure_collection
from benchmarks.families_demo import measure_demo
from benchmarks.families_maven import measure_maven
from benchmarks.families_next import measure_next_product
from benchmarks.figures import Figure
from benchmarks.shared_data import shared_data
from crm.config import Config
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Store
from features.timed_set import TimedSet, build_timed_set
from models.metrics import auc, make_blocks
from models.tasks.win_probability import TASK
from models.train_hazard import TrainedHazard, fit_hazard_task

MAPPING = Path(__file__).parents[1] / "examples" / "mappings" / "bpic2012.yaml"
HEADLINE_DAYS = 28
N_DRAWS = 400
# Rates of a stage are shrunk to the rate over all by so many rows.
PSEUDO_ROWS = 5.0
# The log names the employee of the last event only, which is known after the outcome; nor does a record of thirteen
# weeks hold a season or an account.
GROUPS = ("opportunity_profile", "opportunity_changes", "opportunity_activity")
WRITTEN_LATE = {"rep_id"}
_PROTOCOL = (
    "every case open on a Monday, test: the newest 25 % of rows whose 28 days have passed by 2011-12-31 (whole weeks); "
    "the model knows of earlier rows what was known on the first test day, those still open are censored there; "
    "baselines and rule learn from rows whose 28 days had passed by then"
)

Floats = npt.NDArray[np.float64]


def measure_families(seed: int) -> Iterator[Figure]:
    """The figures of the group `families`, one after the other."""
    yield from _bpic2012(seed)
    yield from measure_churn(seed)
    yield from measure_collection(seed)
    yield from measure_maven(seed)
    yield from measure_next_product(seed)
    yield from measure_day_one(seed)
    yield from measure_demo(seed)


def _bpic2012(seed: int) -> Iterator[Figure]:
    rows = _read_cases()
    if rows is None:
        for name in ("auc", "value_error", "rule_value_error"):
            yield Figure(name=f"families/bpic2012_{name}", value=None, protocol=_PROTOCOL)
        return
    trained = fit_hazard_task(replace(TASK, headline_days=HEADLINE_DAYS, feature_groups=GROUPS), rows, seed=seed)
    test, predicted, report = trained.test, trained.predicted, trained.report
    if test is None or predicted is None or trained.baseline_p is None:
        raise RuntimeError(f"the cases could not be trained: {report.reason}")
    print(f"bpic2012: {report.to_json()}", file=sys.stderr)
    p = predicted.by(float(HEADLINE_DAYS), "won")
    rule = _stage_rule(rows, test)
    yield _auc(trained, test, rule)
    yield _value_error("value_error", test, p, trained.baseline_p, seed)
    yield _value_error("rule_value_error", test, rule, None, seed)


def _read_cases() -> TimedSet | None:
    data = shared_data()
    if data is None:
        return None
    config = Config.model_validate({"company": {"time_zone": "Europe/Amsterdam"}})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        taken_in = ingest(store, read_mapping(MAPPING), data / "bpic2012", config=config, now=datetime.now(UTC))
        if taken_in.rejects:
            raise RuntimeError(f"{len(taken_in.rejects)} cells of the log were rejected: the figure would miss them")
        question = replace(TASK, feature_groups=GROUPS).question
        return build_timed_set(store.current(), question, config=config).without(WRITTEN_LATE)


def _stage_rule(rows: TimedSet, test: TimedSet) -> Floats:
    """The share of earlier rows in the same stage that were won in time: how pipelines are weighed by hand."""
    known = rows.known_at(test.as_of.min()).within(HEADLINE_DAYS, "won")
    known = known.take(np.isfinite(known.label))
    rate = float(known.label.mean())
    stage = np.array(known.rows.column("stage").to_pylist(), dtype=object)
    rates = {
        name: (known.label[stage == name].sum() + PSEUDO_ROWS * rate) / ((stage == name).sum() + PSEUDO_ROWS)
        for name in set(stage.tolist())
    }
    return np.array([rates.get(name, rate) for name in test.rows.column("stage").to_pylist()])


def _auc(trained: TrainedHazard, test: TimedSet, rule: Floats) -> Figure:
    report = trained.report
    figures, (low, high) = report.metrics["test"], report.intervals["auc"]
    worst, best = report.intervals["auc_minus_baseline"]
    label = test.within(HEADLINE_DAYS, "won").label
    return Figure(
        name="families/bpic2012_auc",
        value=figures["auc"],
        low=low,
        high=high,
        baseline=report.metrics["baseline"]["auc"],
        goal=report.metrics["baseline"]["auc"],
        protocol=f"{_PROTOCOL}; learner {report.learner}; n {len(label)}, {label.mean():.1%} approved; difference to "
        f"the baseline ({report.baseline_learner}) {worst:+.4f} to {best:+.4f}; "
        f"stage-conversion rule {auc(label, rule):.3f}; ECE {figures['ece']:.3f}; concordance with censoring "
        f"{figures['concordance']:.3f}",
    )


def _value_error(name: str, test: TimedSet, p: Floats, other: Floats | None, seed: int) -> Figure:
    """Mean over the test weeks of |sum of amount x p - realised amount| over the realised amount."""
    label = test.within(HEADLINE_DAYS, "won").label
    amount = np.nan_to_num(test.amount)
    _, week = np.unique(test.as_of, return_inverse=True)

    def error(rows: npt.NDArray[np.intp], chance: Floats) -> float:
        expected = np.bincount(week[rows], weights=(amount * chance)[rows])
        realised = np.bincount(week[rows], weights=(amount * label)[rows])
        return float(np.mean(np.abs(expected - realised) / realised))

    every = np.arange(len(label))
    drawn = [error(rows, p) for rows in make_blocks(test.group, n_draws=N_DRAWS, seed=seed).draws]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Figure(
        name=f"families/bpic2012_{name}",
        value=error(every, p),
        low=float(low),
        high=float(high),
        baseline=None if other is None else error(every, other),
        protocol="sum of amount x P(approved within 28 days) against the amount approved, mean absolute error over the "
        "test weeks as a share of what was approved; fewer were approved in the test weeks, the end of a year, than in "
        f"the weeks learned from, which no earlier window foretold: every level is too high; {_PROTOCOL}",
    )
