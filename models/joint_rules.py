"""What a joint sample is levelled and widened by, learned from replayed origins, as numbers that a bundle can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.nodes import Node
from models.reconcile import Method

Floats: TypeAlias = npt.NDArray[np.float64]

# A spread of this size is expected before anything was measured, worth so many stretches.
_PRIOR_SPREAD, _PRIOR_STRETCHES = 0.03, 3.0
_MOST_SPREAD = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class JointRules:
    """How the draws of each measure are levelled and widened.

    Parameters
    ----------
    methods : mapping of str to str
        By measure, how base forecasts of company, regions, lines and their crossings are made coherent.
    residuals : mapping of str to mapping of str to tuple of float
        By measure and node id: relative errors of earlier origins, one an origin and bucket, for methods that ask.
    company_spread, part_spread : mapping of str to tuple of float
        By measure, one a bucket: standard deviation of the log factor that the whole company shares, and of the one
        that each crossing of region and line has of its own, beyond what the draws already spread.
    rep_spread : mapping of str to float
        By measure, the same of each salesperson.
    """

    methods: Mapping[str, str] = field(default_factory=dict)
    residuals: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    company_spread: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    part_spread: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    rep_spread: Mapping[str, float] = field(default_factory=dict)

    def method(self, measure: str) -> Method:
        """How a measure is reconciled; bottom-up where nothing was chosen."""
        return Method(self.methods.get(measure, Method.BOTTOM_UP.value))

    def residual_rows(self, measure: str, nodes: Sequence[Node]) -> Floats | None:
        """Residuals of nodes, shape (n_nodes, n_residuals), zeros for a node that had none; None for no residuals."""
        known = self.residuals.get(measure, {})
        width = max((len(values) for values in known.values()), default=0)
        if not width:
            return None
        blank = (0.0,) * width
        return np.array([known.get(node.node_id, blank) for node in nodes])

    def spreads(self, measure: str, bucket: Sequence[int]) -> tuple[Floats, Floats]:
        """Spread of the company and of parts for each month, by its bucket."""
        places = np.array(bucket)
        none = (0.0,) * (int(places.max()) + 1)
        company, part = (np.array(held.get(measure, none))[places] for held in (self.company_spread, self.part_spread))
        return company, part


def excess_spread(relative_error: Floats, variation: Floats) -> float:
    """The standard deviation of a log factor that explains errors beyond what draws already vary by.

    Parameters
    ----------
    relative_error : ndarray of float64, shape (n,)
        Outcome less forecast over forecast, one a stretch of months.
    variation : ndarray of float64, shape (n,)
        Coefficient of variation of the draws of the same stretches.

    Notes
    -----
    Method of moments: mean squared error less mean squared variation, drawn to `_PRIOR_SPREAD` by few stretches and
    held at or above nothing. Sums of a bucket are compared, not months: what slips from one month into the next is no
    shock that a quarter shares.

    Examples
    --------
    >>> excess_spread(np.array([0.3, -0.3] * 50), np.full(100, 0.3)) < 0.02
    True
    >>> 0.25 < excess_spread(np.array([0.3, -0.3] * 50), np.full(100, 0.1)) < 0.3
    True
    """
    known = np.isfinite(relative_error) & np.isfinite(variation)
    n = int(known.sum())
    error = np.clip(relative_error[known], -1.0, 2.0)
    total = float((error**2 - variation[known] ** 2).sum()) + _PRIOR_STRETCHES * _PRIOR_SPREAD**2
    return float(np.clip(np.sqrt(max(total / (n + _PRIOR_STRETCHES), 0.0)), 0.0, _MOST_SPREAD))
