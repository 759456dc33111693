"""Opportunities: where they come from, and a chain of stages with exits to won and lost.

Given its score (visible terms, quality, belief, the rep's skill) a deal moves at constant rates in working
time, so that P(won by some day) is a small matrix exponential on the latent grid. A tender is decided on its
day, with a logit in the same score.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from crm.demo import parameters as law
from crm.demo.leads import Leads, draw
from crm.demo.people import Staff, n_partners
from crm.demo.working_time import Floats, Ints, at_hour, epoch_day, local_day
from crm.demo.world import World

BUYERS = ("enterprise", "government", "state_owned", "small")
OPEN, WON, LOST = 0, 1, 2
FROM_LEAD, FROM_PARTNER, FROM_CUSTOMER = 0, 1, 2
_PARTNER_DEALS_PER_LEAD = 0.025
_BASE_ACCOUNTS_PER_REP = 8
EXPANSIONS_PER_YEAR = 0.30
WORK_YEAR = 250.0
DECISION_DAYS = 10


@dataclass(slots=True, kw_only=True, eq=False)
class Accounts:
    """All accounts; each array has shape (n_accounts,), places as in `crm.demo.parameters`."""

    created: Ints
    region: Ints
    industry: Ints
    employees: Ints
    buyer: Ints
    partner: Ints
    rep: Ints
    is_base: npt.NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of accounts."""
        return len(self.created)

    def take(self, rows: Ints) -> Accounts:
        """The accounts at the given places."""
        return Accounts(**{name: getattr(self, name)[rows] for name in Accounts.__slots__})


@dataclass(slots=True, kw_only=True, eq=False)
class Deals:
    """All opportunities; each array has shape (n_deals,).

    Attributes
    ----------
    created : ndarray of int64
        UTC microseconds.
    account, lead, partner, rep : ndarray of int64
        Places, -1 for none.
    origin, state : ndarray of int64
        Where it came from; latent state on the grid.
    competes : ndarray of bool
        A competitor is in it.
    tender_day : ndarray of int64
        Epoch day of the tender, 0 for none.
    score : ndarray of float64
        Log effect, `effects` included.
    entered : ndarray of float64, shape (n_deals, n_stages)
        Working time at which each stage began, inf when it never did.
    closed : ndarray of float64
        Working time of the end, inf while open.
    outcome : ndarray of int64
        `OPEN`, `WON` or `LOST`.
    """

    created: Ints
    account: Ints
    lead: Ints
    partner: Ints
    rep: Ints
    origin: Ints
    state: Ints
    competes: npt.NDArray[np.bool_]
    tender_day: Ints
    score: Floats
    entered: Floats
    closed: Floats
    outcome: Ints

    @property
    def n(self) -> int:
        """Number of opportunities."""
        return len(self.created)

    def take(self, rows: Ints) -> Deals:
        """The opportunities at the given places."""
        return Deals(**{name: getattr(self, name)[rows] for name in Deals.__slots__})


def buyer_shares(industry: Ints, employees: Ints) -> Floats:
    """Probability of each kind of buyer, shape (n, 4), in the order of `BUYERS`."""
    shares = np.tile([0.86, 0.02, 0.12, 0.0], (len(industry), 1))
    public = np.array([law.INDUSTRIES[i] in ("教育", "医疗") for i in range(len(law.INDUSTRIES))])[industry]
    shares[public] = [0.60, 0.30, 0.10, 0.0]
    shares[industry == law.INDUSTRIES.index("能源")] = [0.45, 0.05, 0.50, 0.0]
    shares[industry == law.INDUSTRIES.index("政务")] = [0.05, 0.75, 0.20, 0.0]
    tiny = (employees < 50) & (industry != law.INDUSTRIES.index("政务"))
    shares[tiny] = [0.20, 0.02, 0.03, 0.75]
    return shares


def draw_rows(rng: np.random.Generator, shares: Floats) -> Ints:
    """One place per row, drawn with that row's shares."""
    return np.asarray((rng.random(len(shares))[:, None] > np.cumsum(shares, axis=1)).sum(axis=1).astype(np.int64))


