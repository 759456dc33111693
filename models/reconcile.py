"""Coherent forecasts: what is said of the parts adds up to what is said of the whole.

Base forecasts of all nodes are projected onto those that add up, in the metric of their errors' covariance W. The
projection is never written down: W is a diagonal plus the outer product of the residuals, a hierarchy is a few sparse
constraints, and the only system that is solved has one row for each node that sums over others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.reconcile_weights import BadHierarchy, Method, Weights, weigh_errors

if TYPE_CHECKING:
    from scipy import sparse

    Sparse: TypeAlias = sparse.csr_matrix

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.intp]

__all__ = ["BadHierarchy", "Method", "Projection", "make_projection", "reconcile", "round_to_cents"]

# Above this many constraints their system is factorised as a sparse one.
MOST_DENSE = 2000
# What a sum in double precision tells from the next cent.
_MOST_CENTS = 2**53


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """A hierarchy and a method made ready for any number of forecasts.

    Attributes
    ----------
    S : scipy.sparse.csr_matrix, shape (n_nodes, n_bottom)
        The summing matrix.
    sums : scipy.sparse.csr_matrix, shape (n_aggregates, n_bottom)
        Its rows of the nodes that sum over others; a constraint each, C = (I, -sums) over aggregates and bottom.
    aggregates, bottom : ndarray of intp
        Rows of `S` that sum over others, shape (n_aggregates,); the row of each column itself, shape (n_bottom,).
    weights : Weights
        Covariance of the base errors.
    gaps : ndarray of float64, shape (n_aggregates, n_residuals)
        How far the shared part of W breaks each constraint, C spread.
    solve : callable or None
        Solves C W C' for columns, shape (n_aggregates, k); None for bottom-up, which does not ask the aggregates.
    """

    S: Sparse
    sums: Sparse
    aggregates: Ints
    bottom: Ints
    weights: Weights
    gaps: Floats
    solve: Callable[[Floats], Floats] | None

    def apply(self, base: npt.ArrayLike, *, nonnegative: bool = False) -> Floats:
        """Coherent forecasts; those nearest to `base` in the metric of the method.

        Parameters
        ----------
        base : array_like of float, shape (n_nodes,) or (n_nodes, k)
            Forecasts, months or whole draws side by side.
        nonnegative : bool
            Whether no node may be below zero.

        Returns
        -------
        ndarray of float64
            Shaped as `base`; every aggregate is the sum of its parts.

        Raises
        ------
        BadHierarchy
            The shape is not that of the hierarchy, or a value is not a finite number.
        """
        y_hat = np.asarray(base, dtype=np.float64)
        if y_hat.ndim not in (1, 2) or y_hat.shape[0] != self.S.shape[0]:
            raise BadHierarchy(f"base forecasts: expected {self.S.shape[0]} rows, came shape {y_hat.shape}")
        if not np.isfinite(y_hat).all():
            raise BadHierarchy(f"base forecasts: {int((~np.isfinite(y_hat)).sum())} values are not finite")
        columns = y_hat.reshape(len(y_hat), -1)
        bottom = self._bottom(columns)
        if nonnegative:
            from models.reconcile_nonnegative import nearest_nonnegative

            bottom = nearest_nonnegative(self, bottom)
        return np.asarray(self.S @ bottom, dtype=np.float64).reshape(y_hat.shape)

    def _bottom(self, columns: Floats) -> Floats:
        bottom = columns[self.bottom]
        if self.solve is None:
            return np.asarray(bottom)
        missing = columns[self.aggregates] - self.sums @ bottom
        return bottom + self.shared(self.solve(missing))

    def shared(self, shadow: Floats) -> Floats:
        """How far the bottom moves for multipliers of the constraints, the bottom rows of -W C' times them.

        Parameters
        ----------
        shadow : ndarray of float64, shape (n_aggregates, k)
            Multipliers of the constraints.
        """
        own = self.weights.variance[self.bottom, None] * (self.sums.T @ shadow)
        return np.asarray(own - self.weights.spread[self.bottom] @ (self.gaps.T @ shadow))


def reconcile(
    base: npt.ArrayLike,
    S: Sparse,
    method: Method,
    residuals: npt.ArrayLike | None = None,
    nonnegative: bool = False,
) -> Floats:
    """Coherent forecasts of every node, each aggregate the sum of its parts.

    Parameters
    ----------
    base : array_like of float, shape (n_nodes,) or (n_nodes, k)
        Forecasts of every node, made independently; k months or draws.
    S : scipy.sparse matrix, shape (n_nodes, n_bottom)
        One row a node, one column a bottom series; each column has a row of its own, in any order.
    method : Method
        How.
    residuals : array_like of float or None, shape (n_nodes, n_residuals)
        Outcome less forecast, for the methods in `NEEDS_RESIDUALS`.
    nonnegative : bool
        Whether no node may be below zero.

    Returns
    -------
    ndarray of float64
        Shaped as `base`.

    Raises
    ------
    BadHierarchy
        Shapes do not fit, values are not finite, or residuals are asked for and missing.

    Notes
    -----
    y_tilde = y_hat - W C' (C W C')^-1 C y_hat, the projection of trace minimisation (Wickramasuriya, Athanasopoulos &
    Hyndman 2019). `make_projection` keeps what does not depend on `base`.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> S = csr_matrix([[1, 1], [1, 0], [0, 1]])
    >>> reconcile([13.0, 4.0, 6.0], S, Method.OLS).tolist()
    [12.0, 5.0, 7.0]
    >>> reconcile([13.0, 4.0, 6.0], S, Method.BOTTOM_UP).tolist()
    [10.0, 4.0, 6.0]
    """
    return make_projection(S, method, residuals).apply(base, nonnegative=nonnegative)


def make_projection(S: Sparse, method: Method, residuals: npt.ArrayLike | None = None) -> Projection:
    """The hierarchy with everything factorised that does not depend on the base forecasts.

    Parameters
    ----------
    S : scipy.sparse matrix, shape (n_nodes, n_bottom)
        Summing matrix.
    method : Method
        How base forecasts are weighed.
    residuals : array_like of float or None, shape (n_nodes, n_residuals)
        Outcome less forecast at the same moments for all nodes.

    Raises
    ------
    BadHierarchy
        As `reconcile`.
    ValueError
        There is no such method.
    """
    from scipy import sparse

    method = Method(method)
    # A copy: what the caller holds stays as it is.
    summing = sparse.csr_matrix(S, dtype=np.float64, copy=True)
    summing.sum_duplicates()
    summing.eliminate_zeros()
    aggregates, bottom = _places(summing)
    sums = summing[aggregates]
    weights = weigh_errors(summing, method, residuals)
    gaps = np.asarray(weights.spread[aggregates] - sums @ weights.spread[bottom])
    asks = method is not Method.BOTTOM_UP and len(aggregates) > 0
    return Projection(
        S=summing,
        sums=sums,
        aggregates=aggregates,
        bottom=bottom,
        weights=weights,
        gaps=gaps,
        solve=_factorise(weights.variance[aggregates], weights.variance[bottom], sums, gaps) if asks else None,
    )


def _places(S: Sparse) -> tuple[Ints, Ints]:
    """Rows that sum over others, and each column's own row."""
    if S.shape[0] == 0 or S.shape[1] == 0:
        raise BadHierarchy(f"summing matrix: expected nodes and bottom series, came shape {S.shape}")
    if not np.isfinite(S.data).all():
        raise BadHierarchy("summing matrix: a weight is not finite")
    single = np.flatnonzero(np.diff(S.indptr) == 1)
    single = single[S.data[S.indptr[single]] == 1.0]
    bottom = np.full(S.shape[1], -1, dtype=np.intp)
    # The first of several nodes that hold the same one series is its own row, the others are sums over it.
    bottom[S.indices[S.indptr[single]][::-1]] = single[::-1]
    if (bottom < 0).any():
        raise BadHierarchy(f"summing matrix: {int((bottom < 0).sum())} bottom series have no row of their own")
    aggregates = np.setdiff1d(np.arange(S.shape[0], dtype=np.intp), bottom)
    return aggregates, bottom


