"""Logistic regression for a few dozen outcomes: shrunk to the base rate as far as the evidence does not reach.

The strength of the shrinkage is chosen by repeated cross-validation, the strongest within one standard error of
the best; unless the gain in log loss over the base rate is beyond chance, the base rate itself is the answer.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.additive import Additive
from models.basis import Basis
from models.calibrator import sigmoid
from models.encoding import Encoder
from models.metrics import log_losses

Floats: TypeAlias = npt.NDArray[np.float64]

# Penalties on standardised columns, strongest first.
PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0)
N_FOLDS = 5
N_REPEATS = 2
# Chance of a gain that is none, one-sided: five penalties are tried and the folds of few rows are not independent, so
# that the usual 5 % would let noise through in a fifth of all draws (measured).
CHANCE = 0.01
# Events of the rarer kind below which nothing but the base rate is said.
MIN_EVENTS = 8
# A normal prior of standard deviation .1 on every standardised column: most that is known of a customer moves the odds
# by less than a tenth; with many thousands of rows the prior no longer matters.
PRIOR_PENALTY = 100.0


def shrink(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Additive | None:
    """The additive model, or None when the base rate is the better answer.

    Parameters
    ----------
    encoder : Encoder
        Fitted on these rows.
    rows : ndarray of float64, shape (n_rows, n_fields)
        Encoded rows.
    y : ndarray of float64, shape (n_rows,)
        Labels, both present.
    seed : int
        Random state of the folds.
    """
    if min(y.sum(), (1 - y).sum()) < MIN_EVENTS:
        return None
    columns = _Columns(encoder, rows)
    # Ridge does not mind a rotation: with fewer rows than columns the same answer costs a fraction.
    left, sizes, turn = np.linalg.svd(columns.design, full_matrices=False)
    turned = left * sizes
    best = _best_penalty(turned, y, seed)
    if best is None:
        return None
    found = fit_ridge(turned, y, best)
    return columns.additive(np.concatenate([found[:1], turn.T @ found[1:]]), rows)


def fit_with_prior(encoder: Encoder, rows: Floats, y: Floats) -> Additive:
    """The additive model whose standardised weights have a normal prior of standard deviation .1.

    For a few thousand rows of which several tell of the same customer: cross-validation by row would see every
    customer on both sides and shrink too little.
    """
    columns = _Columns(encoder, rows)
    return columns.additive(fit_ridge(columns.design, y, PRIOR_PENALTY), rows)


class _Columns:
    """Encoded rows as standardised columns, and the way back from their weights to an additive model."""

    def __init__(self, encoder: Encoder, rows: Floats) -> None:
        self._bases = [
            Basis(rows[:, place], len(coding.categories), coding.field.kind, n_knots=2, is_straight=False)
            for place, coding in enumerate(encoder.codings)
        ]
        design = np.column_stack([basis.design(rows[:, place]) for place, basis in enumerate(self._bases)])
        spread = design.std(axis=0)
        self._scale = np.where(spread > 0, spread, np.inf)
        self.design = (design - design.mean(axis=0)) / self._scale

    def additive(self, weights: Floats, rows: Floats) -> Additive:
        """The model of weights, the intercept first."""
        terms, start = [], 0
        for basis in self._bases:
            stop = start + basis.width
            terms.append(basis.term(weights[1 + start : 1 + stop] / self._scale[start:stop]))
            start = stop
        model = Additive(0.0, terms).with_means(rows)
        # The means carry the centring that the weights were learned with.
        offset = float(weights[0]) - sum(term.mean for term in model.terms)
        return Additive(offset, model.terms)


def _best_penalty(design: Floats, y: Floats, seed: int) -> float | None:
    base, losses = np.zeros(len(y)), {penalty: np.zeros(len(y)) for penalty in PENALTIES}
    random = np.random.default_rng(seed)
    for _ in range(N_REPEATS):
        for part in _folds(y, random):
            rest = np.setdiff1d(np.arange(len(y)), part)
            rate = (y[rest].sum() + 0.5) / (len(rest) + 1.0)
            base[part] += log_losses(y[part], np.full(len(part), rate)) / N_REPEATS
            weights: Floats | None = None
            for penalty in PENALTIES:
                weights = fit_ridge(design[rest], y[rest], penalty, start=weights)
                p = sigmoid(weights[0] + design[part] @ weights[1:])
                losses[penalty][part] += log_losses(y[part], p) / N_REPEATS
    best = min(PENALTIES, key=lambda penalty: float(losses[penalty].mean()))
    if not _exceeds(base - losses[best], _errors_needed(y)):
        return None
    # The strongest shrinkage that is within one standard error of the best.
    return next(penalty for penalty in PENALTIES if not _exceeds(losses[penalty] - losses[best], 1.0))


def _errors_needed(y: Floats) -> float:
    """Standard errors that a gain must exceed: Student's t, since the error itself rests on the few rarer outcomes."""
    from scipy.stats import t

    n_events = min(y.sum(), (1 - y).sum())
    return float(t.ppf(1 - CHANCE, n_events - 1))


def _exceeds(gain: Floats, n_errors: float) -> bool:
    return bool(gain.mean() > n_errors * gain.std() / np.sqrt(len(gain)))


def _folds(y: Floats, random: np.random.Generator) -> list[npt.NDArray[np.intp]]:
    """Folds that hold the two outcomes in like shares."""
    number = np.empty(len(y), dtype=np.intp)
    for label in (0.0, 1.0):
        rows = random.permutation(np.flatnonzero(y == label))
        number[rows] = np.arange(len(rows)) % N_FOLDS
    return [np.flatnonzero(number == fold) for fold in range(N_FOLDS) if (number == fold).any()]


def fit_ridge(design: Floats, y: Floats, penalty: float, *, start: Floats | None = None) -> Floats:
    """Weights of a ridge logistic regression by Newton's method, the intercept first and not penalised."""
    wide = np.column_stack([np.ones(len(y)), design])
    ridge = np.full(wide.shape[1], penalty)
    ridge[0] = 1e-6
    if start is None:
        rate = (y.sum() + 0.5) / (len(y) + 1.0)
        start = np.zeros(wide.shape[1])
        start[0] = np.log(rate / (1 - rate))
    weights = start.copy()
    for _ in range(25):
        q = sigmoid(wide @ weights)
        hessian = wide.T @ (wide * (q * (1 - q))[:, None]) + np.diag(ridge)
        step = np.linalg.solve(hessian, wide.T @ (y - q) - ridge * weights)
        weights = weights + step
        if np.abs(step).max() < 1e-4:
            break
    return weights
