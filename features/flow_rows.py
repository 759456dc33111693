"""The rows of money that the joint forecast simulates: deals, agreements, claims, bills, orders of no agreement.

Days are local epoch days, amounts hundredths of the reporting currency; a day that is not known is `NEVER`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.money import Measure
from features.cells import Cells
from features.money_rates import Rates

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Names: TypeAlias = npt.NDArray[np.object_]

NEVER = 2**31
OPEN, WON, LOST = 0, 1, 2
_DAYS = 2**20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moves:
    """How one field of the deals changed, by deal and day.

    Attributes
    ----------
    deal, day : ndarray of int64, shape (n_moves,)
        Sorted by both.
    value : ndarray, shape (n_moves,)
        From that day on.
    first : ndarray, shape (n_deals,)
        Before the first change.
    """

    deal: Ints
    day: Ints
    value: npt.NDArray[np.generic]
    first: npt.NDArray[np.generic]

    def at(self, deal: Ints, day: Ints) -> npt.NDArray[np.generic]:
        """The values on the mornings of days: what changed on the day itself is not known yet, shape (n,)."""
        key, asked = self.deal * _DAYS + self.day, deal * _DAYS + day
        place = np.searchsorted(key, asked, side="left") - 1
        found = self.first[deal]
        known = (place >= 0) & (self.deal[np.maximum(place, 0)] == deal) if len(key) else np.zeros(len(deal), np.bool_)
        found[known] = self.value[place[known]]
        return found

    def since(self, deal: Ints, day: Ints) -> Ints:
        """The day of the last change before the mornings of days; `-NEVER` where nothing had changed, shape (n,)."""
        if not len(self.deal):
            return np.full(len(deal), -NEVER)
        key, asked = self.deal * _DAYS + self.day, deal * _DAYS + day
        place = np.searchsorted(key, asked, side="left") - 1
        known = (place >= 0) & (self.deal[np.maximum(place, 0)] == deal)
        return np.where(known, self.day[np.maximum(place, 0)], -NEVER)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DealRows:
    """Every opportunity known, each array of shape (n_deals,).

    Attributes
    ----------
    name : ndarray of str
        Its key.
    account : ndarray of int64
        Place among the accounts of the state.
    cell : ndarray of int64
        Place in `FlowState.cells`: whose it is.
    created, closed, expected, tender : ndarray of int64
        Days; `closed` is `NEVER` while it is open.
    outcome : ndarray of int64
        `OPEN`, `WON` or `LOST`.
    is_signed : ndarray of bool
        An agreement stands for it, by its key or presumed.
    amount : ndarray of float64
        As it stands now, NaN where none is named.
    stage, category, origin : ndarray of str
        As they stand now; origin is `lead`, `partner` or `customer`.
    currency : ndarray of str or None
        In which its amount is named; None is the reporting currency.
    moves : mapping of str to Moves
        How `stage`, `category`, `expected` and `amount` changed.
    """

    name: Names
    account: Ints
    cell: Ints
    created: Ints
    closed: Ints
    expected: Ints
    tender: Ints
    outcome: Ints
    is_signed: Flags
    amount: Floats
    stage: Names
    category: Names
    origin: Names
    currency: Names
    moves: Mapping[str, Moves]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementRows:
    """Every agreement that books an amount, each array of shape (n_agreements,).

    Attributes
    ----------
    name, kind : ndarray of str
        Key, and kind of agreement.
    account, cell : ndarray of int64
        Whose it is.
    deal : ndarray of int64
        Place among the deals; -1 for none.
    signed, starts, ends, cancelled : ndarray of int64
        Days.
    renewed_to : ndarray of int64
        Place of the agreement that renews it; -1 for none.
    net, gross, margin : ndarray of float64
        Without tax, with tax, net less cost (NaN where the cost is not known).
    """

    name: Names
    kind: Names
    account: Ints
    cell: Ints
    deal: Ints
    signed: Ints
    starts: Ints
    ends: Ints
    cancelled: Ints
    renewed_to: Ints
    net: Floats
    gross: Floats
    margin: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClaimRows:
    """Money owed and not settled: invoices, and of agreements what no invoice has billed; each of shape (n_claims,).

    Attributes
    ----------
    account, cell : ndarray of int64
        Whose it is.
    agreement : ndarray of int64
        Place among the agreements; -1 for none.
    is_billed : ndarray of bool
        An invoice stands for it.
    kind : ndarray of str
        Kind of collection node; empty where none is named.
    issued, due : ndarray of int64
        Day of the invoice (`NEVER` while unbilled) and day after which it is late (planned day while unbilled).
    gross, net : ndarray of float64
        Open amount with tax; the same without tax.
    """

    account: Ints
    cell: Ints
    agreement: Ints
    is_billed: Flags
    kind: Names
    issued: Ints
    due: Ints
    gross: Floats
    net: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BillRows:
    """Receipts that are no cash yet (acceptance bills) with the day they become it; each of shape (n_bills,)."""

    cell: Ints
    day: Ints
    gross: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderRows:
    """Orders that no agreement covers; each of shape (n_orders,)."""

    account: Ints
    cell: Ints
    day: Ints
    net: Floats
    gross: Floats
    margin: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvoiceRows:
    """Invoices that bill no agreement; each of shape (n_invoices,)."""

    cell: Ints
    account: Ints
    day: Ints
    net: Floats
    gross: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartRows:
    """How agreements are paid in parts: collection nodes, else invoices; by agreement, each of shape (n_parts,).

    Attributes
    ----------
    agreement : ndarray of int64
        Place among the agreements, rising.
    days : ndarray of int64
        Planned day (of an invoice: its day) less the day of signature.
    share : ndarray of float64
        Part of the agreement's gross amount.
    kind : ndarray of str
        Kind of node; empty for an invoice, which comes when it comes.
    """

    agreement: Ints
    days: Ints
    share: Floats
    kind: Names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeliveryRows:
    """What orders delivered of agreements, each of shape (n_agreements,).

    Attributes
    ----------
    days : ndarray of int64
        Days from signature to the first order; `NEVER` where none names the agreement.
    margin_share : ndarray of float64
        Margin of its orders over its net amount.
    """

    days: Ints
    margin_share: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lags:
    """How late money moved in the past, in days; pairs of equal length.

    Attributes
    ----------
    pay_account, pay_days, pay_issued : ndarray of int64
        Customer, cash day less invoice day, and invoice day, of every settled part of an invoice.
    open_issued : ndarray of int64
        Invoice day of every invoice with money open.
    bill_kind, bill_days : ndarray
        Kind of node, and invoice day less planned day, of every billed node.
    """

    pay_account: Ints
    pay_days: Ints
    pay_issued: Ints
    open_issued: Ints
    bill_kind: Names
    bill_days: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowState:
    """All rows of the money as known on the morning of one day.

    Attributes
    ----------
    on : int
        The day; what happened on it or later is not known.
    cells : Cells
        Whose rows are.
    rates : Rates
        Exchange rates known.
    accounts : ndarray of str
        Keys of the customers, in the order of their places.
    measures : frozenset of Measure
        What the rows can tell.
    """

    on: int
    cells: Cells
    rates: Rates
    deals: DealRows
    agreements: AgreementRows
    claims: ClaimRows
    bills: BillRows
    orders: OrderRows
    invoices: InvoiceRows
    parts: PartRows
    deliveries: DeliveryRows
    lags: Lags
    accounts: Names
    measures: frozenset[Measure]
