"""Answers about what the words of open deals are worth, of the salespeople that the caller sees."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from crm.config import Config
from crm.money import NoRate
from crm.store import Generation
from features.periods import Period
from models.hygiene import Steps, judge_words
from serving.access import VisibleReps
from serving.bridge_answers import NO_RATE, UNIT, first_of, window_of
from serving.errors import NotReady
from serving.flow_views import FlowViews


def answer_hygiene(
    config: Config,
    views: FlowViews,
    generation: Generation,
    seen: VisibleReps,
    *,
    period: Period,
    month: date | None,
    limit: int,
) -> dict[str, object]:
    """From words to what is expected, by salesperson and deal, as `HygieneAnswer`.

    Raises
    ------
    MalformedRequest
        A period that is none.
    NotReady
        An exchange rate is missing.
    """
    try:
        moment = views.moment(generation, generation.recorded_to)
    except NoRate:
        raise NotReady(NO_RATE) from None
    today = _day(moment.state.on)
    first = first_of(config, period, month, today)
    found = judge_words(moment.state, moment.laws, window_of(first, period))
    deals = [one for one in found.deals if seen.may_see(one.rep_id or None)]
    reps = [one for one in found.reps if one.rep_id and seen.may_see(one.rep_id)]
    factors = ("amount_factor", "win_factor", "loss_factor", "slip_days")
    return {
        "as_of": today,
        "period": period.value,
        "month": first,
        "currency": config.company.currency,
        "is_corrected": config.company.corrects_reps,
        "total": _sum(one.steps for one in deals),
        "reps": [
            {name: getattr(one, name) for name in ("rep_id", "n_open", "n_stale", *factors)} | _told(one.steps)
            for one in reps
        ],
        "n_deals": len(deals),
        "deals": [
            {
                "opportunity_id": one.opportunity_id,
                "rep_id": one.rep_id or None,
                "promised_on": None if one.promised is None else _day(one.promised),
                "pushes": one.pushes,
                "is_stale": one.is_stale,
                **_told(one.steps),
            }
            for one in deals[:limit]
        ],
    }


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


def _told(steps: Steps) -> dict[str, object]:
    parts = {name: getattr(steps, name) / UNIT for name in ("day", "outcome", "amount", "corrected")}
    return {"words": steps.told / UNIT, **parts}


def _sum(steps: Iterable[Steps]) -> dict[str, object]:
    rows = list(steps)
    parts = {name: sum(getattr(one, name) for one in rows) for name in ("told", "day", "outcome", "amount")}
    return _told(Steps(**parts))
