"""Training the forecast: read the past as it was known, replay it, learn weights and ranges, judge, keep."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.config import Config
from crm.store import Generation
from models import champions
from models.challengers import keep_training, new_place
from models.champions import bundle_folder
from models.joint_learn import learn_joint
from models.metrics import Interval
from models.predictor import BadBundle
from models.registry import Registry, RegistryAway
from models.series_bundle import SeriesModel, load_series, save_series
from models.series_candidates import BASELINE
from models.series_card import write_series_cards
from models.series_combine import combine, floored
from models.series_forecast import BASE_RATE, FORECAST
from models.series_gates import NOMINAL
from models.series_judge import (
    ALL,
    BETTER,
    WORSE,
    Accuracy,
    block_interval,
    draw_months,
    is_tested,
    judge_replay,
    level_coverage,
)
from models.series_learn import Replayed, learn
from models.series_past import Past, read_past
from models.series_plots import plot_company
from models.series_points import Batch, Points, replay
from models.series_report import SeriesReport, SeriesVersus
from models.series_task import QUANTILES, SeriesTask

Floats: TypeAlias = npt.NDArray[np.float64]
Progress: TypeAlias = Callable[[str, float], None] | None


def train_series(
    task: SeriesTask,
    generation: Generation,
    *,
    config: Config,
    seed: int,
    on_progress: Progress = None,
) -> SeriesReport:
    """Train the forecast on the record and register it as a challenger.

    Parameters
    ----------
    task : SeriesTask
        Measures, levels, horizon, origins.
    generation : Generation
        The record.
    config : Config
        Time zone, currency, holidays, folders, MLflow.
    seed : int
        Random state.
    on_progress : callable or None
        Called with what is being done and the share done.

    Notes
    -----
    Refused when no measure has enough closed months to replay. A report of status `fallback` says that nothing beat
    seasonal naive; seasonal naive with measured ranges is published then.
    """
    past = read_past(task, generation, config=config, seed=seed, on_progress=on_progress)
    if past is None or not past.batches:
        n = 0 if past is None else len(past.present.months)
        return refused(task, f"too short a history: {n} closed months, {task.gates.min_closed} are needed", seed)
    learned = learn_series(task, past, country=config.company.holidays, seed=seed, on_progress=on_progress)
    points, replayed, accuracy, model = learned.points, learned.replayed, learned.accuracy, learned.model
    answers = model.answers
    report = _report(task, past, points, replayed, accuracy, answers, seed)
    report = replace(report, versus=_versus(config, task, points, replayed, model, seed))
    if on_progress is not None:
        on_progress("keeping the model", 1.0)
    return _keep(config, task, report, model, plot_company(model, task, past.present, generation, config.company))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """A model, and the replayed past that it was learned from.

    Attributes
    ----------
    model : SeriesModel
        What answers.
    points : Points
        What every candidate said at every origin.
    replayed : Replayed
        What would have been published.
    accuracy : tuple of Accuracy
        By measure, level and months ahead, on the newest origins.
    """

    model: SeriesModel
    points: Points
    replayed: Replayed
    accuracy: tuple[Accuracy, ...]


def learn_series(task: SeriesTask, past: Past, *, country: str, seed: int, on_progress: Progress = None) -> Learned:
    """The model that the replayed past teaches; nothing is kept.

    Parameters
    ----------
    task : SeriesTask
        Measures, levels, horizon, origins.
    past : Past
        With at least one origin.
    country : str
        Holiday calendar.
    seed : int
        Random state.
    on_progress : callable or None
        Called with what is being done and the share done.
    """
    points = replay(past.batches, past.present, task, country=country, seed=seed, on_progress=on_progress)
    rules, replayed = learn_joint(points, learn(points, task), task, past.flows, seed=seed, on_progress=on_progress)
    accuracy = judge_replay(points, replayed, task, seed=seed)
    model = SeriesModel(
        task=task.name,
        fitted_until=str(past.present.month),
        quantiles=QUANTILES,
        bucket_ends=tuple(bucket.last for bucket in task.buckets),
        candidates=task.candidates,
        country=country,
        seed=seed,
        rules=replayed.rules,
        baseline_rules=replayed.baseline_rules,
        answers=choose_answers(points, accuracy),
        joint=rules,
    )
    return Learned(model=model, points=points, replayed=replayed, accuracy=accuracy)


def refused(task: SeriesTask, reason: str, seed: int) -> SeriesReport:
    """The report of a training that could not begin."""
    return SeriesReport(
        task=task.name,
        event="amounts by month",
        status="refused",
        reason=reason,
        n_train=0,
        n_test=0,
        n_censored=0,
        base_rate=float("nan"),
        seed=seed,
    )


def choose_answers(points: Points, accuracy: Sequence[Accuracy]) -> dict[tuple[str, str], str]:
    """What answers for each measure and level: seasonal naive where the forecast was clearly worse, or never judged."""
    verdicts = {(one.measure, one.level): one.verdict for one in accuracy if one.bucket == ALL}
    groups = dict.fromkeys((measure, level) for measure, level, _ in points.cells)
    return {group: BASE_RATE if verdicts.get(group, WORSE) == WORSE else FORECAST for group in groups}


def _report(
    task: SeriesTask,
    past: Past,
    points: Points,
    replayed: Replayed,
    accuracy: tuple[Accuracy, ...],
    answers: Mapping[tuple[str, str], str],
    seed: int,
) -> SeriesReport:
    tested = is_tested(points, task)
    overall = [one for one in accuracy if one.bucket == ALL]
    covered = level_coverage(points, replayed, task, seed=seed)
    is_better = any(one.verdict == BETTER for one in overall)
    months = points.month[tested]
    gain = scaled_gain(points, replayed.expected, replayed.baseline, tested, seed=seed)
    company = {one.measure: one for one in overall if one.level in ("company", "series")}
    intervals = {"mase_minus_baseline": (gain.low, gain.high)}
    intervals |= {f"wape_{name}_minus_baseline": (one.gain.low, one.gain.high) for name, one in company.items()}
    return SeriesReport(
        task=task.name,
        event="amounts by month",
        status="trained" if is_better else "fallback",
        reason="" if is_better else "no better than seasonal naive at any level; its ranges are still measured ones",
        n_train=int(np.isfinite(past.present.values).sum()),
        n_test=int(tested.sum()),
        n_censored=int((~np.isfinite(points.outcome)).sum()),
        base_rate=float("nan"),
        seed=seed,
        train_from=str(past.present.months[0]),
        test_from=str(months.min()) if len(months) else "",
        test_to=str(months.max()) if len(months) else "",
        learner=" + ".join(task.candidates),
        baseline_learner=BASELINE,
        calibrator="split conformal, signed, by level and months ahead",
        metrics=_metrics(company, overall),
        intervals=intervals,
        limits=_limits(past, overall, covered),
        data_digest=_digest(past.present),
        accuracy=accuracy,
        level_coverage=covered,
        answers={f"{measure}/{level}": status for (measure, level), status in answers.items()},
        origins=tuple(str(month) for month in points.origins),
        n_series=len(past.present.keys),
        silent={node: reason for panel in past.panels.values() for node, reason in panel.silent.items()},
        revisions=_revisions(past),
    )


def _metrics(company: Mapping[str, Accuracy], overall: Sequence[Accuracy]) -> dict[str, dict[str, float]]:
    test = {"mase": float(np.mean([one.mase for one in overall])) if overall else float("nan")}
    baseline = {"mase": float(np.mean([one.baseline_mase for one in overall])) if overall else float("nan")}
    for name, one in company.items():
        test |= {f"wape_{name}": one.wape, f"bias_{name}": one.bias}
        baseline |= {f"wape_{name}": one.baseline_wape, f"bias_{name}": one.baseline_bias}
    return {"test": test, "baseline": baseline}


def _limits(past: Past, overall: Sequence[Accuracy], covered: Mapping[str, Interval]) -> tuple[str, ...]:
    found = [
        f"{level}: the 80 % ranges held {spread.value:.0%} of the outcomes, they are too "
        + ("wide" if spread.low > NOMINAL else "narrow")
        for level, spread in covered.items()
        if not spread.low <= NOMINAL <= spread.high
    ]
    for name, panel in past.panels.items():
        if panel.unassigned > 0.01:
            found.append(f"{name}: {panel.unassigned:.0%} of the amounts name no region or no product line")
    for one in overall:
        if one.verdict == WORSE:
            found.append(f"{one.measure}, {one.level}: worse than seasonal naive, which answers there")
    if all(flows is None for flows in past.flows):
        found.append("the first month ahead is the running one; what it already holds is not used yet")
    return tuple(found)


def _revisions(past: Past) -> dict[str, float]:
    """By measure, how much the last month of each origin changed since it closed."""
    found: dict[str, list[float]] = {}
    places = {(measure, node.node_id): place for place, (measure, node) in enumerate(past.present.keys)}
    for batch in past.batches:
        for row, (measure, node) in enumerate(batch.keys):
            place = places.get((measure, node.node_id))
            if place is None or node.node_id != "company":
                continue
            now = past.present.raw[place, int((batch.month - past.present.months[0]).astype(int))]
            if now:
                found.setdefault(measure, []).append(abs(float(batch.raw[row, -1] - now) / now))
    return {measure: float(np.mean(values)) for measure, values in found.items()}


def scaled_gain(points: Points, expected: Floats, other: Floats, rows: npt.NDArray[np.bool_], *, seed: int) -> Interval:
    """Mean scaled error less that of another forecast, every measure and level counting the same.

    Parameters
    ----------
    points : Points
        The past replayed.
    expected, other : ndarray of float64, shape (n,)
        Two forecasts of every point.
    rows : ndarray of bool, shape (n,)
        Points to judge.
    seed : int
        Random state of the block bootstrap of months.
    """
    names = [cell[:2] for cell in points.cells]
    _, group = np.unique([f"{measure}/{level}" for measure, level in names], return_inverse=True)
    of_row = group[points.cell[rows]]
    share = 1.0 / np.bincount(of_row)[of_row] / len(np.unique(of_row))
    outcome, scale = points.outcome[rows], points.scale[rows]
    difference = (np.abs(expected[rows] - outcome) - np.abs(other[rows] - outcome)) / scale * share
    _, month = np.unique(points.month[rows], return_inverse=True)
    sums = np.bincount(month, difference)
    drawn = sums[draw_months(len(sums), seed)].sum(axis=1)
    return block_interval(float(sums.sum()), drawn, len(sums))


def _digest(batch: Batch) -> str:
    content = repr([(measure, node.node_id) for measure, node in batch.keys]).encode() + batch.raw.tobytes()
    return hashlib.sha256(content + str(batch.month).encode()).hexdigest()


def _versus(
    config: Config, task: SeriesTask, points: Points, replayed: Replayed, model: SeriesModel, seed: int
) -> SeriesVersus | None:
    """The champion's rules on the same points; None when there is none, or a damaged one."""
    entry = champions.current(config.champions_folder, task.name)
    if entry is None:
        return None
    try:
        champion = load_series(bundle_folder(config.champions_folder, task.name, entry), entry.digest)
    except BadBundle:
        return None
    other = np.full(len(points.cell), np.nan)
    for place, (measure, level, bucket) in enumerate(points.cells):
        rule = champion.rule(measure, level, task.buckets[bucket].first)
        here = points.cell == place
        if rule is not None and set(rule.weights) <= set(points.said):
            said = {name: values[here] for name, values in points.said.items()}
            other[here] = floored(combine(said, rule.weights), points.is_positive[here]) * rule.factor
    # The champion learned from everything before; only what came since is news to both.
    is_news = points.month > np.datetime64(champion.fitted_until, "M")
    rows = is_tested(points, task) & np.isfinite(other) & is_news
    is_newer = model.fitted_until > champion.fitted_until or set(model.answers) != set(champion.answers)
    if not rows.any():
        nothing = Interval(value=0.0, low=0.0, high=0.0)
        return SeriesVersus(champion=entry.digest, is_newer=is_newer, n=0, mase=nothing)
    gain = scaled_gain(points, replayed.expected, other, rows, seed=seed)
    return SeriesVersus(champion=entry.digest, is_newer=is_newer, n=int(rows.sum()), mase=gain)


def _keep(
    config: Config, task: SeriesTask, report: SeriesReport, model: SeriesModel, plots: Mapping[str, str]
) -> SeriesReport:
    place = new_place(config.store.folder / "models" / task.name)
    digest = save_series(
        model,
        place,
        cards=write_series_cards(task, report, model),
        report=report.to_json(),
        plots=plots,
    )
    kept = replace(report, bundle=str(place), digest=digest)
    try:
        found = Registry(config).register(kept, Path(kept.bundle))
    except RegistryAway as error:
        kept = replace(kept, limits=(*kept.limits, f"not registered: {error}"))
    else:
        kept = replace(kept, model_version=found.version, run_id=found.run_id, alias=found.alias)
    keep_training(kept)
    return kept
