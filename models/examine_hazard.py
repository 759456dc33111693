"""The one look at the test window of hazards: the figures of every other task, and those that count open rows too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import TrainingSet
from features.timed_set import TimedSet
from models.calibrate import Calibration
from models.calibrator import logit, sigmoid
from models.examine import JudgedTest, compare_champion, judge_test
from models.hazard_fit import durations_of, fit_rows
from models.hazard_task import HazardTask
from models.learn import Choice
from models.person_period import Durations, Grid
from models.report import TrainReport
from models.scorer import Scorer
from models.splits import Plan, Split
from models.survival import Incidence
from models.survival_metrics import auc_at, brier_at, concordance

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Later:
    """The test window and what lies before it.

    Attributes
    ----------
    past : TimedSet
        Rows before the test window with what was known when it began.
    after : TimedSet
        Rows of the test window and later, those whose window is still open included.
    judged : Incidence
        What the model fitted on `past` says of `after`, calibrated.
    grid : Grid
        Steps of that model.
    start : datetime64
        When the test window begins.
    windows : ndarray of float64
        Days within which the event counts, of all rows of the training.
    """

    past: TimedSet
    after: TimedSet
    judged: Incidence
    grid: Grid
    start: np.datetime64
    windows: Floats


def examine_hazard(
    report: TrainReport,
    task: HazardTask,
    asked: TrainingSet,
    choice: Choice,
    calibration: Calibration,
    later: Later,
    *,
    champion: tuple[str, Scorer] | None,
    seed: int,
) -> JudgedTest:
    """The report with everything the test window says.

    Parameters
    ----------
    report : TrainReport
        What is known before.
    task : HazardTask
        The cause asked for and the headline horizon.
    asked : TrainingSet
        All rows, asked whether the cause comes within the headline; unknown while the window is open.
    choice, calibration : Choice, Calibration
        Made on earlier windows; the calibrator of the cause asked for.
    later : Later
        The test window.
    champion : (digest, Scorer) or None
        What answers now.
    seed : int
        Random state.

    Notes
    -----
    `metrics["test"]` also holds `auc_censored`, `brier_censored` and `concordance`, measured on all later rows with
    those still open weighed in.
    """
    windows = task.windows(later.after)
    closed = durations_of(later.after.outcomes).is_known(windows)
    plan = _plan(asked, later.start, later.windows)
    rows = later.after.take(closed)
    p_all = task.answer(later.judged, windows)
    p = p_all[closed]
    found = judge_test(report, asked, plan, choice, p, calibrator=calibration.calibrator.method, seed=seed)

    def answers_of(other: Scorer) -> Floats:
        return other.predict_table(rows.rows, rows.on)

    def refitted(other: Scorer) -> Floats:
        names = {field.name for field in other.encoder.fields}
        unknown = {field.name for field in rows.fields} - names
        fitted = fit_rows(task, later.past.without(unknown), other.about.learner, later.grid, seed=seed)
        answers = task.answer(fitted.incidence(rows.without(unknown)), windows[closed])
        return np.asarray(sigmoid(other.calibrator(logit(answers))))

    metrics = {name: dict(figures) for name, figures in found.report.metrics.items()}
    metrics["test"] |= _with_open_rows(task, later, p_all)
    versus = compare_champion(asked, plan.test.judge, p, champion, answers_of=answers_of, refitted=refitted, seed=seed)
    return replace(
        found,
        report=replace(found.report, metrics=metrics, calibrators=calibration.losses, versus_champion=versus),
    )


def _plan(asked: TrainingSet, start: np.datetime64, windows: Floats) -> Plan:
    """The test window, and the rows whose window had closed before it: all that the untuned opponents may learn."""
    known = np.isfinite(asked.label)
    window = np.round(windows * 86_400e6).astype("timedelta64[us]")
    test = Split(
        fit=np.flatnonzero(known & (asked.as_of + window <= start)),
        judge=np.flatnonzero(known & (asked.as_of >= start)),
        origin=float(start.astype(np.int64) / 86_400e6),
    )
    return Plan(origins=(), test=test, has_time=True, embargo=float(windows.max(initial=0.0)))


def _with_open_rows(task: HazardTask, later: Later, p: Floats) -> dict[str, float]:
    outcomes = durations_of(later.after.outcomes)
    open_too = Durations(duration=outcomes.duration, cause=outcomes.cause)
    place = later.after.outcomes.causes.index(task.event) + 1
    soon = -later.judged.restricted_mean() if task.lines is not None else p
    found = {"concordance": concordance(open_too, soon, cause=place)}
    if task.lines is None:
        found["auc_censored"] = auc_at(open_too, p, horizon=float(task.headline_days), cause=place)
        found["brier_censored"] = brier_at(open_too, p, horizon=float(task.headline_days), cause=place)
    return found
