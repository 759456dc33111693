"""How far whole quarters of wins strayed from what the open deals promised: the shock that all deals share.

Deals that are drawn one by one average out, and ranges of their sum come out far too narrow where a market, a budget
or a price list moves all of them. The excess of past quarters over the chance of single deals is that shock.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.business_time import BusinessClock
from features.flow_rows import NEVER, WON, FlowState
from models.deal_hazards import EDGES, DealHazards
from models.deal_snapshots import take_snapshots

Floats: TypeAlias = npt.NDArray[np.float64]

_QUARTERS, _DAYS = 12, 91
# A shock of this size is expected before any quarter was seen, worth so many quarters.
_PRIOR, _PRIOR_QUARTERS = 0.05, 4.0


def won_within(won: Floats, lost: Floats, time: Floats) -> Floats:
    """The chance that deals are won within business times, shape (n,).

    Parameters
    ----------
    won, lost : ndarray of float64, shape (n, n_pieces)
        Hazards of each piece of `EDGES`.
    time : ndarray of float64, shape (n,)
        Business time from the snapshot on.
    """
    total = won + lost
    spent = np.clip(time[:, None] - np.array(EDGES)[:-1], 0.0, np.diff(np.array(EDGES)))
    before = np.exp(-np.concatenate([np.zeros((len(time), 1)), np.cumsum(total * spent, axis=1)[:, :-1]], axis=1))
    return np.asarray((before * won / np.maximum(total, 1e-12) * (1 - np.exp(-total * spent))).sum(axis=1))


def learn_shock(state: FlowState, hazards: DealHazards, clock: BusinessClock) -> float:
    """Standard deviation of the common log factor on wins, by the method of moments over past quarters.

    Parameters
    ----------
    state : FlowState
        As known at the cutoff.
    hazards : DealHazards
        How deals end.
    clock : BusinessClock
        Working time.
    """
    deals = state.deals
    first = int(deals.created.min()) if len(deals.created) else state.on
    excess, weight = _PRIOR**2 * _PRIOR_QUARTERS, _PRIOR_QUARTERS
    for number in range(1, _QUARTERS + 1):
        morning = state.on - number * _DAYS
        if morning < first + _DAYS:
            break
        deal = np.flatnonzero((deals.created < morning) & (deals.closed >= morning))
        rows = take_snapshots(state, deal, np.full(len(deal), morning), clock)
        free = np.flatnonzero(rows.tender == NEVER)
        length = clock.at(np.array([morning + _DAYS]))[0] - clock.at(np.array([morning]))[0]
        won, lost = hazards.hazards(rows)
        chance = won_within(won, lost, np.full(len(deal), length))[free]
        came = (deals.outcome[deal] == WON) & (deals.closed[deal] < morning + _DAYS)
        expected = float(chance.sum())
        if expected > 1:
            by_chance = float((chance * (1 - chance)).sum())
            excess += ((float(came[free].sum()) - expected) ** 2 - by_chance) / expected**2
            weight += 1
    return float(np.sqrt(max(excess / weight, 0.0)))
