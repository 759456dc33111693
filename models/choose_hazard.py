"""Choosing a learner of hazards, and its calibrators, on windows that closed before the test began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.timed_set import TimedSet
from models.calibrate import Calibration, choose_calibrator
from models.calibrator import logit
from models.hazard_fit import FittedHazard, durations_of, fit_rows, reachable_grid
from models.hazard_learners import BLEND, BLENDED
from models.hazard_task import HazardTask
from models.learn import Choice, Judged, Progress, mean_auc
from models.person_period import Grid
from models.report import CandidateFigures
from models.splits import FIRST_ORIGIN

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]

BOOSTED = frozenset({"hazard_booster", BLEND})
"""Learners that need many events of every cause."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """One learner at one origin.

    Attributes
    ----------
    losses : ndarray of float64, shape (2, n_inside)
        Log loss of the person-periods of every row of the window, summed by row, and how many there are.
    rows : ndarray of intp, shape (n_closed,)
        Numbers of those rows whose headline outcome was known when the test began.
    log_odds, y : tuple of ndarray of float64
        By cause: what was predicted of these rows, and what came.
    n_fit : int
        Rows learned from.
    origin : datetime64
        The first moment of the window.
    """

    losses: Floats
    rows: Rows
    log_odds: tuple[Floats, ...]
    y: tuple[Floats, ...]
    n_fit: int
    origin: np.datetime64


def try_learners(
    task: HazardTask,
    past: TimedSet,
    start: np.datetime64,
    grid: Grid,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> dict[str, list[Window]]:
    """Every learner at every origin, each fitted once on what was known there.

    Parameters
    ----------
    task : HazardTask
        Candidates, folds, headline.
    past : TimedSet
        Rows before the test window with what was known when it began.
    start : datetime64
        When the test window begins.
    grid : Grid
        The steps that the record reaches.
    seed : int
        Random state.
    on_progress : callable or None
        Called with what is being done and the share done.
    """
    learners, origins = _learners(task, past), _origins(past, task.folds.n_origins)
    found: dict[str, list[Window]] = {learner: [] for learner in learners}
    done = 0
    for origin, end in zip(origins, [*origins[1:], start], strict=True):
        before = past.known_at(origin)
        near = reachable_grid(grid, before.outcomes)
        if near is None or not (before.outcomes.cause > 0).any():
            continue
        fitted: dict[str, FittedHazard] = {}
        for learner in learners:
            fitted[learner] = _known_blend(learner, fitted) or fit_rows(task, before, learner, near, seed=seed)
            found[learner].append(_window(task, fitted[learner], past, origin, end, len(before.entity_id)))
            done += 1
            if on_progress is not None:
                on_progress(f"judging {learner}", done / (len(origins) * len(learners)))
    return found


def _known_blend(learner: str, fitted: Mapping[str, FittedHazard]) -> FittedHazard | None:
    """The blend of parts that have been fitted already; None for every other learner."""
    if learner != BLEND or not fitted.keys() >= set(BLENDED):
        return None
    lines, trees = (fitted[name] for name in BLENDED)
    return replace(lines, model=replace(lines.model, learner=BLEND, booster_text=trees.model.booster_text))


def _window(
    task: HazardTask, fitted: FittedHazard, past: TimedSet, origin: np.datetime64, end: np.datetime64, n_fit: int
) -> Window:
    causes = past.outcomes.causes
    inside = np.flatnonzero((past.as_of >= origin) & (past.as_of < end))
    windows = task.windows(past)
    reached = (past.outcomes.follow_up_days >= windows) & (windows <= fitted.model.grid.end)
    closed = inside[(reached & durations_of(past.outcomes).is_known(windows))[inside]]
    judged, asked = past.take(closed), windows[closed]
    predicted, came = fitted.incidence(judged), durations_of(judged.outcomes)
    return Window(
        losses=fitted.losses(past.take(inside)),
        rows=closed,
        log_odds=tuple(logit(predicted.by(asked, cause)) for cause in causes),
        y=tuple(came.known_by(asked, place) for place in range(1, len(causes) + 1)),
        n_fit=n_fit,
        origin=origin,
    )


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
    return tuple(name for name in task.candidates if is_enough or name not in BOOSTED)


def simplest_best(tried: dict[str, list[Window]], *, is_blended: bool = True) -> str:
    """The simplest learner that no other beats by more than the standard error of the paired difference of losses.

    Where a blend competes and `is_blended` it stands for its parts: on the earlier windows of three demo companies
    it lost less at the headline than either part each time, while the losses of single steps let now one part win and
    now the other.
    """
    learners = [name for name in tried if not (is_blended and BLEND in tried and name in BLENDED)]
    best = learners[0]
    if not tried[best]:
        return best
    losses = {learner: np.concatenate([window.losses[0] for window in windows]) for learner, windows in tried.items()}
    for learner in learners[1:]:
        gain = losses[best] - losses[learner]
        if gain.sum() > np.sqrt(len(gain)) * gain.std():
            best = learner
    return best


def choice_of(
    learner: str, tried: dict[str, list[Window]], place: int, numbers: Rows, *, is_absence: bool = False
) -> Choice:
    """A learner with what it said on the earlier windows, beside the figures of all.

    Parameters
    ----------
    learner : str
        The chosen one.
    tried : dict
        From `try_learners`.
    place : int
        The cause asked for, counted from 0.
    numbers : ndarray of intp, shape (n_past,)
        Number of each row of the past among all rows.
    is_absence : bool
        The probability is that of the cause staying away.
    """
    judged = {name: _judged(windows, place, numbers, is_absence) for name, windows in tried.items()}
    table = tuple(
        CandidateFigures(learner=name, log_loss=_mean_loss(tried[name]), auc=mean_auc(parts), chosen=name == learner)
        for name, parts in judged.items()
    )
    return Choice(learner=learner, judged=judged[learner], table=table)


def _judged(windows: Sequence[Window], place: int, numbers: Rows, is_absence: bool) -> tuple[Judged, ...]:
    return tuple(
        Judged(
            rows=numbers[window.rows],
            log_odds=-window.log_odds[place] if is_absence else window.log_odds[place],
            y=1.0 - window.y[place] if is_absence else window.y[place],
            n_fit=window.n_fit,
            origin=float(window.origin.astype(np.int64) / 86_400e6),
        )
        for window in windows
        if len(window.rows)
    )


def _mean_loss(windows: Sequence[Window]) -> float:
    if not windows:
        return float("nan")
    loss, periods = np.sum([window.losses.sum(axis=1) for window in windows], axis=0)
    return float(loss / max(periods, 1.0))


def calibrate(windows: Sequence[Window], causes: tuple[str, ...]) -> dict[str, Calibration]:
    """One calibrator a cause from windows that closed before the test; the identity where they are too few."""
    return {
        cause: choose_calibrator([(window.log_odds[place], window.y[place]) for window in windows], in_time=True)
        for place, cause in enumerate(causes)
    }
