"""How open deals stood on the mornings of days, in a few classes each, and what became of them in business time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.business_time import BusinessClock
from features.flow_rows import NEVER, OPEN, WON, FlowState

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

# Business days; a class is named by the last edge below it.
_IN_STAGE = (3.0, 8.0, 15.0, 30.0, 60.0)
_TO_CLOSE = (-10.0, 0.0, 8.0, 20.0, 40.0)
_SIZES = (0.5, 1.0, 2.0)
# A tender that was this many days ago should have been decided.
TENDER_DAYS = 30
# Levels of a field that are seen less often are told together.
RARE = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshots:
    """Open deals on mornings; each array has shape (n_rows,).

    Attributes
    ----------
    deal, day : ndarray of int64
        Which deal, and which morning.
    facts : dict of str to ndarray of str
        Classes of how it stood.
    amount : ndarray of float64
        As it stood, hundredths; NaN where none was named.
    tender : ndarray of int64
        Announced day of a tender still to be decided, else `NEVER`.
    """

    deal: Ints
    day: Ints
    facts: dict[str, Names]
    amount: Floats
    tender: Ints


def take_snapshots(state: FlowState, deal: Ints, day: Ints, clock: BusinessClock) -> Snapshots:
    """How deals stood on mornings.

    Parameters
    ----------
    state : FlowState
        The record as known at its own day; nothing after a morning is looked at.
    deal, day : ndarray of int64, shape (n_rows,)
        Open deals and mornings.
    clock : BusinessClock
        The company's working time.
    """
    deals = state.deals
    now = clock.at(day)
    expected = deals.moves["expected"].at(deal, day).astype(np.int64)
    tender = deals.moves["tender"].at(deal, day).astype(np.int64)
    since = np.maximum(deals.moves["stage"].since(deal, day), deals.created[deal])
    amount = deals.moves["amount"].at(deal, day).astype(np.float64)
    known = amount[np.isfinite(amount)]
    usual = float(np.median(known)) if len(known) else 1.0
    facts = {
        "stage": deals.moves["stage"].at(deal, day).astype(object),
        "in_stage": _classes(now - clock.at(since), _IN_STAGE),
        "category": deals.moves["category"].at(deal, day).astype(object),
        "to_close": np.where(expected == NEVER, "unknown", _classes(clock.at(expected) - now, _TO_CLOSE)).astype(
            object
        ),
        "size": np.where(np.isfinite(amount), _classes(amount / max(usual, 1.0), _SIZES), "unknown").astype(object),
        "origin": deals.origin[deal],
        "buyer": _text(state.cells.buyer_type[deals.cell[deal]]),
        "line": _text(state.cells.line[deals.cell[deal]]),
    }
    waits = (tender != NEVER) & (tender >= day - TENDER_DAYS)
    return Snapshots(deal=deal, day=day, facts=facts, amount=amount, tender=np.where(waits, tender, NEVER))


def past_snapshots(state: FlowState, clock: BusinessClock, *, every_days: int, years: float) -> Snapshots:
    """Every open deal on every so-many-th morning of the last years.

    Parameters
    ----------
    every_days : int
        Days between mornings.
    years : float
        How far back.
    """
    deals = state.deals
    first = int(deals.created.min()) if len(deals.created) else state.on
    begin = max(state.on - int(365.25 * years), first + 1)
    mornings = np.arange(state.on - every_days, begin, -every_days)[::-1]
    begins = np.searchsorted(mornings, deals.created, side="right")
    ends = np.maximum(np.searchsorted(mornings, np.minimum(deals.closed, state.on), side="right"), begins)
    count = ends - begins
    deal = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(deal)) - np.repeat(np.cumsum(count) - count, count) + begins[deal]
    return take_snapshots(state, deal, mornings[place], clock)


def open_snapshots(state: FlowState, clock: BusinessClock) -> Snapshots:
    """The deals that are open now and not signed yet, as they stand."""
    deal = np.flatnonzero((state.deals.outcome == OPEN) & ~state.deals.is_signed)
    return take_snapshots(state, deal, np.full(len(deal), state.on), clock)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ends:
    """What became of snapshots: business time until the end or the cutoff, and how it ended; each of shape (n,)."""

    time: Floats
    outcome: Ints


def ends_of(state: FlowState, rows: Snapshots, clock: BusinessClock) -> Ends:
    """What became of snapshots by the state's day; those still open are `OPEN`."""
    closed = np.minimum(state.deals.closed[rows.deal], state.on)
    outcome = np.where(state.deals.closed[rows.deal] < state.on, state.deals.outcome[rows.deal], OPEN)
    # An end lies in the middle of its day.
    half = np.where(outcome != OPEN, 0.5, 0.0) * (clock.at(closed + 1) - clock.at(closed))
    return Ends(time=np.maximum(clock.at(closed) + half - clock.at(rows.day), 1e-6), outcome=outcome)


def is_won(ends: Ends) -> npt.NDArray[np.bool_]:
    """Which of them were won."""
    return np.asarray(ends.outcome == WON)


def _classes(values: Floats, edges: tuple[float, ...]) -> Names:
    names = np.array([f"<{edge:g}" for edge in edges] + [f">{edges[-1]:g}"], dtype=object)
    return np.asarray(names[np.searchsorted(np.array(edges), values)])


def _text(values: Names) -> Names:
    return np.array([value if isinstance(value, str) else "" for value in values.tolist()], dtype=object)
