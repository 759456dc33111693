"""Learning a calibrator from out-of-time predictions: Venn-Abers, beta, isotonic or nothing at all.

The method is chosen by cross-fitted log loss over the windows, and leaving the model as it is competes too.

References
----------
Vovk & Petej (2014), Venn-Abers predictors. Kull, Silva Filho & Flach (2017), beta calibration.
Oron & Flournoy (2017), centred isotonic regression.
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
    """Knots of a rising curve; a flat stretch becomes one knot at its centre, so that no two scores tie."""
    rising = np.concatenate([[True], np.diff(x) > 1e-9])
    x, y = x[rising], np.maximum.accumulate(y[rising])
    starts = np.flatnonzero(np.concatenate([[True], np.diff(y) > 1e-9]))
    x = np.add.reduceat(x, starts) / np.diff(starts, append=len(x))
    y = y[starts]
    if len(x) < 2:
        x, y = np.array([x[0] - 1.0, x[0] + 1.0]), np.array([y[0] - 1.0, y[0] + 1.0])
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
        Mean log loss over the windows by method, level matched; then of following the level, and of not doing so.
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
        The windows follow each other; otherwise there is no level to follow.

    Notes
    -----
    Shape and level are judged apart. The shape is learned after each window's mean was matched: the final model is
    fitted on all rows and has already taken up the newest level, so a shift learned from models that had not would
    be counted twice. The least cross-fitted log loss over the windows wins; `identity` competes like the others.
    Where windows follow each other, the winner must also help the newest one, at least half as much as all of them:
    early models learned from less and are surer of themselves than the one that will answer, and to temper it for
    what they did would leave it too timid.
    A shift to the level of the newest window is added only if the level of one window has helped the next one
    beyond chance (Student's t over the windows, 5 % on one side): a level that wanders back and forth is no trend.
    """
    parts = [part for part in parts if 0 < part[1].sum() < len(part[1])]
    if len(parts) < _MIN_WINDOWS or not _enough(np.concatenate([y for _, y in parts])):
        return Calibration(calibrator=IDENTITY, losses={})
    matched = [(log_odds + fit_level(log_odds, y).shift, y) for log_odds, y in parts]
    shapes = {"identity": _losses([IDENTITY for _ in parts], matched)}
    for method, fit in METHODS.items():
        fitted = [_fit_if_enough(fit, *_join(_others(matched, at))) for at in range(len(parts))]
        shapes[method] = _losses(fitted, matched)
    table = {method: float(loss.mean()) for method, loss in shapes.items()}
    best = min(shapes, key=lambda method: table[method])
    if in_time and not _helps_newest(best, matched, float((shapes["identity"] - shapes[best]).mean())):
        best = "identity"
    chosen = IDENTITY if best == "identity" else _fit_if_enough(METHODS[best], *_join(matched))
    if in_time:
        plain = _losses([IDENTITY for _ in parts[1:]], parts[1:])
        moved = _losses([fit_level(*part) for part in parts[:-1]], parts[1:])
        table |= {"level as predicted": float(plain.mean()), "level of the window before": float(moved.mean())}
        if len(plain) >= _MIN_WINDOWS and _has_helped(plain - moved):
            chosen = replace(chosen, shift=fit_level(*parts[-1]).shift)
    return Calibration(calibrator=chosen, losses=table)


def _losses(calibrators: Sequence[Calibrator], parts: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Mean log loss of each window."""
    pairs = zip(calibrators, parts, strict=True)
    return np.array([log_losses(y, sigmoid(calibrator(log_odds))).mean() for calibrator, (log_odds, y) in pairs])


def _helps_newest(method: str, matched: Sequence[tuple[Floats, Floats]], mean_gain: float) -> bool:
    """Whether a shape learned on the windows before betters the newest one by at least half its mean gain."""
    if method == "identity":
        return True
    log_odds, y = matched[-1]
    shaped = _fit_if_enough(METHODS[method], *_join(matched[:-1]))
    gain = log_losses(y, sigmoid(log_odds)) - log_losses(y, sigmoid(shaped(log_odds)))
    return bool(gain.mean() >= mean_gain / 2)


def _has_helped(gain: Floats) -> bool:
    from scipy.stats import t

    errors = gain.mean() / max(gain.std(ddof=1) / np.sqrt(len(gain)), 1e-12)
    return bool(errors > t.ppf(0.95, len(gain) - 1))


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
