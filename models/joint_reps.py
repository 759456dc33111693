"""How much farther salespeople stray than their deals: a factor of their own, as wide as makes their ranges hold.

A salesperson's month is a handful of deals or none, and relative errors say little of it. So the factor is chosen by
what it is for: the share of past months that the 80 % range held, counted with the share of draws that lie exactly on
the outcome (randomised probability integral transform, Czado, Gneiting & Held 2009).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.cells import Cells

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

SPREADS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)
_LOW, _HIGH = 0.1, 0.9
# Months of ranges that hold as promised without a factor; fewer than this many say little.
_PRIOR_POINTS = 60.0


def rep_places(cells: Cells) -> tuple[tuple[str, ...], Ints]:
    """Salespeople, and the place of each cell's; cells of nobody come last, shape (n_cells,)."""
    names = tuple(sorted({name for name in cells.rep_id.tolist() if name is not None}))
    place = {name: number for number, name in enumerate(names)}
    return names, np.array([place.get(name, len(names)) for name in cells.rep_id.tolist()], dtype=np.int64)


def rep_luck(n_reps: int, n_months: int, n_draws: int, spread: float, seed: int) -> Floats:
    """Factors of mean 1 by salesperson, month and draw, shape (n_reps + 1, n_months, n_draws); nobody's is 1."""
    found = np.ones((n_reps + 1, n_months, n_draws))
    if spread > 0 and n_reps:
        drawn = np.random.default_rng([seed, 9]).normal(size=(n_reps, n_months, n_draws))
        found[:-1] = np.exp(spread * drawn - spread**2 / 2)
    return found


def held_shares(draws: Floats, outcome: Floats, seed: int) -> Floats:
    """How often the 80 % range would have held, by spread and month, shape (len(SPREADS), n_months).

    Parameters
    ----------
    draws : ndarray of float64, shape (n_reps, n_months, n_draws)
        Without a factor of their own.
    outcome : ndarray of float64, shape (n_reps, n_months)
        What came; NaN where it is not known.
    seed : int
        Random state.

    Returns
    -------
    ndarray of float64
        Sums over salespeople; what is not known counts for nothing.

    Examples
    --------
    >>> draws = np.arange(100.0).reshape(1, 1, 100)
    >>> held_shares(draws, np.array([[50.0]]), 1)[0].tolist()
    [1.0]
    """
    found = np.zeros((len(SPREADS), outcome.shape[1]))
    known = np.isfinite(outcome)
    for place, spread in enumerate(SPREADS):
        widened = draws * rep_luck(len(draws), draws.shape[1], draws.shape[2], spread, seed)[:-1]
        below = (widened < outcome[:, :, None]).mean(axis=2)
        upto = (widened <= outcome[:, :, None]).mean(axis=2)
        inside = np.clip(np.minimum(upto, _HIGH) - np.maximum(below, _LOW), 0.0, None)
        tied = upto > below
        share = np.where(tied, inside / np.where(tied, upto - below, 1.0), (below >= _LOW) & (below <= _HIGH))
        found[place] = np.where(known, share, 0.0).sum(axis=0)
    return found


def choose_spread(held: Floats, n: float) -> float:
    """The spread whose range held nearest to what it promised, the smaller one where two are as near.

    Parameters
    ----------
    held : ndarray of float64, shape (len(SPREADS),)
        Sums over months and salespeople.
    n : float
        How many they are of.

    Examples
    --------
    >>> choose_spread(np.array([700.0, 760.0, 805.0, 850.0, 880.0, 900.0]), 1000.0)
    0.3
    """
    promised = _HIGH - _LOW
    share = (held + _PRIOR_POINTS * np.where(np.arange(len(held)) == 0, promised, held / max(n, 1.0))) / (
        n + _PRIOR_POINTS
    )
    return SPREADS[int(np.abs(share - promised).argmin())]
