"""Training a task of competing risks: choose a learner in the past, calibrate, judge once, fit anew.

Time is respected by censoring: at an origin every earlier row counts with what was known then, so that windows
still open teach how long they have lasted and nothing about later. The learner is chosen by the log loss of
person-periods, which needs no closed window; the test window is judged at the headline horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.leakage import Finding
from features.leakage_figures import Figure
from features.matrix import TrainingSet
from features.timed_set import TimedSet
from models.calibrator import Calibrator
from models.choose_hazard import Window, calibrate, choice_of, simplest_best, try_learners
from models.examine_hazard import Later, examine_hazard
from models.hazard_bundle import KIND, HazardPredictor
from models.hazard_fit import FittedHazard, durations_of, fit_rows, reachable_grid
from models.hazard_task import HazardTask
from models.headline import LINE_FIELDS
from models.learn import Choice, Progress
from models.predictor import About
from models.report import TrainReport
from models.scorer import Scorer
from models.survival import Incidence, recalibrate
from models.verdict import NO_BETTER, NO_RANKING, empty_report, failed, has_signal

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedHazard:
    """A report, the model fitted on everything, and what the judged model said of the test window.

    Parameters
    ----------
    report : TrainReport
        What was found, not yet registered.
    predictor : HazardPredictor or None
        None when refused.
    test : TimedSet or None
        Rows of the test window whose headline outcome is known.
    predicted : Incidence or None
        What the model fitted before the test window said of them.
    baseline_p : ndarray of float64 or None
        What the better untuned learner said of them.
    """

    report: TrainReport
    predictor: HazardPredictor | None = None
    test: TimedSet | None = None
    predicted: Incidence | None = None
    baseline_p: Floats | None = None


def fit_hazard_task(
    task: HazardTask,
    rows: TimedSet,
    *,
    seed: int,
    findings: Sequence[Finding] = (),
    measures: Sequence[Figure] = (),
    champion: tuple[str, Scorer] | None = None,
    on_progress: Progress | None = None,
) -> TrainedHazard:
    """A judged model of a task of competing risks, without writing anything.

    Parameters
    ----------
    task : HazardTask
        Grid, candidates, folds, gates.
    rows : TimedSet
        Every row; open ones are censored, never negatives.
    seed : int
        Random state.
    findings : sequence of Finding
        Columns to leave out.
    measures : sequence of Figure
        What was measured beside the search for leaks; one that fails refuses the training.
    champion : (digest, Scorer) or None
        What answers now, to be compared with.
    on_progress : callable or None
        Called with what is being done and the share done.
    """
    # Age and due day say what is asked: without them there is no question.
    findings = [finding for finding in findings if task.lines is None or finding.column not in LINE_FIELDS]
    rows = rows.without({finding.column for finding in findings})
    asked = task.asked_of(rows)
    report = replace(empty_report(task, asked, tuple(findings), seed), leakage_measures=tuple(measures))
    refusal = _refusal(task, rows) or failed(measures)
    if refusal:
        return TrainedHazard(report=replace(report, reason=refusal))
    start = _test_start(task, rows)
    past = rows.known_at(start)
    grid = reachable_grid(task.grid, past.outcomes) if len(past.entity_id) else None
    if grid is None or task.headline_days > grid.end:
        reach = 0.0 if grid is None else grid.end
        reason = f"before the test window the record follows rows for {reach:g} days; {task.headline_days} are needed"
        return TrainedHazard(report=replace(report, reason=reason))
    place = rows.outcomes.causes.index(task.event)
    tried = try_learners(task, past, start, grid, seed=seed, on_progress=on_progress)
    choice, reason = _choose(task, asked, tried, place, np.flatnonzero(rows.as_of < start), seed=seed)
    report = replace(report, status="fallback" if reason else "trained", reason=reason)
    calibrations = calibrate(tried[choice.learner], rows.outcomes.causes)
    calibrators = tuple(each.calibrator for each in calibrations.values())
    after = rows.take(rows.as_of >= start)
    windows = task.windows(after)
    judged = recalibrate(fit_rows(task, past, choice.learner, grid, seed=seed).incidence(after), windows, calibrators)
    found = examine_hazard(
        report,
        task,
        asked,
        choice,
        calibrations[task.event],
        Later(past=past, after=after, judged=judged, grid=grid, start=start, windows=task.windows(rows)),
        champion=champion,
        seed=seed,
    )
    if on_progress is not None:
        on_progress("fitting on every row", 1.0)
    whole = fit_rows(task, rows, choice.learner, reachable_grid(task.grid, rows.outcomes) or grid, seed=seed)
    closed = durations_of(after.outcomes).is_known(windows)
    return TrainedHazard(
        report=found.report,
        predictor=_predictor(task, rows, asked, whole, calibrators, seed),
        test=after.take(closed),
        predicted=judged.take(closed),
        baseline_p=found.baseline_p,
    )


def _refusal(task: HazardTask, rows: TimedSet) -> str:
    if not rows.fields:
        return "no field is left to learn from"
    for place, cause in enumerate(rows.outcomes.causes, start=1):
        ended = len(np.unique(rows.entity_id[rows.outcomes.cause == place]))
        if ended < task.gates.min_closed:
            return f"{ended} {task.entity} ended as {cause}; {task.gates.min_closed} are needed"
    if not (rows.outcomes.follow_up_days >= task.windows(rows)).any():
        return f"no row has been followed for {task.headline_days} days"
    return ""


def _test_start(task: HazardTask, rows: TimedSet) -> np.datetime64:
    """The first moment of the newest `test_share` of the rows whose headline outcome is known."""
    moments = np.sort(rows.as_of[rows.outcomes.follow_up_days >= task.windows(rows)])
    return np.datetime64(moments[min(len(moments) - 1, round(len(moments) * (1 - task.folds.test_share)))])


def _choose(
    task: HazardTask,
    asked: TrainingSet,
    tried: dict[str, list[Window]],
    place: int,
    numbers: npt.NDArray[np.intp],
    *,
    seed: int,
) -> tuple[Choice, str]:
    """The learner that is judged, and why it is the rate of each step if it is."""
    is_absence = task.lines is not None
    # Where every day of the curve is part of the answer, the losses of single steps decide.
    best = simplest_best(tried, is_blended=not is_absence)
    choice = choice_of(best, tried, place, numbers, is_absence=is_absence)
    reason = _no_signal(task, asked, choice, seed=seed)
    if reason:
        choice = choice_of(task.candidates[0], tried, place, numbers, is_absence=is_absence)
    return choice, reason


def _no_signal(task: HazardTask, asked: TrainingSet, choice: Choice, *, seed: int) -> str:
    """Why the rate of each step has to answer; empty when the learner may be judged."""
    if choice.learner == task.candidates[0]:
        return NO_BETTER
    # A young record has no closed window before the test; its person-periods alone have chosen then.
    return "" if not choice.judged or has_signal(asked, choice.judged, seed=seed) else NO_RANKING


def _predictor(
    task: HazardTask,
    rows: TimedSet,
    asked: TrainingSet,
    fitted: FittedHazard,
    calibrators: tuple[Calibrator, ...],
    seed: int,
) -> HazardPredictor:
    known = asked.label[np.isfinite(asked.label)]
    about = About(
        task=task.name,
        kind=KIND,
        learner=fitted.model.learner,
        event=task.asked_event,
        horizon_days=task.headline_days,
        gap_days=0,
        base_rate=float(known.mean()),
        n_rows=len(rows.entity_id),
        n_positives=len(np.unique(rows.entity_id[rows.outcomes.cause == rows.outcomes.causes.index(task.event) + 1])),
        fitted_until=str(rows.as_of.max().astype("datetime64[D]")),
        fitted_until_position=float(asked.position.max()),
        seed=seed,
    )
    return HazardPredictor(
        about=about,
        encoder=fitted.encoder,
        model=fitted.model,
        calibrators=calibrators,
        horizon=float(task.headline_days),
        extras={} if task.learn_extras is None else task.learn_extras(rows),
        ahead_names=fitted.ahead_names,
        lines=task.lines,
    )
