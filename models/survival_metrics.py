"""How good predicted times and causes are when some outcomes are not known yet.

Censored rows are weighed in by the chance of having been watched so long (inverse probability of censoring, G by
Kaplan-Meier with censoring as the event). Intervals come from `models.metrics`, by draws of whole groups.

References
----------
Graf et al. (1999), Brier score under censoring. Uno et al. (2007) and Blanche et al. (2013), AUC at a time with
competing risks. Harrell et al. (1982), concordance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.metrics import Blocks, Interval, auc, interval, paired_interval
from models.person_period import CENSORED, Durations

Floats: TypeAlias = npt.NDArray[np.float64]
Metric: TypeAlias = Callable[[Durations, Floats], float]

_MIN_G = 0.05
"""Least chance of having been watched; no row weighs more than its inverse."""
_BLOCK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepCurve:
    """A curve that is 1 at first and falls at the given times, right-continuous.

    Parameters
    ----------
    time, value : ndarray of float64
        Times of the falls, rising, and the value from each on.
    """

    time: Floats
    value: Floats

    def at(self, time: Floats) -> Floats:
        """The value at each time."""
        return np.append(1.0, self.value)[np.searchsorted(self.time, time, side="right")]

    def before(self, time: Floats) -> Floats:
        """The value just before each time."""
        return np.append(1.0, self.value)[np.searchsorted(self.time, time, side="left")]


def censoring_curve(durations: Durations) -> StepCurve:
    """The chance of being watched longer than a time, by Kaplan-Meier with censoring as the event.

    An event and a censoring at the same time: the event came first, so that the row was still watched.

    Examples
    --------
    >>> curve = censoring_curve(Durations(duration=np.array([1.0, 2.0, 3.0]), cause=np.array([0, 1, 0])))
    >>> curve.at(np.array([0.5, 1.0, 2.5])).round(3).tolist()
    [1.0, 0.667, 0.667]
    """
    time, places = np.unique(durations.duration, return_inverse=True)
    censored = durations.cause == CENSORED
    n_censored = np.bincount(places, weights=censored, minlength=len(time))
    n_events = np.bincount(places, weights=~censored, minlength=len(time))
    n_all = n_censored + n_events
    n_left = len(places) - np.concatenate([[0.0], np.cumsum(n_all)[:-1]]) - n_events
    value = np.cumprod(1.0 - n_censored / np.maximum(n_left, 1.0))
    return StepCurve(time=time, value=np.asarray(value, dtype=np.float64))


def censoring_weights(durations: Durations, horizon: float, curve: StepCurve | None = None) -> Floats:
    """How much each row counts at a horizon: 0 when its outcome there is unknown, else 1 / G, at most 20.

    Parameters
    ----------
    durations : Durations
        What became of the rows.
    horizon : float
        In the unit of the durations.
    curve : StepCurve or None
        Censoring of a larger set; None takes that of these rows.
    """
    found = censoring_curve(durations) if curve is None else curve
    is_closed = (durations.cause != CENSORED) & (durations.duration <= horizon)
    # A row censored at the very horizon was watched to its end.
    is_open = (durations.duration > horizon) | ((durations.duration >= horizon) & ~is_closed)
    at_event = np.maximum(found.before(durations.duration), _MIN_G)
    at_horizon = max(float(found.before(np.array([horizon]))[0]), _MIN_G)
    return np.where(is_closed, 1.0 / at_event, np.where(is_open, 1.0 / at_horizon, 0.0))


def brier_at(durations: Durations, p: Floats, *, horizon: float, cause: int, curve: StepCurve | None = None) -> float:
    """Mean squared error of P(cause within the horizon), censored rows weighed in.

    Parameters
    ----------
    durations : Durations
        What became of the rows.
    p : ndarray of float64, shape (n_rows,)
        Predicted chances of the cause within the horizon.
    horizon : float
        In the unit of the durations.
    cause : int
        1 to n_causes.
    curve : StepCurve or None
        Censoring of a larger set.
    """
    weight = censoring_weights(durations, horizon, curve)
    y = (durations.cause == cause) & (durations.duration <= horizon)
    return float(np.sum(weight * (y - p) ** 2) / len(p))


def auc_at(durations: Durations, p: Floats, *, horizon: float, cause: int, curve: StepCurve | None = None) -> float:
    """Chance that a row with the cause within the horizon outranks one without, ties half; NaN without both.

    Parameters
    ----------
    durations : Durations
        What became of the rows.
    p : ndarray of float64, shape (n_rows,)
        Scores, high = the cause is likely soon.
    horizon : float
        In the unit of the durations.
    cause : int
        1 to n_causes; a row that ended by another cause within the horizon is one without.
    curve : StepCurve or None
        Censoring of a larger set.
    """
    weight = censoring_weights(durations, horizon, curve)
    known = weight > 0
    y = ((durations.cause == cause) & (durations.duration <= horizon))[known].astype(np.float64)
    weight = weight[known]
    if np.ptp(weight) == 0 if len(weight) else True:
        return auc(y, p[known])
    return _weighted_auc(y, p[known], weight)


def _weighted_auc(y: Floats, p: Floats, weight: Floats) -> float:
    cases, others = weight * y, weight * (1 - y)
    if cases.sum() == 0 or others.sum() == 0:
        return float("nan")
    _, places = np.unique(p, return_inverse=True)
    case, other = np.bincount(places, weights=cases), np.bincount(places, weights=others)
    below = np.cumsum(other) - other
    return float((case * (below + other / 2)).sum() / (cases.sum() * others.sum()))


def concordance(durations: Durations, score: Floats, *, cause: int = 1) -> float:
    """Chance that of two rows the one whose cause came first has the higher score, ties half; NaN without pairs.

    Parameters
    ----------
    durations : Durations
        What became of the rows.
    score : ndarray of float64, shape (n_rows,)
        High = the cause comes soon, for instance minus the expected time.
    cause : int
        1 to n_causes.

    Notes
    -----
    A pair counts when the first is known to have had the cause before the other had it: the other lasted longer,
    was censored at the same time or later, or ended by another cause (it never comes then). In blocks of rows:
    O(n_events * n_rows) steps, no Python loop over pairs.
    """
    first = np.flatnonzero(durations.cause == cause)
    is_other = (durations.cause != cause) & (durations.cause != CENSORED)
    lasted = np.where(is_other, np.inf, durations.duration)
    is_censored = durations.cause == CENSORED
    n_pairs = won = 0.0
    for start in range(0, len(first), _BLOCK):
        part = first[start : start + _BLOCK]
        time = durations.duration[part][:, None]
        later = (lasted > time) | ((lasted == time) & is_censored)
        gap = score[part][:, None] - score
        n_pairs += float(later.sum())
        won += float((later & (gap > 0)).sum()) + 0.5 * float((later & (gap == 0)).sum())
    return won / n_pairs if n_pairs else float("nan")


def interval_of(metric: Metric, durations: Durations, p: Floats, blocks: Blocks) -> Interval:
    """A metric of outcomes and predictions with its 95 % interval over draws of whole groups.

    Parameters
    ----------
    metric : callable
        Of durations and predictions, for instance `functools.partial(auc_at, horizon=28, cause=1)`.
    durations : Durations
        What became of the rows.
    p : ndarray of float64, shape (n_rows,)
        Predictions.
    blocks : Blocks
        The draws.
    """
    return interval(_by_place(metric, durations), np.arange(len(p), dtype=np.float64), p, blocks)


def paired_interval_of(metric: Metric, durations: Durations, p: Floats, other: Floats, blocks: Blocks) -> Interval:
    """The difference `metric(p) - metric(other)` on the same rows, drawn together, with its 95 % interval."""
    return paired_interval(_by_place(metric, durations), np.arange(len(p), dtype=np.float64), p, other, blocks)


def _by_place(metric: Metric, durations: Durations) -> Callable[[Floats, Floats], float]:
    """The metric as `models.metrics` draws it: row numbers stand where labels would."""
    return lambda places, p: metric(durations.take(places.astype(np.intp)), p)
