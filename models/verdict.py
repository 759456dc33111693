"""What a training may conclude before its test window is opened: refused, no signal, or worth judging."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.first_seen import NOT_SEEN
from features.leakage import Finding
from features.leakage_figures import Figure
from features.matrix import TrainingSet
from models.examine import N_DRAWS
from models.learn import Judged
from models.metrics import auc, interval, make_blocks
from models.report import TrainReport
from models.task import BaseTask

CHANCE = 0.5
OPTIMISTIC = "no time: rows were split by hash, so the figures are optimistic"
DAY_ONE = (
    "day one: of some fields only today's values are on record, and they were left out; "
    "docs/day-one.md shows what 30, 90 and 180 days of history give"
)
NO_RANKING = "no signal: on earlier windows no learner ranks better than chance"
NO_BETTER = "no signal: no learner is better than the base rate on earlier windows"


def empty_report(task: BaseTask, training_set: TrainingSet, findings: tuple[Finding, ...], seed: int) -> TrainReport:
    """The report of a training before anything was fitted: what was asked, of which rows.

    Parameters
    ----------
    task : BaseTask
        The task.
    training_set : TrainingSet
        All rows; those whose outcome is not known are counted as censored.
    findings : tuple of Finding
        Columns that must not be learned from; they are left out of the digest.
    seed : int
        Random state.
    """
    usable = training_set.take(np.isfinite(training_set.label)).without({finding.column for finding in findings})
    limits = () if usable.has_time else (OPTIMISTIC,)
    if any(left.reason == NOT_SEEN for left in training_set.left_out):
        limits = (*limits, DAY_ONE)
    return TrainReport(
        task=task.name,
        event=training_set.event,
        status="refused",
        reason="",
        n_train=len(usable.label),
        n_test=0,
        n_censored=len(training_set.label) - len(usable.label),
        base_rate=float(usable.label.mean()) if len(usable.label) else float("nan"),
        seed=seed,
        horizon_days=training_set.horizon_days,
        gap_days=training_set.gap_days,
        has_time=usable.has_time,
        data_digest=usable.digest(),
        leakage=findings,
        left_out={left.column: left.reason for left in training_set.left_out},
        limits=limits,
    )


def failed(measures: Sequence[Figure]) -> str:
    """The figures beside the search for leaks that forbid a training, in words; empty when there is none."""
    return "; ".join(f"{measure.name}: {measure.text}" for measure in measures if measure.verdict == "fails")


def has_signal(training_set: TrainingSet, judged: Sequence[Judged], *, seed: int) -> bool:
    """Whether the learner ranks better than chance on the earlier windows taken together, or on the latest."""
    parts = [part for part in judged if 0 < part.y.sum() < len(part.y)]
    for kept in (parts, parts[-1:]):
        spreads = []
        for part in kept:
            blocks = make_blocks(training_set.group[part.rows], n_draws=N_DRAWS // 2, seed=seed)
            spreads.append(interval(auc, part.y, part.log_odds, blocks))
        if not spreads:
            continue
        mean = float(np.mean([spread.value for spread in spreads]))
        errors = [(spread.high - spread.low) / 2 for spread in spreads]
        if mean - float(np.sqrt(np.sum(np.square(errors)))) / len(spreads) > CHANCE:
            return True
    return False
