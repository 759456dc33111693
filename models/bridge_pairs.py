"""The deals of two moments, made row by row the same, with the bar in which each one's end or beginning counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.flow_rows import LOST, NEVER, OPEN, WON, FlowState
from models.bridge_bars import Bar
from models.bridge_deals import DealPairs, Side, Status
from models.deal_chances import WAITING
from models.deal_snapshots import Standing, standing_at
from models.expected_signings import Window

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]
Flags: TypeAlias = npt.NDArray[np.bool_]


def pair_deals(before: FlowState, after: FlowState, window: Window, members: tuple[Flags, Flags]) -> DealPairs:
    """Every deal that can count in the period at either moment, as both tell it.

    Parameters
    ----------
    before, after : FlowState
        The record as known at the two moments.
    window : Window
        The period.
    members : tuple of ndarray of bool
        The cells of the node in each state.
    """
    counted = [state.deals.name[_counts(state, window)] for state in (before, after)]
    kept = pd.Index(np.unique(np.concatenate(counted).astype(object)), dtype=object)
    old, new = (np.asarray(pd.Index(state.deals.name).get_indexer(kept)) for state in (before, after))
    said, now = _side(before, old, window, members[0]), _side(after, new, window, members[1])
    event = _events((before, after), (old, new), (said, now))
    # What the second moment tells of the first; whose a deal was is told without a history, and counts as its owner's.
    past = _own_currency(after, new, before.on)
    past = replace(past, **{name: getattr(said.standing, name) for name in ("buyer", "line", "rep")})
    known = replace(said, standing=past)
    # A deal that only one moment knows stands as that one tells it, and of one that ended the end alone is a change.
    known = _where((old >= 0) & (new >= 0), known, said)
    now = _where((event != "") & (old >= 0), _ended(known, now, new), now)
    begun = replace(now, status=np.zeros_like(now.status), signed=np.zeros_like(now.signed))
    said, known = (_where(old < 0, begun, one) for one in (said, known))
    return DealPairs(
        name=kept.to_numpy(dtype=object),
        rep=_reps(before, after, old, new),
        said=said,
        known=known,
        now=now,
        event=event,
    )


def _counts(state: FlowState, window: Window) -> Ints:
    status = _status(state)
    status[(status == Status.DONE) & (_signed(state, window) == 0)] = Status.ABSENT
    return np.flatnonzero(status != Status.ABSENT)


def _status(state: FlowState) -> Ints:
    deals = state.deals
    waits = (deals.outcome == WON) & ~deals.is_signed & (deals.closed >= state.on - WAITING)
    is_open = (deals.outcome == OPEN) & ~deals.is_signed
    return np.select([is_open, waits], [int(Status.OPEN), int(Status.UNSIGNED)], int(Status.DONE))


def _signed(state: FlowState, window: Window) -> Floats:
    """What agreements that name their deal book in the period, by deal."""
    rows = state.agreements
    named = np.flatnonzero((rows.deal >= 0) & window.holds(rows.signed))
    return np.bincount(rows.deal[named], rows.net[named], minlength=len(state.deals.name)).astype(np.float64)


def _side(state: FlowState, place: Ints, window: Window, member: Flags) -> Side:
    """One moment's view; rows that it does not know are `ABSENT` and their other fields mean nothing."""
    absent = place < 0
    if not len(state.deals.name):
        return _nothing(len(place), state.on)
    return Side(
        standing=_own_currency(state, place, state.on),
        rate=_worth(state, place),
        status=np.where(absent, int(Status.ABSENT), _status(state)[place]),
        closed=state.deals.closed[place],
        signed=np.where(absent, 0.0, _signed(state, window)[place]),
        is_member=member[state.deals.cell[place]] & ~absent,
    )


def _nothing(n: int, on: int) -> Side:
    """The view of a moment that knows no deal at all."""
    ints, texts = np.full(n, on), np.full(n, "", dtype=object)
    standing = Standing(
        **dict.fromkeys(("deal", "day", "created", "since", "expected", "tender"), ints),
        **dict.fromkeys(("stage", "category", "origin", "buyer", "line", "rep"), texts),
        amount=np.zeros(n),
    )
    none = np.zeros(n, dtype=np.int64)
    return Side(standing=standing, rate=np.ones(n), status=none, closed=none, signed=np.zeros(n), is_member=none > 0)


