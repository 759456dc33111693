"""The best possible win probability: the simulator's own, given only what the record shows of an opportunity.

The latent state z (quality x belief) lies on the grid of ADR 0005; a competitor c is latent until the stage at which
competitors are named, a tender t until it is announced. With prior(z), what the lead left behind (its contacts and
the age at which it converted, exact: an opportunity inherits the state of its lead), the contacts n_k on record, the
stages passed so far and the rep's calls,

    weight(z, c, t) = prior(z) lead(z) P(c) P(t) * prod_k r_k(z)^n_k exp(-r_k(z) A_k) * path(z, c, t) * calls(z)

is the posterior up to a constant: path is the density of the stages' times, exponential races without a tender and
evenly spread times with one; a call says between which marks the rep's mood lay, whose mean moves with belief. The
chance to be won in the window is the weighted mean of the chain's matrix exponential from the present stage, or the
tender's logit when the day of decision lies in the window. Coefficients, skills and optimism of the reps are
parameters and known; states, competitors not yet named and tenders not yet announced are not. Amounts, promised days
and other deals of the account say nothing about the outcome by the laws, so that nothing on record is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy.special import expit, ndtr

from crm.demo.deal_oracle import LEAST_SCORE, SCORE_STEP, TIME_STEP, win_tables
from crm.demo.deal_seen import FAR, NO, UNKNOWN, YES, DealSeen, look_up_deals
from crm.demo.deals import DECISION_DAYS, next_tender_days
from crm.demo.oracle import converted_evidence, logged_until
from crm.demo.working_time import Floats, Ints, at_hour, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

_CHUNK = 2_000
_US = timedelta(microseconds=1)
# Marks of the rep's mood by stage: below the first the call is the lowest of the stage, and so on (`deal_terms`).
_MARKS = ((), (1.2,), (-0.8, 0.9), (-0.5,))
# Place of a call among those of its stage; a call that the stage does not know of keeps the whole line.
_CALLS: tuple[dict[int, int], ...] = ({}, {0: 0, 1: 1}, {0: 0, 1: 1, 2: 2}, {1: 0, 2: 1})
_MOOD_SPREAD, _MOOD_OF_BELIEF = 0.5, 0.4


def win_probability(company: DemoCompany, spine: pa.Table, *, horizon: timedelta = timedelta(days=91)) -> Floats:
    """P(opportunity is won in (as_of, as_of + horizon] | what was on record at as_of).

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (opportunity) and `as_of` (naive UTC timestamp).
    horizon : timedelta
        Length of the window.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        NaN where the opportunity is unknown, not yet created, or closed at `as_of`.
    """
    seen = look_up_deals(company, spine)
    probability = np.full(len(seen.as_of), np.nan)
    rows = np.flatnonzero(seen.is_open)
    tables = win_tables(company.truth.laws.deal)
    state = _state_evidence(company, seen, rows)
    for begin in range(0, len(rows), _CHUNK):
        chunk = slice(begin, begin + _CHUNK)
        probability[rows[chunk]] = _won(company, seen, rows[chunk], state[chunk], tables, int(horizon / _US))
    return probability


def _state_evidence(company: DemoCompany, seen: DealSeen, rows: Ints) -> Floats:
    """Log weight of each latent state by lead, contacts and calls, shape (n_rows, n_states)."""
    truth = company.truth
    laws, deal = truth.laws, truth.laws.deal
    weight = np.tile(np.log(laws.grid.prior), (len(rows), 1))
    led = np.flatnonzero(seen.lead[rows] >= 0)
    if len(led):
        leads = company.tables["leads"].column("lead_id").take(pa.array(seen.lead[rows[led]]))
        moments = pa.array(seen.as_of[rows[led]]).cast(pa.timestamp("us"))
        weight[led] = converted_evidence(company, pa.table({"entity_id": leads, "as_of": moments}))
    rates = laws.contact_rates(deal.contact_base, deal.contact_quality, deal.contact_belief, truth.contacts)
    as_of, started = seen.as_of[rows], truth.clock.at(seen.created[rows])
    logged = np.zeros(len(rows))
    for share, closed in logged_until(as_of):
        logged += share * np.maximum(truth.clock.at(closed) - started, 0.0)
    exposed = np.column_stack([truth.clock.at(as_of) - started, *[logged] * (rates.shape[1] - 1)])
    weight += seen.counts[rows] @ np.log(rates).T - exposed @ rates.T
    return np.asarray(weight + np.log(_calls(company, seen, rows)))


def _calls(company: DemoCompany, seen: DealSeen, rows: Ints) -> Floats:
    """Chance of the rep's calls so far, shape (n_rows, n_states): one mood per deal, cut at the marks of the stages."""
    truth, grid = company.truth, company.truth.laws.grid
    low, high = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
    for stage, (marks, known) in enumerate(zip(_MARKS, _CALLS, strict=True)):
        edges = np.array([-np.inf, *marks, np.inf])
        for call, place in known.items():
            said = seen.calls[rows, stage] == call
            low[said], high[said] = np.maximum(low[said], edges[place]), np.minimum(high[said], edges[place + 1])
    optimism = truth.optimism[seen.owner[rows]][:, None]
    mood = truth.laws.effects * (optimism + _MOOD_OF_BELIEF * grid.belief)
    chance = ndtr((high[:, None] - mood) / _MOOD_SPREAD) - ndtr((low[:, None] - mood) / _MOOD_SPREAD)
    return np.asarray(np.maximum(chance, 1e-300))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Path:
    """Open deals in working time: `spent` in each stage so far, shape (n_rows, n_stages), and their age."""

    stage: Ints
    spent: Floats
    age: Floats


