"""Churn risk trains on flat rows and on short histories, and says `no signal` where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from features.matrix import Field, Kind, TrainingSet
from models.splits import make_plan
from models.task import Task
from models.task_files import task_named, task_names
from models.tasks.churn_risk import TASK
from models.train import SHORT, fit_task
from models.verdict import OPTIMISTIC

# The cheap candidates: what is tested is the way to the verdict, not the learners.
QUICK: Task = replace(TASK, candidates=("base_rate", "logistic"))


def customers(n_rows: int, *, strength: float, days: np.ndarray | None = None) -> TrainingSet:
    """Customers whose tenure and plan tell of churn, as strongly as said; `days` places them in time."""
    random = np.random.default_rng(4)
    tenure, plan = random.normal(size=n_rows), random.integers(3, size=n_rows)
    p = 1 / (1 + np.exp(1.0 + strength * (tenure - 0.5 * plan)))
    entity = np.array([f"c{row:05d}" for row in range(n_rows)])
    given = days is None
    return TrainingSet(
        fields=(Field(name="tenure", kind=Kind.NUMBER), Field(name="plan", kind=Kind.CATEGORY)),
        rows=pa.table({"tenure": tenure, "plan": [f"plan {one}" for one in plan]}),
        entity_id=entity,
        as_of=np.full(n_rows, np.datetime64("NaT", "us"))
        if given
        else days.astype("datetime64[D]").astype("datetime64[us]"),
        position=np.full(n_rows, np.nan) if given else days.astype(np.float64),
        label=(random.random(n_rows) < p).astype(np.float64),
        group=entity,
        value=np.full(n_rows, np.nan),
        event="churned",
        horizon_days=None if given else 90,
        gap_days=None if given else 0,
    )


def test_flat_rows_without_time_train_by_folds_of_a_hash_and_the_report_says_so() -> None:
    report = fit_task(QUICK, customers(3000, strength=1.0), seed=1).report
    assert (report.status, report.learner) == ("trained", "logistic")
    assert OPTIMISTIC in report.limits
    assert report.metrics["test"]["auc"] > 0.65


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labels_without_signal_get_the_base_rate_and_the_verdict(seed: int) -> None:
    rows = customers(3000, strength=0.0)
    shuffled = replace(rows, label=np.random.default_rng(seed).permutation(rows.label))
    report = fit_task(QUICK, shuffled, seed=seed).report
    assert (report.status, report.learner) == ("fallback", "base_rate")
    assert report.reason.startswith("no signal")


def test_a_history_shorter_than_two_windows_compares_learners_across_accounts_and_judges_later_rows() -> None:
    days = np.repeat([0, 30, 60, 160], 700)
    rows = customers(len(days), strength=1.0, days=days)
    plan = make_plan(rows, QUICK.folds)
    assert not plan.in_time
    assert {float(rows.position[split.judge].max()) for split in plan.origins} == {60.0}
    assert all(not set(rows.group[split.fit]) & set(rows.group[split.judge]) for split in plan.origins)
    assert rows.position[plan.test.fit].max() + 90 < rows.position[plan.test.judge].min()
    report = fit_task(QUICK, rows, seed=1).report
    assert (report.status, report.learner) == ("trained", "logistic")
    assert SHORT in report.limits


def test_accounts_and_agreements_are_tasks_of_their_own() -> None:
    assert task_named("churn_risk") is TASK
    assert {"churn_risk", "renewal_risk"} <= set(task_names())
    assert task_named("renewal_risk").entity == "agreements"
