"""Training a task: find leaks, choose a learner in the past, calibrate, judge once, fit anew, keep as a bundle."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from crm.config import Config
from features.leakage import Finding, find_leaks
from features.leakage_figures import Figure, measure_leakage
from features.matrix import TrainingSet
from features.timed_set import TimedSet
from models import champions
from models.calibrate import Calibration, choose_calibrator
from models.challengers import keep_bundle, keep_training
from models.examine import examine, when
from models.hazard_bundle import HazardPredictor
from models.hazard_task import HazardTask
from models.learn import Model, Progress, choose_learner, fit_model
from models.predictor import About, BadBundle, Predictor
from models.promote import models_folder
from models.registry import Registry, RegistryAway
from models.report import TrainReport
from models.scorer import Scorer
from models.splits import TooFewRows, make_plan
from models.task import BaseTask, Task
from models.train_hazard import fit_hazard_task
from models.verdict import NO_BETTER, NO_RANKING, empty_report, failed, has_signal

# Its own nested cross-validation decides between a model and the base rate; windows of ten rows could not.
SMALL_LEARNERS = ("shrunk",)
SHORT = "the history is too short to compare learners over time: they were compared across accounts or entities"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A training's report and, unless it was refused, its model.

    Parameters
    ----------
    report : TrainReport
        Not yet registered.
    predictor : Predictor, HazardPredictor or None
        The model fitted on every row whose outcome is known.
    """

    report: TrainReport
    predictor: Predictor | HazardPredictor | None


