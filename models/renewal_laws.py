"""Whether, when and at what amount agreements are renewed: a chance by kind and history, a lag, a ratio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.flow_rows import NEVER, OPEN, AgreementRows, FlowState

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Names: TypeAlias = npt.NDArray[np.object_]

# An agreement whose end lies so far back was renewed by now, or will not be.
MATURE_DAYS = 90
_YEARS = 3
# Kinds of which fewer renew do not renew at all: what follows them is a new sale.
_LEAST_SHARE = 0.05
_PRIOR = 20.0
# From this share of renewals that are deals on, an open deal near an agreement's end is its renewal.
_USUALLY_DEALS, _DEAL_DAYS = 0.2, 180


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenewalLaws:
    """What was learned of renewals.

    Attributes
    ----------
    chance : mapping of (kind, times renewed) to float
        Share renewed among those not cancelled.
    lags : ndarray of int64
        Days from the end of the old agreement to the signature of the new, sorted.
    ratios : mapping of str to ndarray of float64
        By kind: amounts of renewals over those of what they renew.
    cancels : float
        Share of agreements that are cancelled in the year before their end.
    """

    chance: Mapping[tuple[str, int], float]
    lags: Ints
    ratios: Mapping[str, Floats]
    cancels: float

    def remaining(self, kind: Names, times: Ints, lag: Ints, is_cancelled: npt.NDArray[np.bool_]) -> Floats:
        """The chance that agreements not renewed yet still will be, shape (n,).

        Parameters
        ----------
        kind : ndarray of str
            Kind of agreement.
        times : ndarray of int64
            How often it was renewed before.
        lag : ndarray of int64
            Days since its end, negative before it.
        is_cancelled : ndarray of bool
            The customer said it ends.
        """
        keys = zip(kind.tolist(), np.minimum(times, MOST_TIMES).tolist(), strict=True)
        chance = np.array([self.chance.get(key, 0.0) for key in keys])
        chance = chance * (1 - self.cancels * np.clip(-lag / 365.0, 0.0, 1.0))
        gone = np.searchsorted(self.lags, lag, side="left") / max(len(self.lags), 1)
        left = chance * (1 - gone)
        return np.asarray(np.where(is_cancelled | (left <= 0), 0.0, left / np.maximum(1 - chance * gone, 1e-9)))


MOST_TIMES = 3


def times_renewed(rows: AgreementRows) -> Ints:
    """How many renewals led to each agreement, shape (n_agreements,)."""
    times = np.zeros(len(rows.signed), dtype=np.int64)
    order = np.argsort(rows.signed, kind="stable")
    for place in order[rows.renewed_to[order] >= 0].tolist():
        following = rows.renewed_to[place]
        times[following] = min(times[place] + 1, MOST_TIMES)
    return times


def learn_renewals(rows: AgreementRows, on: int) -> RenewalLaws:
    """Renewals as they went in the last years.

    Parameters
    ----------
    rows : AgreementRows
        As known at the cutoff.
    on : int
        The cutoff.
    """
    times = times_renewed(rows)
    is_renewed = rows.renewed_to >= 0
    mature = (rows.ends < on - MATURE_DAYS) & (rows.ends > on - int(365.25 * _YEARS)) & (rows.ends != NEVER)
    judged = np.flatnonzero(mature & (rows.cancelled == NEVER))
    ran = mature & np.isin(rows.kind, np.unique(rows.kind[is_renewed]))
    chance: dict[tuple[str, int], float] = {}
    ratios: dict[str, Floats] = {}
    pairs = np.flatnonzero(is_renewed & (rows.ends > on - int(365.25 * _YEARS)) & (rows.net > 0))
    for kind in sorted(set(rows.kind[judged].tolist())):
        here = judged[rows.kind[judged] == kind]
        share = float(is_renewed[here].mean())
        if share < _LEAST_SHARE:
            continue
        for n in range(MOST_TIMES + 1):
            found = here[times[here] == n]
            chance[kind, n] = float((is_renewed[found].sum() + _PRIOR * share) / (len(found) + _PRIOR))
        own = pairs[rows.kind[pairs] == kind]
        ratios[kind] = rows.net[rows.renewed_to[own]] / rows.net[own]
    told = np.flatnonzero(is_renewed & mature)
    lags = np.sort(rows.signed[rows.renewed_to[told]] - rows.ends[told])
    cancels = float((rows.cancelled[ran] != NEVER).mean()) if ran.any() else 0.0
    return RenewalLaws(chance=chance, lags=lags, ratios=ratios, cancels=cancels)


def renewing_deals(state: FlowState) -> Flags:
    """Which deals renewed an agreement, shape (n_deals,)."""
    found = np.zeros(len(state.deals.name), dtype=np.bool_)
    following = state.agreements.renewed_to[state.agreements.renewed_to >= 0]
    deal = state.agreements.deal[following]
    found[deal[deal >= 0]] = True
    return found


def renewed_by_deals(state: FlowState) -> Flags:
    """Which agreements are expected through an open deal instead, shape (n_agreements,).

    Where renewals usually are deals, an open deal of the same customer and product line is the renewal of what ends.
    """
    rows, deals, cells = state.agreements, state.deals, state.cells
    following = rows.renewed_to[rows.renewed_to >= 0]
    found = np.zeros(len(rows.signed), dtype=np.bool_)
    if not len(following) or (rows.deal[following] >= 0).mean() < _USUALLY_DEALS:
        return found
    waits = np.flatnonzero((deals.outcome == OPEN) & ~deals.is_signed)
    held = set(zip(deals.account[waits].tolist(), cells.line[deals.cell[waits]].tolist(), strict=True))
    near = np.flatnonzero((rows.renewed_to < 0) & (np.abs(rows.ends - state.on) <= _DEAL_DAYS))
    for place in near.tolist():
        found[place] = (int(rows.account[place]), cells.line[rows.cell[place]]) in held
    return found
