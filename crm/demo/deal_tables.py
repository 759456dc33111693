"""The tables of accounts, opportunities, splits, and the contacts of deals."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm.demo import parameters as law
from crm.demo.activities import Block
from crm.demo.deal_terms import CATEGORIES, COMPETITORS, Flags, Terms, stage_now
from crm.demo.deals import BUYERS, OPEN, WON, Accounts, Deals
from crm.demo.frames import build_table, days, ids, moments, numbers, picks, whole
from crm.demo.leads import draw, make_contacts
from crm.demo.names import make_codes, make_companies
from crm.demo.people import PRODUCTS, Staff, is_gone, leaving_moment, successor
from crm.demo.working_time import DAY_US, Floats, Ints, Steps
from crm.demo.world import World, change_rows

LOSS_REASONS = ("价格", "竞争对手", "预算取消", "需求变化", "无决策")
_LOSS_SHARES = (0.26, 0.24, 0.18, 0.16, 0.16)
_TYPING_US = 60_000_000
_STEADY = Steps(edges=np.array([0.0]), levels=np.array([1.0]))


def tax_rate(product: Ints) -> Floats:
    """Tax rate of each product: 13 % on software licences, 6 % on services."""
    goods = np.array([row[4] == "licence" for row in PRODUCTS])[product]
    return np.asarray(np.where(goods, 0.13, 0.06))


def build_accounts(
    world: World, staff: Staff, accounts: Accounts, foreign: Flags, terms_days: Ints
) -> tuple[pa.Table, pa.Table]:
    """The table `accounts`, and the hand-overs when an owner left, as changes."""
    rng = world.streams["names"]
    n = accounts.n
    moved = is_gone(staff, accounts.rep, np.full(n, world.end_us))
    owner = np.where(moved, successor(staff, accounts.rep), accounts.rep)
    revenue = accounts.employees * np.exp(rng.normal(np.log(600_000), 0.5, n))
    parent = np.where((rng.random(n) < 0.06) & (np.arange(n) > 20), (np.arange(n) * rng.random(n)).astype(np.int64), -1)
    account_id = ids("A", np.arange(1, n + 1))
    limit = np.round(revenue * 0.01 / 10_000).astype(np.int64) * 10_000 * 100
    columns = {
        "account_id": account_id,
        "name": pa.array(make_companies(rng, [law.INDUSTRIES[i] for i in accounts.industry])),
        "registration_code": pa.array(make_codes(rng, np.arange(1, n + 1))),
        "parent_id": ids("A", np.where(parent < 0, -1, parent + 1)),
        "buyer_type": picks(BUYERS, accounts.buyer),
        "industry": picks(law.INDUSTRIES, accounts.industry),
        "region": picks(law.REGIONS, accounts.region),
        "employees": whole(accounts.employees),
        "annual_revenue": whole(np.round(revenue).astype(np.int64) * 100),
        "partner_id": ids("P", np.where(accounts.partner < 0, -1, accounts.partner + 1), width=4),
        "rep_id": ids("R", owner + 1, width=4),
        "credit_limit": whole(limit),
        "payment_terms_days": whole(terms_days),
        "external_credit_grade": picks(("AAA", "AA", "A", "B", "C"), draw(rng, (0.1, 0.25, 0.35, 0.2, 0.1), n)),
        "currency": picks(("CNY", "USD"), foreign.astype(np.int64)),
        "created_at": moments(accounts.created),
    }
    rows = build_table("accounts", columns, accounts.created + _TYPING_US, ends_us=world.end_us)
    return rows, _hand_over("accounts", account_id, staff, accounts.rep, owner, np.flatnonzero(moved), accounts.created)


def _hand_over(
    entity: str, names: pa.Array, staff: Staff, before: Ints, after: Ints, rows: Ints, created: Ints
) -> pa.Table:
    at = np.maximum(leaving_moment(staff, before[rows]), created[rows] + _TYPING_US)
    old, new = ids("R", before[rows] + 1, width=4), ids("R", after[rows] + 1, width=4)
    return change_rows(entity, names.take(pa.array(rows)), at, "rep_id", old, new)


def build_opportunities(world: World, staff: Staff, deals: Deals, terms: Terms) -> tuple[pa.Table, pa.Table]:
    """The table `opportunities` as it stands at the end of the record, and hand-overs as changes."""
    rng = world.streams["deal_history"]
    closed = deals.outcome != OPEN
    closed_at = np.where(closed, world.clock.moment(np.where(closed, deals.closed, 0.0)), 0)
    moved = is_gone(staff, deals.rep, np.where(closed, closed_at, world.end_us))
    owner = np.where(moved, successor(staff, deals.rep), deals.rep)
    reason = np.where(closed & (deals.outcome != WON), draw(rng, _LOSS_SHARES, deals.n), -1)
    name = ids("O", np.arange(1, deals.n + 1))
    columns = {
        "opportunity_id": name,
        "created_at": moments(deals.created),
        "account_id": ids("A", deals.account + 1),
        "lead_id": ids("L", np.where(deals.lead < 0, -1, deals.lead + 1), width=7),
        "rep_id": ids("R", owner + 1, width=4),
        "partner_id": ids("P", np.where(deals.partner < 0, -1, deals.partner + 1), width=4),
        "product": picks([row[0] for row in PRODUCTS], terms.product),
        "stage": stage_now(world, deals),
        "closed_at": moments(closed_at, closed),
        "outcome": picks(("open", "won", "lost"), deals.outcome),
        "loss_reason": picks(LOSS_REASONS, reason),
        "competitor": picks(COMPETITORS, terms.competitor),
        "tender_on": days(terms.tender_day, terms.tender_day > 0),
        "list_amount": whole(terms.list_amount),
        "discount": numbers(terms.discount),
        "net_amount": whole(terms.net_amount),
        "tax_rate": numbers(tax_rate(terms.product)),
        "currency": picks(("CNY", "USD"), terms.foreign.astype(np.int64)),
        "expected_close_on": days(terms.expected_day),
        "forecast_category": picks(CATEGORIES, terms.category),
    }
    rows = build_table("opportunities", columns, deals.created + _TYPING_US, ends_us=world.end_us)
    return rows, _hand_over("opportunities", name, staff, deals.rep, owner, np.flatnonzero(moved), deals.created)


def build_splits(world: World, staff: Staff, deals: Deals) -> pa.Table:
    """The table `opportunity_splits`: one deal in eight is shared with a colleague of the region."""
    rng = world.streams["deal_history"]
    second = staff.assign(rng, world, np.full(deals.n, world.last_day), staff.region[deals.rep])
    rows = np.flatnonzero((rng.random(deals.n) < 0.125) & (second != deals.rep))
    share = np.array([0.5, 0.6, 0.7, 0.8])[rng.integers(4, size=len(rows))]
    order = np.argsort(np.concatenate([rows, rows]), kind="stable")
    columns = {
        "opportunity_id": ids("O", np.concatenate([rows, rows])[order] + 1),
        "rep_id": ids("R", np.concatenate([deals.rep[rows], second[rows]])[order] + 1, width=4),
        "share": numbers(np.round(np.concatenate([share, 1 - share]), 2)[order]),
    }
    recorded = np.concatenate([deals.created[rows]] * 2)[order] + 2 * _TYPING_US
    return build_table("opportunity_splits", columns, recorded, ends_us=world.end_us)


def deal_contacts(world: World, deals: Deals) -> Block:
    """The contacts of all opportunities while they were open."""
    laws = world.laws
    rates = laws.contact_rates(
        laws.deal.contact_base, laws.deal.contact_quality, laws.deal.contact_belief, world.size.contacts
    )
    contacts = make_contacts(
        world.streams["deal_contacts"],
        world,
        world.clock.at(deals.created),
        np.minimum(deals.closed, world.end_work),
        rates,
        _STEADY,
        deals.state,
    )
    return Block(
        at=contacts.at,
        recorded=contacts.recorded,
        kind=contacts.kind,
        rep=deals.rep[contacts.owner],
        opportunity=contacts.owner,
        account=deals.account[contacts.owner],
    )


def referrers(world: World, channel: Ints, created: Ints, accounts: Accounts) -> Ints:
    """The customer that referred each lead of the referral channel: any account older than a year's quarter."""
    rng = world.streams["accounts"]
    older = np.searchsorted(accounts.created, created - 90 * DAY_US)
    drawn = (rng.random(len(channel)) * older).astype(np.int64)
    return np.where((channel == law.CHANNELS.index("referral")) & (older > 0), drawn, -1)
