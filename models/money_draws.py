"""From signatures to invoices to cash, draw by draw: every receipt is of an invoice, every invoice of a sale.

In one draw the money of a sale comes in the parts in which such sales are paid, each part is invoiced late by as much
as parts of its kind were, and each invoice is paid after a lag of its customer. So in every draw what is received was
invoiced, and what is invoiced was signed, with tax.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.money import Measure
from features.flow_rows import NEVER, WON
from models.arrivals import draw_arrivals, learn_rate
from models.flow_laws import EXAMPLE_DAYS, first_day
from models.signings import Component, Setting, Signings, pick

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# What should have been invoiced by now and is not comes within so many days.
_LATE_DAYS = 30
_SIGNED_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """Amounts in draws; each array has shape (n_events,).

    Attributes
    ----------
    draw, day, cell : ndarray of int64
        In which draw, when, whose.
    amount : ndarray of float64
        Hundredths; customers for new customers.
    component : ndarray of int64
        A `Component`.
    """

    draw: Ints
    day: Ints
    cell: Ints
    amount: Floats
    component: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bills:
    """Invoices in draws, each array of shape (n_bills,); open ones among them were issued before the cutoff."""

    draw: Ints
    issued: Ints
    cell: Ints
    account: Ints
    net: Floats
    gross: Floats
    component: Ints


def draw_money(setting: Setting, signings: Signings, seed: int) -> dict[Measure, Events]:
    """What is signed, invoiced, earned and received in every draw, by measure.

    Parameters
    ----------
    setting : Setting
        Record, laws, horizon, draws.
    signings : Signings
        Signatures to come.
    seed : int
        Random state; each step has a stream of its own.
    """
    streams = [np.random.default_rng([seed, 10 + place]) for place in range(6)]
    bills = [
        _bills_of_signings(setting, signings, streams[0]),
        _bills_of_claims(setting, streams[1]),
        _bills_of_run_rate(setting, streams[2]),
    ]
    every = Bills(**{name: np.concatenate([getattr(one, name) for one in bills]) for name in Bills.__slots__})
    within = (every.issued >= setting.state.on) & (every.issued < setting.until)
    found = {
        Measure.BOOKINGS: _booked(signings),
        Measure.REVENUE: _events(every, every.issued, every.net, within),
        Measure.RECEIPTS: _received(setting, every, streams[3]),
        Measure.NEW_CUSTOMERS: _first_sales(setting, signings),
    }
    margins = _margins(setting, signings, streams[4])
    if margins is not None:
        found[Measure.GROSS_MARGIN] = margins
    return {measure: events for measure, events in found.items() if measure in setting.state.measures}


def _booked(signings: Signings) -> Events:
    return Events(
        draw=signings.draw,
        day=signings.day,
        cell=signings.cell,
        amount=np.round(signings.net),
        component=signings.component,
    )


def _events(rows: Bills, day: Ints, amount: Floats, kept: npt.NDArray[np.bool_]) -> Events:
    places = np.flatnonzero(kept)
    return Events(
        draw=rows.draw[places],
        day=day[places],
        cell=rows.cell[places],
        amount=np.round(amount[places]),
        component=rows.component[places],
    )


def account_of(setting: Setting, signings: Signings) -> Ints:
    """The customer of each signature; of a deal not created yet the customer of the sale that it is like."""
    state = setting.state
    known = np.where(signings.like >= 0, state.agreements.account[np.maximum(signings.like, 0)], -1)
    source = np.maximum(signings.source, 0)
    if len(state.deals.account):
        is_deal = (signings.component == Component.OPEN_DEALS) & (signings.source >= 0)
        known = np.where(is_deal, state.deals.account[np.minimum(source, len(state.deals.account) - 1)], known)
    renews = (signings.component == Component.RENEWALS) & (signings.source >= 0)
    if not len(state.agreements.account):
        return known
    return np.where(renews, state.agreements.account[np.minimum(source, len(state.agreements.account) - 1)], known)


def _bills_of_signings(setting: Setting, signings: Signings, rng: np.random.Generator) -> Bills:
    """The parts in which signatures to come are invoiced: those of the agreements that they are like."""
    state, parts = setting.state, setting.state.parts
    some = signings.take(np.flatnonzero(signings.like >= 0))
    begin = np.searchsorted(parts.agreement, some.like, side="left")
    count = np.searchsorted(parts.agreement, some.like, side="right") - begin
    row = np.repeat(np.arange(len(count)), count)
    part = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + begin[row]
    agreed = state.agreements
    tax = agreed.gross[some.like] / np.maximum(agreed.net[some.like], 1.0)
    issued = some.day[row] + parts.days[part] + _lags(setting, parts.kind[part], rng)
    net = some.net[row] * parts.share[part]
    return _kept(
        setting,
        Bills(
            draw=some.draw[row],
            issued=np.maximum(issued, some.day[row]),
            cell=some.cell[row],
            account=account_of(setting, some)[row],
            net=net,
            gross=net * tax[row],
            component=some.component[row],
        ),
    )


def _lags(setting: Setting, kind: npt.NDArray[np.object_], rng: np.random.Generator) -> Ints:
    """Days by which parts are invoiced after their planned day, as parts of their kind were."""
    found = np.zeros(len(kind), dtype=np.int64)
    for name, values in setting.laws.bill_lags.items():
        here = np.flatnonzero(kind == name)
        found[here] = pick(values, len(here), rng)
    return found


def _bills_of_claims(setting: Setting, rng: np.random.Generator) -> Bills:
    """Open invoices, and what was signed and waits to be invoiced."""
    claims, n, on = setting.state.claims, setting.n_draws, setting.state.on
    row, draw = (one.ravel() for one in np.meshgrid(np.arange(len(claims.gross)), np.arange(n), indexing="ij"))
    planned = np.where(claims.due == NEVER, on, claims.due)[row] + _lags(setting, claims.kind[row], rng)
    late = planned < on
    planned = np.where(late, on + rng.integers(0, _LATE_DAYS, len(row)), planned)
    return _kept(
        setting,
        Bills(
            draw=draw,
            issued=np.where(claims.is_billed[row], claims.issued[row], planned),
            cell=claims.cell[row],
            account=claims.account[row],
            net=claims.net[row],
            gross=claims.gross[row],
            component=np.full(len(row), int(Component.SIGNED)),
        ),
    )


def _bills_of_run_rate(setting: Setting, rng: np.random.Generator) -> Bills:
    """Invoices that bill no agreement: arrivals, each like one of the last year."""
    rows, on = setting.state.invoices, setting.state.on
    rate = learn_rate(rows.day, on, setting.clock, first=first_day(setting.state))
    recent = np.flatnonzero((rows.day >= on - EXAMPLE_DAYS) & np.isfinite(rows.gross))
    draw, like, day = (np.zeros(0, dtype=np.int64) for _ in range(3))
    if len(recent) and rate.level > 0:
        draw, at = draw_arrivals(rate, on, setting.until, setting.clock, setting.n_draws, rng, np.ones(setting.n_draws))
        like, day = pick(recent, len(draw), rng), setting.clock.day(at)
    return Bills(
        draw=draw,
        issued=day,
        cell=rows.cell[like],
        account=rows.account[like],
        net=rows.net[like],
        gross=rows.gross[like],
        component=np.full(len(draw), int(Component.RUN_RATE)),
    )


def _kept(setting: Setting, bills: Bills) -> Bills:
    within = np.flatnonzero(bills.issued < setting.until)
    return Bills(**{name: getattr(bills, name)[within] for name in Bills.__slots__})


def _received(setting: Setting, bills: Bills, rng: np.random.Generator) -> Events:
    """Cash of invoices and of acceptance bills on hand."""
    held, n, on = setting.state.bills, setting.n_draws, setting.state.on
    elapsed = np.where(bills.issued < on, on - bills.issued - 1, -1)
    lag = setting.laws.payments.draw(bills.account, elapsed, rng)
    day = np.where(lag == NEVER, NEVER, bills.issued + lag)
    came = _events(bills, np.maximum(day, on), bills.gross, (day < setting.until) & (bills.gross > 0))
    row, draw = (one.ravel() for one in np.meshgrid(np.arange(len(held.gross)), np.arange(n), indexing="ij"))
    row, draw = row[soon := held.day[row] < setting.until], draw[soon]
    return Events(
        draw=np.concatenate([came.draw, draw]),
        day=np.concatenate([came.day, np.maximum(held.day[row], on)]),
        cell=np.concatenate([came.cell, held.cell[row]]),
        amount=np.concatenate([came.amount, held.gross[row]]),
        component=np.concatenate([came.component, np.full(len(row), int(Component.SIGNED))]),
    )


def _first_sales(setting: Setting, signings: Signings) -> Events:
    """Customers whose first agreement it is: once a draw, at the first signature."""
    agreed, deals = setting.state.agreements, setting.state.deals
    n = len(setting.state.accounts)
    first = np.full(n + 1, NEVER)
    np.minimum.at(first, agreed.account, agreed.signed)
    won = np.flatnonzero(deals.outcome == WON)
    np.minimum.at(first, deals.account[won], deals.closed[won])
    is_open = (signings.component == Component.OPEN_DEALS) & (signings.source >= 0)
    account = np.where(is_open, deals.account[np.where(is_open, signings.source, 0)] if len(deals.account) else 0, 0)
    opens = np.flatnonzero(is_open & (first[account] == NEVER))
    opens = opens[np.lexsort((signings.day[opens], account[opens], signings.draw[opens]))]
    key = signings.draw[opens] * (n + 1) + account[opens]
    opens = opens[np.diff(key, prepend=-1) != 0]
    like = signings.like
    new = (signings.component == Component.NEW_DEALS) & (like >= 0)
    new |= (signings.component == Component.RUN_RATE) & (like >= 0)
    is_first = np.zeros(len(like), dtype=np.bool_)
    here = np.flatnonzero(new)
    # A deal is won some days before its agreement is signed.
    is_first[here] = agreed.signed[like[here]] - first[agreed.account[like[here]]] <= _SIGNED_DAYS
    rows = np.concatenate([opens, np.flatnonzero(is_first)])
    return Events(
        draw=signings.draw[rows],
        day=signings.day[rows],
        cell=signings.cell[rows],
        amount=np.ones(len(rows)),
        component=signings.component[rows],
    )


def _margins(setting: Setting, signings: Signings, rng: np.random.Generator) -> Events | None:
    """Margins of what is delivered: by orders where the company keeps them with a cost, else at signature."""
    state, orders = setting.state, setting.state.orders
    some = signings.take(np.flatnonzero(signings.like >= 0))
    delivered = state.deliveries
    by_orders = bool((delivered.days != NEVER).any() or np.isfinite(orders.margin).any())
    agreed = state.agreements
    if by_orders:
        days, share = delivered.days[some.like], delivered.margin_share[some.like]
    else:
        share = agreed.margin[some.like] / np.maximum(agreed.net[some.like], 1.0)
        days = np.where(np.isfinite(share), 0, NEVER)
    if not by_orders and not np.isfinite(agreed.margin).any():
        return None
    kept = np.flatnonzero((days != NEVER) & (some.day + days < setting.until))
    draw, like, day = _order_run_rate(setting, rng) if by_orders else (np.zeros(0, dtype=np.int64),) * 3
    return Events(
        draw=np.concatenate([some.draw[kept], draw]),
        day=np.concatenate([(some.day + days)[kept], day]),
        cell=np.concatenate([some.cell[kept], orders.cell[like]]),
        amount=np.round(np.concatenate([(some.net * share)[kept], orders.margin[like]])),
        component=np.concatenate([some.component[kept], np.full(len(draw), int(Component.RUN_RATE))]),
    )


def _order_run_rate(setting: Setting, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Orders that no agreement covers: draw, the order of the last year that each is like, and day."""
    rows, on = setting.state.orders, setting.state.on
    known = np.isfinite(rows.margin)
    rate = learn_rate(rows.day[known], on, setting.clock, first=first_day(setting.state))
    recent = np.flatnonzero(known & (rows.day >= on - EXAMPLE_DAYS))
    if not len(recent) or rate.level == 0:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    draw, at = draw_arrivals(rate, on, setting.until, setting.clock, setting.n_draws, rng, np.ones(setting.n_draws))
    return draw, pick(recent, len(draw), rng), setting.clock.day(at)
