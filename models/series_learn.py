"""What the replayed past teaches: weights and radii of every measure, level and bucket, from earlier origins only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.nodes import Level
from models.series_candidates import BASELINE, PIPELINE
from models.series_combine import (
    PRIOR_POINTS,
    Radii,
    Rule,
    combine,
    conformal_radii,
    floored,
    spread,
    stretch,
    weigh,
    widen,
)
from models.series_points import Points
from models.series_stack import stack_shares
from models.series_task import QUANTILES, SeriesTask

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Cell: TypeAlias = tuple[str, str, int]

# For a bucket that nothing was measured in: errors of a random walk grow with the root of the months ahead.
_WIDEST_STEP = 2.0
_MOST_CORRECTED = (0.5, 2.0)
_MOST_STRETCHED = 2.0
STRETCH_MONTHS = 6
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """What would have been published at every origin.

    Attributes
    ----------
    expected, baseline : ndarray of float64, shape (n,)
        Of every point: the weighted forecast and the seasonal naive one.
    quantiles : ndarray of float64, shape (n, n_quantiles)
        NaN where nothing was known about errors yet.
    zero_share : ndarray of float64, shape (n,)
        Chance that a series that cannot be negative stays at nothing, by the quantiles; NaN as above.
    rules : mapping of cell to Rule
        What is used from now on.
    baseline_rules : mapping of cell to Rule
        The same for the seasonal naive forecast alone.
    """

    expected: Floats
    baseline: Floats
    quantiles: Floats
    zero_share: Floats
    rules: Mapping[Cell, Rule]
    baseline_rules: Mapping[Cell, Rule]


def learn(points: Points, task: SeriesTask) -> Replayed:
    """Walk through the origins in the order of time; each uses what was on record by then, the last what is now.

    Parameters
    ----------
    points : Points
        From `replay`.
    task : SeriesTask
        Candidates and buckets.
    """
    n = len(points.cell)
    # Weighted candidates before and after the level is corrected: the correction is learned from the former.
    combined, expected = np.full(n, np.nan), np.full(n, np.nan)
    baseline = points.said[BASELINE]
    # Ranges before and after they are stretched: by how much is learned from the former.
    plain, raw = np.full((n, len(QUANTILES)), np.nan), np.full((n, len(QUANTILES)), np.nan)
    for number in range(len(points.origins)):
        rows = points.origin == number
        outcome = points.known_by[number]
        earlier = (points.origin < number) & np.isfinite(outcome)
        factors = _factors(points, combined, earlier, outcome)
        rules = _rules(points, task, task.candidates, expected, earlier, outcome, factors)
        combined[rows], expected[rows] = _expected(points, rules, rows)
        plain[rows] = _quantiles(points, rules, expected, rows)
        rules = _stretched(rules, _stretches(points, plain, earlier, outcome))
        raw[rows] = _quantiles(points, rules, expected, rows)
    known = np.isfinite(points.outcome)
    factors = _factors(points, combined, known, points.outcome)
    rules = _rules(points, task, task.candidates, expected, known, points.outcome, factors)
    return Replayed(
        expected=expected,
        baseline=baseline,
        quantiles=floored(raw, points.is_positive),
        zero_share=_zero_share(raw, points.is_positive),
        rules=_stretched(rules, _stretches(points, plain, known, points.outcome)),
        baseline_rules=_rules(points, task, (BASELINE,), baseline, known, points.outcome, {}),
    )


def _factors(points: Points, combined: Floats, known: Mask, outcome: Floats) -> dict[tuple[str, int], float]:
    """By measure and bucket, what the whole company came to over what was forecast of it, drawn to 1 by few months.

    Every candidate follows growth late, so their mean stays below a company that grows. The correction is one for all
    levels: learned level by level it follows the accidents of small series.
    """
    found = {}
    for place, (measure, level, bucket) in enumerate(points.cells):
        rows = known & (points.cell == place)
        said = float(combined[rows].sum())
        if level == Level.COMPANY and said > 0:
            n_months = len(np.unique(points.month[rows]))
            ratio = float(np.clip(outcome[rows].sum() / said, *_MOST_CORRECTED))
            found[measure, bucket] = ratio ** (n_months / (n_months + PRIOR_POINTS))
    return found


def _stretches(points: Points, plain: Floats, known: Mask, outcome: Floats) -> dict[str, tuple[float, float]]:
    """By level, what the lower and upper half of the 80 % range must be multiplied by to have held what it promised.

    Where outcomes drift, residuals of earlier origins are too small for later ones; how much too small was seen too.
    Never below 1, and drawn to 1 by few months.
    """
    low, middle, high = (QUANTILES.index(share) for share in (0.1, 0.5, 0.9))
    level_of = np.array([level for _, level, _ in points.cells])[points.cell]
    told = known & np.isfinite(plain[:, 0])
    found = {}
    for level in np.unique(level_of[told]).tolist():
        rows = told & (level_of == level)
        above = (outcome[rows] - plain[rows, middle]) / np.maximum(plain[rows, high] - plain[rows, middle], _TINY)
        below = (plain[rows, middle] - outcome[rows]) / np.maximum(plain[rows, middle] - plain[rows, low], _TINY)
        n_months = len(np.unique(points.month[rows]))
        needed = np.clip([np.quantile(below, 0.9), np.quantile(above, 0.9)], 1.0, _MOST_STRETCHED)
        found[level] = tuple((needed ** (n_months / (n_months + STRETCH_MONTHS))).tolist())
    return found


def _stretched(rules: Mapping[Cell, Rule], by: Mapping[str, tuple[float, float]]) -> dict[Cell, Rule]:
    found = {}
    for cell, rule in rules.items():
        below, above = by.get(cell[1], (1.0, 1.0))
        found[cell] = replace(rule, radii=stretch(rule.radii, below, above))
    return found


def _zero_share(raw: Floats, is_positive: Mask) -> Floats:
    """The share of outcomes that the quantiles put at or below nothing, drawn straight between them."""
    found = np.zeros(len(raw))
    for place, row in enumerate(raw):
        if is_positive[place] and row[0] < 0:
            found[place] = np.interp(0.0, row, QUANTILES, right=1.0)
    return np.where(np.isfinite(raw[:, 0]), found, np.nan)


def _rules(
    points: Points,
    task: SeriesTask,
    names: Sequence[str],
    expected: Floats,
    known: Mask,
    outcome: Floats,
    factors: Mapping[tuple[str, int], float],
) -> dict[Cell, Rule]:
    """The rule of every cell from points whose outcome is known."""
    n_buckets = len(task.buckets)
    weights = _weights(points, task, names, known, outcome)
    rules: dict[Cell, Rule] = {}
    for first in range(0, len(points.cells), n_buckets):
        found: Radii | None = None
        for bucket in range(n_buckets):
            rows = known & (points.cell == first + bucket)
            radii = conformal_radii((outcome[rows] - expected[rows]) / points.scale[rows], QUANTILES)
            if radii is None and found is not None:
                radii = widen(found, _growth(task, bucket))
            found = radii or found
            cell = points.cells[first + bucket]
            factor = factors.get((cell[0], bucket), 1.0)
            rules[cell] = Rule(weights=weights[cell], factor=factor, radii=radii or Radii(n=0, at=()))
    return rules


def _weights(
    points: Points, task: SeriesTask, names: Sequence[str], known: Mask, outcome: Floats
) -> dict[Cell, dict[str, float]]:
    """Weights of every cell: among the forecasters of past months by their errors, then the rows against them all."""
    past = [name for name in names if name != PIPELINE]
    found: dict[Cell, dict[str, float]] = {}
    n_buckets = len(task.buckets)
    for first in range(0, len(points.cells), n_buckets):
        weights: dict[str, float] = weigh({name: (1.0, 0) for name in past})
        for bucket in range(n_buckets):
            rows = known & (points.cell == first + bucket)
            if rows.any():
                weights = weigh(_ratios(points, past, outcome, rows))
            found[points.cells[first + bucket]] = weights
    if PIPELINE not in names or not np.isfinite(points.said[PIPELINE]).any():
        return found
    history = np.full(len(known), np.nan)
    for place, cell in enumerate(points.cells):
        here = known & (points.cell == place)
        if here.any():
            history[here] = combine({name: values[here] for name, values in points.said.items()}, found[cell])
    shares = {group: 0.5 for group in {(measure, bucket) for measure, _, bucket in points.cells}}
    shares |= stack_shares(points, history, known, outcome)
    return {cell: _stacked(weights, shares[cell[0], cell[2]]) for cell, weights in found.items()}


def _stacked(weights: Mapping[str, float], share: float) -> dict[str, float]:
    return {name: weight * (1 - share) for name, weight in weights.items()} | {PIPELINE: share}


def _growth(task: SeriesTask, bucket: int) -> float:
    """How much farther outcomes lie than in the bucket before."""
    before, here = task.buckets[bucket - 1], task.buckets[bucket]
    return min(float(np.sqrt((here.first + here.last) / (before.first + before.last))), _WIDEST_STEP)


def _ratios(points: Points, names: Sequence[str], outcome: Floats, rows: Mask) -> dict[str, tuple[float, int]]:
    """Error of each candidate over that of the baseline, on the points of which it says something."""
    found = {}
    naive = np.abs(points.said[BASELINE] - outcome) / points.scale
    for name in names:
        error = np.abs(points.said[name] - outcome) / points.scale
        both = rows & np.isfinite(error) & np.isfinite(naive)
        below = float(naive[both].sum())
        found[name] = (float(error[both].sum()) / below if below > 0 else 1.0, int(both.sum()))
    return found


def _expected(points: Points, rules: Mapping[Cell, Rule], rows: Mask) -> tuple[Floats, Floats]:
    """The weighted candidates of the rows, and the same at the corrected level."""
    found, corrected = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for place, cell in enumerate(points.cells):
        here = rows & (points.cell == place)
        if here.any():
            said = {name: values[here] for name, values in points.said.items()}
            # What can never be negative is not forecast so; trends of short series cross zero.
            found[here] = floored(combine(said, rules[cell].weights), points.is_positive[here])
            corrected[here] = found[here] * rules[cell].factor
    return found[rows], corrected[rows]


def _quantiles(points: Points, rules: Mapping[Cell, Rule], expected: Floats, rows: Mask) -> Floats:
    found = np.full((len(rows), len(QUANTILES)), np.nan)
    for place, cell in enumerate(points.cells):
        here = rows & (points.cell == place)
        if here.any() and rules[cell].radii.at:
            found[here] = spread(expected[here], points.scale[here], rules[cell].radii)
    return found[rows]
