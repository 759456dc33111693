"""The agreements of two moments side by side: what each books itself, and what its renewal is expected to book."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.flow_rows import NEVER, FlowState
from models.bridge_bars import Bar
from models.bridge_deals import Learned, Part
from models.expected_signings import Renewable, Window, renewal_share
from models.renewal_laws import times_renewed

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]
Flags: TypeAlias = npt.NDArray[np.bool_]

# An agreement that ended so long before a moment is not waited for any more.
_LONG_AGO = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementSide:
    """Agreements as one moment tells them; each array of shape (n_rows,).

    Attributes
    ----------
    rows : Renewable
        What decides on the renewal.
    base : ndarray of float64
        The amount that may be renewed; zero where it was renewed, has no end, or is not known.
    booked : ndarray of float64
        What it books in the period where it came of no deal, hundredths.
    is_member : ndarray of bool
        Whether it belongs to the node.
    """

    rows: Renewable
    base: Floats
    booked: Floats
    is_member: Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementPairs:
    """Agreements of two moments, row by row the same agreement; `event` and `deal` as in `DealPairs`.

    Attributes
    ----------
    before, after : AgreementSide
        The two moments.
    event : ndarray of str
        The bar in which what happened to it counts; empty where nothing did.
    deal, rep : ndarray of str or None
        The deal that it is presumed to stand for, and whose it is.
    """

    before: AgreementSide
    after: AgreementSide
    event: Names
    deal: Names
    rep: Names

    def value(self, parts: Set[Part], before: Learned, after: Learned, window: Window) -> Floats:
        """What each agreement books and is expected to book by renewal with some parts of the change applied."""
        event, owner, time = (
            self.after if part in parts else self.before for part in (Part.EVENT, Part.OWNER, Part.TIME)
        )
        laws = (after if Part.MODEL in parts else before).laws.renewals
        rows = replace(event.rows, on=time.rows.on)
        found = event.booked.copy()
        due = np.flatnonzero(event.base != 0)
        some = Renewable(**{name: getattr(rows, name)[due] for name in Renewable.__slots__})
        found[due] += event.base[due] * renewal_share(some, laws, window)
        return np.asarray(np.where(owner.is_member, found, 0.0))


def pair_agreements(
    before: FlowState, after: FlowState, window: Window, members: tuple[Flags, Flags]
) -> AgreementPairs:
    """Every agreement that can count in the period at either moment, as both tell it; arguments as `pair_deals`."""
    counted = [state.agreements.name[_counts(state, window)] for state in (before, after)]
    kept = pd.Index(np.unique(np.concatenate(counted).astype(object)), dtype=object)
    old, new = (np.asarray(pd.Index(state.agreements.name).get_indexer(kept)) for state in (before, after))
    sides = [
        _side(state, place, window, member)
        for state, place, member in zip((before, after), (old, new), members, strict=True)
    ]
    one, other = sides
    # Whose a row is that only one moment knows, that one tells.
    one, other = (
        replace(one, is_member=np.where(old < 0, other.is_member, one.is_member)),
        replace(other, is_member=np.where(new < 0, one.is_member, other.is_member)),
    )
    deal = _presumed(before, after, new)
    event = _events((before, after), (old, new), (one, other), deal)
    rep = np.full(len(kept), None, dtype=object)
    for state, place in ((before, old), (after, new)):
        here = np.flatnonzero(place >= 0)
        rep[here] = state.cells.rep_id[state.agreements.cell[place[here]]]
    return AgreementPairs(before=one, after=other, event=event, deal=deal, rep=rep)


def _base(state: FlowState) -> Floats:
    rows = state.agreements
    waits = (rows.renewed_to < 0) & (rows.ends != NEVER) & (rows.ends > state.on - _LONG_AGO)
    return np.where(waits, np.nan_to_num(rows.net), 0.0)


def _booked(state: FlowState, window: Window) -> Floats:
    rows = state.agreements
    return np.where((rows.deal < 0) & window.holds(rows.signed), np.nan_to_num(rows.net), 0.0)


def _counts(state: FlowState, window: Window) -> Ints:
    return np.flatnonzero((_base(state) != 0) | (_booked(state, window) != 0))


def _side(state: FlowState, place: Ints, window: Window, member: Flags) -> AgreementSide:
    rows, absent, n = state.agreements, place < 0, len(place)
    if not len(rows.name):
        none = np.zeros(n, dtype=np.int64)
        empty = Renewable(
            kind=np.full(n, "", dtype=object), times=none, ends=none, on=none + state.on, is_cancelled=none > 0
        )
        return AgreementSide(rows=empty, base=np.zeros(n), booked=np.zeros(n), is_member=none > 0)
    return AgreementSide(
        rows=Renewable(
            kind=rows.kind[place],
            times=times_renewed(rows)[place],
            ends=rows.ends[place],
            on=np.full(n, state.on),
            is_cancelled=rows.cancelled[place] != NEVER,
        ),
        base=np.where(absent, 0.0, _base(state)[place]),
        booked=np.where(absent, 0.0, _booked(state, window)[place]),
        is_member=member[rows.cell[place]] & ~absent,
    )


def _events(
    states: tuple[FlowState, FlowState],
    places: tuple[Ints, Ints],
    sides: tuple[AgreementSide, AgreementSide],
    deal: Names,
) -> Names:
    (before, after), (old, new), (one, other) = states, places, sides
    rows = after.agreements
    if not len(rows.name):
        return np.full(len(old), Bar.RECORD_CORRECTION.value, dtype=object)
    renews = np.zeros(len(rows.name) + 1, dtype=np.bool_)
    renews[rows.renewed_to] = True
    is_renewal, signed, of_deal = renews[:-1][new], rows.signed[new], rows.deal[new] >= 0
    known = (old >= 0) & (new >= 0)
    same = (one.base == other.base) & (one.booked == other.booked) & (one.rows.ends == other.rows.ends)
    same &= (one.rows.is_cancelled == other.rows.is_cancelled) & (one.rows.times == other.rows.times)
    gone = (one.base != 0) & (other.base == 0)
    ended = gone | (one.rows.is_cancelled != other.rows.is_cancelled)
    cases = [
        (known & same, ""),
        (known & ended & (one.booked == other.booked), Bar.RENEWALS.value),
        (known | (new < 0) | (signed < before.on), Bar.RECORD_CORRECTION.value),
        (is_renewal | of_deal, Bar.RENEWALS.value),
        (deal != None, Bar.WON.value),  # noqa: E711 - element by element
    ]
    return np.select([found for found, _ in cases], [text for _, text in cases], Bar.RUN_RATE.value).astype(object)


def _presumed(before: FlowState, after: FlowState, new: Ints) -> Names:
    """The deal that was open before and is presumed signed by an agreement that names none, None for none."""
    deals, rows = after.deals, after.agreements
    found = np.full(len(new), None, dtype=object)
    was_open = ~before.deals.is_signed
    named = np.isin(np.arange(len(deals.name)), rows.deal)
    signed = np.flatnonzero(deals.is_signed & ~named & pd.Index(deals.name).isin(before.deals.name[was_open]))
    by_account: dict[int, list[int]] = {}
    for place in signed[np.argsort(deals.created[signed], kind="stable")].tolist():
        by_account.setdefault(int(deals.account[place]), []).append(place)
    for row in np.flatnonzero(new >= 0).tolist():
        place = int(new[row])
        waiting = by_account.get(int(rows.account[place]), [])
        if waiting and rows.deal[place] < 0 and rows.signed[place] >= before.on:
            found[row] = deals.name[waiting.pop(0)]
    return found