def _won(company: DemoCompany, seen: DealSeen, rows: Ints, state: Floats, tables: Floats, horizon_us: int) -> Floats:
    clock, deal = company.truth.clock, company.truth.laws.deal
    as_of = seen.as_of[rows]
    now = clock.at(as_of)
    # Where a stage has not begun, it begins now and holds no time.
    begun = np.where(seen.entered[rows] < FAR, clock.at(np.minimum(seen.entered[rows], as_of[:, None])), now[:, None])
    path = _Path(stage=seen.stage[rows], spent=np.diff(np.column_stack([begun, now]), axis=1), age=now - begun[:, 0])
    score = _scores(company, seen, rows)
    contested = _chance_of(seen.competes[rows], deal.competitor_share)
    evidence = state[:, :, None] + np.log(np.column_stack([1 - contested, contested]) + 1e-300)[:, None, :]
    tender = _chance_of(np.minimum(seen.tender_day[rows], YES), np.array(deal.tender_share)[seen.buyer[rows]])
    steady = evidence + _log_path(company, path, score) + np.log(1 - tender + 1e-300)[:, None, None]
    decided = _decisions(company, seen, rows)
    waiting, density = _tender_path(company, path, now, begun[:, 0], decided)
    tendered = evidence + (np.log(tender + 1e-300) + np.log(density + 1e-300))[:, None, None]
    top = np.maximum(steady.max(axis=(1, 2)), tendered.max(axis=(1, 2)))[:, None, None]
    steady, tendered = np.exp(steady - top), np.exp(tendered - top)
    soon = (waiting * (decided <= as_of[:, None] + horizon_us)).sum(axis=1)
    in_time = _within(tables, path.stage, score, clock.at(as_of + horizon_us) - now)
    won = (steady * in_time).sum(axis=(1, 2))
    won += soon * (tendered * expit(deal.tender_logit + score)).sum(axis=(1, 2))
    return np.asarray(won / (steady.sum(axis=(1, 2)) + tendered.sum(axis=(1, 2))))


