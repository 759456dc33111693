"""Collection nodes, orders and invoices: every agreement is billed to the last cent, and only once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.demo.agreements import LICENCE, MAINTENANCE, PROJECT, SUBSCRIPTION, Agreements
from crm.demo.deal_tables import tax_rate
from crm.demo.deal_terms import day_text
from crm.demo.deals import Accounts
from crm.demo.frames import build_table, days, ids, moments, numbers, picks, same, whole
from crm.demo.parameters import REGIONS
from crm.demo.people import PRODUCTS
from crm.demo.working_time import Floats, Ints, at_hour
from crm.demo.world import World, change_rows

KINDS = ("advance", "milestone", "acceptance", "retention")
ADVANCE, MILESTONE, ACCEPTANCE, RETENTION = range(4)
TRIGGERS = ("合同签订", "里程碑完成", "验收合格", "质保期满", "年度续费")
_RENEWAL_TRIGGER = 4
ADD_ONS_PER_YEAR = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nodes:
    """All collection nodes; each array has shape (n_nodes,).

    Attributes
    ----------
    agreement, kind, trigger : ndarray of int64
        Places.
    planned : ndarray of int64
        Epoch day planned now.
    before : ndarray of int64
        Epoch day planned first.
    gross : ndarray of int64
        Minor units; sums to the gross amount of the agreement.
    """

    agreement: Ints
    kind: Ints
    trigger: Ints
    planned: Ints
    before: Ints
    gross: Ints


def gross_of(net: Ints, rate: Floats) -> Ints:
    """Net minor units plus tax, rounded half up to the cent.

    Examples
    --------
    >>> gross_of(np.array([100, 1005]), np.array([0.06, 0.13])).tolist()
    [106, 1136]
    """
    per_mille = np.round(rate * 1000).astype(np.int64)
    return np.asarray((net * (1000 + per_mille) + 500) // 1000)


def make_nodes(world: World, agreements: Agreements) -> Nodes:
    """The collection nodes of all agreements, in order of agreement and plan."""
    rng = world.streams["billing"]
    gross = gross_of(agreements.net, tax_rate(agreements.product))
    low_retention = rng.random(agreements.n) < 0.5
    shares, offsets = _schedule(agreements, low_retention)
    used = shares > 0
    parts = np.floor(gross[:, None] * shares / 100).astype(np.int64)
    last = shares.shape[1] - 1 - used[:, ::-1].argmax(axis=1)
    parts[np.arange(agreements.n), last] += gross - parts.sum(axis=1)
    agreement, position = np.nonzero(used)
    kind = _node_kinds(agreements.kind[agreement], position)
    before = (agreements.signed[:, None] + offsets)[used]
    slips = np.isin(kind, (MILESTONE, ACCEPTANCE)) & (rng.random(len(kind)) < 0.25)
    trigger = np.where((agreements.kind[agreement] == SUBSCRIPTION) & (position > 0), _RENEWAL_TRIGGER, kind)
    return Nodes(
        agreement=agreement,
        kind=kind,
        trigger=trigger,
        planned=before + np.where(slips, rng.integers(15, 90, len(kind)), 0),
        before=before,
        gross=parts[used],
    )


def _schedule(agreements: Agreements, low_retention: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Shares in per cent and days after signature of up to four nodes, shape (n_agreements, 4) each."""
    n, kind = agreements.n, agreements.kind
    shares, offsets = np.zeros((n, 4), dtype=np.int64), np.zeros((n, 4), dtype=np.int64)
    length = np.maximum(agreements.ends - agreements.signed, 60)
    years = np.clip((agreements.ends - agreements.starts + 5) // 365, 1, 3)
    sub = kind == SUBSCRIPTION
    for count in (1, 2, 3):
        rows = sub & (years == count)
        for year in range(count):
            shares[rows, year] = 100 // count
            offsets[rows, year] = 5 + 365 * year
    shares[kind == MAINTENANCE, 0], offsets[kind == MAINTENANCE, 0] = 100, 10
    shares[kind == LICENCE] = (50, 0, 50, 0)
    offsets[kind == LICENCE] = (10, 0, 75, 0)
    project = kind == PROJECT
    shares[project] = np.where(low_retention[project, None], (30, 40, 25, 5), (30, 40, 20, 10))
    offsets[project, 0] = 10
    offsets[project, 1] = (length[project] * 0.4).astype(np.int64)
    offsets[project, 2] = length[project]
    offsets[project, 3] = length[project] + 365
    return shares, offsets


def _node_kinds(kind: Ints, position: Ints) -> Ints:
    return np.where((kind == SUBSCRIPTION) | (kind == MAINTENANCE), ADVANCE, position)


def build_installments(
    world: World, agreements: Agreements, nodes: Nodes, foreign: npt.NDArray[np.bool_]
) -> tuple[pa.Table, pa.Table]:
    """The table `installments`, and moved plans as changes."""
    name = ids("N", np.arange(1, len(nodes.gross) + 1), width=7)
    signed_at = at_hour(agreements.signed[nodes.agreement], 17.6)
    moved = (nodes.planned != nodes.before) & (at_hour(nodes.before - 5, 16.0) <= world.end_us)
    columns = {
        "installment_id": name,
        "agreement_id": ids("C", nodes.agreement + 1),
        "kind": picks(KINDS, nodes.kind),
        "trigger": picks(TRIGGERS, nodes.trigger),
        "planned_on": days(np.where(moved, nodes.planned, nodes.before)),
        "gross_amount": whole(nodes.gross),
        "currency": picks(("CNY", "USD"), foreign[agreements.account[nodes.agreement]].astype(np.int64)),
    }
    rows = build_table("installments", columns, signed_at, ends_us=world.end_us)
    where = np.flatnonzero(moved)
    changes = change_rows(
        "installments",
        name.take(pa.array(where)),
        np.maximum(at_hour(nodes.before[where] - 5, 16.0), signed_at[where] + 1),
        "planned_on",
        day_text(nodes.before[where]),
        day_text(nodes.planned[where]),
    )
    return rows, changes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AddOns:
    """Small orders of customers outside any agreement; each array has shape (n_orders,)."""

    account: Ints
    day: Ints
    product: Ints
    net: Ints
    tax: Floats


def make_add_ons(world: World, agreements: Agreements, foreign: npt.NDArray[np.bool_]) -> AddOns:
    """The run-rate: orders that come while a customer has an agreement."""
    rng = world.streams["billing"]
    begin = np.maximum(agreements.starts, world.first_day)
    end = np.where(agreements.ends > 0, agreements.ends, agreements.starts + 365)
    end = np.minimum(np.where(agreements.cancelled > 0, agreements.cancelled, end), world.last_day)
    count = rng.poisson(ADD_ONS_PER_YEAR / 365 * np.maximum(end - begin, 0))
    source = np.repeat(np.arange(agreements.n), count)
    day = begin[source] + (rng.random(len(source)) * (end - begin)[source]).astype(np.int64)
    day = np.minimum(day + np.where((day + 3) % 7 > 4, 2, 0), world.last_day)
    order = np.argsort(day, kind="stable")
    source, day = source[order], day[order]
    product = np.where(rng.random(len(source)) < 0.6, 5, rng.integers(0, 2, len(source)))
    yuan = np.exp(rng.normal(9.6, 0.7, len(source))) / np.where(foreign[agreements.account[source]], 7.0, 1.0)
    return AddOns(
        account=agreements.account[source],
        day=day,
        product=product,
        net=np.round(yuan).astype(np.int64) * 100,
        tax=tax_rate(product),
    )


def build_orders(
    world: World, agreements: Agreements, accounts: Accounts, add_ons: AddOns, foreign: npt.NDArray[np.bool_]
) -> pa.Table:
    """The table `orders`: one line for each licence or subscription, and the add-ons, numbered in that order."""
    rng = world.streams["billing"]
    linked = np.flatnonzero((agreements.kind == LICENCE) | (agreements.kind == SUBSCRIPTION))
    n_linked, n = len(linked), len(linked) + len(add_ons.day)
    account = np.concatenate([agreements.account[linked], add_ons.account])
    product = np.concatenate([agreements.product[linked], add_ons.product])
    net = np.concatenate([agreements.net[linked], add_ons.net])
    at = np.concatenate([at_hour(agreements.signed[linked], 17.0), at_hour(add_ons.day, 11.0)])
    rep = np.concatenate([agreements.rep[linked], accounts.rep[add_ons.account]])
    no_add_on = np.full(len(add_ons.day), -1)
    deal = np.concatenate([agreements.deal[linked], no_add_on])
    cost = np.round(net * np.array([row[3] / row[2] for row in PRODUCTS])[product]).astype(np.int64)
    columns = {
        "order_id": ids("S", np.arange(1, n + 1), width=7),
        "line": same("1", n),
        "account_id": ids("A", account + 1),
        "agreement_id": ids("C", np.concatenate([linked + 1, no_add_on])),
        "opportunity_id": ids("O", np.where(deal < 0, -1, deal + 1)),
        "rep_id": ids("R", rep + 1, width=4),
        "region": picks(REGIONS, accounts.region[account]),
        "product": picks([row[0] for row in PRODUCTS], product),
        "ordered_at": moments(at),
        "quantity": numbers(np.concatenate([rng.integers(1, 200, n_linked), rng.integers(1, 20, n - n_linked)]) * 1.0),
        "net_amount": whole(net),
        "cost": whole(cost),
        "tax_rate": numbers(tax_rate(product)),
        "currency": picks(("CNY", "USD"), foreign[account].astype(np.int64)),
    }
    return build_table("orders", columns, at + 5_400_000_000, ends_us=world.end_us)


def first_add_on(agreements: Agreements) -> int:
    """Place of the first add-on in the table of orders."""
    return int(((agreements.kind == LICENCE) | (agreements.kind == SUBSCRIPTION)).sum())
