"""Learning a calibrator from out-of-time predictions: Venn-Abers, beta, isotonic or nothing at all.

The method is chosen by cross-fitted log loss, contiguous folds in time order, and a method must beat `identity`
by more than its standard error: a calibrator that learned noise is worse than none.

References
----------
Vovk & Petej (2014), Venn-Abers predictors. Kull, Silva Filho & Flach (2017), beta calibration.
Oron & Flournoy (2017), centred isotonic regression. Saerens, Latinne & Decaestecker (2002), shifted priors.
"""

from __future__ import annotations

from collections.abc import Callable
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
_N_FOLDS = 5
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


def choose_calibrator(log_odds: Floats, y: Floats) -> tuple[Calibrator, dict[str, float]]:
    """The calibrator with the least cross-fitted log loss, and the loss of each method.

    Parameters
    ----------
    log_odds : ndarray of float64, shape (n_rows,)
        Out-of-time predictions in time order.
    y : ndarray of float64, shape (n_rows,)
        Labels.
    """
    positives = min(float(y.sum()), float((1 - y).sum()))
    if len(y) < MIN_POINTS or positives < MIN_POSITIVES:
        return IDENTITY, {}
    methods: dict[str, Fit] = {"beta": fit_beta, "venn_abers": fit_venn_abers}
    if len(y) >= MIN_POINTS_ISOTONIC:
        methods["isotonic"] = fit_isotonic
    plain = log_losses(y, sigmoid(log_odds))
    losses = {name: _cross_fitted(fit, log_odds, y) for name, fit in methods.items()}
    table = {"identity": float(plain.mean())} | {name: float(loss.mean()) for name, loss in losses.items()}
    best = min(losses, key=lambda name: table[name])
    gain = plain - losses[best]
    if gain.mean() <= gain.std() / np.sqrt(len(gain)):
        return IDENTITY, table
    return methods[best](log_odds, y), table


def _cross_fitted(fit: Fit, log_odds: Floats, y: Floats) -> Floats:
    losses = np.empty(len(y))
    for part in np.array_split(np.arange(len(y)), _N_FOLDS):
        rest = np.ones(len(y), dtype=bool)
        rest[part] = False
        if y[rest].min() == y[rest].max():
            losses[part] = log_losses(y[part], sigmoid(log_odds[part]))
        else:
            losses[part] = log_losses(y[part], sigmoid(fit(log_odds[rest], y[rest])(log_odds[part])))
    return losses


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
