"""Why the forecast of a period moved between two moments: one bar for each cause, each its own counterfactual.

A bar is what its kind of change alone moves: the mean of adding it to the old state and of taking it out of the new
one, which leaves interactions of three causes and more (the two-ended form of Shapley, 1953). The bars and the
interaction sum exactly to the difference. All of it is expected values in closed form: no draw, no noise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.business_time import make_business_clock
from features.flow_rows import FlowState
from features.node_cells import cells_of
from features.nodes import Node
from models.bridge_agreements import pair_agreements
from models.bridge_bars import Bar
from models.bridge_deals import DealPairs, Learned, Part
from models.bridge_pairs import pair_deals
from models.expected_signings import Inflow, Window, direct_agreements, expected_inflow, new_deals
from models.flow_laws import FlowLaws, first_day

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]
Flags: TypeAlias = npt.NDArray[np.bool_]

_AHEAD = 900
_BAR_OF = {
    Part.AMOUNT: Bar.AMOUNT,
    Part.OWNER: Bar.OWNER,
    Part.ACTIVITY: Bar.ACTIVITY,
    Part.TIME: Bar.TIME,
    Part.CORRECTION: Bar.RECORD_CORRECTION,
    Part.MODEL: Bar.MODEL,
    Part.EXCHANGE_RATE: Bar.EXCHANGE_RATE,
}
_DEAL_PARTS = frozenset(Part)
_AGREEMENT_PARTS = frozenset({Part.EVENT, Part.OWNER, Part.TIME, Part.MODEL})
_FLOW_PARTS = frozenset({Part.EVENT, Part.TIME, Part.MODEL})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """What was known at a moment, and what was learned of it."""

    state: FlowState
    laws: FlowLaws


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDeal:
    """What one opportunity moved in one bar.

    Parameters
    ----------
    opportunity_id : str
        Its key.
    rep_id : str or None
        Whose it is.
    effect : int
        Hundredths of the reporting currency.
    """

    opportunity_id: str
    rep_id: str | None
    effect: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeBar:
    """One bar; `deals` are the opportunities in it, the greatest effect first."""

    bar: Bar
    amount: int
    deals: tuple[NamedDeal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """From one forecast to the next.

    Parameters
    ----------
    before, after : int
        Expected bookings of the period at the two moments, hundredths.
    bars : tuple of BridgeBar
        In the order of `Bar`; `interaction` is the last. They sum to `after - before`.
    """

    before: int
    after: int
    bars: tuple[BridgeBar, ...]

    @property
    def gross(self) -> int:
        """The bars' moves, each without its sign, without the interaction."""
        return sum(abs(one.amount) for one in self.bars if one.bar is not Bar.INTERACTION)

    def amount(self, bar: Bar) -> int:
        """One bar."""
        return next(one.amount for one in self.bars if one.bar is bar)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Effects:
    """Effects by bar: their sum, and of each deal in it whose it is and what it moved."""

    sums: dict[Bar, float]
    deals: dict[Bar, dict[str, tuple[str | None, float]]]

    def add(self, bar: Bar, effect: Floats, rows: _Rows) -> None:
        """Note the effects of rows in a bar."""
        self.sums[bar] += float(effect.sum())
        known = self.deals[bar]
        for place in np.flatnonzero(effect).tolist():
            name, rep = rows.deal[place], rows.rep[place]
            if name is not None:
                known[name] = (rep, known.get(name, (rep, 0.0))[1] + float(effect[place]))


Value = Callable[[Set[Part]], Floats]


def make_bridge(before: Moment, after: Moment, window: Window, node: Node) -> Bridge:
    """Why the expected bookings of a period moved between two moments.

    Parameters
    ----------
    before, after : Moment
        The earlier and the later one. What `after` tells of the earlier day and `before` did not know is a correction
        of the record.
    window : Window
        The period.
    node : Node
        Company, region, team, line ...
    """
    states = before.state, after.state
    members = cells_of(states[0].cells, node), cells_of(states[1].cells, node)
    learned = _learned(before, after)
    found = _Effects(sums=defaultdict(float), deals=defaultdict(dict))
    deals = pair_deals(*states, window, members)
    totals = _decompose(found, lambda parts: deals.value(parts, *learned, window), _DEAL_PARTS, _bars_of_deals(deals))
    agreed = pair_agreements(*states, window, members)
    rows = _Rows(event=agreed.event, close=agreed.event, deal=agreed.deal, rep=agreed.rep)
    totals += _decompose(found, lambda parts: agreed.value(parts, *learned, window), _AGREEMENT_PARTS, rows)
    for bar, make in ((Bar.NEW_PIPELINE, new_deals), (Bar.RUN_RATE, direct_agreements)):
        flows = [
            [make(state, one.clock, member) for one in learned] for state, member in zip(states, members, strict=True)
        ]
        rows = _no_rows(bar)
        totals += _decompose(found, _inflow(flows, states, learned, window), _FLOW_PARTS, rows)
    return _closed(found, totals)


