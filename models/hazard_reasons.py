"""What each field adds to the chance of an event within a horizon, when that chance is made of many hazards.

The log-odds of the incidence F is a smooth function of the scores of all steps and causes. Along the straight path
from the scores of an average row to those of the row, each field is credited with its part of every score times the
slope of F there: the value of Aumann and Shapley (1974), the integrated gradients of Sundararajan, Taly and Yan
(2017). The parts sum to the log-odds exactly; what the step of time itself adds belongs to the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.ahead import Ahead
from models.hazard import HazardModel, design_of, softmax
from models.person_period import Grid

Floats: TypeAlias = npt.NDArray[np.float64]

N_NODES = 8
"""Points of the Gauss-Legendre rule along the path."""
MOST_STEPS = 5
"""Steps at which trees are asked; between them what a field adds is drawn straight."""
_CHUNK = 400
_TINY = 1e-12


def contributions_within(
    model: HazardModel,
    rows: Floats,
    horizon: Floats,
    cause: str,
    ahead: Ahead | None = None,
    credited: Sequence[int | None] = (),
) -> Floats:
    """Log-odds of a cause within a horizon that each field adds, shape (n_rows, n_fields + 1); last: the rest.

    Parameters
    ----------
    model : HazardModel
        The hazards, before any calibration.
    rows : ndarray of float64, shape (n_rows, n_fields)
        Encoded rows.
    horizon : ndarray of float64, shape (n_rows,)
        Days; beyond the grid nothing more is added.
    cause : str
        One of the model's causes.
    ahead : Ahead, shape (n_rows, n_steps, n_ahead), or None
        What is known ahead of each step.
    credited : sequence of int or None
        For each column of `ahead` the field that what it adds belongs to; None, and where it is empty: the rest.
    """
    result = np.empty((len(rows), model.n_fields + 1))
    # Rows of one reach together: at which steps trees are asked must not depend on a row's neighbours.
    reach = (step_shares(model.grid, horizon) > 0).sum(axis=1)
    for n_steps in np.unique(reach):
        places = np.flatnonzero(reach == n_steps)
        for start in range(0, len(places), _CHUNK):
            part = places[start : start + _CHUNK]
            known = None if ahead is None else ahead[part]
            result[part] = _contributions(model, rows[part], horizon[part], model.causes.index(cause), known, credited)
    return result


def step_shares(grid: Grid, horizon: Floats) -> Floats:
    """The share of each step that lies within each row's horizon, shape (n_rows, n_steps).

    Examples
    --------
    >>> step_shares(Grid(edges=(0.0, 7.0, 14.0)), np.array([10.5])).tolist()
    [[1.0, 0.5]]
    """
    edges = np.asarray(grid.edges)
    return np.asarray(np.clip((horizon[:, None] - edges[:-1]) / np.diff(edges), 0.0, 1.0))


def _contributions(
    model: HazardModel,
    rows: Floats,
    horizon: Floats,
    event: int,
    ahead: Ahead | None,
    credited: Sequence[int | None],
) -> Floats:
    shares = step_shares(model.grid, horizon)
    n_steps = max(1, int(shares.any(axis=0).sum()))
    shares = shares[:, :n_steps]
    scores = _scores(model, rows, ahead, n_steps)
    parts = _parts(model, rows, ahead, n_steps, credited)
    delta = parts.sum(axis=2)
    base = scores - delta
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    slope = np.zeros_like(delta)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        slope += weight * _slope(base + node * delta, shares, event)
    found = np.einsum("rsfc,rsc->rf", parts, slope)
    total = _log_odds(scores, shares, event)
    return np.column_stack([found, total - found.sum(axis=1)])


def _scores(model: HazardModel, rows: Floats, ahead: Ahead | None, n_steps: int) -> Floats:
    """Score of every cause against "nothing happens", shape (n_rows, n_steps, n_causes)."""
    row, step = np.repeat(np.arange(len(rows)), n_steps), np.tile(np.arange(n_steps), len(rows))
    found = model.scores(design_of(rows, ahead, row, step))
    return np.asarray((found[:, 1:] - found[:, :1]).reshape(len(rows), n_steps, -1))


def _parts(
    model: HazardModel, rows: Floats, ahead: Ahead | None, n_steps: int, credited: Sequence[int | None]
) -> Floats:
    """What each field adds to each score, shape (n_rows, n_steps, n_fields, n_causes)."""
    asked = np.unique(np.linspace(0, n_steps - 1, min(n_steps, MOST_STEPS)).round().astype(np.intp))
    row, step = np.repeat(np.arange(len(rows)), len(asked)), np.tile(asked, len(rows))
    columns = model.score_parts(design_of(rows, ahead, row, step))
    found = columns[:, : model.n_fields].copy()
    for place, field in enumerate(credited):
        if field is not None:
            found[:, field] += columns[:, model.n_fields + place]
    found = found.reshape(len(rows), len(asked), model.n_fields, -1)
    right = np.clip(np.searchsorted(asked, np.arange(n_steps)), 1 if len(asked) > 1 else 0, len(asked) - 1)
    left = np.maximum(right - 1, 0)
    gap = np.maximum(asked[right] - asked[left], 1)
    share = ((np.arange(n_steps) - asked[left]) / gap)[None, :, None, None]
    return np.asarray((1 - share) * found[:, left] + share * found[:, right])


def _incidence(hazards: Floats, shares: Floats, event: int) -> Floats:
    left = np.cumprod(1.0 - hazards.sum(axis=2), axis=1)
    before = np.column_stack([np.ones(len(hazards)), left[:, :-1]])
    return np.asarray((before * hazards[:, :, event] * shares).sum(axis=1))


def _log_odds(scores: Floats, shares: Floats, event: int) -> Floats:
    p = np.clip(_incidence(_hazards(scores), shares, event), _TINY, 1 - _TINY)
    return np.asarray(np.log(p) - np.log1p(-p))


def _hazards(scores: Floats) -> Floats:
    flat = scores.reshape(-1, scores.shape[2])
    return softmax(np.column_stack([np.zeros(len(flat)), flat]))[:, 1:].reshape(scores.shape)


def _slope(scores: Floats, shares: Floats, event: int) -> Floats:
    """Slope of the log-odds in every score, shape (n_rows, n_steps, n_causes)."""
    hazards = _hazards(scores)
    stays = 1.0 - hazards.sum(axis=2)
    before = np.column_stack([np.ones(len(hazards)), np.cumprod(stays, axis=1)[:, :-1]])
    hits = shares * hazards[:, :, event]
    # The chance that is still to come after each step for those who reach its end.
    later = np.zeros_like(hits)
    for step in range(hits.shape[1] - 2, -1, -1):
        later[:, step] = hits[:, step + 1] + stays[:, step + 1] * later[:, step + 1]
    own = np.zeros_like(hazards)
    own[:, :, event] = hits
    slope = before[:, :, None] * (own - hazards * (hits + stays * later)[:, :, None])
    p = np.clip((before * hits).sum(axis=1), _TINY, 1 - _TINY)
    return np.asarray(slope / (p * (1 - p))[:, None, None])