def fit_task(
    task: Task,
    training_set: TrainingSet,
    *,
    seed: int,
    findings: Sequence[Finding] = (),
    measures: Sequence[Figure] = (),
    champion: tuple[str, Scorer] | None = None,
    on_progress: Progress | None = None,
) -> Trained:
    """A judged model of a task, without writing anything.

    Parameters
    ----------
    task : Task
        Candidates, folds, gates.
    training_set : TrainingSet
        All rows; censored ones are counted and left out.
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
    known = training_set.take(np.isfinite(training_set.label))
    usable = known.without({finding.column for finding in findings})
    report = empty_report(task, training_set, tuple(findings), seed)
    report = replace(report, leakage_measures=tuple(measures))
    refusal = _refusal(task, usable, measures)
    if refusal:
        return Trained(report=replace(report, reason=refusal), predictor=None)
    try:
        plan = make_plan(usable, task.folds)
    except TooFewRows as error:
        return Trained(report=replace(report, reason=str(error)), predictor=None)
    before = usable.label[plan.test.fit]
    if before.min() == before.max():
        reason = f"all {len(before)} outcomes known before the test window are alike; a model needs both"
        return Trained(report=replace(report, reason=reason), predictor=None)
    if plan.has_time and not plan.in_time:
        report = replace(report, limits=(*report.limits, SHORT))
    learners, small = _learners(task, usable)
    choice = choose_learner(usable, plan.origins, learners, seed=seed, on_progress=on_progress)
    status: Literal["trained", "fallback"] = "trained"
    reason = ""
    if small:
        status, reason = "fallback", small
    elif choice.learner != "base_rate" and not has_signal(usable, choice.judged, seed=seed):
        status, reason = "fallback", NO_RANKING
        choice = choose_learner(usable, plan.origins, ("base_rate",), seed=seed)
    elif choice.learner == "base_rate":
        status, reason = "fallback", NO_BETTER
    calibration = choose_calibrator(
        [(part.log_odds, part.y) for part in choice.judged], in_time=plan.has_time and plan.in_time
    )
    report = replace(report, status=status, reason=reason)
    report = examine(report, usable, plan, choice, calibration, champion=champion, seed=seed)
    if on_progress is not None:
        on_progress("fitting on every row", 1.0)
    whole = fit_model(usable, np.arange(len(usable.label)), choice.learner, seed=seed)
    if small and whole.fitted.kind == "base_rate":
        report = replace(report, reason=f"{small}; so far the evidence does not reach beyond the base rate")
    return Trained(report=report, predictor=_predictor(task, usable, whole, calibration, seed=seed))


def _refusal(task: Task, usable: TrainingSet, measures: Sequence[Figure]) -> str:
    n_closed, n_events = len(usable.label), int(usable.label.sum())
    if n_closed < task.gates.min_closed:
        return f"{n_closed} rows have a known outcome; {task.gates.min_closed} are needed"
    if n_events in (0, n_closed):
        return f"all {n_closed} known outcomes are alike; a model needs both"
    if not usable.fields:
        return "no field is left to learn from"
    return failed(measures)


def _learners(task: Task, usable: TrainingSet) -> tuple[tuple[str, ...], str]:
    """What may compete, and why it is not everything when it is not."""
    events = int(min(usable.label.sum(), (1 - usable.label).sum()))
    needed = task.gates.min_positives_for_boosting
    if events >= needed:
        return task.candidates, ""
    return SMALL_LEARNERS, f"{events} events of the rarer kind; boosting needs {needed}: a shrunken model answers"


def _predictor(task: Task, usable: TrainingSet, model: Model, calibration: Calibration, *, seed: int) -> Predictor:
    y = usable.label
    about = About(
        task=task.name,
        kind=model.fitted.kind,
        learner=model.fitted.learner,
        event=usable.event,
        horizon_days=usable.horizon_days,
        gap_days=usable.gap_days,
        base_rate=float(y.mean()),
        n_rows=len(y),
        n_positives=int(y.sum()),
        fitted_until=when(usable, np.arange(len(y)), last=True),
        fitted_until_position=float(usable.position.max()) if usable.has_time else None,
        seed=seed,
    )
    return Predictor(
        about=about,
        encoder=model.encoder,
        calibrator=calibration.calibrator,
        additive=model.fitted.additive,
        booster_text=model.fitted.booster_text,
        weight=model.fitted.weight,
    )


def train(
    task: BaseTask,
    rows: TrainingSet | TimedSet,
    *,
    config: Config,
    seed: int,
    findings: Sequence[Finding] | None = None,
    measures: Sequence[Figure] = (),
    confirmed: Collection[str] = (),
    after_outcome: Collection[str] = (),
    on_progress: Progress | None = None,
) -> TrainReport:
    """Train a task, keep the model as a bundle under `<store>/models/<task>/` and register it as challenger.

    Parameters
    ----------
    task : BaseTask
        The task.
    rows : TrainingSet or TimedSet
        Rows with outcomes: a `Task` learns from yes or no, a `HazardTask` from time and cause.
    config : Config
        Folders and the address of MLflow.
    seed : int
        Random state.
    findings : sequence of Finding or None
        Columns to leave out; None searches for them.
    measures : sequence of Figure
        What only the record shows, as `features.leakage_figures.back_dated`; what rows show is measured here.
    confirmed, after_outcome : collection of str
        Columns the mapping vouches for, and columns it says are written after the outcome.
    on_progress : callable or None
        Called with what is being done and the share done.

    Returns
    -------
    TrainReport
        `bundle` names the folder; empty when the status is `refused`.
    """
    if on_progress is not None:
        on_progress("searching for leaks", 0.0)
    asked = asked_of(task, rows)
    known = asked.take(np.isfinite(asked.label))
    if findings is None:
        findings = find_leaks(known, seed=seed, confirmed=confirmed, after_outcome=after_outcome)
    left = known.without({finding.column for finding in findings})
    trained = _fit(
        task,
        rows,
        seed=seed,
        findings=findings,
        measures=(*measure_leakage(left, seed=seed), *measures),
        champion=_champion(config, task),
        on_progress=on_progress,
    )
    if trained.predictor is None:
        return trained.report
    if on_progress is not None:
        on_progress("keeping the model", 1.0)
    kept = keep_bundle(task, trained.report, trained.predictor, models_folder(config, task.name))
    registered = _register(config, kept)
    keep_training(registered)
    return registered


def asked_of(task: BaseTask, rows: TrainingSet | TimedSet) -> TrainingSet:
    """The rows as the yes-or-no question of the headline, which the search for leaks looks at.

    Raises
    ------
    TypeError
        The task does not learn from rows of that kind.
    """
    match task, rows:
        case HazardTask(), TimedSet():
            return task.searched(task.asked_of(rows))
        case Task(), TrainingSet():
            return rows
    raise TypeError(f"{task.name} does not learn from a {type(rows).__name__}")


def _fit(
    task: BaseTask,
    rows: TrainingSet | TimedSet,
    *,
    seed: int,
    findings: Sequence[Finding],
    measures: Sequence[Figure],
    champion: tuple[str, Scorer] | None,
    on_progress: Progress | None,
) -> Trained:
    if isinstance(task, HazardTask) and isinstance(rows, TimedSet):
        found = fit_hazard_task(
            task, rows, seed=seed, findings=findings, measures=measures, champion=champion, on_progress=on_progress
        )
        return Trained(report=found.report, predictor=found.predictor)
    assert isinstance(task, Task)
    assert isinstance(rows, TrainingSet)
    return fit_task(
        task, rows, seed=seed, findings=findings, measures=measures, champion=champion, on_progress=on_progress
    )


def _register(config: Config, report: TrainReport) -> TrainReport:
    try:
        found = Registry(config).register(report, Path(report.bundle))
    except RegistryAway as error:
        return replace(report, limits=(*report.limits, f"not registered: {error}"))
    return replace(report, model_version=found.version, run_id=found.run_id, alias=found.alias)


def _champion(config: Config, task: BaseTask) -> tuple[str, Scorer] | None:
    """What answers now; None as well when it is damaged: a damaged champion must not keep a new one out."""
    try:
        found = champions.load_champion(config.champions_folder, task.name)
    except BadBundle:
        return None
    return None if found is None else (found[0].digest, found[1])
