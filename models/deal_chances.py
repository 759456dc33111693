"""The chance that a deal is won and signed before given days, and the amount expected of it: the draws in closed form.

Within a piece of the competing hazards, of which the one of winning is `w` and both together are `h`, a deal still open
is won in the time `t` with chance `w / h * (1 - exp(-h t))` (Prentice et al., 1978). A win is signed a lag later, and
the lags are those of the past. What is summed here is free of noise; `models/deal_draws.py` draws the same law.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.business_time import BusinessClock
from features.flow_rows import NEVER
from models.deal_hazards import EDGES, DealHazards
from models.deal_snapshots import Snapshots
from models.flow_laws import FlowLaws

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# A tender whose decision is late is decided within so many days.
LATE_DAYS = 14
# A deal that was won so many days ago and is not signed yet will not be.
WAITING = 60


def signed_chances(rows: Snapshots, laws: FlowLaws, clock: BusinessClock, days: Ints, *, shock: float = 1.0) -> Floats:
    """The chance that each deal is won and signed before each of the days, shape (n_rows, n_days).

    Parameters
    ----------
    rows : Snapshots
        Open deals, each as it stands on its own morning.
    laws : FlowLaws
        What was learned.
    clock : BusinessClock
        Working time from the mornings to the last of the days.
    days : ndarray of int64, shape (n_days,)
        Epoch days; a signature on the day itself does not count.
    shock : float
        Factor on the hazard of winning.
    """
    lags, share = lag_shares(laws.sign_days)
    before = days[:, None] - lags
    asked, place = np.unique(before, return_inverse=True)
    won = won_chances(rows, laws.hazards, clock, asked, shock=shock)
    return np.asarray(won[:, place.reshape(before.shape)] @ share)


def won_chances(rows: Snapshots, hazards: DealHazards, clock: BusinessClock, days: Ints, *, shock: float) -> Floats:
    """The chance that each deal is won before each of the days, shape (n_rows, n_days); arguments as above."""
    found = np.empty((len(rows.deal), len(days)))
    free, dated = np.flatnonzero(rows.tender == NEVER), np.flatnonzero(rows.tender != NEVER)
    found[free] = _by_hazard(rows.take(free), hazards, clock, days, shock)
    found[dated] = _by_tender(rows.take(dated), hazards, days, shock)
    return found


def waiting_chances(closed: Ints, on: Ints, laws: FlowLaws, days: Ints) -> Floats:
    """The chance that deals won and not signed yet are signed before each of the days, shape (n_rows, n_days).

    Parameters
    ----------
    closed, on : ndarray of int64, shape (n_rows,)
        Days of the wins, and mornings on which there was no signature yet.
    laws : FlowLaws
        What was learned.
    days : ndarray of int64, shape (n_days,)
        Epoch days.
    """
    lags, share = lag_shares(laws.sign_days)
    signed = np.maximum(closed[:, None] + lags, on[:, None])
    return np.asarray((signed[:, None, :] < days[:, None]) @ share)


def expected_amounts(rows: Snapshots, laws: FlowLaws) -> Floats:
    """The amount at which each deal is expected to be signed when it is won, shape (n_rows,)."""
    amount = np.where(np.isfinite(rows.amount), rows.amount, rows.usual)
    ratio = np.ones(len(amount))
    for name, values in laws.amount_ratios.items():
        ratio[rows.facts["stage"] == name] = values.mean()
    return np.asarray(amount * ratio * laws.amount_factors(rows.facts["rep"]))


def lag_shares(lags: Ints) -> tuple[Ints, Floats]:
    """Each lag once, and how often it was; no lag at all where none is known."""
    if not len(lags):
        return np.zeros(1, dtype=np.int64), np.ones(1)
    found, count = np.unique(lags, return_counts=True)
    return found.astype(np.int64), np.asarray(count / count.sum())


def _by_hazard(rows: Snapshots, hazards: DealHazards, clock: BusinessClock, days: Ints, shock: float) -> Floats:
    won, lost = hazards.hazards(rows)
    won = won * shock
    total = won + lost
    time = np.maximum(clock.at(days)[None, :] - clock.at(rows.day)[:, None], 0.0)
    found, left = np.zeros(time.shape), np.ones(len(rows.deal))
    for piece, width in enumerate(np.diff(np.array(EDGES))):
        here = total[:, piece]
        share = left * won[:, piece] / np.maximum(here, 1e-12)
        spent = np.clip(time - EDGES[piece], 0.0, width)
        found += share[:, None] * -np.expm1(-here[:, None] * spent)
        left = left * np.exp(-here * width)
    return found


def _by_tender(rows: Snapshots, hazards: DealHazards, days: Ints, shock: float) -> Floats:
    chance = hazards.tender_chance(rows)
    odds = chance / (1 - chance) * shock
    lags = np.sort(hazards.tender_lags) if len(hazards.tender_lags) else np.zeros(1, dtype=np.int64)
    over = np.searchsorted(lags, rows.day - rows.tender, side="left")
    passed = np.searchsorted(lags, days[None, :] - rows.tender[:, None], side="left")
    late = over[:, None] * np.clip((days[None, :] - rows.day[:, None]) / LATE_DAYS, 0.0, 1.0)
    in_time = np.maximum(passed - over[:, None], 0)
    return np.asarray((odds / (1 + odds))[:, None] * (late + in_time) / len(lags))
