"""Learning a calibrator from out-of-time predictions: Venn-Abers, beta, isotonic or nothing at all.

The method and the window it learns from are chosen by log loss on later windows, and must beat `identity` by more
than the standard error: a calibrator that learned noise is worse than none.

References
----------
Vovk & Petej (2014), Venn-Abers predictors. Kull, Silva Filho & Flach (2017), beta calibration.
Oron & Flournoy (2017), centred isotonic regression. Saerens, Latinne & Decaestecker (2002), shifted priors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.calibrator import IDENTITY, Calibrator, logit, sigmoid
from models.metrics import log_losses

Floats: TypeAlias = npt.NDArray[np.float64]
Fit: TypeAlias = Callable[[Floats, Floats], Calibrator]

MIN_POINTS_ISOTONIC = 2_000
MIN_POINTS = 200
MIN_POSITIVES = 40
_MIN_WINDOWS = 2
_GRID = np.linspace(-8.0, 8.0, 65)


def pool_adjacent(y: Floats, weight: Floats) -> Floats:
    """The non-decreasing sequence nearest to `y` in weighted squares (pool adjacent violators)."""
    values, weights, sizes = [0.0] * len(y), [0.0] * len(y), [0] * len(y)
    top = -1
    for value, mass in zip(y.tolist(), weight.tolist(), strict=True):
        top += 1
        values[top], weights[top], sizes[top] = value, mass, 1
        while top > 0 and values[top - 1] >= values[top]:
            mass = weights[top - 1] + weights[top]
            values[top - 1] = (weights[top - 1] * values[top - 1] + weights[top] * values[top]) / mass
            weights[top - 1], sizes[top - 1] = mass, sizes[top - 1] + sizes[top]
            top -= 1
    return np.repeat(values[: top + 1], sizes[: top + 1])


def venn_abers(scores: Floats, y: Floats, at: Floats) -> tuple[Floats, Floats]:
    """The two probabilities of Venn-Abers at each asked score.

    Parameters
    ----------
    scores, y : ndarray of float64, shape (n_rows,)
        Calibration scores and labels.
    at : ndarray of float64, shape (n_asked,)
        Asked scores.

    Returns
    -------
    tuple of ndarray
        `p0` and `p1`: the isotonic fit at the asked score after adding it with label 0 and with label 1.

    Notes
    -----
    By the definition, on scores grouped by value: min-max formula of isotonic regression on the cumulative sums,
    with one point added. O(n_asked * n_distinct) in vectorised steps.
    """
    x, places = np.unique(scores, return_inverse=True)
    mass = np.bincount(places).astype(np.float64)
    hits = np.bincount(places, weights=y)
    count = np.concatenate([[0.0], np.cumsum(mass)])
    sums = np.concatenate([[0.0], np.cumsum(hits)])
    p0, p1 = np.empty(len(at)), np.empty(len(at))
    for row, score in enumerate(at):
        left, right = np.searchsorted(x, score, side="left"), np.searchsorted(x, score, side="right")
        for label, result in ((0.0, p0), (1.0, p1)):
            # Isotonic value at the point: the greatest, over starts before it, of the least mean up to ends after it.
            n = count[right:][None, :] - count[: left + 1][:, None] + 1.0
            s = sums[right:][None, :] - sums[: left + 1][:, None] + label
            result[row] = (s / n).min(axis=1).max()
    return p0, p1


def fit_venn_abers(log_odds: Floats, y: Floats) -> Calibrator:
    """Venn-Abers as knots: p1 / (1 - p0 + p1) at up to 65 quantiles of the scores."""
    at = np.unique(np.quantile(log_odds, np.linspace(0.0, 1.0, 65)))
    p0, p1 = venn_abers(_coarse(log_odds), y, at)
    return _knots("venn_abers", at, logit(p1 / (1.0 - p0 + p1)), len(y))


def _coarse(log_odds: Floats, most: int = 400) -> Floats:
    """Scores moved onto at most `most` quantiles, which bounds the work of Venn-Abers."""
    if len(log_odds) <= most:
        return log_odds
    edges = np.unique(np.quantile(log_odds, np.linspace(0.0, 1.0, most)))
    return np.asarray(edges[np.clip(np.searchsorted(edges, log_odds), 0, len(edges) - 1)])


def fit_isotonic(log_odds: Floats, y: Floats) -> Calibrator:
    """Isotonic regression, each flat block kept as one knot at its centre so that no ties arise."""
    order = np.argsort(log_odds, kind="stable")
    x, fitted = log_odds[order], pool_adjacent(y[order], np.ones(len(y)))
    starts = np.flatnonzero(np.diff(fitted, prepend=-1.0))
    sizes = np.diff(starts, append=len(x))
    centres = np.add.reduceat(x, starts) / sizes
    # Laplace's half counts keep a pure block from promising certainty.
    rates = (fitted[starts] * sizes + 0.5) / (sizes + 1.0)
    return _knots("isotonic", centres, logit(np.maximum.accumulate(rates)), len(y))


def fit_beta(log_odds: Floats, y: Floats) -> Calibrator:
    """Beta calibration: logit q = a ln p - b ln(1 - p) + c with a, b >= 0."""
    p = sigmoid(log_odds)
    columns = [np.log(np.clip(p, 1e-15, 1)), -np.log(np.clip(1 - p, 1e-15, 1))]
    kept = [0, 1]
    weights = np.zeros(3)
    while True:
        fitted = _logistic(np.column_stack([np.ones(len(y)), *(columns[place] for place in kept)]), y)
        slopes = fitted[1:]
        if not kept or slopes.min() >= 0:
            weights[0] = fitted[0]
            weights[[place + 1 for place in kept]] = slopes
            break
        kept.pop(int(np.argmin(slopes)))
    grid = sigmoid(_GRID)
    curve = weights[0] + weights[1] * np.log(grid) - weights[2] * np.log1p(-grid)
    return _knots("beta", _GRID, curve, len(y))


def _logistic(design: Floats, y: Floats) -> Floats:
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        q = sigmoid(design @ weights)
        hessian = design.T @ (design * (q * (1 - q))[:, None]) + 1e-6 * np.eye(len(weights))
        step = np.linalg.solve(hessian, design.T @ (y - q) - 1e-6 * weights)
        weights = weights + np.clip(step, -3, 3)
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _knots(method: str, x: Floats, y: Floats, n: int) -> Calibrator:
    rising = np.concatenate([[True], np.diff(x) > 1e-9])
    x, y = x[rising], np.maximum.accumulate(y[rising])
    if len(x) < 2:
        x, y = np.array([x[0] - 1.0, x[0] + 1.0]), np.array([y[0], y[0]])
    return Calibrator(method=method, x=x, y=y, n=n)


def fit_level(log_odds: Floats, y: Floats) -> Calibrator:
    """One shift of the log-odds, for when only the base rate has moved: the likeliest one."""
    shift = 0.0
    for _ in range(50):
        p = sigmoid(log_odds + shift)
        step = float((y - p).sum() / max((p * (1 - p)).sum(), 1e-9))
        shift += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-9:
            break
    return Calibrator(method="level", x=np.array([-1.0, 1.0]), y=np.array([-1.0, 1.0]), shift=shift, n=len(y))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """The chosen calibrator and what each rival lost.

    Parameters
    ----------
    calibrator : Calibrator
        Shape from every out-of-time window, and the shift of the latest one if shifting has helped.
    losses : dict
        Log loss on later windows by method; `identity+recent_level` is identity with the level of the window before.
    """

    calibrator: Calibrator
    losses: dict[str, float]


def choose_calibrator(parts: Sequence[tuple[Floats, Floats]], *, in_time: bool) -> Calibration:
    """The calibrator that would have served the other windows best.

    Parameters
    ----------
    parts : sequence of (log_odds, y)
        Out-of-time predictions and outcomes of each window, oldest first.
    in_time : bool
        Windows follow each other: each is judged by what was learned on earlier ones; otherwise on all the others.

    Notes
    -----
    Shape and level are judged apart. The shape is learned after each window's mean was matched: the final model is
    fitted on all rows and has already taken up the newest level, so a shift learned from models that had not would
    be counted twice. A shift is added only if the level of one window has helped the next. Either must win by more
    than its standard error over the windows.
    """
    parts = [part for part in parts if 0 < part[1].sum() < len(part[1])]
    start = 1 if in_time else 0
    if len(parts) - start < _MIN_WINDOWS or not _enough(np.concatenate([y for _, y in parts])):
        return Calibration(calibrator=IDENTITY, losses={})
    matched = [(log_odds + fit_level(log_odds, y).shift, y) for log_odds, y in parts]
    judged = range(start, len(parts))
    shapes = {"identity": _losses([IDENTITY for _ in judged], matched[start:])}
    for method, fit in METHODS.items():
        fitted = [_fit_if_enough(fit, *_join(matched[:at] if in_time else _others(matched, at))) for at in judged]
        shapes[method] = _losses(fitted, matched[start:])
    table = {method: float(loss.mean()) for method, loss in shapes.items()}
    best = min(shapes, key=lambda method: table[method])
    chosen = IDENTITY
    if _wins(shapes["identity"] - shapes[best]):
        chosen = _fit_if_enough(METHODS[best], *_join(matched))
    if in_time:
        plain = _losses([IDENTITY for _ in judged], parts[start:])
        moved = _losses([fit_level(*parts[at - 1]) for at in judged], parts[start:])
        table |= {"identity+level_unmatched": float(plain.mean()), "identity+recent_level": float(moved.mean())}
        if _wins(plain - moved):
            chosen = replace(chosen, shift=fit_level(*parts[-1]).shift)
    return Calibration(calibrator=chosen, losses=table)


def _losses(calibrators: Sequence[Calibrator], parts: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Mean log loss of each window."""
    pairs = zip(calibrators, parts, strict=True)
    return np.array([log_losses(y, sigmoid(calibrator(log_odds))).mean() for calibrator, (log_odds, y) in pairs])


