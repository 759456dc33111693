"""Training a task of competing risks: choose a learner in the past, calibrate, judge once, fit anew.

Time is respected by censoring: at an origin every earlier row counts with what was known then, so that windows
still open teach how long they have lasted and nothing about later. The learner is chosen by the log loss of
person-periods, which needs no closed window; the test window is judged at the headline horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from features.outcomes import Outcomes
from features.timed_set import TimedSet
from models.calibrate import choose_calibrator
from models.calibrator import Calibrator, logit
from models.encoding import Encoder, make_encoder
from models.hazard import HazardModel, fit_hazard
from models.hazard_bundle import KIND, HazardPredictor
from models.hazard_report import TrainedHazard, durations_of, judge, make_report
from models.hazard_task import HazardTask
from models.person_period import Grid, expand
from models.predictor import About
from models.splits import FIRST_ORIGIN
from models.survival import Incidence, recalibrate

Floats: TypeAlias = npt.NDArray[np.float64]

_LEAST_AT_RISK = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fitted:
    encoder: Encoder
    model: HazardModel

    def incidence(self, rows: TimedSet) -> Incidence:
        return self.model.incidence(self.encoder.encode_table(rows.rows))

    def losses(self, rows: TimedSet) -> Floats:
        """Log loss of each row's person-periods summed, and how many there are; shape (2, n_rows)."""
        periods = expand(durations_of(rows.outcomes), self.model.grid)
        hazards = self.model.hazards(self.encoder.encode_table(rows.rows))[periods.row, periods.step]
        chance = np.column_stack([1.0 - hazards.sum(axis=1), hazards])[np.arange(len(periods.row)), periods.cause]
        loss = -np.log(np.clip(chance, 1e-12, 1.0))
        n_rows = len(rows.entity_id)
        return np.stack(
            [np.bincount(periods.row, loss, minlength=n_rows), np.bincount(periods.row, minlength=n_rows)]
        ).astype(np.float64)


def reachable_grid(grid: Grid, outcomes: Outcomes, *, least: int = _LEAST_AT_RISK) -> Grid | None:
    """The steps that the record reaches past for at least `least` rows open at their beginning; None without any."""
    follow_up, duration = outcomes.follow_up_days, outcomes.duration_days
    at_risk = [int(((follow_up >= end) & (duration > start)).sum()) for start, end in pairwise(grid.edges)]
    enough = np.cumprod(np.array(at_risk) >= least).sum()
    return None if enough == 0 else Grid(edges=grid.edges[: int(enough) + 1], unit=grid.unit)


def _fit(rows: TimedSet, learner: str, grid: Grid, *, seed: int) -> _Fitted:
    encoder = make_encoder(rows.fields, rows.rows)
    model = fit_hazard(
        learner,
        encoder,
        encoder.encode_table(rows.rows),
        durations_of(rows.outcomes),
        grid=grid,
        causes=rows.outcomes.causes,
        seed=seed,
    )
    return _Fitted(encoder=encoder, model=model)


def fit_hazard_task(task: HazardTask, rows: TimedSet, *, seed: int) -> TrainedHazard:
    """A judged model of a task of competing risks, without writing anything.

    Parameters
    ----------
    task : HazardTask
        Grid, candidates, folds, gates.
    rows : TimedSet
        Every row; open ones are censored, never negatives.
    seed : int
        Random state.
    """
    refusal = _refusal(task, rows)
    if refusal:
        return TrainedHazard(report=make_report(task, rows, "refused", refusal))
    start = _test_start(task, rows)
    past = rows.known_at(start)
    grid = reachable_grid(task.grid, past.outcomes) if len(past.entity_id) else None
    if grid is None or task.headline_days not in grid.edges:
        reach = 0.0 if grid is None else grid.end
        reason = f"before the test window the record follows rows for {reach:g} days; {task.headline_days} are needed"
        return TrainedHazard(report=make_report(task, rows, "refused", reason))
    origins = _origins(past, task.folds.n_origins)
    learner, losses = _choose(task, past, origins, start, grid, seed=seed)
    calibrators = _calibrate(task, past, origins, start, grid, learner, seed=seed)
    headline = float(task.headline_days)
    after = rows.take(rows.as_of >= start)
    judged = recalibrate(_fit(past, learner, grid, seed=seed).incidence(after), headline, calibrators)
    whole_grid = reachable_grid(task.grid, rows.outcomes) or grid
    whole = _fit(rows, learner, whole_grid, seed=seed)
    predictor = HazardPredictor(
        about=_about(task, rows, learner, seed),
        encoder=whole.encoder,
        model=whole.model,
        calibrators=calibrators,
        horizon=headline,
    )
    status: Literal["trained", "fallback"] = "fallback" if learner == task.candidates[0] else "trained"
    reason = "no learner is better than the rate of each step on earlier windows" if status == "fallback" else ""
    closed = after.outcomes.follow_up_days >= headline
    figures = judge(task, past, after, judged, seed=seed)
    report = make_report(
        task,
        rows,
        status,
        reason,
        learner=learner,
        n_test=int(closed.sum()),
        grid_end=whole_grid.end,
        losses=losses,
        figures=figures,
    )
    return TrainedHazard(
        report=report,
        predictor=predictor,
        test=after.take(closed),
        predicted=judged.take(closed),
        baseline_p=figures.baseline_p,
    )


