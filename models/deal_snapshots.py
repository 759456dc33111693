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
    usual : float
        The amount by which sizes were told.
    """

    deal: Ints
    day: Ints
    facts: dict[str, Names]
    amount: Floats
    tender: Ints
    usual: float

    def take(self, places: Ints) -> Snapshots:
        """Some of them."""
        return Snapshots(
            deal=self.deal[places],
            day=self.day[places],
            facts={name: values[places] for name, values in self.facts.items()},
            amount=self.amount[places],
            tender=self.tender[places],
            usual=self.usual,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """What the record says of open deals on mornings, before it is put into classes; each of shape (n_rows,).

    Attributes
    ----------
    deal, day, created, since, expected, tender : ndarray of int64
        Which deal, which morning, when it was created, when it came into its stage, and what is promised.
    stage, category, origin, buyer, line, rep : ndarray of str
        As they stood.
    amount : ndarray of float64
        As it stood, NaN where none was named.
    """

    deal: Ints
    day: Ints
    created: Ints
    since: Ints
    expected: Ints
    tender: Ints
    stage: Names
    category: Names
    origin: Names
    buyer: Names
    line: Names
    rep: Names
    amount: Floats


def standing_at(state: FlowState, deal: Ints, day: Ints) -> Standing:
    """What the record says of deals on mornings; nothing after a morning is looked at.

    Parameters
    ----------
    state : FlowState
        The record as known at its own day.
    deal, day : ndarray of int64, shape (n_rows,)
        Open deals and mornings.
    """
    deals, cells = state.deals, state.cells
    return Standing(
        deal=deal,
        day=day,
        created=deals.created[deal],
        since=np.maximum(deals.moves["stage"].since(deal, day), deals.created[deal]),
        expected=deals.moves["expected"].at(deal, day).astype(np.int64),
        tender=deals.moves["tender"].at(deal, day).astype(np.int64),
        stage=deals.moves["stage"].at(deal, day).astype(object),
        category=deals.moves["category"].at(deal, day).astype(object),
        origin=deals.origin[deal],
        buyer=_text(cells.buyer_type[deals.cell[deal]]),
        line=_text(cells.line[deals.cell[deal]]),
        rep=_text(cells.rep_id[deals.cell[deal]]),
        amount=deals.moves["amount"].at(deal, day).astype(np.float64),
    )


def snapshots_of(rows: Standing, clock: BusinessClock, usual: float) -> Snapshots:
    """Standings in classes.

    Parameters
    ----------
    rows : Standing
        What the record says.
    clock : BusinessClock
        The company's working time.
    usual : float
        The amount by which sizes are told.
    """
    now = clock.at(rows.day)
    to_close = _classes(clock.at(rows.expected) - now, _TO_CLOSE)
    size = _classes(rows.amount / max(usual, 1.0), _SIZES)
    facts = {
        "stage": rows.stage,
        "in_stage": _classes(now - clock.at(rows.since), _IN_STAGE),
        "category": rows.category,
        "to_close": np.where(rows.expected == NEVER, "unknown", to_close).astype(object),
        "size": np.where(np.isfinite(rows.amount), size, "unknown").astype(object),
        "origin": rows.origin,
        "buyer": rows.buyer,
        "line": rows.line,
        "rep": rows.rep,
    }
    waits = (rows.tender != NEVER) & (rows.tender >= rows.day - TENDER_DAYS)
    return Snapshots(
        deal=rows.deal,
        day=rows.day,
        facts=facts,
        amount=rows.amount,
        tender=np.where(waits, rows.tender, NEVER),
        usual=usual,
    )


def take_snapshots(
    state: FlowState, deal: Ints, day: Ints, clock: BusinessClock, usual: float | None = None
) -> Snapshots:
    """How deals stood on mornings.

    Parameters
    ----------
    state : FlowState
        The record as known at its own day; nothing after a morning is looked at.
    deal, day : ndarray of int64, shape (n_rows,)
        Open deals and mornings.
    clock : BusinessClock
        The company's working time.
    usual : float or None
        The amount by which sizes are told; None takes the middle one of these rows.
    """
    rows = standing_at(state, deal, day)
    if usual is None:
        known = rows.amount[np.isfinite(rows.amount)]
        usual = float(np.median(known)) if len(known) else 1.0
    return snapshots_of(rows, clock, usual)


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


def open_snapshots(state: FlowState, clock: BusinessClock, usual: float | None = None) -> Snapshots:
    """The deals that are open now and not signed yet, as they stand; `usual` as in `take_snapshots`."""
    deal = np.flatnonzero((state.deals.outcome == OPEN) & ~state.deals.is_signed)
    return take_snapshots(state, deal, np.full(len(deal), state.on), clock, usual)


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
