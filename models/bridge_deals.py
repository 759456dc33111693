"""The deals of two moments side by side, and what each is worth to a period with any part of its change applied.

A deal counts by what the record says of it: whether it is open, won and unsigned, or done; its amount, promised day,
stage, owner. Each kind of change is a part that can be put on or left off, row by row, so a bar of the bridge is the
sum over deals of the values with and without its part.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from features.business_time import BusinessClock
from models.deal_chances import expected_amounts, signed_chances, waiting_chances
from models.deal_snapshots import Standing, snapshots_of
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
    Part.AMOUNT: ("amount",),
    Part.OWNER: ("buyer", "line", "rep"),
    Part.ACTIVITY: ("stage", "since", "category"),
    Part.TIME: ("day",),
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
        fields: dict[str, Any] = {
            field: self._field(field, base, is_moved=part in parts)
            for part, names in _FIELDS.items()
            for field in names
        }
        standing = replace(base.standing, **fields)
        rate = (self.now if Part.EXCHANGE_RATE in parts else base).rate
        standing = replace(standing, amount=standing.amount * rate)
        learned = after if Part.MODEL in parts else before
        found = np.where(event.status == Status.DONE, event.signed, 0.0)
        is_open, waits = (np.flatnonzero(event.status == one) for one in (Status.OPEN, Status.UNSIGNED))
        found[is_open] = _open_value(take(standing, is_open), learned, window)
        chance = waiting_chances(event.closed[waits], standing.day[waits], learned.laws, window.edges)
        found[waits] = np.diff(chance, axis=1)[:, 0] * np.nan_to_num(standing.amount[waits])
        return np.asarray(np.where(owner.is_member, found, 0.0))

    def _field(self, name: str, base: Side, *, is_moved: bool) -> npt.NDArray[Any]:
        """A field as it stands now where it moved since, else as the first moment is told."""
        told: npt.NDArray[Any] = getattr(base.standing, name)
        if not is_moved:
            return told
        now, before = getattr(self.now.standing, name), getattr(self.known.standing, name)
        return np.where(now != before, now, told)


def _open_value(rows: Standing, learned: Learned, window: Window) -> Floats:
    snapshots = snapshots_of(rows, learned.clock, learned.laws.hazards.usual)
    chance = signed_chances(snapshots, learned.laws, learned.clock, window.edges)
    return np.asarray(np.diff(chance, axis=1)[:, 0] * expected_amounts(snapshots, learned.laws))


def take(rows: Standing, places: Ints) -> Standing:
    """Some of the rows."""
    return Standing(**{name: getattr(rows, name)[places] for name in Standing.__slots__})
