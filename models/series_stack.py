"""How much the rows of the record say of a month, and how much its past: one share a measure and stretch of months."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.nodes import Level
from models.series_candidates import PIPELINE
from models.series_points import Points

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

# The share is one for all levels: the levels that most series are sums of decide, each of them alike.
DECIDING = (Level.COMPANY, Level.REGION, Level.LINE, Level.REGION_LINE)
_STEPS = np.linspace(0.0, 1.0, 21)
# Months by which a share is drawn to one half.
_PRIOR_MONTHS = 4


def stack_shares(points: Points, history: Floats, known: Mask, outcome: Floats) -> dict[tuple[str, int], float]:
    """The share of the rows of the record by measure and bucket, the rest being history's.

    Parameters
    ----------
    points : Points
        The past replayed.
    history : ndarray of float64, shape (n,)
        The weighted forecasters of past months.
    known : ndarray of bool, shape (n,)
        Points whose outcome is known.
    outcome : ndarray of float64, shape (n,)
        What came.

    Notes
    -----
    Linear stacking (Wolpert 1992) with one weight between 0 and 1, by absolute error over the amounts of each level.
    Where rows say nothing of a measure there is no share.
    """
    rows_say = points.said[PIPELINE]
    usable = known & np.isfinite(history) & np.isfinite(rows_say) & np.isfinite(outcome)
    found: dict[tuple[str, int], float] = {}
    for group in dict.fromkeys((measure, bucket) for measure, _, bucket in points.cells):
        total, months = np.zeros(len(_STEPS)), 0
        for place, (measure, level, bucket) in enumerate(points.cells):
            here = usable & (points.cell == place) if (measure, bucket) == group and level in DECIDING else None
            if here is None or not here.any():
                continue
            amounts = max(float(np.abs(outcome[here]).sum()), 1e-9)
            mixed = _STEPS[:, None] * rows_say[here] + (1 - _STEPS[:, None]) * history[here]
            total += np.abs(mixed - outcome[here]).sum(axis=1) / amounts
            months = max(months, len(np.unique(points.month[here])))
        if months:
            best = float(_STEPS[int(total.argmin())])
            found[group] = (months * best + _PRIOR_MONTHS * 0.5) / (months + _PRIOR_MONTHS)
    return found
