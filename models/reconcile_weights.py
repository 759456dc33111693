"""How sure each base forecast is, and how their errors go together: the metric in which forecasts are reconciled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

# Fewer moments say nothing about how errors of two nodes go together.
MIN_RESIDUALS = 3
# Of the least variance above zero: a node that was never wrong is believed, not taken for certain.
_SURE = 1e-6
_LEAST_INTENSITY = 1e-6


class Method(StrEnum):
    """How base forecasts are made coherent."""

    BOTTOM_UP = "bottom_up"
    OLS = "ols"
    WLS_STRUCTURAL = "wls_struct"
    WLS_VARIANCE = "wls_var"
    MINT_SHRINK = "mint_shrink"


NEEDS_RESIDUALS = frozenset({Method.WLS_VARIANCE, Method.MINT_SHRINK})


class BadHierarchy(ValueError):
    """A summing matrix, residuals or base forecasts that cannot be reconciled."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """The covariance of the base forecasts' errors, W = diag(variance) + spread spread'.

    Attributes
    ----------
    variance : ndarray of float64, shape (n_nodes,)
        The diagonal part, above zero.
    spread : ndarray of float64, shape (n_nodes, n_residuals)
        The part that nodes share; no columns where errors are taken as unrelated.
    """

    variance: Floats
    spread: Floats


def weigh_errors(S: Any, method: Method, residuals: npt.ArrayLike | None) -> Weights:
    """The covariance that a method takes the errors of base forecasts to have.

    Parameters
    ----------
    S : scipy.sparse matrix, shape (n_nodes, n_bottom)
        Summing matrix.
    method : Method
        Which; bottom-up weighs nothing and gets a metric for its bound alone, that of OLS.
    residuals : array_like of float or None, shape (n_nodes, n_residuals)
        Outcome less forecast at the same moments for all nodes.

    Raises
    ------
    BadHierarchy
        Residuals are needed and missing, or unfit.
    """
    n_nodes = S.shape[0]
    nothing = np.zeros((n_nodes, 0))
    if method in (Method.BOTTOM_UP, Method.OLS):
        return Weights(variance=np.ones(n_nodes), spread=nothing)
    if method is Method.WLS_STRUCTURAL:
        return Weights(variance=np.asarray(abs(S).sum(axis=1), dtype=np.float64).ravel(), spread=nothing)
    errors = _checked(residuals, method, n_nodes)
    if method is Method.WLS_VARIANCE:
        return Weights(variance=_above_zero(np.mean(errors**2, axis=1)), spread=nothing)
    centred = errors - errors.mean(axis=1, keepdims=True)
    intensity = max(shrinkage_intensity(errors), _LEAST_INTENSITY)
    degrees = errors.shape[1] - 1
    variance = _above_zero((centred**2).sum(axis=1) / degrees)
    return Weights(variance=intensity * variance, spread=np.sqrt((1 - intensity) / degrees) * centred)


def _checked(residuals: npt.ArrayLike | None, method: Method, n_nodes: int) -> Floats:
    if residuals is None:
        raise BadHierarchy(f"{method.value} needs residuals, and there are none")
    errors = np.asarray(residuals, dtype=np.float64)
    if errors.ndim != 2 or errors.shape[0] != n_nodes:
        raise BadHierarchy(f"residuals: expected {n_nodes} rows, came shape {errors.shape}")
    if errors.shape[1] < MIN_RESIDUALS:
        raise BadHierarchy(f"residuals: expected at least {MIN_RESIDUALS} moments, came {errors.shape[1]}")
    if not np.isfinite(errors).all():
        raise BadHierarchy(f"residuals: {int((~np.isfinite(errors)).sum())} values are not finite")
    if not errors.any():
        raise BadHierarchy("residuals: all are zero, they say nothing about which node to believe")
    return errors


def _above_zero(variance: Floats) -> Floats:
    positive = variance[variance > 0]
    return np.where(variance > 0, variance, _SURE * (float(positive.min()) if len(positive) else 1.0))


def shrinkage_intensity(residuals: Floats) -> float:
    """By how much sample correlations are drawn to zero, between 0 and 1.

    Parameters
    ----------
    residuals : ndarray of float64, shape (n_nodes, n_residuals)
        Finite.

    Notes
    -----
    The sum over pairs of the estimated variance of the sample correlation over the sum of its square (Schäfer &
    Strimmer 2005). Both sums follow from products of n_residuals x n_residuals: the pairs are never listed.
    """
    n_moments = residuals.shape[1]
    centred = residuals - residuals.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1)
    size = np.abs(residuals).max(axis=1)
    moves = deviation > 1e-12 * np.where(size > 0, size, 1.0)
    scaled = centred[moves] / deviation[moves, None]
    gram = scaled.T @ scaled
    squares = scaled**2
    correlations = float((gram**2).sum()) / n_moments**2 - len(scaled)
    products = float((squares.sum(axis=0) ** 2).sum() - (squares**2).sum())
    if correlations <= 0:
        return 1.0
    variances = (products - n_moments * correlations) / (n_moments * (n_moments - 1))
    return float(np.clip(variances / correlations, 0.0, 1.0))
