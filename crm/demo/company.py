"""The whole demo company: every table of the record, and the truth behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa

from crm.demo.activities import Block, build_activities
from crm.demo.agreements import Agreements, build_agreements, make_agreements
from crm.demo.billing import build_installments, build_orders, make_add_ons, make_nodes
from crm.demo.deal_tables import build_accounts, build_opportunities, build_splits, deal_contacts, referrers
from crm.demo.deal_terms import Terms, make_terms
from crm.demo.deals import Accounts, Deals, make_deals
from crm.demo.frames import build_table
from crm.demo.invoicing import build_invoices, make_invoices
from crm.demo.lead_tables import build_leads, lead_contacts
from crm.demo.leads import Leads, make_leads
from crm.demo.leaks import CUSTOM, PLANTED, plant_leaks
from crm.demo.market import build_market
from crm.demo.payment import Payers, build_collections, build_receipts, make_payers, make_payments
from crm.demo.people import Staff, build_people, make_staff
from crm.demo.service import build_surveys, build_tickets, build_usage, customer_contacts, onsets
from crm.demo.sizes import size_of
from crm.demo.truth import Truth
from crm.demo.working_time import at_hour, epoch_day
from crm.demo.world import World, make_world, number_changes
from crm.schema import DType

LAST_DAY = date(2026, 6, 30)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DemoCompany:
    """A simulated company.

    Attributes
    ----------
    size : str
        The word that asked for it.
    seed : int
        Seed of its random streams.
    ends_on : date
        Last day of the record.
    tables : mapping of str to pa.Table
        Stated, custom and system columns, as `crm.tables` types them.
    custom : mapping of str to mapping of str to DType
        Columns beyond the stated ones, by table.
    truth : Truth
        What drives it. Never written anywhere.
    """

    size: str
    seed: int
    ends_on: date
    tables: Mapping[str, pa.Table]
    custom: Mapping[str, Mapping[str, DType]]
    truth: Truth

    @property
    def end_us(self) -> int:
        """Last moment of the record, UTC microseconds."""
        return int(at_hour(np.array([epoch_day(self.ends_on) + 1]), 0.0)[0]) - 1


def make_company(
    size: str,
    seed: int,
    *,
    effects: float = 1.0,
    planted_leaks: bool = False,
    months: int | None = None,
    ends_on: date = LAST_DAY,
) -> DemoCompany:
    """A demo company: the same arguments give the same bytes.

    Parameters
    ----------
    size : str
        `tiny`, `small`, `medium` or `large`.
    seed : int
        Seed of all random streams.
    effects : float
        Factor on every effect; 0 leaves pure chance, 0.5 and 1.5 are the perturbed companies.
    planted_leaks : bool
        Add ten leaks of different kinds to `leads`; `truth.planted` names them.
    months : int or None
        Length of the record instead of the size's own; the number of leads stays.
    ends_on : date
        Last day of the record.

    Examples
    --------
    >>> company = make_company("tiny", 1)
    >>> company.tables["leads"].num_rows
    600
    """
    dimensions = size_of(size)
    world = make_world(replace(dimensions, months=months or dimensions.months), seed, effects, ends_on)
    people = make_staff(world)
    leads = make_leads(world, people)
    tables, truth = _simulate(world, people, leads)
    custom: dict[str, dict[str, DType]] = {}
    if planted_leaks:
        tables, truth = plant_leaks(world, tables), replace(truth, planted=PLANTED)
        custom["leads"] = dict(CUSTOM)
    return DemoCompany(size=size, seed=seed, ends_on=ends_on, tables=tables, custom=custom, truth=truth)


def _simulate(world: World, staff: Staff, leads: Leads) -> tuple[dict[str, pa.Table], Truth]:
    """All tables and the truth, in the order in which a company earns its money."""
    accounts, deals = make_deals(world, staff, leads)
    payers = make_payers(world, accounts)
    terms, changes = make_terms(world, staff, accounts, deals, payers.foreign)
    agreements, health = make_agreements(world, accounts, deals, terms, payers.foreign)
    tables, moves = build_people(world, staff)
    sold, sold_changes, contacts = _build_selling(world, staff, leads, accounts, deals, terms, payers)
    paid, paid_changes, calls = _build_money(world, staff, accounts, agreements, payers)
    onset = onsets(world, agreements)
    tables |= sold | paid | build_market(world, staff, leads, agreements, payers.foreign)
    tables["usage"] = build_usage(world, agreements, health, onset)
    tables["tickets"] = build_tickets(world, agreements, health, onset)
    tables["surveys"] = build_surveys(world, agreements, health)
    talks = customer_contacts(world, accounts, agreements, onset)
    tables["activities"] = build_activities(world, staff, [*contacts, talks, calls])
    all_changes = number_changes([*changes, *moves, *sold_changes, *paid_changes], world.end_us)
    recorded = all_changes["occurred_at"].cast(pa.int64()).to_numpy()
    tables["changes"] = build_table("changes", all_changes, recorded, ends_us=world.end_us)
    truth = Truth(
        laws=world.laws,
        clock=world.clock,
        contacts=world.size.contacts,
        convert_base=leads.convert_base,
        lead_skill=staff.lead_skill,
        deal_skill=staff.deal_skill,
        optimism=staff.optimism,
        lead_state=leads.state,
        deal_score=deals.score,
        payer=payers.habit,
        health=health,
    )
    return tables, truth


def _build_selling(
    world: World, staff: Staff, leads: Leads, accounts: Accounts, deals: Deals, terms: Terms, payers: Payers
) -> tuple[dict[str, pa.Table], list[pa.Table], list[Block]]:
    """Leads, accounts, opportunities and splits, their changes and contacts."""
    account, opportunity = np.full(leads.n, -1), np.full(leads.n, -1)
    from_lead = np.flatnonzero(deals.lead >= 0)
    account[deals.lead[from_lead]] = deals.account[from_lead]
    opportunity[deals.lead[from_lead]] = from_lead
    referrer = referrers(world, leads.channel, leads.created, accounts)
    lead_rows, lead_moves = build_leads(world, staff, leads, account, opportunity, referrer)
    account_rows, account_moves = build_accounts(world, staff, accounts, payers.foreign, payers.terms_days)
    deal_rows, deal_moves = build_opportunities(world, staff, deals, terms)
    tables = {
        "leads": lead_rows,
        "accounts": account_rows,
        "opportunities": deal_rows,
        "opportunity_splits": build_splits(world, staff, deals),
    }
    contacts = [lead_contacts(world, leads), deal_contacts(world, deals)]
    return tables, [lead_moves, account_moves, deal_moves], contacts


def _build_money(
    world: World, staff: Staff, accounts: Accounts, agreements: Agreements, payers: Payers
) -> tuple[dict[str, pa.Table], list[pa.Table], Block]:
    """The money chain from agreement to receipt, its changes, and the collectors' calls."""
    nodes = make_nodes(world, agreements)
    add_ons = make_add_ons(world, agreements, payers.foreign)
    invoices = make_invoices(world, agreements, nodes, add_ons, payers.terms_days)
    payments = make_payments(world, accounts, payers, invoices)
    agreement_rows, agreement_changes = build_agreements(world, staff, agreements, payers.foreign)
    node_rows, node_changes = build_installments(world, agreements, nodes, payers.foreign)
    invoice_rows, invoice_changes = build_invoices(world, invoices, payers.foreign)
    collected, calls = build_collections(world, staff, invoices, payments)
    tables = {
        "agreements": agreement_rows,
        "installments": node_rows,
        "orders": build_orders(world, agreements, accounts, add_ons, payers.foreign),
        "invoices": invoice_rows,
    }
    tables |= build_receipts(world, payers, invoices, payments) | collected
    return tables, [*agreement_changes, node_changes, invoice_changes], calls
