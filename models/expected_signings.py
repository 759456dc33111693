"""What is expected of renewals, of deals not created yet, and of agreements that never were deals, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.business_time import BusinessClock
from features.flow_rows import WON, FlowState
from models.arrivals import Rate, learn_rate
from models.deal_chances import lag_shares
from models.flow_laws import EXAMPLE_DAYS, MATURE_DAYS, FlowLaws, first_day
from models.renewal_laws import RenewalLaws

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A period of days.

    Parameters
    ----------
    begins, ends : int
        Its first epoch day, and the day after its last.
    """

    begins: int
    ends: int

    @property
    def edges(self) -> Ints:
        """Both, shape (2,)."""
        return np.array([self.begins, self.ends])

    def holds(self, day: Ints) -> Flags:
        """Whether days lie in it."""
        return np.asarray((day >= self.begins) & (day < self.ends))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Renewable:
    """Agreements that may be renewed, as they stand on mornings; each array of shape (n_rows,).

    Attributes
    ----------
    kind : ndarray of str
        Kind of agreement.
    times, ends, on : ndarray of int64
        How often it was renewed, the day of its end, the morning.
    is_cancelled : ndarray of bool
        The customer said that it ends.
    """

    kind: Names
    times: Ints
    ends: Ints
    on: Ints
    is_cancelled: Flags


def renewal_share(rows: Renewable, laws: RenewalLaws, window: Window) -> Floats:
    """The chance that agreements are renewed within a period times the ratio of the amounts, shape (n_rows,)."""
    lags = laws.lags
    if not len(lags):
        return np.zeros(len(rows.ends))
    chance = laws.remaining(rows.kind, rows.times, rows.on - rows.ends, rows.is_cancelled)
    first = np.minimum(np.searchsorted(lags, rows.on - rows.ends, side="left"), len(lags) - 1)
    reached = [
        np.where(day > rows.on, np.maximum(np.searchsorted(lags, day - rows.ends, side="left") - first, 0), 0)
        for day in (window.begins, window.ends)
    ]
    ratio = np.ones(len(rows.ends))
    for kind, values in laws.ratios.items():
        if len(values):
            ratio[rows.kind == kind] = values.mean()
    return np.asarray(chance * ratio * (reached[1] - reached[0]) / (len(lags) - first))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inflow:
    """What comes without a row on record: how often, and examples of what comes.

    Attributes
    ----------
    rate : Rate
        Events per business day.
    on : int
        The morning from which the rate counts.
    net : ndarray of float64, shape (n_examples,)
        Amount of each example, already times its chance.
    lasted : ndarray of float64, shape (n_examples,)
        Business time from its coming to its end.
    has_lag : bool
        Whether a signature follows the end by a lag.
    """

    rate: Rate
    on: int
    net: Floats
    lasted: Floats
    has_lag: bool


def new_deals(state: FlowState, clock: BusinessClock, member: Flags) -> Inflow:
    """Deals that are not created yet, of the cells of a node.

    Parameters
    ----------
    state : FlowState
        The record.
    clock : BusinessClock
        Working time.
    member : ndarray of bool, shape (n_cells,)
        The cells of the node.
    """
    deals, on = state.deals, state.on
    rate = learn_rate(deals.created, on, clock, first=first_day(state))
    grown = (deals.created < on - MATURE_DAYS) & (deals.created >= on - MATURE_DAYS - 2 * EXAMPLE_DAYS)
    share = _shares_after_hand_over(state, member)[deals.cell]
    wins = np.flatnonzero(grown & (deals.outcome == WON) & (share > 0))
    return Inflow(
        rate=rate,
        on=on,
        net=np.nan_to_num(deals.amount[wins]) * share[wins] / max(int(grown.sum()), 1),
        lasted=clock.at(deals.closed[wins]) + 0.5 - clock.at(deals.created[wins]),
        has_lag=True,
    )


def _shares_after_hand_over(state: FlowState, member: Flags) -> Floats:
    """The chance that what comes like each cell's is a node's: of those who left, colleagues take over, (n_cells,)."""
    deals, cells = state.deals, state.cells
    share = member.astype(np.float64)
    pool = deals.cell[(deals.created >= state.on - EXAMPLE_DAYS) & ~cells.is_gone[deals.cell]]
    region, line = (pd.factorize(axis, use_na_sentinel=False)[0] for axis in (cells.region, cells.line))
    # Of the same region and line where there is one, else of the same region.
    for group in (region, region * (cells.n + 1) + line):
        n = np.bincount(group[pool], minlength=int(group.max(initial=0)) + 1)
        own = np.bincount(group[pool], member[pool], minlength=len(n))
        taken = cells.is_gone & (n[group] > 0)
        share[taken] = (own / np.maximum(n, 1))[group[taken]]
    return share


def direct_agreements(state: FlowState, clock: BusinessClock, member: Flags) -> Inflow:
    """Agreements that come of no deal and renew nothing, of the cells of a node; arguments as above."""
    rows, on = state.agreements, state.on
    renews = np.zeros(len(rows.signed) + 1, dtype=np.bool_)
    renews[rows.renewed_to] = True
    direct = np.flatnonzero((rows.deal < 0) & ~renews[:-1])
    recent = direct[rows.signed[direct] >= on - EXAMPLE_DAYS]
    own = recent[member[rows.cell[recent]]]
    return Inflow(
        rate=learn_rate(rows.signed[direct], on, clock, first=first_day(state)),
        on=on,
        net=rows.net[own] / max(len(recent), 1),
        lasted=np.zeros(len(own)),
        has_lag=False,
    )


def expected_inflow(flow: Inflow, start: int, window: Window, laws: FlowLaws, clock: BusinessClock) -> float:
    """What is expected to be signed within a period of what comes from a day on, hundredths.

    Parameters
    ----------
    flow : Inflow
        How often, and what.
    start : int
        The first day on which something may come.
    window : Window
        The period of the signatures.
    laws : FlowLaws
        What was learned.
    clock : BusinessClock
        Working time.
    """
    if start >= window.ends or not len(flow.net):
        return 0.0
    days = np.arange(start, window.ends + 1)
    times = clock.at(days)
    came = np.concatenate([[0.0], np.cumsum(flow.rate.at((days[:-1] - flow.on).astype(np.float64)) * np.diff(times))])
    lags, share = lag_shares(laws.sign_days) if flow.has_lag else lag_shares(np.zeros(0, dtype=np.int64))
    begins, ends = (
        np.interp(clock.at(np.maximum(edge, start) - lags)[:, None] - flow.lasted, times, came)
        for edge in (window.begins, window.ends)
    )
    return float(share @ (ends - begins) @ flow.net)