def _own_currency(state: FlowState, place: Ints, on: int) -> Standing:
    """How deals stood on a morning, amounts in hundredths of their own currencies."""
    if not len(state.deals.name):
        return _nothing(len(place), on).standing
    found = standing_at(state, place % len(state.deals.name), np.full(len(place), on))
    return replace(found, amount=found.amount / _worth(state, place))


def _worth(state: FlowState, place: Ints) -> Floats:
    """What one of each deal's currency is worth at the rate at which its amount was converted."""
    currency, day = state.deals.currency[place], np.minimum(state.deals.closed[place], state.on)
    worth = np.ones(len(place))
    for code in sorted({one for one in currency.tolist() if one is not None and one != state.rates.currency}):
        rows = np.flatnonzero(currency == code)
        days, rates = state.rates.days[code], state.rates.values[code]  # noqa: PD011 - no frame
        found = np.searchsorted(days, day[rows], side="right") - 1
        worth[rows] = rates[found]
    return worth


def _where(chosen: Flags, one: Side, other: Side) -> Side:
    """Row by row the one or the other."""
    standing = Standing(
        **{
            name: np.where(chosen, getattr(one.standing, name), getattr(other.standing, name))
            for name in Standing.__slots__
        }
    )
    rest = {
        name: np.where(chosen, getattr(one, name), getattr(other, name))
        for name in Side.__slots__
        if name != "standing"
    }
    return Side(standing=standing, **rest)


def _ended(known: Side, now: Side, new: Ints) -> Side:
    """Deals as they stood, with their end; those that vanished are absent."""
    member = np.where(new < 0, known.is_member, now.is_member)
    return replace(known, status=now.status, closed=now.closed, signed=now.signed, is_member=member)


def _events(states: tuple[FlowState, FlowState], places: tuple[Ints, Ints], sides: tuple[Side, Side]) -> Names:
    (before, after), (old, new), (said, now) = states, places, sides
    since, deals = before.on, after.deals
    rows = after.agreements
    last = np.full(len(deals.name) + 1, -NEVER)
    np.maximum.at(last, rows.deal, rows.signed)
    is_named = np.isin(np.arange(len(deals.name)), rows.deal)
    if not len(deals.name):
        return np.full(len(old), Bar.RECORD_CORRECTION.value, dtype=object)
    outcome, closed, created, presumed = (
        values[new] for values in (deals.outcome, deals.closed, deals.created, deals.is_signed & ~is_named)
    )
    was, became, is_late = said.status, now.status, (closed < since) & (last[new] < since) & ~presumed
    lapsed = (outcome == WON) & ~deals.is_signed[new] & (became == Status.DONE)
    cases: list[tuple[Flags, Bar | None]] = [
        ((old < 0) & (created >= since), Bar.NEW),
        ((old < 0) | (new < 0), Bar.RECORD_CORRECTION),
        ((was == became) & (said.signed == now.signed), None),
        ((was == Status.DONE) & (last[new] >= since), Bar.WON),
        ((was == Status.DONE) | (became == Status.OPEN), Bar.RECORD_CORRECTION),
        ((outcome == LOST) & (closed >= since), Bar.LOST),
        (lapsed & (was == Status.UNSIGNED), Bar.TIME),
        (is_late | (outcome == LOST), Bar.RECORD_CORRECTION),
    ]
    texts = ["" if bar is None else bar.value for _, bar in cases]
    return np.select([found for found, _ in cases], texts, Bar.WON.value).astype(object)


def _reps(before: FlowState, after: FlowState, old: Ints, new: Ints) -> Names:
    """Whose each deal is, as the later moment that knows it tells."""
    found = np.full(len(old), None, dtype=object)
    for state, place in ((before, old), (after, new)):
        here = np.flatnonzero(place >= 0)
        found[here] = state.cells.rep_id[state.deals.cell[place[here]]]
    return found
