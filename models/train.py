"""Training a task: find leaks, choose a learner in the past, calibrate, judge once, fit anew, keep as a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from crm.config import Config
from features.matrix import TrainingSet
from models import judge
from models.bundle import About, Predictor, save_bundle
from models.calibrate import Calibration, choose_calibrator
from models.calibrator import sigmoid
from models.candidates import BASELINES
from models.card import write_cards
from models.golden import make_golden
from models.learn import Choice, Model, Progress, choose_learner, fit_model
from models.metrics import auc, interval, log_loss, make_blocks
from models.report import FoldFigures, LeakageFinding, RandomSplitGap, TrainReport
from models.splits import Plan, TooFewRows, make_plan, random_split
from models.task import Task
from models.value import replay_value

Floats: TypeAlias = npt.NDArray[np.float64]

N_DRAWS = 400
CHANCE = 0.5
SMALL_LEARNERS = ("base_rate", "shrunk")
OPTIMISTIC = "no time: rows were split by hash, so the figures are optimistic"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A training's report and, unless it was refused, its model.

    Parameters
    ----------
    report : TrainReport
        Not yet registered.
    predictor : Predictor or None
        The model fitted on every row whose outcome is known.
    """

    report: TrainReport
    predictor: Predictor | None


def fit_task(
    task: Task,
    training_set: TrainingSet,
    *,
    seed: int,
    findings: Sequence[LeakageFinding] = (),
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
    findings : sequence of LeakageFinding
        Columns to leave out.
    on_progress : callable or None
        Called with what is being done and the share done.
    """
    known = training_set.take(np.isfinite(training_set.label))
    usable = known.without({finding.column for finding in findings})
    report = _empty_report(task, training_set, usable, tuple(findings), seed)
    refusal = _refusal(task, usable)
    if refusal:
        return Trained(report=replace(report, reason=refusal), predictor=None)
    try:
        plan = make_plan(usable, task.folds)
    except TooFewRows as error:
        return Trained(report=replace(report, reason=str(error)), predictor=None)
    learners, small = _learners(task, usable)
    choice = choose_learner(usable, plan.origins, learners, seed=seed, on_progress=on_progress)
    status: Literal["trained", "fallback"] = "trained"
    reason = ""
    if small:
        status, reason = "fallback", small
    if choice.learner != "base_rate" and not has_signal(usable, choice, seed=seed):
        status, reason = "fallback", "no signal: on earlier windows no learner ranks better than chance"
        choice = choose_learner(usable, plan.origins, ("base_rate",), seed=seed)
    elif choice.learner == "base_rate":
        status, reason = "fallback", reason or "no learner is better than the base rate on earlier windows"
    calibration = choose_calibrator([(part.log_odds, part.y) for part in choice.judged], in_time=plan.has_time)
    report = _judge(replace(report, status=status, reason=reason), usable, plan, choice, calibration, seed=seed)
    if on_progress is not None:
        on_progress("fitting on every row", 1.0)
    whole = fit_model(usable, np.arange(len(usable.label)), choice.learner, seed=seed)
    return Trained(report=report, predictor=_predictor(task, usable, whole, calibration, seed=seed))


def _empty_report(
    task: Task,
    training_set: TrainingSet,
    usable: TrainingSet,
    findings: tuple[LeakageFinding, ...],
    seed: int,
) -> TrainReport:
    limits = () if usable.has_time else (OPTIMISTIC,)
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
        leakage=findings,
        left_out={left.column: left.reason for left in training_set.left_out},
        limits=limits,
    )


def _refusal(task: Task, usable: TrainingSet) -> str:
    n_closed, n_events = len(usable.label), int(usable.label.sum())
    if n_closed < task.gates.min_closed:
        return f"{n_closed} rows have a known outcome; {task.gates.min_closed} are needed"
    if n_events in (0, n_closed):
        return f"all {n_closed} known outcomes are alike; a model needs both"
    if not usable.fields:
        return "no field is left to learn from"
    return ""


def _learners(task: Task, usable: TrainingSet) -> tuple[tuple[str, ...], str]:
    """What may compete, and why it is not everything when it is not."""
    events = int(min(usable.label.sum(), (1 - usable.label).sum()))
    needed = task.gates.min_positives_for_boosting
    if events >= needed:
        return task.candidates, ""
    return SMALL_LEARNERS, f"{events} events of the rarer kind; boosting needs {needed}: a shrunken model answers"


def has_signal(training_set: TrainingSet, choice: Choice, *, seed: int) -> bool:
    """Whether the learner ranks better than chance on the earlier windows taken together, or on the latest."""
    parts = [part for part in choice.judged if 0 < part.y.sum() < len(part.y)]
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


def _judge(
    report: TrainReport, usable: TrainingSet, plan: Plan, choice: Choice, calibration: Calibration, *, seed: int
) -> TrainReport:
    """The report with everything the test window says; the only place where it is opened."""
    fit, rows = plan.test.fit, plan.test.judge
    test = usable.take(rows)
    y = test.label
    model = fit_model(usable, fit, choice.learner, seed=seed)
    p = sigmoid(calibration.calibrator(model.log_odds(usable, rows)))
    constant = np.full(len(y), usable.label[fit].mean())
    blocks = make_blocks(test.group, n_draws=N_DRAWS, seed=seed)
    if 0 < y.sum() < len(y):
        name, baseline = _baseline(usable, plan, seed=seed)
    else:
        name, baseline = "constant", constant
    return replace(
        report,
        n_train=len(fit),
        n_test=len(rows),
        base_rate=float(usable.label[fit].mean()),
        train_from=_when(usable, fit, last=False),
        test_from=_when(usable, rows, last=False),
        test_to=_when(usable, rows, last=True),
        learner=choice.learner,
        baseline_learner=name,
        calibrator=calibration.calibrator.method,
        metrics={
            "test": judge.figures(y, p),
            "baseline": judge.figures(y, baseline),
            "constant": judge.figures(y, constant),
        },
        intervals=judge.intervals(y, p, baseline, blocks),
        segments=judge.segments(test, p, seed=seed, n_draws=N_DRAWS // 4),
        folds=_folds(usable, choice),
        candidates=choice.table,
        calibration=judge.calibration_bins(y, p),
        calibrators=calibration.losses,
        random_split_gap=_random_gap(usable, plan, choice.learner, auc(y, p), seed=seed),
        value_replay=replay_value(
            y,
            p,
            test.value,
            blocks,
            from_position=_when(usable, rows, last=False),
            to_position=_when(usable, rows, last=True),
        ),
    )


def _baseline(usable: TrainingSet, plan: Plan, *, seed: int) -> tuple[str, Floats]:
    """The better of the untuned learners on the test window itself: a generous opponent."""
    rows = plan.test.judge
    found = {
        name: sigmoid(fit_model(usable, plan.test.fit, name, seed=seed).log_odds(usable, rows)) for name in BASELINES
    }
    best = max(found, key=lambda name: auc(usable.label[rows], found[name]))
    return best, found[best]


def _folds(usable: TrainingSet, choice: Choice) -> tuple[FoldFigures, ...]:
    return tuple(
        FoldFigures(
            origin=_when(usable, part.rows, last=False),
            n_fit=part.n_fit,
            n_judged=len(part.rows),
            base_rate=float(part.y.mean()),
            auc=auc(part.y, part.log_odds),
            log_loss=log_loss(part.y, sigmoid(part.log_odds)),
        )
        for part in choice.judged
    )


def _random_gap(usable: TrainingSet, plan: Plan, learner: str, in_time: float, *, seed: int) -> RandomSplitGap | None:
    if not plan.has_time:
        return None
    split = random_split(usable, test_share=len(plan.test.judge) / len(usable.label), seed=seed)
    if usable.label[split.fit].min() == usable.label[split.fit].max():
        return None
    found = fit_model(usable, split.fit, learner, seed=seed).log_odds(usable, split.judge)
    value = auc(usable.label[split.judge], found)
    return RandomSplitGap(auc_random=value, auc_in_time=in_time, gap=value - in_time)


def _when(usable: TrainingSet, rows: npt.NDArray[np.intp], *, last: bool) -> str:
    """The moment of the first or last row: a day when the rows have one, else the source's own order."""
    if len(rows) == 0 or not usable.has_time:
        return ""
    place = rows[np.argmax(usable.position[rows]) if last else np.argmin(usable.position[rows])]
    moment = usable.as_of[place]
    return f"row order {usable.position[place]:g}" if np.isnat(moment) else str(moment.astype("datetime64[D]"))


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
        fitted_until=_when(usable, np.arange(len(y)), last=True),
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
    task: Task,
    training_set: TrainingSet,
    *,
    config: Config,
    seed: int,
    findings: Sequence[LeakageFinding] | None = None,
    on_progress: Progress | None = None,
) -> TrainReport:
    """Train a task, keep the model as a bundle under `<store>/models/<task>/` and register it as challenger.

    Parameters
    ----------
    task : Task
        The task.
    training_set : TrainingSet
        Rows with outcomes.
    config : Config
        Folders and the address of MLflow.
    seed : int
        Random state.
    findings : sequence of LeakageFinding or None
        Columns to leave out; None searches for them.
    on_progress : callable or None
        Called with what is being done and the share done.

    Returns
    -------
    TrainReport
        `bundle` names the folder; empty when the status is `refused`.
    """
    trained = fit_task(task, training_set, seed=seed, findings=findings or (), on_progress=on_progress)
    if trained.predictor is None:
        return trained.report
    folder = config.store.folder / "models" / task.name
    folder.mkdir(parents=True, exist_ok=True)
    return keep_bundle(trained.report, trained.predictor, folder)


def keep_bundle(report: TrainReport, predictor: Predictor, folder: Path) -> TrainReport:
    """The report with the place and the digest of the bundle written into a new folder below `folder`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    place = Path(tempfile.mkdtemp(prefix=f"{stamp}-", dir=folder)) / "bundle"
    digest = save_bundle(
        predictor, place, cards=write_cards(report, predictor), report=report.to_json(), golden=make_golden(predictor)
    )
    return replace(report, bundle=str(place), digest=digest)
