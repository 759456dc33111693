"""Answers about why a forecast moved and what one deal would move, as far as the caller may see."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.config import Config
from crm.money import NoRate
from crm.store import Generation
from features.cells import Cells
from features.columns import day_of
from features.node_cells import UnknownNode, cells_of, node_named
from features.nodes import Level, Node
from features.panel import day_begun
from features.periods import Period, first_month
from models.bridge import Bridge, BridgeBar, make_bridge
from models.bridge_bars import BAR_TEXTS, Bar
from models.deal_what_if import BookingSample, Fate, NotOpen, Question, WhatIf, ask_terms, ask_what_if, open_deal
from models.expected_signings import Window
from serving.access import VisibleReps
from serving.bridge_schemas import BridgeAsked, ScenarioRequest
from serving.errors import FieldError, MalformedRequest, NotReady, UnknownThing
from serving.flow_views import FlowViews

Floats: TypeAlias = npt.NDArray[np.float64]

UNIT = 100.0


def answer_bridge(
    config: Config, views: FlowViews, generation: Generation, seen: VisibleReps, asked: BridgeAsked
) -> dict[str, object]:
    """Why the expected bookings of a node and period moved, as `BridgeAnswer`.

    Raises
    ------
    MalformedRequest
        Days in the wrong order, or after the end of the record.
    UnknownThing
        No such node, or one that the caller does not see whole.
    NotReady
        An exchange rate is missing.
    """
    last = day_begun(generation.recorded_to, config.company.zone).astimezone(config.company.zone).date()
    to_day = asked.to_day or last
    from_day = asked.from_day or to_day - timedelta(days=7)
    _require_days(from_day, to_day, last)
    node, first = _node(asked.node), first_of(config, asked.period, asked.month, to_day)
    window = window_of(first, asked.period)
    try:
        begin = _morning(config, from_day)
        before = views.moment(views.told_then(generation, begin), begin)
        after = views.moment(generation, _morning(config, to_day))
    except NoRate:
        raise NotReady(NO_RATE) from None
    cells = before.state.cells, after.state.cells
    _require_node(node, cells, seen)
    bridge = make_bridge(before, after, window, node)
    return {
        "node_id": node.node_id,
        "from_day": from_day,
        "to_day": to_day,
        "period": asked.period.value,
        "month": first,
        "currency": config.company.currency,
        "before": bridge.before / UNIT,
        "after": bridge.after / UNIT,
        "bars": _bars(bridge, seen, asked.most_deals),
    }


def answer_scenario(
    config: Config, views: FlowViews, generation: Generation, seen: VisibleReps, asked: ScenarioRequest
) -> dict[str, object]:
    """What is supposed of one deal and what it moves, as `ScenarioAnswer`; raises as `answer_bridge`."""
    try:
        sample = views.sample(generation)
    except NoRate:
        raise NotReady(NO_RATE) from None
    state = sample.state
    try:
        deal = open_deal(state, asked.opportunity_id)
    except NotOpen:
        raise UnknownThing(_NO_DEAL) from None
    # What may not be seen is answered like what does not exist.
    if not seen.may_see(state.cells.rep_id[state.deals.cell[deal]]):
        raise UnknownThing(_NO_DEAL)
    question = _question(sample, asked, deal)
    today = date(1970, 1, 1) + timedelta(days=state.on)
    period = _months(config, sample, asked, today)
    reach = {} if asked.reach is None else {_node(asked.node).node_id: asked.reach * UNIT}
    answers = ask_what_if(sample, question, period=period, reach=reach)
    months = [
        date(1970 + (sample.month + k) // 12, (sample.month + k) % 12 + 1, 1) for k in range(sample.draws.shape[1])
    ]
    cash = ask_terms(sample, deal, asked.later_days) if asked.later_days else None
    return {
        "opportunity_id": asked.opportunity_id,
        "as_of": today,
        "currency": config.company.currency,
        "change": float((answers[0].after - answers[0].before).sum()) / UNIT,
        "nodes": [_told(one, months) for one in answers if seen.may_see_sum(people_of(one.node, (state.cells,)))],
        "receipts": [] if cash is None else _by_month(months, *cash),
    }


NO_RATE = "An exchange rate is missing from the record; fx_rates takes it."
_NO_DEAL = "There is no such open opportunity."


def people_of(node: Node, cells: Collection[Cells]) -> set[str] | None:
    """The salespeople behind a region, team or person; None for what the whole company sells to."""
    if node.rep_id is None and node.team is None and node.region is None:
        return None
    return {rep for one in cells for rep in one.rep_id[cells_of(one, node)].tolist() if rep is not None}


def _node(node_id: str) -> Node:
    try:
        return node_named(node_id)
    except UnknownNode:
        raise UnknownThing("There is no such node.") from None


def _require_node(node: Node, cells: Collection[Cells], seen: VisibleReps) -> None:
    is_there = node.level is Level.COMPANY or any(cells_of(one, node).any() for one in cells)
    if not is_there or not seen.may_see_sum(people_of(node, cells)):
        raise UnknownThing("There is no such node.")


def _require_days(from_day: date, to_day: date, last: date) -> None:
    if from_day >= to_day:
        where = FieldError(location="query.from", message="expected a day before `to`")
        raise MalformedRequest("A bridge leads from a day to a later one.", errors=[where])
    if to_day > last:
        where = FieldError(location="query.to", message=f"expected {last.isoformat()} or before")
        raise MalformedRequest("The record does not reach so far.", errors=[where])
    if from_day.year < _FIRST_YEAR:
        where = FieldError(location="query.from", message=f"expected the year {_FIRST_YEAR} or later")
        raise MalformedRequest("Nothing is known of that day.", errors=[where])


_FIRST_YEAR, _LAST_YEAR = 1990, 2100


def first_of(config: Config, period: Period, month: date | None, today: date) -> date:
    """The first month of the period that holds a month; of the one that runs today where none is given."""
    asked = month or today
    if not _FIRST_YEAR <= asked.year <= _LAST_YEAR:
        where = FieldError(location="month", message=f"expected a month between {_FIRST_YEAR} and {_LAST_YEAR}")
        raise MalformedRequest("There is no such period.", errors=[where])
    first: date = (
        first_month(np.datetime64(asked, "M"), period, config.company.fiscal_year_starts).astype("datetime64[D]").item()
    )
    return first


def window_of(first: date, period: Period) -> Window:
    """The days of a period by its first month."""
    until = np.datetime64(first, "M") + period.n_months
    return Window(begins=day_of(first), ends=int(until.astype("datetime64[D]").astype(np.int64)))


def _morning(config: Config, day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=config.company.zone)


def _bars(bridge: Bridge, seen: VisibleReps, most: int) -> list[dict[str, object]]:
    return [_bar(one, seen, most) for one in bridge.bars if one.amount or one.deals or one.bar is Bar.INTERACTION]


def _bar(one: BridgeBar, seen: VisibleReps, most: int) -> dict[str, object]:
    english, chinese = BAR_TEXTS[one.bar]
    named = [deal for deal in one.deals if seen.may_see(deal.rep_id)]
    return {
        "bar": one.bar.value,
        "text_en": english,
        "text_zh": chinese,
        "amount": one.amount / UNIT,
        "n_deals": len(one.deals),
        "deals": [
            {"opportunity_id": deal.opportunity_id, "rep_id": deal.rep_id, "effect": deal.effect / UNIT}
            for deal in named[:most]
        ],
    }


def _question(sample: BookingSample, asked: ScenarioRequest, deal: int) -> Question:
    day = None
    if asked.fate in (Fate.SLIPPED, Fate.WON):
        day = None if asked.on is None else day_of(asked.on)
        if day is None or not sample.state.on <= day < sample.until:
            begins, ends = (date(1970, 1, 1) + timedelta(days=one) for one in (sample.state.on, sample.until - 1))
            where = FieldError(location="body.on", message=f"expected a day from {begins} to {ends}")
            raise MalformedRequest("That a deal slips or is won needs a day within the horizon.", errors=[where])
    net = None if asked.amount is None else asked.amount * UNIT
    return Question(deal=deal, fate=Fate(asked.fate), day=day, net=net)


def _months(config: Config, sample: BookingSample, asked: ScenarioRequest, today: date) -> range:
    """The months that make up the period, 0 being the running one."""
    period = Period(asked.period)
    first = first_of(config, period, asked.month, today)
    begin = (first.year - 1970) * 12 + first.month - 1 - sample.month
    end = begin + period.n_months
    if end <= 0 or begin >= sample.draws.shape[1]:
        where = FieldError(location="body.month", message="expected a month of the horizon")
        raise MalformedRequest("The period lies outside the horizon.", errors=[where])
    return range(begin, end)


def _told(one: WhatIf, months: list[date]) -> dict[str, object]:
    return {
        "node_id": one.node.node_id,
        "reach": one.reach / UNIT,
        "chance_before": one.chance_before,
        "chance_after": one.chance_after,
        "months": _by_month(months, one.before, one.after),
    }


def _month(number: int) -> date:
    """The first day of a month, counted since 1970-01."""
    return date(1970 + number // 12, number % 12 + 1, 1)


def _by_month(months: list[date], before: Floats, after: Floats) -> list[dict[str, object]]:
    return [
        {"month": month, "before": float(before[k]) / UNIT, "after": float(after[k]) / UNIT}
        for k, month in enumerate(months)
    ]