def make_deals(world: World, staff: Staff, leads: Leads) -> tuple[Accounts, Deals]:
    """All accounts and opportunities, both in order of creation."""
    rng = world.streams["deals"]
    base = _base_accounts(world, staff, rng)
    partners = _partner_accounts(world, staff, rng)
    converted = np.flatnonzero(leads.converted > 0)
    from_leads = _lead_accounts(leads, converted, rng)
    accounts = _join_accounts([base, partners, from_leads])
    first_partner, first_lead = base.n, base.n + partners.n
    lead_of_account = np.full(accounts.n, -1)
    lead_of_account[first_lead:] = converted
    opened = np.arange(first_partner, accounts.n)
    first = _run(world, staff, leads, accounts, opened, accounts.created[opened], lead_of_account[opened], rng)
    customers, since = _customers(world, accounts, first)
    again = rng.poisson(EXPANSIONS_PER_YEAR / WORK_YEAR * np.maximum(world.end_work - since, 0))
    account = np.repeat(customers, again)
    begin = np.repeat(since, again)
    at = world.clock.moment(begin + rng.random(len(account)) * (world.end_work - begin))
    second = _run(world, staff, leads, accounts, account, at, np.full(len(account), -1), rng)
    return _in_order(accounts, _join_deals([first, second]))


def _customers(world: World, accounts: Accounts, first: Deals) -> tuple[Ints, Floats]:
    """Accounts that may buy again, and the working time from which on."""
    won = first.outcome == WON
    customers = np.concatenate([np.flatnonzero(accounts.is_base), first.account[won]])
    base_since = np.zeros(int(accounts.is_base.sum()))
    return customers, np.concatenate([base_since, first.closed[won] + 60.0])


def _run(
    world: World,
    staff: Staff,
    leads: Leads,
    accounts: Accounts,
    account: Ints,
    created: Ints,
    lead: Ints,
    rng: np.random.Generator,
) -> Deals:
    """Simulate the opportunities of the given accounts from their creation to their end."""
    n, laws = len(account), world.laws
    has_lead = lead >= 0
    partner = accounts.partner[account]
    origin = np.where(has_lead, FROM_LEAD, np.where(accounts.is_base[account], FROM_CUSTOMER, FROM_PARTNER))
    origin = np.where(~has_lead & (partner < 0), FROM_CUSTOMER, origin)
    state = np.where(has_lead, leads.state[lead], draw(rng, laws.grid.prior, n))
    competes = rng.random(n) < laws.deal.competitor_share
    is_tender = rng.random(n) < np.array(laws.deal.tender_share)[accounts.buyer[account]]
    rep = accounts.rep[account]
    gone = staff.left[rep] < local_day(created)
    rep = np.where(gone, staff.assign(rng, world, local_day(created), accounts.region[account]), rep)
    deal, grid = laws.deal, laws.grid
    score = laws.effects * (
        deal.quality * grid.quality[state]
        + deal.belief * grid.belief[state]
        + staff.deal_skill[rep]
        + deal.competitor * competes
        + deal.partner * (partner >= 0)
        + deal.expansion * (origin == FROM_CUSTOMER)
    )
    started = world.clock.at(created)
    entered, closed, outcome = run_stages(world, rng, started, score)
    tender_day = np.where(is_tender, tender_days(world, local_day(created), rng), 0)
    _decide_tenders(world, rng, is_tender, tender_day, score, entered, closed, outcome, started)
    late = closed >= world.end_work
    closed[late], outcome[late] = np.inf, OPEN
    entered[(entered >= closed[:, None]) | (entered >= world.end_work)] = np.inf
    return Deals(
        created=created,
        account=account,
        lead=lead,
        partner=partner,
        rep=rep,
        origin=origin,
        state=state,
        competes=competes,
        tender_day=tender_day,
        score=score,
        entered=entered,
        closed=closed,
        outcome=outcome,
    )


def run_stages(world: World, rng: np.random.Generator, started: Floats, score: Floats) -> tuple[Floats, Floats, Ints]:
    """When each deal entered each stage, when it ended, and how: exponential races, stage by stage."""
    deal = world.laws.deal
    n, n_stages = len(started), len(deal.stages)
    entered = np.full((n, n_stages), np.inf)
    closed, outcome = np.full(n, np.inf), np.full(n, OPEN)
    entered[:, 0] = started
    for stage in range(n_stages):
        here = np.flatnonzero(np.isfinite(entered[:, stage]))
        last = stage == n_stages - 1
        onward_rate = deal.win_base if last else deal.advance_base[stage]
        onward_effect = deal.win_effect if last else deal.advance_effect
        onward = rng.exponential(size=len(here)) / (onward_rate * np.exp(onward_effect * score[here]))
        lost = rng.exponential(size=len(here)) / (deal.lose_base[stage] * np.exp(deal.lose_effect * score[here]))
        wins = onward <= lost
        leaves = entered[here, stage] + np.minimum(onward, lost)
        gone = here[~wins]
        closed[gone], outcome[gone] = leaves[~wins], LOST
        if last:
            closed[here[wins]], outcome[here[wins]] = leaves[wins], WON
        else:
            entered[here[wins], stage + 1] = leaves[wins]
    return entered, closed, outcome


