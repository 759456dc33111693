"""The table of activities, put together from the contacts of leads, deals, customers and collectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm.demo.frames import build_table, ids, moments, numbers, picks
from crm.demo.leads import draw
from crm.demo.parameters import CONTACTS
from crm.demo.people import Staff, is_gone, successor
from crm.demo.working_time import Ints
from crm.demo.world import World

# Kinds beyond the contacts of leads and deals: a collector's call, and anything else.
KINDS = (*CONTACTS, ("collection", "outbound"), ("other", "outbound"))
COLLECTION = len(CONTACTS)
OTHER = len(CONTACTS) + 1
_MINUTES = (4.0, 6.0, 9.0, 8.0, 55.0, 60.0, 120.0, 12.0, 15.0)
_OUTCOMES = ("connected", "no_answer", "follow_up", "done")
_OUTCOME_SHARES = (0.35, 0.25, 0.20, 0.20)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Contacts of one origin; each array has shape (n_contacts,), places are -1 for none.

    Attributes
    ----------
    at, recorded : ndarray of int64
        UTC microseconds.
    kind : ndarray of int64
        Place in `KINDS`.
    rep : ndarray of int64
        Who did it.
    lead, opportunity, account, invoice : ndarray of int64 or None
        What it was about.
    """

    at: Ints
    recorded: Ints
    kind: Ints
    rep: Ints
    lead: Ints | None = None
    opportunity: Ints | None = None
    account: Ints | None = None
    invoice: Ints | None = None


def build_activities(world: World, staff: Staff, blocks: list[Block]) -> pa.Table:
    """The table `activities` in order of time; what came of a contact says nothing about the deal.

    Contacts of somebody who had left by then are the successor's.
    """
    rng = world.streams["lead_contacts"]
    at = np.concatenate([block.at for block in blocks])
    recorded = np.concatenate([block.recorded for block in blocks])
    kind = np.concatenate([block.kind for block in blocks])
    rep = np.concatenate([block.rep for block in blocks])
    order = np.argsort(at, kind="stable")
    order = order[recorded[order] <= world.end_us]
    at, recorded, kind, rep = at[order], recorded[order], kind[order], rep[order]
    rep = _who_was_there(staff, rep, at)
    n = len(order)
    minutes = np.round(np.array(_MINUTES)[kind] * rng.gamma(3.0, 1 / 3.0, n), 1)
    columns = {
        "activity_id": ids("AC", np.arange(1, n + 1), width=8),
        "occurred_at": moments(at),
        "kind": picks([name for name, _ in KINDS], kind),
        "lead_id": _links("L", [block.lead for block in blocks], blocks, order, 7),
        "opportunity_id": _links("O", [block.opportunity for block in blocks], blocks, order, 6),
        "account_id": _links("A", [block.account for block in blocks], blocks, order, 6),
        "invoice_id": _links("I", [block.invoice for block in blocks], blocks, order, 7),
        "rep_id": ids("R", np.where(rep < 0, -1, rep + 1), width=4),
        "direction": picks([direction for _, direction in KINDS], kind),
        "minutes": numbers(minutes, kind > 0),
        "outcome": picks(_OUTCOMES, np.where(kind > 0, draw(rng, _OUTCOME_SHARES, n), -1)),
    }
    return build_table("activities", columns, recorded, ends_us=world.end_us)


def _who_was_there(staff: Staff, rep: Ints, at: Ints) -> Ints:
    """Each contact's rep, or the successor of one who had left."""
    seller = np.minimum(rep, len(staff.left) - 1)
    gone = (rep == seller) & is_gone(staff, seller, at)
    return np.where(gone, successor(staff, seller), rep)


def _links(prefix: str, parts: list[Ints | None], blocks: list[Block], order: Ints, width: int) -> pa.Array:
    whole = np.concatenate(
        [
            np.full(len(block.at), -1, dtype=np.int64) if part is None else part
            for part, block in zip(parts, blocks, strict=True)
        ]
    )[order]
    return ids(prefix, np.where(whole < 0, -1, whole + 1), width=width)
