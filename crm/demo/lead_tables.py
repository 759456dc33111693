"""The table of leads, and the contacts of leads."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm.demo import parameters as law
from crm.demo.activities import Block
from crm.demo.frames import build_table, ids, moments, picks, whole
from crm.demo.leads import Leads, make_contacts
from crm.demo.people import Staff, is_gone, leaving_moment, successor
from crm.demo.working_time import Ints
from crm.demo.world import World, change_rows

_TYPING_US = 30_000_000


def lead_contacts(world: World, leads: Leads) -> Block:
    """The contacts of all leads while they were open."""
    ended = np.where(leads.converted > 0, leads.converted, leads.disqualified)
    ended = np.where(ended > 0, ended, world.end_us)
    clock, laws = world.clock, world.laws
    contacts = make_contacts(
        world.streams["lead_contacts"],
        world,
        clock.at(leads.created),
        clock.at(ended),
        laws.lead_contact_rates(world.size.contacts),
        laws.shape(laws.lead.contact_shape),
        leads.state,
    )
    return Block(
        at=contacts.at,
        recorded=contacts.recorded,
        kind=contacts.kind,
        rep=leads.rep[contacts.owner],
        lead=contacts.owner,
    )


def build_leads(
    world: World, staff: Staff, leads: Leads, account: Ints, opportunity: Ints, referrer: Ints
) -> tuple[pa.Table, pa.Table]:
    """The table `leads`, and the hand-overs of open leads when a rep left, as changes.

    Parameters
    ----------
    account, opportunity, referrer : ndarray of int64, shape (n_leads,)
        Place of the account and opportunity a lead became, and of the customer that referred it; -1 for none.
    """
    converted, given_up = leads.converted > 0, leads.disqualified > 0
    last = np.where(converted, leads.converted, np.where(given_up, leads.disqualified, world.end_us))
    moved = is_gone(staff, leads.rep, last)
    owner = np.where(moved, successor(staff, leads.rep), leads.rep)
    lead_id = ids("L", np.arange(1, leads.n + 1), width=7)
    columns = {
        "lead_id": lead_id,
        "created_at": moments(leads.created),
        "channel": picks(law.CHANNELS, leads.channel),
        "campaign": picks([name for name, _ in law.CAMPAIGNS], leads.campaign),
        "referrer_account_id": ids("A", np.where(referrer < 0, -1, referrer + 1)),
        "region": picks(law.REGIONS, leads.region),
        "industry": picks(law.INDUSTRIES, leads.industry),
        "title": picks(law.TITLES, leads.title),
        "employees": whole(leads.employees),
        "rep_id": ids("R", owner + 1, width=4),
        "account_id": ids("A", np.where(account < 0, -1, account + 1)),
        "converted_at": moments(leads.converted, converted),
        "disqualified_at": moments(leads.disqualified, given_up),
        "opportunity_id": ids("O", np.where(opportunity < 0, -1, opportunity + 1)),
    }
    rows = build_table("leads", columns, leads.created + _TYPING_US, ends_us=world.end_us)
    where = np.flatnonzero(moved)
    hand_over = change_rows(
        "leads",
        lead_id.take(pa.array(where)),
        leaving_moment(staff, leads.rep[where]),
        "rep_id",
        ids("R", leads.rep[where] + 1, width=4),
        ids("R", owner[where] + 1, width=4),
    )
    return rows, hand_over