def tender_days(world: World, created_day: Ints, rng: np.random.Generator) -> Ints:
    """The tender day of each deal, after one of several lengths of preparation."""
    deal = world.laws.deal
    delay = np.array(deal.tender_lead_days)[rng.integers(len(deal.tender_lead_days), size=len(created_day))]
    return next_tender_days(deal, created_day + delay)


def next_tender_days(deal: law.DealLaws, ready: Ints) -> Ints:
    """The 20th of the first tender month on or after each day.

    Examples
    --------
    >>> day = next_tender_days(law.DealLaws(), np.array([epoch_day(date(2026, 3, 21))]))
    >>> str(np.datetime64(int(day[0]), "D"))
    '2026-05-20'
    """
    if not len(ready):
        return ready
    first, last = (int(day) // 366 + 1969 for day in (ready.min(), ready.max()))
    years = range(first, last + 4)
    days = np.sort([epoch_day(date(year, month, 20)) for year in years for month in deal.tender_months])
    return np.asarray(days[np.searchsorted(days, ready)])


def _decide_tenders(
    world: World,
    rng: np.random.Generator,
    is_tender: npt.NDArray[np.bool_],
    tender_day: Ints,
    score: Floats,
    entered: Floats,
    closed: Floats,
    outcome: Ints,
    started: Floats,
) -> None:
    """Overwrite the end of tender deals: all wait for their day, and stages follow the time that is left."""
    rows = np.flatnonzero(is_tender)
    end = world.clock.at(at_hour(tender_day[rows] + DECISION_DAYS, 16.0))
    chance = 1 / (1 + np.exp(-(world.laws.deal.tender_logit + score[rows])))
    closed[rows] = end
    outcome[rows] = np.where(rng.random(len(rows)) < chance, WON, LOST)
    shares = np.sort(rng.random((len(rows), entered.shape[1] - 1)), axis=1)
    entered[rows, 1:] = started[rows, None] + shares * (end - started[rows])[:, None]


def _base_accounts(world: World, staff: Staff, rng: np.random.Generator) -> Accounts:
    n = _BASE_ACCOUNTS_PER_REP * world.size.reps
    region, industry = draw(rng, law.REGION_SHARES, n), draw(rng, law.INDUSTRY_SHARES, n)
    employees = np.clip(np.exp(rng.normal(5.2, 1.3, n)), 5, 50_000).astype(np.int64)
    first = np.full(n, world.first_day)
    return Accounts(
        created=at_hour(first - rng.integers(370, 1500, n), 10.0),
        region=region,
        industry=industry,
        employees=employees,
        buyer=draw_rows(rng, buyer_shares(industry, employees)),
        partner=np.full(n, -1),
        rep=staff.assign(rng, world, first, region),
        is_base=np.ones(n, dtype=np.bool_),
    )


def _partner_accounts(world: World, staff: Staff, rng: np.random.Generator) -> Accounts:
    n = int(rng.poisson(_PARTNER_DEALS_PER_LEAD * world.size.leads))
    region, industry = draw(rng, law.REGION_SHARES, n), draw(rng, law.INDUSTRY_SHARES, n)
    employees = np.clip(np.exp(rng.normal(5.0, 1.3, n)), 5, 50_000).astype(np.int64)
    created = np.sort(world.clock.moment(rng.random(n) * world.end_work))
    return Accounts(
        created=created,
        region=region,
        industry=industry,
        employees=employees,
        buyer=draw_rows(rng, buyer_shares(industry, employees)),
        partner=rng.integers(n_partners(world), size=n),
        rep=staff.assign(rng, world, local_day(created), region),
        is_base=np.zeros(n, dtype=np.bool_),
    )


def _lead_accounts(leads: Leads, converted: Ints, rng: np.random.Generator) -> Accounts:
    industry, employees = leads.industry[converted], leads.employees[converted]
    return Accounts(
        created=leads.converted[converted],
        region=leads.region[converted],
        industry=industry,
        employees=employees,
        buyer=draw_rows(rng, buyer_shares(industry, employees)),
        partner=np.full(len(converted), -1),
        rep=leads.rep[converted],
        is_base=np.zeros(len(converted), dtype=np.bool_),
    )


def _join_accounts(parts: list[Accounts]) -> Accounts:
    return Accounts(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in Accounts.__slots__})


def _join_deals(parts: list[Deals]) -> Deals:
    return Deals(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in Deals.__slots__})


def _in_order(accounts: Accounts, deals: Deals) -> tuple[Accounts, Deals]:
    order = np.argsort(accounts.created, kind="stable")
    place = np.empty(accounts.n, dtype=np.int64)
    place[order] = np.arange(accounts.n)
    deals.account = place[deals.account]
    return accounts.take(order), deals.take(np.argsort(deals.created, kind="stable"))