def _factorise(above: Floats, below: Floats, sums: Sparse, gaps: Floats) -> Callable[[Floats], Floats]:
    """A solver of C W C' for columns; `above` and `below` are the variances of aggregates and bottom."""
    from scipy import linalg, sparse
    from scipy.sparse.linalg import splu

    own = sparse.diags(above) + sums @ sparse.diags(below) @ sums.T
    if len(above) <= MOST_DENSE:
        factor = linalg.cho_factor(own.toarray() + gaps @ gaps.T, overwrite_a=True)
        return lambda columns: np.asarray(linalg.cho_solve(factor, columns))
    sparse_factor: Any = splu(sparse.csc_matrix(own))
    # The shared part is added back by the identity of Woodbury (1950), a system of n_residuals.
    answered = sparse_factor.solve(gaps)
    inner = linalg.cho_factor(np.eye(gaps.shape[1]) + gaps.T @ answered)

    def solve(columns: Floats) -> Floats:
        first = sparse_factor.solve(np.ascontiguousarray(columns))
        return np.asarray(first - answered @ linalg.cho_solve(inner, gaps.T @ first))

    return solve


def round_to_cents(bottom: npt.ArrayLike, S: Sparse) -> npt.NDArray[np.int64]:
    """Every node in whole cents, each aggregate exactly the sum of its parts in every column.

    Parameters
    ----------
    bottom : array_like of float, shape (n_bottom,) or (n_bottom, k)
        Amounts in currency units, draws side by side.
    S : scipy.sparse matrix, shape (n_nodes, n_bottom)
        Summing matrix of whole numbers.

    Returns
    -------
    ndarray of int64, shape (n_nodes,) or (n_nodes, k)
        Hundredths. A bottom series is within a cent of its amount, the sum over all within half a cent of theirs; what
        was nothing stays nothing.

    Raises
    ------
    BadHierarchy
        Shapes do not fit, a value is not finite, the matrix holds fractions, or a sum is beyond 90 trillion.

    Notes
    -----
    Largest remainder (Hamilton's method) by column.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> S = csr_matrix([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> round_to_cents([1 / 3, 1 / 3, 1 / 3], S).tolist()
    [100, 34, 33, 33]
    """
    from scipy import sparse

    amounts = np.asarray(bottom, dtype=np.float64)
    if amounts.ndim not in (1, 2) or amounts.shape[0] != S.shape[1]:
        raise BadHierarchy(f"bottom amounts: expected {S.shape[1]} rows, came shape {amounts.shape}")
    if not np.isfinite(amounts).all():
        raise BadHierarchy(f"bottom amounts: {int((~np.isfinite(amounts)).sum())} values are not finite")
    summing = sparse.csr_matrix(S)
    if not np.array_equal(summing.data, np.rint(summing.data)):
        raise BadHierarchy("summing matrix: a weight is no whole number, cents would not add up")
    exact = 100.0 * amounts.reshape(len(amounts), -1)
    if float((abs(summing) @ np.abs(exact)).max(initial=0.0)) >= _MOST_CENTS:
        raise BadHierarchy("bottom amounts: a sum has more cents than a double can tell apart")
    cents = np.floor(exact)
    left = exact - cents
    order = np.argsort(-left, axis=0, kind="stable")
    given = np.arange(len(exact))[:, None] < np.rint(left.sum(axis=0))[None, :]
    np.put_along_axis(left, order, given.astype(np.float64), axis=0)
    whole = (cents + left).astype(np.int64)
    return np.asarray(summing.astype(np.int64) @ whole).reshape(S.shape[0], *amounts.shape[1:])
