"""Signatures to come, draw by draw: what every component states of them, and draws with.

Each component takes its own rows of the record and no other's, so they are disjoint by construction: an open deal
that is signed is an agreement, a renewal belongs to the agreement it renews, and what just comes was never a deal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from features.business_time import BusinessClock
from features.flow_rows import FlowState
from models.flow_laws import FlowLaws

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Number = TypeVar("Number", np.float64, np.int64)


class Component(IntEnum):
    """Where money to come comes from; the components of a total share no row of the record."""

    SIGNED = 0
    RENEWALS = 1
    OPEN_DEALS = 2
    NEW_DEALS = 3
    RUN_RATE = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signings:
    """Signatures in draws; each array has shape (n_signings,).

    Attributes
    ----------
    draw, day, cell : ndarray of int64
        In which draw, when, whose.
    net : ndarray of float64
        Hundredths, without tax.
    like : ndarray of int64
        An agreement of the past whose terms it takes (kind, length, nodes, tax); -1 for none.
    component : ndarray of int64
        A `Component`.
    source : ndarray of int64
        The open deal, or the agreement that is renewed; -1 for none.
    """

    draw: Ints
    day: Ints
    cell: Ints
    net: Floats
    like: Ints
    component: Ints
    source: Ints

    def take(self, rows: npt.NDArray[np.generic]) -> Signings:
        """Some of them."""
        return Signings(**{name: getattr(self, name)[rows] for name in Signings.__slots__})


def join_signings(parts: list[Signings]) -> Signings:
    """All signatures of several components."""
    return Signings(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in Signings.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What every component draws with.

    Attributes
    ----------
    state : FlowState
        The record at the cutoff.
    laws : FlowLaws
        What was learned.
    clock : BusinessClock
        Working time.
    until : int
        Day after the horizon.
    n_draws : int
        Draws.
    shock : ndarray of float64, shape (n_draws,)
        Common factor on the hazard of winning, and on the rates at which things come.
    """

    state: FlowState
    laws: FlowLaws
    clock: BusinessClock
    until: int
    n_draws: int
    shock: Floats


def no_signings() -> Signings:
    """None at all."""
    none = np.zeros(0, dtype=np.int64)
    return Signings(draw=none, day=none, cell=none, net=np.zeros(0), like=none, component=none, source=none)


def pick(values: npt.NDArray[Number], n: int, rng: np.random.Generator) -> npt.NDArray[Number]:
    """Values drawn with replacement, zeros where there are none, shape (n,)."""
    if not len(values):
        return np.zeros(n, dtype=values.dtype)
    return np.asarray(values[rng.integers(len(values), size=n)])


def make_signings(
    setting: Setting,
    *,
    draw: Ints,
    day: Ints,
    net: Floats,
    component: Component,
    cell: Ints,
    like: Ints,
    source: Ints,
) -> Signings:
    """Signatures of one component within the horizon; arrays as in `Signings`."""
    kept = np.flatnonzero(day < setting.until)
    return Signings(
        draw=draw[kept],
        day=day[kept],
        cell=cell[kept],
        net=net[kept],
        like=like[kept],
        component=np.full(len(kept), int(component)),
        source=source[kept],
    )
