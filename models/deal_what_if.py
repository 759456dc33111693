"""What becomes of the bookings when one open deal is lost, slips, is won, or stands at another amount.

The joint draws stay as they are; of the one deal alone the draws are replaced, with the luck that it had. What is
changed is therefore the effect of the question, and no noise of a second simulation stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from crm.money import Measure
from features.flow_rows import OPEN, FlowState
from features.nodes import Level, Node
from models.deal_draws import Use, alike, draw_rows, luck_of
from models.deal_snapshots import snapshots_of, standing_at
from models.flow_draws import draw_settings
from models.flow_laws import FlowLaws
from models.flow_nodes import NodeMap, map_nodes, months_of, sum_draws
from models.money_draws import Events, draw_money
from models.signing_draws import draw_signings
from models.signings import Component, Setting, Signings, make_signings, no_signings

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


# The rows of the state that are money owed or coming without a deal.
_OWED = ("claims", "bills", "invoices", "orders")


class Fate(StrEnum):
    """What is supposed of the deal."""

    AS_IT_STANDS = "as_it_stands"
    LOST = "lost"
    SLIPPED = "slipped"
    WON = "won"


class NotOpen(LookupError):
    """The opportunity is not on record, or is not open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is supposed of an open deal.

    Parameters
    ----------
    deal : int
        Its place among the deals of the state.
    fate : Fate
        `SLIPPED`: it is still open on the morning of `day`, promised for that day. `WON`: it is signed on `day`.
    day : int or None
        An epoch day, for deals that slip or are won.
    net : float or None
        The amount at which it stands, and at which a deal that is `WON` is signed, hundredths; None leaves the present
        one, which is won at a ratio like those of the past.
    """

    deal: int
    fate: Fate
    day: int | None = None
    net: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BookingSample:
    """Joint draws of the bookings, and what they were drawn with.

    Attributes
    ----------
    state, laws : FlowState, FlowLaws
        Record and laws.
    places : NodeMap
        Nodes, and which of them each cell counts for.
    month : int
        The running month, months since 1970-01: the first of the draws.
    draws : ndarray of float64, shape (n_nodes, n_months, n_draws)
        Hundredths; the running month holds what it has brought already.
    seed : int
        Random state.
    """

    state: FlowState
    laws: FlowLaws
    places: NodeMap
    month: int
    draws: Floats
    seed: int

    @property
    def until(self) -> int:
        """Day after the horizon."""
        return _first_day(self.month + self.draws.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WhatIf:
    """What changes at one node.

    Attributes
    ----------
    node : Node
        The node.
    before, after : ndarray of float64, shape (n_months,)
        Expected bookings by month, hundredths.
    reach : float
        The amount asked for in the months of the period, hundredths.
    chance_before, chance_after : float
        The chance to book at least so much.
    """

    node: Node
    before: Floats
    after: Floats
    reach: float
    chance_before: float
    chance_after: float


def sample_bookings(state: FlowState, laws: FlowLaws, *, n_months: int, n_draws: int, seed: int) -> BookingSample:
    """Joint draws of the bookings of every node and month, those of the joint forecast with the same random state.

    Parameters
    ----------
    state : FlowState
        The record at the cutoff.
    laws : FlowLaws
        What was learned of it.
    n_months, n_draws : int
        Size of the sample.
    seed : int
        Random state.
    """
    month = int(months_of(np.array([state.on]))[0])
    places, until = map_nodes(state.cells), _first_day(month + n_months)
    rows = state.agreements
    came = np.flatnonzero((rows.signed >= _first_day(month)) & (rows.signed < state.on))
    held = Events(
        draw=np.zeros(len(came), dtype=np.int64),
        day=rows.signed[came],
        cell=rows.cell[came],
        amount=np.asarray(np.round(np.nan_to_num(rows.net[came])), dtype=np.float64),
        component=np.zeros(len(came), dtype=np.int64),
    )
    brought = sum_draws(held, places, month=month, n_months=n_months, n_draws=1)
    parts = [
        _sums(draw_signings(setting, chunk_seed), places, month, n_months, setting.n_draws)
        for _, chunk_seed, setting in draw_settings(state, laws, until=until, n_draws=n_draws, seed=seed)
    ]
    draws = np.concatenate(parts, axis=2) + brought
    return BookingSample(state=state, laws=laws, places=places, month=month, draws=draws, seed=seed)


def open_deal(state: FlowState, name: str) -> int:
    """The place of an open deal by its key.

    Raises
    ------
    NotOpen
        There is none, or it is closed or signed.
    """
    found = np.flatnonzero(state.deals.name == name)
    if not len(found) or state.deals.outcome[found[0]] != OPEN or state.deals.is_signed[found[0]]:
        raise NotOpen("expected the key of an open opportunity")
    return int(found[0])


def ask_what_if(
    sample: BookingSample, question: Question, *, period: range, reach: Mapping[str, float] | None = None
) -> tuple[WhatIf, ...]:
    """What changes at every node of a deal, the company first.

    Parameters
    ----------
    sample : BookingSample
        The joint draws.
    question : Question
        What is supposed.
    period : range
        Months over which an amount is to be reached, 0 being the running one; those before it count as they came.
    reach : mapping of str to float or None
        The amount by node id, hundredths; where none is given, the middle of the draws.
    """
    cell, n_months, n_draws = int(sample.state.deals.cell[question.deal]), *sample.draws.shape[1:]
    own, one = np.zeros((2, n_months, n_draws)), _company(sample.state)
    for begin, chunk_seed, setting in draw_settings(
        sample.state, sample.laws, until=sample.until, n_draws=n_draws, seed=sample.seed
    ):
        asked = (replace(question, fate=Fate.AS_IT_STANDS, net=None), question)
        for row, supposed in enumerate(asked):
            found = draw_deal(setting, supposed, chunk_seed)
            own[row, :, begin : begin + setting.n_draws] = _sums(found, one, sample.month, n_months, setting.n_draws)[0]
    change = own[1] - own[0]
    places = sorted({int(row[cell]) for row in sample.places.of if row[cell] >= 0})
    return tuple(_changed(sample, place, change, period, reach or {}) for place in places)


def draw_deal(setting: Setting, question: Question, seed: int) -> Signings:
    """The signatures of one open deal in every draw, as it would be drawn among all others, if the question held.

    Parameters
    ----------
    setting : Setting
        Record, laws, horizon, draws, shocks.
    question : Question
        What is supposed.
    seed : int
        Random state of the setting's draws.
    """
    if question.fate is Fate.LOST:
        return no_signings()
    state, deal = setting.state, np.array([question.deal])
    day = np.array([state.on])
    rows = standing_at(state, deal, day)
    if question.net is not None:
        rows = replace(rows, amount=np.array([question.net]))
    if question.fate is Fate.SLIPPED and question.day is not None and question.day > state.on:
        day = np.array([question.day])
        rows = replace(rows, day=day, expected=day)
        setting = replace(setting, state=replace(state, on=question.day))
    snapshots = snapshots_of(rows, setting.clock, setting.laws.hazards.usual)
    luck = luck_of(state.deals.name[deal], seed, setting.n_draws)
    if question.fate is Fate.WON:
        luck[:, Use.CAUSE], luck[:, Use.TIME] = 0.0, 0.0
    place, draw, signed, net = draw_rows(setting, snapshots, luck)
    if question.fate is Fate.WON and question.day is not None:
        signed = np.full(len(place), max(question.day, state.on))
        net = net if question.net is None else np.full(len(place), question.net)
    return make_signings(
        setting,
        draw=draw,
        day=signed,
        net=net,
        component=Component.OPEN_DEALS,
        cell=state.deals.cell[deal[place]],
        like=alike(setting, state.deals.cell[deal[place]], np.random.default_rng([seed, question.deal])),
        source=deal[place],
    )


def ask_terms(sample: BookingSample, deal: int, later_days: int) -> tuple[Floats, Floats]:
    """Expected cash of one open deal by month, as it stands and when every invoice of it is paid so much later.

    Parameters
    ----------
    sample : BookingSample
        What draws are made with.
    deal : int
        Its place among the deals of the state.
    later_days : int
        Days, for instance 30 for terms of 90 days in place of 60.
    """
    n_months, n_draws = sample.draws.shape[1:]
    # Money that is owed already is not this deal's: the draws hold nothing but what it brings.
    state = replace(sample.state, **{name: _none_of(getattr(sample.state, name)) for name in _OWED})
    found, company = np.zeros((2, n_months)), _company(state)
    asked = Question(deal=deal, fate=Fate.AS_IT_STANDS)
    for _, seed, setting in draw_settings(state, sample.laws, until=sample.until, n_draws=n_draws, seed=sample.seed):
        cash = draw_money(setting, draw_deal(setting, asked, seed), seed)[Measure.RECEIPTS]
        for row, later in enumerate((0, later_days)):
            moved = replace(cash, day=cash.day + later, draw=np.zeros_like(cash.draw))
            found[row] += sum_draws(moved, company, month=sample.month, n_months=n_months, n_draws=1)[0, :, 0]
    return found[0] / n_draws, found[1] / n_draws


def _none_of(rows: Any) -> Any:
    """No row of a table of the state."""
    return type(rows)(**{name: getattr(rows, name)[:0] for name in rows.__slots__})


def _company(state: FlowState) -> NodeMap:
    return NodeMap(nodes=(Node(level=Level.COMPANY),), of=np.zeros((1, state.cells.n), dtype=np.int64))


def _changed(sample: BookingSample, place: int, change: Floats, period: range, reach: Mapping[str, float]) -> WhatIf:
    node, draws = sample.places.nodes[place], sample.draws[place]
    ahead = slice(max(period.start, 0), period.stop)
    held = _held(sample, place, period)
    before, after = (held + one[ahead].sum(axis=0) for one in (draws, draws + change))
    amount = reach.get(node.node_id, float(np.median(before)))
    return WhatIf(
        node=node,
        before=draws.mean(axis=1),
        after=(draws + change).mean(axis=1),
        reach=amount,
        chance_before=float((before >= amount).mean()),
        chance_after=float((after >= amount).mean()),
    )


def _held(sample: BookingSample, place: int, period: range) -> float:
    """What the months of the period before the running one have brought to a node."""
    rows = sample.state.agreements
    first, last = (_first_day(sample.month + min(edge, 0)) for edge in (period.start, period.stop))
    inside = (sample.places.of == place).any(axis=0)[rows.cell] & (rows.signed >= first) & (rows.signed < last)
    return float(np.round(np.nan_to_num(rows.net[inside])).sum())


def _sums(signings: Signings, places: NodeMap, month: int, n_months: int, n_draws: int) -> Floats:
    booked = Events(
        draw=signings.draw,
        day=signings.day,
        cell=signings.cell,
        amount=np.round(signings.net),
        component=signings.component,
    )
    return sum_draws(booked, places, month=month, n_months=n_months, n_draws=n_draws)


def _first_day(month: int) -> int:
    return int(np.datetime64(month, "M").astype("datetime64[D]").astype(np.int64))