def _learned(before: Moment, after: Moment) -> tuple[Learned, Learned]:
    """The laws of both moments, each with working time that reaches over both."""
    first = min(first_day(before.state), first_day(after.state)) - 1
    last = max(before.state.on, after.state.on) + _AHEAD
    one, other = (
        Learned(laws=laws, clock=make_business_clock(first, last, laws.country, laws.day_weights))
        for laws in (before.laws, after.laws)
    )
    return one, other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Which bars the rows' events and moved dates belong to, which deal each row is, and whose."""

    event: Names
    close: Names
    deal: Names
    rep: Names


def _bars_of_deals(deals: DealPairs) -> _Rows:
    later = deals.now.standing.expected > deals.known.standing.expected
    close = np.where(later, Bar.PUSHED.value, Bar.PULLED.value)
    return _Rows(event=deals.event, close=close, deal=deals.name, rep=deals.rep)


def _no_rows(bar: Bar) -> _Rows:
    """One row that is no deal's."""
    nobody = np.array([None], dtype=object)
    return _Rows(event=np.array([bar.value], dtype=object), close=nobody, deal=nobody, rep=nobody)


def _inflow(
    flows: list[list[Inflow]], states: tuple[FlowState, FlowState], learned: tuple[Learned, Learned], window: Window
) -> Value:
    def value(parts: Set[Part]) -> Floats:
        level, start, model = (int(part in parts) for part in (Part.EVENT, Part.TIME, Part.MODEL))
        one = learned[model]
        return np.array([expected_inflow(flows[level][model], states[start].on, window, one.laws, one.clock)])

    return value


def _decompose(found: _Effects, value: Value, parts: Set[Part], rows: _Rows) -> Floats:
    """Note the effect of each part row by row; what the rows are worth before and after, shape (2,)."""
    nothing, whole = value(frozenset()), value(parts)
    for part in sorted(parts):
        effect = (value({part}) - nothing + whole - value(parts - {part})) / 2
        if part in _BAR_OF:
            found.add(_BAR_OF[part], effect, rows)
            continue
        bars = rows.event if part is Part.EVENT else rows.close
        for bar in dict.fromkeys(bars[effect != 0].tolist()):
            # A row to which nothing happened and that is told otherwise was told wrongly before.
            found.add(Bar(bar) if bar else Bar.RECORD_CORRECTION, np.where(bars == bar, effect, 0.0), rows)
    return np.array([nothing.sum(), whole.sum()])


def _closed(found: _Effects, totals: Floats) -> Bridge:
    """The bars in whole hundredths, with the interaction that makes them sum to the difference."""
    before, after = (round(total) for total in totals.tolist())
    told = [bar for bar in Bar if bar is not Bar.INTERACTION]
    amounts: dict[Bar, int] = {bar: round(found.sums[bar]) for bar in told}
    amounts[Bar.INTERACTION] = round(float(totals[1] - totals[0]) - sum(found.sums[bar] for bar in told))
    # What is lost by rounding goes where it shows least.
    largest = max(amounts, key=lambda bar: abs(amounts[bar]))
    amounts[largest] += after - before - sum(amounts.values())
    bars = (BridgeBar(bar=bar, amount=amounts[bar], deals=_named(found.deals[bar])) for bar in Bar)
    return Bridge(before=before, after=after, bars=tuple(bars))


def _named(effects: Mapping[str, tuple[str | None, float]]) -> tuple[NamedDeal, ...]:
    deals = [
        NamedDeal(opportunity_id=name, rep_id=rep, effect=round(effect)) for name, (rep, effect) in effects.items()
    ]
    return tuple(sorted((one for one in deals if one.effect), key=lambda one: (-abs(one.effect), one.opportunity_id)))
