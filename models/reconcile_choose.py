"""Which way of reconciling is used: the one that came nearest at earlier origins, judged before what comes is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.reconcile import BadHierarchy, Method, reconcile
from models.reconcile_weights import MIN_RESIDUALS, NEEDS_RESIDUALS

Floats: TypeAlias = npt.NDArray[np.float64]

BASE = "base"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """One moment of the past from which the next steps were forecast.

    Parameters
    ----------
    base : ndarray of float64, shape (n_nodes, n_steps)
        What was said of every node.
    outcome : ndarray of float64, shape (n_nodes, n_steps)
        What came; NaN where it has not come.
    residuals : ndarray of float64 or None, shape (n_nodes, n_residuals)
        Outcome less forecast as known at this origin: of the fit, or of origins before it.
    """

    base: Floats
    outcome: Floats
    residuals: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The method that is used, and why.

    Parameters
    ----------
    method : Method
        The one with the smallest error; bottom-up where nothing could be judged.
    is_better : bool
        Whether it came nearer than the base forecasts, which do not add up.
    errors : mapping of str to float
        Error over that of the base forecasts, by method, and of `base` itself (1); mean over the origins.
    """

    method: Method
    is_better: bool
    errors: Mapping[str, float]


def choose_method(
    S: Any,
    origins: Sequence[Origin],
    *,
    methods: Sequence[Method] = tuple(Method),
    nonnegative: bool = False,
) -> Choice:
    """The method with the smallest error at earlier origins.

    Parameters
    ----------
    S : scipy.sparse matrix, shape (n_nodes, n_bottom)
        Summing matrix.
    origins : sequence of Origin
        All before the forecasts that the choice is for; the oldest are worth leaving out where residuals were few.
    methods : sequence of Method
        What is compared; those that need residuals are left out where an origin has none.
    nonnegative : bool
        Whether no node may be below zero.

    Raises
    ------
    models.reconcile.BadHierarchy
        An outcome is not shaped as its base forecasts.

    Notes
    -----
    The error at one origin is the mean of two ratios to the base forecasts: of the mean of the nodes' root mean squared
    errors, in which every node counts the same, and of the root of the mean over all nodes, in which the large count.
    No method wins everywhere, so it is chosen by hierarchy (after Abolghasemi, Hyndman, Spiliotis & Bergmeir 2022).

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> S = csr_matrix([[1, 1], [1, 0], [0, 1]])
    >>> origin = Origin(base=np.array([[12.0], [4.0], [5.0]]), outcome=np.array([[12.0], [6.0], [6.0]]))
    >>> choose_method(S, [origin]).method
    <Method.OLS: 'ols'>
    """
    ratios: dict[str, list[float]] = {}
    for origin in origins:
        if origin.outcome.shape != origin.base.shape:
            raise BadHierarchy(f"outcome: expected shape {origin.base.shape}, came {origin.outcome.shape}")
        below = _errors(origin.base, origin.outcome)
        if below is None:
            continue
        for method in methods:
            if method in NEEDS_RESIDUALS and not _can_weigh(origin.residuals):
                continue
            found = _errors(reconcile(origin.base, S, method, origin.residuals, nonnegative), origin.outcome)
            if found is not None:
                ratios.setdefault(method.value, []).append(float(np.mean(np.divide(found, below))))
    judged = {name: float(np.mean(values)) for name, values in ratios.items() if len(values) == _most(ratios)}
    if not judged:
        return Choice(method=Method.BOTTOM_UP, is_better=False, errors={})
    best = min(judged, key=lambda name: judged[name])
    return Choice(method=Method(best), is_better=judged[best] < 1.0, errors={BASE: 1.0} | judged)


def _most(ratios: Mapping[str, Sequence[float]]) -> int:
    return max((len(values) for values in ratios.values()), default=0)


def _can_weigh(residuals: Floats | None) -> bool:
    return residuals is not None and residuals.shape[1] >= MIN_RESIDUALS and bool(np.any(residuals))


def _errors(said: Floats, outcome: Floats) -> tuple[float, float] | None:
    """Mean of the nodes' errors and error over all, of outcomes that are known; None where nothing can be compared."""
    squared = (said - outcome) ** 2
    told = np.isfinite(squared).any(axis=1)
    if not told.any():
        return None
    nodes = float(np.sqrt(np.nanmean(squared[told], axis=1)).mean())
    pooled = float(np.sqrt(np.nanmean(squared[told])))
    return (nodes, pooled) if nodes > 0 else None