def _chance_of(known: Ints, prior: Floats | float) -> Floats:
    return np.where(known == UNKNOWN, prior, np.where(known == NO, 0.0, 1.0))


def _scores(company: DemoCompany, seen: DealSeen, rows: Ints) -> Floats:
    """Log effect in every state without and with a competitor, shape (n_rows, n_states, 2)."""
    truth = company.truth
    deal, grid = truth.laws.deal, truth.laws.grid
    plain = (
        truth.deal_skill[seen.owner[rows]]
        + deal.partner * seen.has_partner[rows]
        + deal.expansion * seen.is_customer[rows]
    )
    latent = deal.quality * grid.quality + deal.belief * grid.belief
    rival = np.array([0.0, deal.competitor])
    return np.asarray(truth.laws.effects * (plain[:, None, None] + latent[None, :, None] + rival))


def _log_path(company: DemoCompany, path: _Path, score: Floats) -> Floats:
    """Log density of the stages passed so far without a tender; shape as `score`."""
    deal = company.truth.laws.deal
    onward = [*deal.advance_base, deal.win_base]
    effects = [deal.advance_effect] * len(deal.advance_base) + [deal.win_effect]
    total = np.zeros_like(score)
    for stage, (base, effect) in enumerate(zip(onward, effects, strict=True)):
        rate = base * np.exp(effect * score) + deal.lose_base[stage] * np.exp(deal.lose_effect * score)
        total -= rate * path.spent[:, stage, None, None]
        total += np.where((path.stage > stage)[:, None, None], np.log(base) + effect * score, 0.0)
    return total


def _decisions(company: DemoCompany, seen: DealSeen, rows: Ints) -> Ints:
    """Moments at which a tender would be decided, one a length of preparation, shape (n_rows, n_delays)."""
    deal = company.truth.laws.deal
    created, announced = local_day(seen.created[rows]), seen.tender_day[rows]
    days = np.column_stack([next_tender_days(deal, created + delay) for delay in deal.tender_lead_days])
    days = np.where((announced > NO)[:, None], announced[:, None], days)
    return at_hour(days + DECISION_DAYS, 16.0)


def _tender_path(
    company: DemoCompany, path: _Path, now: Floats, started: Floats, decided: Ints
) -> tuple[Floats, Floats]:
    """How likely each day of decision is, shape (n_rows, n_delays), and the density of the stages' times, (n_rows,).

    The stages of a tender begin at times spread evenly up to the decision, in order.
    """
    n_later = len(company.truth.laws.deal.stages) - 1
    end = company.truth.clock.at(decided)
    length = np.maximum(end - started[:, None], 1e-9)
    left = np.clip((end - now[:, None]) / length, 0.0, 1.0)
    ways = np.array([math.perm(n_later, passed) for passed in range(n_later + 1)])[path.stage]
    density = (
        ways[:, None] * length ** -path.stage[:, None].astype(np.float64) * left ** (n_later - path.stage)[:, None]
    )
    density = np.where(end > now[:, None], density, 0.0)
    total = density.sum(axis=1, keepdims=True)
    return np.asarray(density / np.maximum(total, 1e-300)), np.asarray(density.mean(axis=1))


def _within(tables: Floats, stage: Ints, score: Floats, time: Floats) -> Floats:
    """P(won within a working time from a stage), bilinear in the tables; shape as `score`."""
    column = np.clip(time / TIME_STEP, 0, tables.shape[2] - 1.001)
    j = column.astype(np.int64)
    b = (column - j)[:, None]
    curve = (1 - b) * tables[stage, :, j] + b * tables[stage, :, j + 1]
    row = np.clip((score - LEAST_SCORE) / SCORE_STEP, 0, tables.shape[1] - 1.001)
    i = row.astype(np.int64)
    at = np.arange(len(stage))[:, None, None]
    a = row - i
    return np.asarray((1 - a) * curve[at, i] + a * curve[at, i + 1])
