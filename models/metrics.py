"""How good probabilities are: ranking, sharpness, calibration, and intervals that respect groups.

All functions take labels `y` (0 or 1) and probabilities `p`, both of shape (n_rows,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.calibrator import logit, sigmoid

Floats: TypeAlias = npt.NDArray[np.float64]
Metric: TypeAlias = Callable[[Floats, Floats], float]

_TINY = 1e-15
_ECE_BINS = 10


def auc(y: Floats, p: Floats) -> float:
    """Area under the ROC curve: chance that an event outranks a non-event, ties half; NaN without both.

    Examples
    --------
    >>> auc(np.array([0.0, 1, 1]), np.array([0.2, 0.2, 0.9]))
    0.75
    """
    n_events = float(y.sum())
    n_others = len(y) - n_events
    if n_events == 0 or n_others == 0:
        return float("nan")
    return float((_ranks(p) @ y - n_events * (n_events + 1) / 2) / (n_events * n_others))


def _ranks(p: Floats) -> Floats:
    _, places, counts = np.unique(p, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[places])


def average_precision(y: Floats, p: Floats) -> float:
    """Mean precision over the events, from the top down; rows of equal score count together."""
    if y.sum() == 0:
        return float("nan")
    order = np.argsort(-p, kind="stable")
    hits, sorted_p = np.cumsum(y[order]), p[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_p)), len(p) - 1)
    precision = hits[ends] / (ends + 1)
    return float(np.sum(np.diff(hits[ends], prepend=0.0) * precision) / y.sum())


def log_loss(y: Floats, p: Floats) -> float:
    """Mean negative log-likelihood in nats."""
    return float(np.mean(log_losses(y, p)))


def log_losses(y: Floats, p: Floats) -> Floats:
    """Negative log-likelihood of each row."""
    q = np.clip(p, _TINY, 1 - _TINY)
    return np.asarray(-(y * np.log(q) + (1 - y) * np.log1p(-q)))


def brier(y: Floats, p: Floats) -> float:
    """Mean squared error of the probabilities."""
    return float(np.mean((p - y) ** 2))


def ece(y: Floats, p: Floats) -> float:
    """Expected calibration error in ten bins of equal mass, debiased.

    Notes
    -----
    Each bin's |mean p - mean y| is reduced by what sampling noise alone would give: the squared gap less the
    variance of the bin's mean label, rooted; bins within noise count zero (after Kumar, Liang & Ma 2019).
    """
    return float(sum(weight * np.sqrt(max(gap**2 - noise, 0.0)) for weight, gap, noise in _bins(y, p)))


def ece_plain(y: Floats, p: Floats) -> float:
    """Expected calibration error in ten bins of equal mass, as most papers report it (biased upward)."""
    return float(sum(weight * abs(gap) for weight, gap, _ in _bins(y, p)))


def _bins(y: Floats, p: Floats) -> list[tuple[float, float, float]]:
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, _ECE_BINS) if len(part)]
    rows = []
    for part in parts:
        rate = float(y[part].mean())
        noise = rate * (1 - rate) / max(len(part) - 1, 1)
        rows.append((len(part) / len(y), float(p[part].mean()) - rate, noise))
    return rows


def lift(y: Floats, p: Floats, share: float) -> float:
    """Event rate among the `share` of rows with the highest scores over the overall rate; ties share alike."""
    rate = float(y.mean())
    if rate == 0:
        return float("nan")
    n_top = max(1.0, share * len(y))
    order = np.argsort(-p, kind="stable")
    sorted_p = p[order]
    threshold = sorted_p[int(np.ceil(n_top)) - 1]
    above, tied = p > threshold, p == threshold
    hits = float(y[above].sum()) + float(y[tied].mean()) * (n_top - float(above.sum()))
    return hits / n_top / rate


def lift_at_10(y: Floats, p: Floats) -> float:
    """Lift of the top tenth."""
    return lift(y, p, 0.1)


def lift_at_20(y: Floats, p: Floats) -> float:
    """Lift of the top fifth."""
    return lift(y, p, 0.2)


def lift_ceiling(y: Floats, share: float) -> float:
    """The lift of a perfect ranking: min(1 / share, 1 / event rate)."""
    rate = float(y.mean())
    return float("nan") if rate == 0 else min(1 / share, 1 / rate)


def calibration_line(y: Floats, p: Floats) -> tuple[float, float]:
    """Slope and intercept of Cox's recalibration: logit P(y) = intercept + slope logit p; (1, 0) is perfect."""
    if y.min() == y.max():
        return float("nan"), float("nan")
    x = np.clip(logit(p), -20, 20)
    design = np.column_stack([np.ones_like(x), x])
    weights = np.array([0.0, 1.0])
    for _ in range(50):
        q = sigmoid(design @ weights)
        hessian = design.T @ (design * (q * (1 - q))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (y - q))
        weights += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[1]), float(weights[0])


def calibration_slope(y: Floats, p: Floats) -> float:
    """Slope of `calibration_line`."""
    return calibration_line(y, p)[0]


def calibration_intercept(y: Floats, p: Floats) -> float:
    """Intercept of `calibration_line`."""
    return calibration_line(y, p)[1]


METRICS: dict[str, Metric] = {
    "auc": auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
    "ece": ece,
    "lift_at_10": lift_at_10,
    "lift_at_20": lift_at_20,
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_intercept,
}
"""Every metric of a report, by the name it is printed under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % block-bootstrap interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """Bootstrap draws of whole groups, drawn once and used for every figure that is compared.

    Parameters
    ----------
    draws : tuple of ndarray of intp
        Row numbers of each draw.
    """

    draws: tuple[npt.NDArray[np.intp], ...]


def make_blocks(group: npt.NDArray[np.str_], *, n_draws: int, seed: int) -> Blocks:
    """Draws of groups with replacement; rows of one group come and go together.

    Parameters
    ----------
    group : ndarray of str, shape (n_rows,)
        What is resampled together.
    n_draws : int
        Number of draws.
    seed : int
        Random state.
    """
    _, places = np.unique(group, return_inverse=True)
    order = np.argsort(places, kind="stable")
    sizes = np.bincount(places)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(n_draws):
        chosen = random.integers(len(sizes), size=len(sizes))
        chosen_sizes = sizes[chosen]
        offsets = np.arange(chosen_sizes.sum()) - np.repeat(np.cumsum(chosen_sizes) - chosen_sizes, chosen_sizes)
        draws.append(order[np.repeat(starts[chosen], chosen_sizes) + offsets])
    return Blocks(draws=tuple(draws))


def interval(metric: Metric, y: Floats, p: Floats, blocks: Blocks) -> Interval:
    """A metric with the 2.5 % and 97.5 % quantiles over the draws."""
    return _spread(metric(y, p), np.array([metric(y[rows], p[rows]) for rows in blocks.draws]))


def paired_interval(metric: Metric, y: Floats, p: Floats, other: Floats, blocks: Blocks) -> Interval:
    """The difference `metric(p) - metric(other)` on the same rows, drawn together."""
    drawn = np.array([metric(y[rows], p[rows]) - metric(y[rows], other[rows]) for rows in blocks.draws])
    return _spread(metric(y, p) - metric(y, other), drawn)


def _spread(value: float, drawn: Floats) -> Interval:
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) == 0:
        return Interval(value=value, low=float("nan"), high=float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value=float(value), low=float(low), high=float(high))
