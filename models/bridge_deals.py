"""The deals of two moments side by side, and what each is worth to a period with any part of its change applied.

A deal counts by what the record says of it: whether it is open, won and unsigned, or done; its amount, promised day,
stage, owner. Each kind of change is a part that can be put on or left off, row by row, so a bar of the bridge is the
sum over deals of the values with and without its part.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.business_time import BusinessClock
from features.flow_rows import LOST, NEVER, OPEN, WON, FlowState
from models.bridge_bars import Bar
from models.deal_chances import WAITING, expected_amounts, signed_chances, waiting_chances
from models.deal_snapshots import Standing, snapshots_of, standing_at
from models.expected_signings import Window
from models.flow_laws import FlowLaws

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]
Flags: TypeAlias = npt.NDArray[np.bool_]


class Part(IntEnum):
    """A kind of change that can be applied to a row or left off."""

    EVENT = 0
    CLOSE_DATE = 1
    AMOUNT = 2
    OWNER = 3
    ACTIVITY = 4
    TIME = 5
    CORRECTION = 6
    MODEL = 7
    EXCHANGE_RATE = 8


class Status(IntEnum):
    """How a deal counts."""

    ABSENT = 0
    OPEN = 1
    UNSIGNED = 2
    DONE = 3


# The fields of a standing that each part carries.
_FIELDS = {
    Part.CLOSE_DATE: ("expected", "tender"),
    Part.OWNER: ("buyer", "line"),
    Part.ACTIVITY: ("stage", "since", "category"),
    Part.TIME: ("day",),
    Part.CORRECTION: ("created", "origin"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """Laws with the working time that they see.

    Attributes
    ----------
    laws : FlowLaws
        What was learned.
    clock : BusinessClock
        Working time over the past and the horizon of both moments.
    """

    laws: FlowLaws
    clock: BusinessClock


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """Deals as one moment tells them; each array of shape (n_deals,).

    Attributes
    ----------
    standing : Standing
        What the record says of each; the amount is in the deal's own currency.
    rate : ndarray of float64
        Worth of that currency.
    status, closed : ndarray of int64
        A `Status`, and the day of the end.
    signed : ndarray of float64
        What its agreements book in the period, hundredths.
    is_member : ndarray of bool
        Whether it belongs to the node.
    """

    standing: Standing
    rate: Floats
    status: Ints
    closed: Ints
    signed: Floats
    is_member: Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DealPairs:
    """Deals of two moments, row by row the same deal.

    Attributes
    ----------
    name : ndarray of str
        Its key.
    rep : ndarray of str or None
        Whose it is now, or was.
    said, known, now : Side
        As told at the first moment; as the second moment tells the first; as the second moment tells itself.
    event : ndarray of str
        The bar in which its event counts; empty where nothing happened.
    """

    name: Names
    rep: Names
    said: Side
    known: Side
    now: Side
    event: Names

    def value(self, parts: Set[Part], before: Learned, after: Learned, window: Window) -> Floats:
        """What each deal is expected to book in the period with some parts of the change applied, shape (n_deals,).

        Parameters
        ----------
        parts : set of Part
            Applied ones.
        before, after : Learned
            Laws of the two moments.
        window : Window
            The period.
        """
        base = self.known if Part.CORRECTION in parts else self.said
        event, owner = (self.now if part in parts else base for part in (Part.EVENT, Part.OWNER))
        fields = {
            field: getattr((self.now if part in parts else base).standing, field)
            for part, names in _FIELDS.items()
            for field in names
            if part is not Part.CORRECTION
        }
        rate = (self.now if Part.EXCHANGE_RATE in parts else base).rate
        amount = (self.now if Part.AMOUNT in parts else base).standing.amount * rate
        standing = replace(base.standing, **fields, amount=amount)
        learned = after if Part.MODEL in parts else before
        found = np.where(event.status == Status.DONE, event.signed, 0.0)
        is_open, waits = (np.flatnonzero(event.status == one) for one in (Status.OPEN, Status.UNSIGNED))
        found[is_open] = _open_value(take(standing, is_open), learned, window)
        chance = waiting_chances(event.closed[waits], standing.day[waits], learned.laws, window.edges)
        found[waits] = np.diff(chance, axis=1)[:, 0] * np.nan_to_num(amount[waits])
        return np.asarray(np.where(owner.is_member, found, 0.0))


def _open_value(rows: Standing, learned: Learned, window: Window) -> Floats:
    snapshots = snapshots_of(rows, learned.clock, learned.laws.hazards.usual)
    chance = signed_chances(snapshots, learned.laws, learned.clock, window.edges)
    return np.asarray(np.diff(chance, axis=1)[:, 0] * expected_amounts(snapshots, learned.laws))


def take(rows: Standing, places: Ints) -> Standing:
    """Some of the rows."""
    return Standing(**{name: getattr(rows, name)[places] for name in Standing.__slots__})


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
    past = replace(past, buyer=said.standing.buyer, line=said.standing.line)
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
        **dict.fromkeys(("stage", "category", "origin", "buyer", "line"), texts),
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
    for code in {one for one in currency.tolist() if one is not None and one != state.rates.currency}:
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
