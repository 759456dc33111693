"""What the record shows of invoices at a moment: the observable side of the collection oracle. Reads tables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo.payment import CALL_AFTER_DAYS
from crm.demo.payment_days import CALLED, DISPUTE_COMES, NOT_DRAWN, NOT_YET, WAITS, Billed
from crm.demo.seen import places
from crm.demo.working_time import Floats, Ints

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

Flags = npt.NDArray[np.bool_]
LATER = 10**6
"""Epoch day of what has not happened."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvoiceBook:
    """All invoices that ask for money; each array has shape (n_invoices,), days are epoch days.

    Attributes
    ----------
    name : pa.Array of string
        Identifiers.
    account, issued, due, disputed, taken_back : ndarray of int64
        Place of the account; days, `LATER` for none.
    public : ndarray of bool
        The buyer is a public body that waits for budgets.
    lot : ndarray of int64
        What was drawn when it was long overdue: `NOT_DRAWN`, `WAITS` or `CALLED`.
    first, rest : ndarray of int64
        Days on which first money came and, where that was a part, the rest; `LATER` for none.
    in_parts : ndarray of bool
        The first money was a part.
    promised : ndarray of int64
        Day promised in the collector's call, `LATER` for none.
    dispute_share : float
        How many invoices are disputed sooner or later.
    """

    name: pa.Array
    account: Ints
    issued: Ints
    due: Ints
    disputed: Ints
    taken_back: Ints
    public: Flags
    lot: Ints
    first: Ints
    rest: Ints
    in_parts: Flags
    promised: Ints
    dispute_share: float

    def billed_at(self, rows: Ints, day: Ints) -> Billed:
        """Invoices as known at the midnight that begins a day; arrays of one length."""
        issued, due, disputed = self.issued[rows], self.due[rows], self.disputed[rows]
        first, end = DISPUTE_COMES
        left = np.clip(end - np.maximum(day - issued, first), 0, end - first) / (end - first)
        later = self.dispute_share * left
        return Billed(
            issued=issued,
            due=due,
            disputed=np.where(disputed < day, 1.0, later / (1 - self.dispute_share + later)),
            lot=np.where(day > due + CALL_AFTER_DAYS, self.lot[rows], NOT_YET),
            public=self.public[rows],
        )


def read_invoices(company: DemoCompany) -> InvoiceBook:
    """The invoices of a company's record with what was paid on them and said about them."""
    rows = company.tables["invoices"]
    rows = rows.filter(pc.greater(rows["gross_amount"], 0))
    name, accounts = rows["invoice_id"].combine_chunks(), company.tables["accounts"]
    account = places(rows["account_id"], accounts["account_id"])
    every = company.tables["invoices"]
    red = places(rows["reversed_by"], every["invoice_id"])
    issued_by_place = np.append(_days(every, "issued_on"), LATER)
    first, rest, in_parts = _payments(company, name, rows["gross_amount"].to_numpy())
    lot, promised = np.full(len(name), NOT_DRAWN), np.full(len(name), LATER)
    drawn = company.tables["treatments"]
    arm = np.where(pc.equal(drawn["arm"], "call").to_numpy(), CALLED, WAITS)
    lot[places(drawn["entity_id"], name)] = arm
    promises = company.tables["promises"]
    promised[places(promises["invoice_id"], name)] = _days(promises, "promised_on")
    return InvoiceBook(
        name=name,
        account=account,
        issued=_days(rows, "issued_on"),
        due=_days(rows, "due_on"),
        disputed=_days(rows, "disputed_at"),
        taken_back=issued_by_place[red],
        public=pc.equal(accounts["buyer_type"], "government").to_numpy()[account],
        lot=lot,
        first=first,
        rest=rest,
        in_parts=in_parts,
        promised=promised,
        dispute_share=company.truth.laws.money.disputed_share,
    )


def _days(rows: pa.Table, column: str) -> Ints:
    return np.asarray(rows[column].cast(pa.int32()).fill_null(LATER).to_numpy().astype(np.int64))


def _payments(company: DemoCompany, name: pa.Array, gross: Ints) -> tuple[Ints, Ints, Flags]:
    """First day with money, the day of the rest, and whether the first was a part; shape (n_invoices,) each."""
    allocations, receipts = company.tables["receipt_allocations"], company.tables["receipts"]
    invoice = places(allocations["invoice_id"], name)
    day = _days(receipts, "received_on")[places(allocations["receipt_id"], receipts["receipt_id"])]
    amount = allocations["amount"].to_numpy()
    order = np.lexsort((-day, invoice))
    invoice, day, amount = invoice[order], day[order], amount[order]
    first, rest, paid = np.full(len(gross), LATER), np.full(len(gross), LATER), np.zeros(len(gross), dtype=np.int64)
    # Days fall within an invoice, so that the last one written is the earliest.
    first[invoice] = day
    paid[invoice] = amount
    in_parts = (first < LATER) & (paid < gross)
    second = in_parts[invoice] & (day > first[invoice])
    rest[invoice[second]] = day[second]
    return first, rest, in_parts


def pairs_of_account(book: InvoiceBook, rows: Ints, day: Ints) -> tuple[Ints, Ints]:
    """For each row, the other invoices of its account issued before its day.

    Parameters
    ----------
    book : InvoiceBook
        All invoices.
    rows, day : ndarray of int64, shape (n_rows,)
        Place of each row's invoice, epoch day of its moment.

    Returns
    -------
    tuple of ndarray of int64, shape (n_pairs,)
        Places among the rows, and places of the other invoices; none that was taken back before the day.
    """
    order = np.argsort(book.account, kind="stable")
    account = book.account[order]
    begin = np.searchsorted(account, book.account[rows], side="left")
    length = np.searchsorted(account, book.account[rows], side="right") - begin
    row = np.repeat(np.arange(len(rows)), length)
    within = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    other = order[begin[row] + within]
    keep = (other != rows[row]) & (book.issued[other] < day[row]) & (book.taken_back[other] >= day[row])
    return row[keep], other[keep]


def shares_below(days: Floats | Ints, first: int, last: int) -> Floats:
    """P(a whole number drawn evenly from `first` to `last` is at most each day).

    Examples
    --------
    >>> shares_below(np.array([19, 20, 59]), 20, 59).tolist()
    [0.0, 0.025, 1.0]
    """
    return np.asarray(np.clip((days - first + 1) / (last - first + 1), 0.0, 1.0))
