"""Coherent forecasts of which none is below zero: the nearest ones in the metric of the method."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.reconcile import Projection

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

# Of the largest amount of a column: what is this near to zero is zero.
_TINY = 1e-12
# Rounds of full exchange without progress before one series at a time is exchanged.
_PATIENCE = 3
_MOST_ROUNDS = 10_000


class NotSolved(RuntimeError):
    """The rounds of an exchange ran out, which a positive definite W does not allow."""


def nearest_nonnegative(projection: Projection, bottom: Floats) -> Floats:
    """The b that minimises (y_hat - S b)' W^-1 (y_hat - S b) with b >= 0.

    Parameters
    ----------
    projection : Projection
        Hierarchy and metric.
    bottom : ndarray of float64, shape (n_bottom, k)
        The minimum without the bound, which may be below zero.

    Returns
    -------
    ndarray of float64, shape (n_bottom, k)
        Not below zero; unchanged columns where nothing was.

    Raises
    ------
    NotSolved
        The exchange did not end.

    Notes
    -----
    The problem of Wickramasuriya, Turlach & Hyndman (2020). With b_0 the minimum without the bound and V = (S' W^-1
    S)^-1 its covariance, the solution is b = b_0 + V g with b >= 0, g >= 0 and b'g = 0. It is found by block principal
    pivoting (Júdice & Pires 1994), which ends for every positive definite V; only the columns of V that belong to
    series held at zero are ever computed.
    """
    found = bottom.copy()
    below = np.flatnonzero((bottom < 0).any(axis=0))
    if len(below) == 0:
        return found
    covariance = _Covariance(projection)
    held = np.zeros(len(bottom), dtype=np.bool_)
    for column in below:
        found[:, column], held = _pivot(covariance, bottom[:, column], held)
    return found


class _Covariance:
    """Columns of V, each computed when it is first asked for."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._place = np.full(len(projection.bottom), -1, dtype=np.intp)
        self._columns = np.empty((len(projection.bottom), 0))

    def columns(self, places: npt.NDArray[np.intp]) -> Floats:
        """The columns of the bottom series at `places`, shape (n_bottom, len(places))."""
        new = places[self._place[places] < 0]
        if len(new):
            self._place[new] = self._columns.shape[1] + np.arange(len(new))
            self._columns = np.hstack([self._columns, self._make(new)])
        return np.asarray(self._columns[:, self._place[places]])

    def _make(self, places: npt.NDArray[np.intp]) -> Floats:
        projection, weights = self._projection, self._projection.weights
        spread, variance = weights.spread[projection.bottom], weights.variance[projection.bottom]
        own = spread @ spread[places].T
        own[places, np.arange(len(places))] += variance[places]
        if projection.solve is None:
            return np.asarray(own)
        # How far a unit of each series' error breaks the constraints, C W e; what they determine of it is taken off.
        broken = projection.gaps @ spread[places].T - projection.sums[:, places].toarray() * variance[places]
        return np.asarray(own + projection.shared(projection.solve(broken)))


def _pivot(covariance: _Covariance, start: Floats, held: Mask) -> tuple[Floats, Mask]:
    """The solution of one column, and the series that it holds at zero; `held` is where the exchange begins."""
    held = held.copy()
    near = _TINY * float(np.abs(start).max())
    fewest, patience = len(start) + 1, _PATIENCE
    for _ in range(_MOST_ROUNDS):
        b, g = _solution(covariance, start, held)
        wrong = np.where(held, g < 0, b < -near)
        n_wrong = int(wrong.sum())
        if n_wrong == 0:
            return np.where(held, 0.0, np.maximum(b, 0.0)), held
        if n_wrong < fewest:
            fewest, patience = n_wrong, _PATIENCE
        elif patience > 0:
            patience -= 1
        else:
            # One at a time, always the last, cannot go in circles (Murty 1974).
            wrong = np.arange(len(start)) == int(np.flatnonzero(wrong)[-1])
        held ^= wrong
    raise NotSolved(f"no non-negative forecast after {_MOST_ROUNDS} exchanges")


def _solution(covariance: _Covariance, start: Floats, held: Mask) -> tuple[Floats, Floats]:
    """Amounts and multipliers where the held series are at zero and nothing else is asked."""
    places = np.flatnonzero(held)
    g = np.zeros(len(start))
    if len(places) == 0:
        return start, g
    columns = covariance.columns(places)
    g[places] = np.linalg.solve(columns[places], -start[places])
    return start + columns @ g[places], g