def _refusal(task: HazardTask, rows: TimedSet) -> str:
    if not rows.fields:
        return "no field is left to learn from"
    for place, cause in enumerate(rows.outcomes.causes, start=1):
        ended = len(np.unique(rows.entity_id[rows.outcomes.cause == place]))
        if ended < task.gates.min_closed:
            return f"{ended} {task.entity} ended as {cause}; {task.gates.min_closed} are needed"
    if not (rows.outcomes.follow_up_days >= task.headline_days).any():
        return f"no row has been followed for {task.headline_days} days"
    return ""


def _test_start(task: HazardTask, rows: TimedSet) -> np.datetime64:
    """The first moment of the newest `test_share` of the rows whose headline outcome is known."""
    moments = np.sort(rows.as_of[rows.outcomes.follow_up_days >= task.headline_days])
    return np.datetime64(moments[min(len(moments) - 1, round(len(moments) * (1 - task.folds.test_share)))])


def _origins(past: TimedSet, n_origins: int) -> list[np.datetime64]:
    moments = np.sort(past.as_of)
    places = [min(len(moments) - 1, round(len(moments) * edge)) for edge in np.linspace(FIRST_ORIGIN, 1, n_origins + 1)]
    return [origin for origin in np.unique(moments[places[:-1]]) if (past.as_of < origin).any()]


def _learners(task: HazardTask, rows: TimedSet) -> tuple[str, ...]:
    """Boosting competes only when every cause has ended enough entities."""
    ended = [
        len(np.unique(rows.entity_id[rows.outcomes.cause == place + 1])) for place in range(len(rows.outcomes.causes))
    ]
    is_enough = min(ended) >= task.gates.min_positives_for_boosting
    return tuple(name for name in task.candidates if is_enough or name != "hazard_booster")


def _choose(
    task: HazardTask, past: TimedSet, origins: Sequence[np.datetime64], start: np.datetime64, grid: Grid, *, seed: int
) -> tuple[str, dict[str, float]]:
    """The simplest learner that no other beats by more than the standard error of the paired difference."""
    learners = _learners(task, past)
    found: dict[str, list[Floats]] = {learner: [] for learner in learners}
    for origin, end in zip(origins, [*origins[1:], start], strict=True):
        before, judged = past.known_at(origin), past.take((past.as_of >= origin) & (past.as_of < end))
        near = reachable_grid(grid, before.outcomes)
        if near is None or not (before.outcomes.cause > 0).any():
            continue
        for learner in learners:
            found[learner].append(_fit(before, learner, near, seed=seed).losses(judged))
    if not found[learners[0]]:
        return learners[0], {}
    sums = {learner: np.concatenate(parts, axis=1) for learner, parts in found.items()}
    best = learners[0]
    for learner in learners[1:]:
        gain = sums[best][0] - sums[learner][0]
        if gain.sum() > np.sqrt(len(gain)) * gain.std():
            best = learner
    return best, {learner: float(each[0].sum() / max(each[1].sum(), 1.0)) for learner, each in sums.items()}


def _calibrate(
    task: HazardTask,
    past: TimedSet,
    origins: Sequence[np.datetime64],
    start: np.datetime64,
    grid: Grid,
    learner: str,
    *,
    seed: int,
) -> tuple[Calibrator, ...]:
    """One calibrator a cause from windows that closed before the test; the identity where they are too few."""
    causes, headline = past.outcomes.causes, float(task.headline_days)
    windows: dict[str, list[tuple[Floats, Floats]]] = {cause: [] for cause in causes}
    for origin, end in zip(origins, [*origins[1:], start], strict=True):
        before = past.known_at(origin)
        near = reachable_grid(grid, before.outcomes)
        judged = past.take((past.as_of >= origin) & (past.as_of < end) & (past.outcomes.follow_up_days >= headline))
        if near is None or headline not in near.edges or len(judged.entity_id) == 0:
            continue
        predicted = _fit(before, learner, near, seed=seed).incidence(judged)
        for place, cause in enumerate(causes, start=1):
            y = durations_of(judged.outcomes).known_by(headline, place)
            windows[cause].append((logit(predicted.by(headline, cause)), y))
    return tuple(choose_calibrator(windows[cause], in_time=True).calibrator for cause in causes)


def _about(task: HazardTask, rows: TimedSet, learner: str, seed: int) -> About:
    place = rows.outcomes.causes.index(task.event) + 1
    closed = rows.outcomes.cause > 0
    return About(
        task=task.name,
        kind=KIND,
        learner=learner,
        event=task.event,
        horizon_days=task.headline_days,
        gap_days=0,
        base_rate=float((rows.outcomes.cause[closed] == place).mean()),
        n_rows=len(rows.entity_id),
        n_positives=int((rows.outcomes.cause == place).sum()),
        fitted_until=str(rows.as_of.max().astype("datetime64[D]")),
        fitted_until_position=float(rows.as_of.max().astype(np.int64) / 86_400e6),
        seed=seed,
    )
