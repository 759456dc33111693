"""What a training of competing risks found, measured on a window that was opened once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from features.outcomes import Outcomes
from features.timed_set import TimedSet
from models.calibrator import sigmoid
from models.hazard_bundle import HazardPredictor
from models.hazard_task import HazardTask
from models.learn import fit_model
from models.metrics import Interval, auc, brier, calibration_slope, ece, interval, make_blocks, paired_interval
from models.person_period import Durations
from models.survival import Incidence
from models.survival_metrics import auc_at, brier_at, concordance

Floats: TypeAlias = npt.NDArray[np.float64]

BASELINES = ("logistic", "booster")
N_DRAWS = 400
_METRICS = {"auc": auc, "brier": brier, "ece": ece, "calibration_slope": calibration_slope}


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardReport:
    """What a training of competing risks found.

    Parameters
    ----------
    task, event : str
        The task and the cause whose chance is the answer.
    status : str
        `trained`, `fallback` (the rate of each step answers) or `refused`.
    reason : str
        Why it is not `trained`.
    learner : str
        The one that answers.
    n_rows, n_censored, n_test : int
        Rows, those still open at the end of the record, and those of the test window.
    grid_end : float
        Days; how far ahead the answer reaches.
    headline_days : int
        Horizon of the figures.
    losses : dict
        Log loss of a person-period by learner, on earlier windows.
    metrics : dict
        Of P(event within the headline) in the test window, also `concordance`, `auc_censored` and `brier_censored`
        over all later rows, those still open weighed in.
    baseline : dict
        The same of the better untuned learner on rows with a closed window.
    auc, auc_minus_baseline : Interval or None
        With 95 % intervals over groups.
    baseline_learner : str
        Which one that is.
    """

    task: str
    event: str
    status: Literal["trained", "fallback", "refused"]
    reason: str = ""
    learner: str = ""
    n_rows: int = 0
    n_censored: int = 0
    n_test: int = 0
    grid_end: float = 0.0
    headline_days: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)
    auc: Interval | None = None
    auc_minus_baseline: Interval | None = None
    baseline_learner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedHazard:
    """A report, the model fitted on everything, and what the judged model said of the test window.

    Parameters
    ----------
    report : HazardReport
        What was found.
    predictor : HazardPredictor or None
        None when refused.
    test : TimedSet or None
        Rows of the test window whose headline outcome is known.
    predicted : Incidence or None
        What the model fitted before the test window said of them.
    baseline_p : ndarray of float64 or None
        What the better untuned learner said of them.
    """

    report: HazardReport
    predictor: HazardPredictor | None = None
    test: TimedSet | None = None
    predicted: Incidence | None = None
    baseline_p: Floats | None = None


def durations_of(outcomes: Outcomes) -> Durations:
    """The outcomes as a hazard learns them, in days."""
    return Durations(duration=outcomes.duration_days, cause=outcomes.cause, follow_up=outcomes.follow_up_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the test window showed, in the words of `HazardReport`."""

    metrics: dict[str, float]
    baseline: dict[str, float]
    baseline_learner: str
    auc: Interval
    difference: Interval
    baseline_p: Floats


def judge(task: HazardTask, past: TimedSet, after: TimedSet, judged: Incidence, *, seed: int) -> Figures:
    """The test window's figures beside the better of two untuned learners on rows with a closed window.

    Parameters
    ----------
    task : HazardTask
        The cause asked for and the headline horizon.
    past : TimedSet
        Rows before the test window with what was known when it began: all the baselines may learn from.
    after : TimedSet
        Rows of the test window and later, those whose window is still open included.
    judged : Incidence
        What the model fitted before the window says of them.
    seed : int
        Random state.
    """
    headline, place = float(task.headline_days), after.outcomes.causes.index(task.event) + 1
    test = after.within(task.headline_days, task.event)
    closed = np.flatnonzero(np.isfinite(test.label))
    p_all = judged.by(headline, task.event)
    y, p = test.label[closed], p_all[closed]
    known = past.within(task.headline_days, task.event)
    known = known.take(np.isfinite(known.label))
    every = np.arange(len(known.label))
    others = {
        name: sigmoid(fit_model(known, every, name, seed=seed).log_odds(test, closed))
        for name in BASELINES
        if len(every) and known.label.min() < known.label.max()
    }
    best = max(others, key=lambda name: auc(y, others[name]), default="")
    other = others.get(best, np.full(len(y), known.label.mean() if len(every) else np.nan))
    blocks = make_blocks(test.group[closed], n_draws=N_DRAWS, seed=seed)
    open_too = Durations(duration=after.outcomes.duration_days, cause=after.outcomes.cause)
    metrics = {name: metric(y, p) for name, metric in _METRICS.items()}
    metrics["auc_censored"] = auc_at(open_too, p_all, horizon=headline, cause=place)
    metrics["brier_censored"] = brier_at(open_too, p_all, horizon=headline, cause=place)
    metrics["concordance"] = concordance(open_too, p_all, cause=place)
    return Figures(
        metrics=metrics,
        baseline={name: metric(y, other) for name, metric in _METRICS.items()},
        baseline_learner=best,
        auc=interval(auc, y, p, blocks),
        difference=paired_interval(auc, y, p, other, blocks),
        baseline_p=other,
    )


def make_report(
    task: HazardTask,
    rows: TimedSet,
    status: Literal["trained", "fallback", "refused"],
    reason: str,
    *,
    learner: str = "",
    n_test: int = 0,
    grid_end: float = 0.0,
    losses: dict[str, float] | None = None,
    figures: Figures | None = None,
) -> HazardReport:
    """The report of a training; what was not reached stays empty."""
    return HazardReport(
        task=task.name,
        event=task.event,
        status=status,
        reason=reason,
        learner=learner,
        n_rows=len(rows.entity_id),
        n_censored=int((rows.outcomes.cause == 0).sum()),
        n_test=n_test,
        grid_end=grid_end,
        headline_days=task.headline_days,
        losses=losses or {},
        metrics={} if figures is None else figures.metrics,
        baseline={} if figures is None else figures.baseline,
        auc=None if figures is None else figures.auc,
        auc_minus_baseline=None if figures is None else figures.difference,
        baseline_learner="" if figures is None else figures.baseline_learner,
    )