def _wins(gain: Floats) -> bool:
    return bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def _others(parts: Sequence[tuple[Floats, Floats]], at: int) -> list[tuple[Floats, Floats]]:
    return [part for place, part in enumerate(parts) if place != at]


def _join(parts: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    return np.concatenate([log_odds for log_odds, _ in parts]), np.concatenate([y for _, y in parts])


def _enough(y: Floats) -> bool:
    return len(y) >= MIN_POINTS and min(y.sum(), (1 - y).sum()) >= MIN_POSITIVES


def _fit_if_enough(fit: Fit, log_odds: Floats, y: Floats) -> Calibrator:
    if not _enough(y) or (fit is fit_isotonic and len(y) < MIN_POINTS_ISOTONIC):
        return IDENTITY
    return fit(log_odds, y)


METHODS: dict[str, Fit] = {
    "beta": fit_beta,
    "venn_abers": fit_venn_abers,
    "isotonic": fit_isotonic,
}


def shifted_prior(p: Floats, base_rate: float, *, n_steps: int = 200) -> float:
    """The base rate of unlabelled rows by expectation maximisation (Saerens et al. 2002).

    Parameters
    ----------
    p : ndarray of float64, shape (n_rows,)
        Probabilities of the unlabelled rows.
    base_rate : float
        Base rate the probabilities were made for.
    """
    rate = base_rate
    for _ in range(n_steps):
        odds = p / np.clip(1 - p, 1e-15, 1) * (rate / base_rate) * ((1 - base_rate) / (1 - rate))
        new = float(np.clip(np.mean(odds / (1 + odds)), 1e-6, 1 - 1e-6))
        if abs(new - rate) < 1e-9:
            break
        rate = new
    return rate
