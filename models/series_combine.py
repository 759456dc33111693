"""From candidates to one forecast with quantiles: weights and conformal radii by level and months ahead.

Everything here is arithmetic on plain numbers, so that a bundle can hold it as JSON and give the same answer again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

# Errors of this many further points at the baseline's own size are taken for granted: few points say little.
PRIOR_POINTS = 24
# How sharply a smaller error is preferred. At 4 a candidate 16 % better has twice the weight.
SHARPNESS = 4.0
MIN_RESIDUALS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Radii:
    """Where outcomes lay around the forecast, in units of the series' scale, by quantile.

    Parameters
    ----------
    n : int
        Residuals that they come from; 0 where there were none and another bucket's were widened.
    at : tuple of float
        One a quantile, never falling.
    """

    n: int
    at: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done with one measure, level and bucket.

    Parameters
    ----------
    weights : mapping of str to float
        Weight of each candidate; they sum to 1.
    radii : Radii
        How far outcomes lay from the forecast.
    factor : float
        What the weighted candidates are multiplied by, because all of them follow growth late.
    """

    weights: Mapping[str, float]
    radii: Radii
    factor: float = 1.0


def weigh(ratios: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    """Weights of candidates from their errors over the baseline's, the smaller the heavier.

    Parameters
    ----------
    ratios : mapping of str to (float, int)
        Absolute error over that of the baseline on the same points, and the number of points.

    Notes
    -----
    Each ratio is drawn to 1 by `PRIOR_POINTS`, then weights go by its inverse to the power `SHARPNESS` (after Bates &
    Granger 1969, who weighted by inverse squared errors).

    Examples
    --------
    >>> weigh({"naive": (1.0, 100), "ets": (1.0, 100)})
    {'naive': 0.5, 'ets': 0.5}
    """
    drawn = {name: (ratio * n + PRIOR_POINTS) / (n + PRIOR_POINTS) for name, (ratio, n) in ratios.items()}
    raw = {name: max(ratio, 1e-6) ** -SHARPNESS for name, ratio in drawn.items()}
    total = sum(raw.values())
    return {name: value / total for name, value in raw.items()}


def combine(candidates: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """The weighted mean of what the candidates say, of those that say something.

    Parameters
    ----------
    candidates : mapping of str to ndarray of float64, shape (n,)
        NaN where a candidate has nothing to say.
    weights : mapping of str to float
        By candidate.

    Examples
    --------
    >>> combine({"a": np.array([1.0, np.nan]), "b": np.array([3.0, 5.0])}, {"a": 0.5, "b": 0.5}).tolist()
    [2.0, 5.0]
    """
    values = np.array([candidates[name] for name in weights])
    shares = np.array(list(weights.values()))[:, None] * np.isfinite(values)
    total = shares.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.nan_to_num(values) * shares).sum(axis=0) / np.where(total > 0, total, np.nan))


def conformal_radii(residuals: Floats, quantiles: tuple[float, ...]) -> Radii | None:
    """Signed conformal radii of residuals, None when there are too few.

    Parameters
    ----------
    residuals : ndarray of float64, shape (n,)
        Outcome less forecast over the scale of the series, of forecasts made without knowing the outcome.
    quantiles : tuple of float
        Rising shares between 0 and 1.

    Notes
    -----
    Split conformal prediction (Vovk et al. 2005; Lei et al. 2018) on each side: above the median the
    ceil((n + 1) q)-th smallest residual, below it the floor((n + 1) q)-th, so that small samples give wide intervals.
    With fewer residuals than a quantile needs, the outermost one stands for it.

    Examples
    --------
    >>> conformal_radii(np.arange(1.0, 20.0), (0.1, 0.5, 0.9)).at
    (2.0, 10.0, 18.0)
    """
    known = np.sort(residuals[np.isfinite(residuals)])
    n = len(known)
    if n < MIN_RESIDUALS:
        return None
    at = []
    for share in quantiles:
        if share == 0.5:
            at.append(float(np.median(known)))
            continue
        # The sum of rounding errors must not push a whole rank over the edge.
        rank = np.floor((n + 1) * share + 1e-9) if share < 0.5 else np.ceil((n + 1) * share - 1e-9)
        at.append(float(known[int(min(max(rank, 1), n)) - 1]))
    return Radii(n=n, at=tuple(at))


def widen(radii: Radii, factor: float) -> Radii:
    """Radii of a nearer bucket for a farther one that nothing was measured in."""
    return Radii(n=0, at=tuple(radius * factor for radius in radii.at))


def stretch(radii: Radii, below: float, above: float) -> Radii:
    """Radii with the half below the middle and the half above it multiplied, from the middle outwards.

    Examples
    --------
    >>> stretch(Radii(n=9, at=(-1.0, 0.5, 1.0)), 1.0, 2.0).at
    (-1.0, 0.5, 1.5)
    """
    if not radii.at:
        return radii
    middle = radii.at[len(radii.at) // 2]
    at = (middle + (radius - middle) * (below if radius < middle else above) for radius in radii.at)
    return Radii(n=radii.n, at=tuple(at))


def spread(expected: Floats, scale: Floats, radii: Radii) -> Floats:
    """Quantiles around forecasts, shape (n, n_quantiles), never falling from left to right.

    Parameters
    ----------
    expected, scale : ndarray of float64, shape (n,)
        Forecast and scale.
    radii : Radii
        Of their bucket.
    """
    values = expected[:, None] + scale[:, None] * np.array(radii.at)[None, :]
    return np.asarray(np.maximum.accumulate(values, axis=1))


def floored(values: Floats, is_positive: npt.NDArray[np.bool_]) -> Floats:
    """Values, held at or above nothing where the series cannot be negative; first axes agree.

    Examples
    --------
    >>> floored(np.array([[-1.0, 2.0], [-1.0, 2.0]]), np.array([True, False])).tolist()
    [[0.0, 2.0], [-1.0, 2.0]]
    """
    rows = is_positive if values.ndim == 1 else is_positive[:, None]
    return np.asarray(np.where(rows, np.maximum(values, 0.0), values))
