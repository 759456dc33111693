"""Multinomial logistic regression on person-periods, fitted without writing the person-periods out.

The periods of a row share every column but a few (the step, what is known ahead of it). Newton's method needs sums
over periods only, so what the periods share is multiplied once a row: a table of a quarter as many numbers, and the
same optimum as scikit-learn's `LogisticRegression`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.intp]

_MAX_STEPS = 40
_ENOUGH = 1e-6
"""Newton's method ends when its step promises less than this share of the loss."""


class Periods:
    """A design of person-periods: columns of the rows, and columns of the periods.

    Parameters
    ----------
    fixed : ndarray of float64, shape (n_rows, n_fixed)
        Columns that all periods of a row share.
    varying : ndarray of float64, shape (n_periods, n_varying)
        Columns of the periods.
    row : ndarray of intp, shape (n_periods,)
        Which row each period is of.
    """

    def __init__(self, fixed: Floats, varying: Floats, row: Places) -> None:
        self.fixed, self.varying, self.row = np.column_stack([np.ones(len(fixed)), fixed]), varying, row
        self.n_columns = self.fixed.shape[1] + varying.shape[1]

    def scores(self, weights: Floats) -> Floats:
        """Scores of the periods, shape (n_periods, n_causes); `weights` has shape (n_columns, n_causes)."""
        n_fixed = self.fixed.shape[1]
        return np.asarray((self.fixed @ weights[:n_fixed])[self.row] + self.varying @ weights[n_fixed:])

    def sum_of(self, values: Floats) -> Floats:
        """Each column times the values (n_periods,), summed over the periods, shape (n_columns,)."""
        by_row = np.bincount(self.row, values, minlength=len(self.fixed))
        return np.concatenate([self.fixed.T @ by_row, self.varying.T @ values])

    def squares_of(self, values: Floats) -> Floats:
        """Each pair of columns times the values (n_periods,), summed over the periods: (n_columns, n_columns)."""
        n_rows = len(self.fixed)
        by_row = np.bincount(self.row, values, minlength=n_rows)
        moving = self.varying * values[:, None]
        # The sums of a row's moving columns, before the columns of the row are multiplied in.
        mixed = np.column_stack([np.bincount(self.row, column, minlength=n_rows) for column in moving.T])
        across = self.fixed.T @ mixed.reshape(n_rows, -1)
        own = self.fixed.T @ (self.fixed * by_row[:, None])
        return np.block([[own, across], [across.T, self.varying.T @ moving]])


def fit_pooled(periods: Periods, cause: Places, weight: Floats, n_causes: int, *, strength: float = 1.0) -> Floats:
    """Weights of each cause against "nothing happens", shape (n_columns, n_causes).

    Parameters
    ----------
    periods : Periods
        The design.
    cause : ndarray of intp, shape (n_periods,)
        What happened, 0 for nothing.
    weight : ndarray of float64, shape (n_periods,)
        How much each period counts.
    n_causes : int
        Causes, all of which and 0 occur.
    strength : float
        scikit-learn's C: the larger, the less the weights are held to 0.

    Returns
    -------
    ndarray of float64
        The intercept, then the columns of the rows, then those of the periods.

    Raises
    ------
    ValueError
        A cause, or "nothing happens", does not occur.

    Notes
    -----
    The penalty is that of one set of weights for each of the K = n_causes + 1 outcomes, which any common shift
    leaves the best: with the set of outcome 0 moved to 0 it is (|b|^2 - |sum_c b_c|^2 / K) / (2 C), b_c the weights of
    cause c; the intercept is free. Newton's method with halved steps; the loss is convex.
    """
    if len(np.unique(cause)) != n_causes + 1:
        raise ValueError(f"expected {n_causes} causes and periods without any, found outcomes {np.unique(cause)}")
    n, k = periods.n_columns, n_causes + 1
    shape = np.eye(n_causes) - 1.0 / k
    ridge = np.r_[0.0, np.full(n - 1, 1.0 / strength)]
    happened = np.eye(k)[cause][:, 1:]
    weights = np.zeros((n, n_causes))
    loss, p = _loss(periods, weights, cause, weight, ridge, shape)
    for _ in range(_MAX_STEPS):
        wrong = weight[:, None] * (p - happened)
        slope = np.column_stack([periods.sum_of(column) for column in wrong.T]) + ridge[:, None] * (weights @ shape)
        hessian = np.empty((n_causes, n, n_causes, n))
        for one in range(n_causes):
            for other in range(one + 1):
                part = periods.squares_of(weight * p[:, one] * ((one == other) - p[:, other]))
                part += np.diag(ridge * shape[one, other])
                hessian[one, :, other, :], hessian[other, :, one, :] = part, part.T
        step = _solve(hessian.reshape(n * n_causes, -1), slope.T.ravel()).reshape(n_causes, n).T
        promised, share = float((step * slope).sum()), 1.0
        while True:
            tried, tried_p = _loss(periods, weights - share * step, cause, weight, ridge, shape)
            if tried <= loss - 1e-4 * share * promised or share < 1e-6:
                break
            share /= 2
        weights, gain, loss, p = weights - share * step, loss - tried, tried, tried_p
        if gain <= _ENOUGH * abs(loss):
            break
    return weights


def _solve(hessian: Floats, slope: Floats) -> Floats:
    # Columns that repeat each other leave the free intercept open; a trace of ridge decides.
    trace = 1e-9 * float(np.trace(hessian)) / len(hessian)
    return np.asarray(np.linalg.solve(hessian + trace * np.eye(len(hessian)), slope))


def _loss(
    periods: Periods, weights: Floats, cause: Places, weight: Floats, ridge: Floats, shape: Floats
) -> tuple[float, Floats]:
    """Penalised log loss, and the chance of each cause in each period."""
    scores = periods.scores(weights)
    most = np.maximum(scores.max(axis=1), 0.0)
    powers = np.exp(scores - most[:, None])
    total = np.exp(-most) + powers.sum(axis=1)
    own = np.where(cause > 0, scores[np.arange(len(cause)), cause - 1], 0.0)
    penalty = 0.5 * float((ridge[:, None] * weights * (weights @ shape)).sum())
    return float(weight @ (np.log(total) + most - own)) + penalty, powers / total[:, None]
