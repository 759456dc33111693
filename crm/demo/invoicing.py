"""Invoices of collection nodes and of add-on orders; some are taken back (红冲) and issued again."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.demo.agreements import Agreements
from crm.demo.billing import AddOns, Nodes, first_add_on, gross_of
from crm.demo.deal_tables import tax_rate
from crm.demo.frames import build_table, days, ids, numbers, picks, whole
from crm.demo.working_time import Floats, Ints, at_hour
from crm.demo.world import World, change_rows


@dataclass(slots=True, kw_only=True, eq=False)
class Invoices:
    """All invoices; each array has shape (n_invoices,), places -1 and days 0 for none.

    Attributes
    ----------
    account, agreement, node, order : ndarray of int64
        What is billed.
    issued, due, disputed : ndarray of int64
        Epoch days.
    gross : ndarray of int64
        Minor units; negative for a credit note.
    tax : ndarray of float64
        Rate.
    reversed_by, replaces : ndarray of int64
        Places of other invoices.
    """

    account: Ints
    agreement: Ints
    node: Ints
    order: Ints
    issued: Ints
    due: Ints
    gross: Ints
    tax: Floats
    disputed: Ints
    reversed_by: Ints
    replaces: Ints

    @property
    def n(self) -> int:
        """Number of invoices."""
        return len(self.account)

    @property
    def is_payable(self) -> npt.NDArray[np.bool_]:
        """Invoices that somebody has to pay: neither taken back nor credit notes."""
        return np.asarray((self.gross > 0) & (self.reversed_by < 0))

    def take(self, rows: Ints) -> Invoices:
        """The invoices at the given places; links are not renumbered."""
        return Invoices(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def make_invoices(world: World, agreements: Agreements, nodes: Nodes, add_ons: AddOns, terms_days: Ints) -> Invoices:
    """All invoices issued within the record, in order of issue."""
    rng = world.streams["billing"]
    n_nodes, n_orders = len(nodes.gross), len(add_ons.day)
    account = np.concatenate([agreements.account[nodes.agreement], add_ons.account])
    wait = np.concatenate([rng.integers(0, 13, n_nodes), rng.integers(0, 8, n_orders)])
    issued = _workday(np.concatenate([nodes.planned, add_ons.day]) + wait)
    none_for_orders, none_for_nodes = np.full(n_orders, -1), np.full(n_nodes, -1)
    n = n_nodes + n_orders
    plain = Invoices(
        account=account,
        agreement=np.concatenate([nodes.agreement, none_for_orders]),
        node=np.concatenate([np.arange(n_nodes), none_for_orders]),
        order=np.concatenate([none_for_nodes, first_add_on(agreements) + np.arange(n_orders)]),
        issued=issued,
        due=issued + terms_days[account],
        gross=np.concatenate([nodes.gross, gross_of(add_ons.net, add_ons.tax)]),
        tax=np.concatenate([tax_rate(agreements.product[nodes.agreement]), add_ons.tax]),
        disputed=np.where(rng.random(n) < world.laws.money.disputed_share, issued + rng.integers(5, 40, n), 0),
        reversed_by=np.full(n, -1),
        replaces=np.full(n, -1),
    )
    plain = plain.take(np.flatnonzero(plain.issued <= world.last_day))
    plain.disputed = np.where(plain.disputed <= world.last_day, plain.disputed, 0)
    return _in_order(_with_reversals(world, rng, plain))


def _workday(day: Ints) -> Ints:
    """The day itself, or the Monday after a weekend."""
    weekday = (day + 3) % 7
    return np.asarray(day + np.where(weekday > 4, 7 - weekday, 0))


def _with_reversals(world: World, rng: np.random.Generator, plain: Invoices) -> Invoices:
    """Take some invoices back by a red one and issue them again; the due day, and so the age, goes on."""
    taken_back = _workday(plain.issued + rng.integers(3, 20, plain.n))
    chosen = rng.random(plain.n) < world.laws.money.reversed_share
    rows = np.flatnonzero(chosen & (taken_back <= world.last_day))
    k = len(rows)
    red, again = plain.take(rows), plain.take(rows)
    red.issued, again.issued = taken_back[rows], taken_back[rows]
    red.gross = -red.gross
    red.disputed = np.zeros(k, dtype=np.int64)
    red.due = np.zeros(k, dtype=np.int64)
    again.replaces = rows
    again.disputed = np.where(again.disputed > again.issued, again.disputed, 0)
    plain.disputed[rows] = np.where(plain.disputed[rows] > taken_back[rows], 0, plain.disputed[rows])
    plain.reversed_by[rows] = plain.n + np.arange(k)
    joined = [plain, red, again]
    return Invoices(**{f.name: np.concatenate([getattr(p, f.name) for p in joined]) for f in fields(Invoices)})


def _in_order(rows: Invoices) -> Invoices:
    order = np.argsort(rows.issued, kind="stable")
    place = np.empty(rows.n + 1, dtype=np.int64)
    place[order] = np.arange(rows.n)
    place[-1] = -1
    rows.reversed_by, rows.replaces = place[rows.reversed_by], place[rows.replaces]
    return rows.take(order)


def build_invoices(world: World, invoices: Invoices, foreign: npt.NDArray[np.bool_]) -> tuple[pa.Table, pa.Table]:
    """The table `invoices`, and reversals as changes."""
    name = ids("I", np.arange(1, invoices.n + 1), width=7)
    recorded = at_hour(invoices.issued, 18.0)
    columns = {
        "invoice_id": name,
        "account_id": ids("A", invoices.account + 1),
        "agreement_id": ids("C", np.where(invoices.agreement < 0, -1, invoices.agreement + 1)),
        "installment_id": ids("N", np.where(invoices.node < 0, -1, invoices.node + 1), width=7),
        "order_id": ids("S", np.where(invoices.order < 0, -1, invoices.order + 1), width=7),
        "issued_on": days(invoices.issued),
        "due_on": days(invoices.due, invoices.due > 0),
        "gross_amount": whole(invoices.gross),
        "tax_rate": numbers(invoices.tax),
        "currency": picks(("CNY", "USD"), foreign[invoices.account].astype(np.int64)),
        "disputed_at": days(invoices.disputed, invoices.disputed > 0),
        "reversed_by": ids("I", np.where(invoices.reversed_by < 0, -1, invoices.reversed_by + 1), width=7),
        "replaces": ids("I", np.where(invoices.replaces < 0, -1, invoices.replaces + 1), width=7),
    }
    rows = build_table("invoices", columns, recorded, ends_us=world.end_us)
    where = np.flatnonzero(invoices.reversed_by >= 0)
    red = invoices.reversed_by[where]
    changes = change_rows(
        "invoices",
        name.take(pa.array(where)),
        recorded[red],
        "reversed_by",
        pa.nulls(len(where), pa.string()),
        ids("I", red + 1, width=7),
    )
    return rows, changes
