"""What salespeople's words are worth: amounts, wins and losses of each against what is usual, shrunk to their peers.

A rep's own ratio is believed as far as it tells more than chance does (empirical Bayes, Efron and Morris, 1973): the
variance between reps is estimated from all of them, and with it the weight of each one's own past. Where reps do not
differ by more than chance nothing is corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.flow_rows import LOST, NEVER, WON
from models.deal_hazards import EDGES, DealHazards, Effects
from models.deal_snapshots import Ends, Snapshots

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]
Flags: TypeAlias = npt.NDArray[np.bool_]

REP = "rep"
# An amount that changed by more than this factor was another deal, or a slip of the pen.
_MOST_RATIO = 5.0
_OTHER = "(other)"


def shrunk_rates(came: Floats, expected: Floats) -> Floats:
    """The factor of each group on what was expected of it, shrunk to 1 (gamma and Poisson), shape (n_groups,).

    Parameters
    ----------
    came, expected : ndarray of float64, shape (n_groups,)
        Events that came, and that were expected.

    Examples
    --------
    >>> shrunk_rates(np.array([30.0, 10.0]), np.array([20.0, 20.0])).round(2).tolist()
    [1.4, 0.6]
    >>> shrunk_rates(np.array([21.0, 19.0]), np.array([20.0, 20.0])).tolist()
    [1.0, 1.0]
    """
    between = max(float(((came - expected) ** 2).sum() - expected.sum()), 0.0)
    spread = between / max(float((expected**2).sum()), 1e-9)
    return np.asarray((1 + spread * came) / (1 + spread * expected))


def shrunk_means(values: Floats, group: Ints, n_groups: int) -> Floats:
    """The mean of each group less that of all, shrunk to none (normal and normal), shape (n_groups,).

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One a deal.
    group : ndarray of int64, shape (n,)
        Whose.
    n_groups : int
        Number of groups.
    """
    n = np.bincount(group, minlength=n_groups).astype(np.float64)
    if len(values) < 2 or (n > 0).sum() < 2:
        return np.zeros(n_groups)
    mean = np.bincount(group, values, minlength=n_groups) / np.maximum(n, 1.0)
    apart = np.where(n > 0, mean - values.mean(), 0.0)
    within = float(((values - mean[group]) ** 2).sum()) / max(len(values) - int((n > 0).sum()), 1)
    excess = float((n * apart**2).sum()) - (int((n > 0).sum()) - 1) * within
    between = max(excess / max(len(values) - float((n**2).sum()) / len(values), 1e-9), 0.0)
    return np.asarray(apart * between / np.maximum(between + within / np.maximum(n, 1.0), 1e-12))


def learn_amount_habits(rows: Snapshots, ratio: Floats) -> dict[str, float]:
    """By rep: the factor on final over named amounts beyond what is usual in the stage.

    Parameters
    ----------
    rows : Snapshots
        Past mornings of deals that were won.
    ratio : ndarray of float64, shape (n_rows,)
        Final over named amount, positive.
    """
    names, rep = np.unique(rows.facts[REP].astype(str), return_inverse=True)
    if not len(names):
        return {}
    _, deal = np.unique(rows.deal, return_inverse=True)
    _, stage = np.unique(rows.facts["stage"].astype(str), return_inverse=True)
    count = np.bincount(deal).astype(np.float64)
    log = np.log(np.clip(ratio, 1 / _MOST_RATIO, _MOST_RATIO))
    own, habit = np.zeros(len(count), dtype=np.int64), np.zeros(len(names))
    own[deal] = rep
    for _ in range(3):
        # Reps and stages are told apart by taking the one out of the other in turn.
        weight = 1 / count[deal]
        usual = np.bincount(stage, weight * (log - habit[rep])) / np.bincount(stage, weight)
        told = _by(deal, weight * (log - usual[stage]), len(count))
        habit = shrunk_means(told, own, len(names))
    return {name: float(np.exp(value)) for name, value in zip(names.tolist(), habit.tolist(), strict=True) if name}


def with_habits(hazards: DealHazards, rows: Snapshots, ends: Ends) -> DealHazards:
    """Hazards with a factor of each rep on winning and on losing, learned from the same past snapshots.

    Parameters
    ----------
    hazards : DealHazards
        Learned without regard to reps.
    rows : Snapshots
        Past mornings.
    ends : Ends
        What became of them.
    """
    free = np.flatnonzero(rows.tender == NEVER)
    some = rows.take(free)
    names, rep = np.unique(some.facts[REP].astype(str), return_inverse=True)
    _, deal = np.unique(some.deal, return_inverse=True)
    if not len(names):
        return hazards
    # A deal counts once, however many mornings it was open.
    weight = 1 / np.bincount(deal)[deal]
    exposure = np.clip(ends.time[free][:, None] - np.array(EDGES)[:-1], 0.0, np.diff(np.array(EDGES)))
    is_seen = ends.time[free] <= EDGES[-1]
    factors = []
    for hazard, cause in zip(hazards.hazards(some), (WON, LOST), strict=True):
        mean = (hazard * exposure).sum(axis=1)
        event = ((ends.outcome[free] == cause) & is_seen).astype(np.float64)
        expected, came = (_by(rep, weight * one, len(names)) for one in (mean, event))
        factor = shrunk_rates(came, expected * came.sum() / max(float(expected.sum()), 1e-9))
        # All together the factors leave what the hazards said of all mornings as it was.
        factor *= mean.sum() / max(float(_by(rep, mean, len(names)) @ factor), 1e-9)
        factors.append(np.append(np.log(np.maximum(factor, 0.05)), 0.0))
    known = np.append(names != "", True)
    won, lost = (
        Effects(base=effects.base, factors={**effects.factors, REP: np.where(known, factor, 0.0)})
        for effects, factor in zip((hazards.won, hazards.lost), factors, strict=True)
    )
    return replace(hazards, levels={**hazards.levels, REP: (*names.tolist(), _OTHER)}, won=won, lost=lost)


def _by(group: Ints, values: Floats, n_groups: int) -> Floats:
    return np.asarray(np.bincount(group, values, minlength=n_groups), dtype=np.float64)


def without_habits(hazards: DealHazards) -> DealHazards:
    """The same hazards, every rep taken like the peers."""
    won, lost = (
        Effects(base=one.base, factors={name: values for name, values in one.factors.items() if name != REP})
        for one in (hazards.won, hazards.lost)
    )
    levels = {name: values for name, values in hazards.levels.items() if name != REP}
    return replace(hazards, levels=levels, won=won, lost=lost)


def habit_of(hazards: DealHazards) -> Mapping[str, tuple[float, float]]:
    """By rep: the factors on winning and on losing."""
    if REP not in hazards.levels:
        return {}
    pairs = zip(hazards.won.factors[REP].tolist(), hazards.lost.factors[REP].tolist(), strict=True)
    found = {
        name: (float(np.exp(won)), float(np.exp(lost)))
        for name, (won, lost) in zip(hazards.levels[REP], pairs, strict=True)
    }
    return {name: pair for name, pair in found.items() if name not in ("", _OTHER)}
