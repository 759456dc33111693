"""Everything that a joint forecast learns from the record: working time, hazards, rates, renewals, lags, examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.business_time import BusinessClock, learn_day_weights, make_business_clock
from features.flow_rows import NEVER, WON, FlowState
from models.deal_hazards import DealHazards, fit_hazards
from models.deal_snapshots import Ends, Snapshots, ends_of, past_snapshots
from models.payment_laws import PaymentLaws, learn_payments
from models.renewal_laws import RenewalLaws, learn_renewals
from models.rep_habits import learn_amount_habits, with_habits
from models.win_shock import learn_shock

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

# Hazards look back so many years; examples of what comes are of the last year, of what became of it of those before.
YEARS = 3.0
EVERY_DAYS = 14
MATURE_DAYS = 300
EXAMPLE_DAYS = 365
_CLOCK_DAYS = 900


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowLaws:
    """What was learned.

    Attributes
    ----------
    day_weights : mapping of str to float
        Business time of each class of days.
    country : str
        Holiday calendar.
    hazards : DealHazards
        How open deals end.
    amount_ratios : mapping of str to ndarray of float64
        By stage: final over present amount of deals that were won, less what is their salespeople's habit.
    rep_ratios : mapping of str to float
        By salesperson: the factor on those ratios, shrunk to 1; empty where nobody's habits are corrected.
    sign_days : ndarray of int64
        Days from the win to the signature.
    renewals : RenewalLaws
        How agreements are renewed.
    bill_lags : mapping of str to ndarray of int64
        By kind of collection node: days from its planned day to its invoice.
    payments : PaymentLaws
        How long invoices wait for their money.
    shock : float
        Standard deviation of the log factor on wins and arrivals that a draw shares.
    """

    day_weights: Mapping[str, float]
    country: str
    hazards: DealHazards
    amount_ratios: Mapping[str, Floats]
    rep_ratios: Mapping[str, float]
    sign_days: Ints
    renewals: RenewalLaws
    bill_lags: Mapping[str, Ints]
    payments: PaymentLaws
    shock: float

    def amount_factors(self, rep: Names) -> Floats:
        """What the amounts of salespeople's deals are multiplied by, shape (n,)."""
        return np.array([self.rep_ratios.get(name, 1.0) for name in rep.tolist()], dtype=np.float64)


def clock_of(state: FlowState, day_weights: Mapping[str, float], country: str) -> BusinessClock:
    """The company's working time over its past and the horizon."""
    first = first_day(state)
    return make_business_clock(first - 1, state.on + _CLOCK_DAYS, country, day_weights)


def first_day(state: FlowState) -> int:
    """The first day on which something is on record."""
    days = [state.deals.created, state.agreements.signed, state.orders.day]
    return min((int(one.min()) for one in days if len(one)), default=state.on - 1)


def learn_flows(state: FlowState, *, country: str, corrects_reps: bool = True) -> FlowLaws:
    """The laws of the money as the record shows them.

    Parameters
    ----------
    state : FlowState
        As known at the cutoff.
    country : str
        Holiday calendar.
    corrects_reps : bool
        Whether salespeople's habits are learned: their amounts, wins and losses against what is usual. Without it
        every deal is taken at the company's habits.
    """
    deals = state.deals
    moved = np.concatenate([deals.moves["stage"].day, deals.closed[deals.closed < state.on]])
    since = max(state.on - int(365.25 * YEARS), first_day(state))
    weights = learn_day_weights(moved, since, state.on - 1, country)
    clock = clock_of(state, weights, country)
    rows = past_snapshots(state, clock, every_days=EVERY_DAYS, years=YEARS)
    ends = ends_of(state, rows, clock)
    ratios, habits = _amount_ratios(state, rows, ends, corrects_reps=corrects_reps)
    hazards = fit_hazards(rows, ends)
    shock = learn_shock(state, hazards, clock)
    if corrects_reps:
        hazards = with_habits(hazards, rows, ends)
    tendered = np.flatnonzero((deals.outcome == WON) & (deals.tender != NEVER) & (deals.closed > deals.tender - 30))
    lags = np.sort((deals.closed - deals.tender)[tendered])
    return FlowLaws(
        day_weights=weights,
        country=country,
        hazards=replace(hazards, tender_lags=lags),
        amount_ratios=ratios,
        rep_ratios=habits,
        sign_days=_sign_days(state),
        renewals=learn_renewals(state.agreements, state.on),
        bill_lags=_bill_lags(state),
        payments=learn_payments(state),
        shock=shock,
    )


def _amount_ratios(
    state: FlowState, rows: Snapshots, ends: Ends, *, corrects_reps: bool
) -> tuple[dict[str, Floats], dict[str, float]]:
    """Final over present amounts by stage, and the factor of each salesperson on them."""
    won = np.flatnonzero(ends.outcome == WON)
    ratio = state.deals.amount[rows.deal[won]] / rows.amount[won]
    usable = np.flatnonzero(np.isfinite(ratio) & (ratio > 0))
    past, ratio = rows.take(won[usable]), ratio[usable]
    habits = learn_amount_habits(past, ratio) if corrects_reps else {}
    own = np.array([habits.get(name, 1.0) for name in past.facts["rep"].tolist()], dtype=np.float64)
    stage = past.facts["stage"]
    ratios = {name: np.sort((ratio / own)[stage == name]) for name in sorted(set(stage.tolist()))}
    return {name: values for name, values in ratios.items() if len(values) >= 5}, habits


def _bill_lags(state: FlowState) -> dict[str, Ints]:
    lags = state.lags
    return {kind: np.sort(lags.bill_days[lags.bill_kind == kind]) for kind in sorted(set(lags.bill_kind.tolist()))}


def _sign_days(state: FlowState) -> Ints:
    """Days from win to signature of the agreements that name their deal."""
    rows = state.agreements
    linked = np.flatnonzero(rows.deal >= 0)
    days = rows.signed[linked] - state.deals.closed[rows.deal[linked]]
    return np.sort(days[(days >= 0) & (days < 180)])
