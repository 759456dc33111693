"""The money chain as typed rows at one moment: agreements, nodes, invoices, receipts and their allocations."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.reading import read_as_of
from crm.store import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One agreement; `gross_amount` is its net amount with its tax, None when it states none."""

    agreement_id: str
    account_id: str | None = None
    kind: str | None = None
    currency: str | None = None
    gross_amount: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installment:
    """One collection node."""

    installment_id: str
    agreement_id: str
    gross_amount: int
    kind: str | None = None
    planned_on: date | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """One invoice; a red one and a credit note have a negative amount."""

    invoice_id: str
    issued_on: date
    gross_amount: int
    account_id: str | None = None
    agreement_id: str | None = None
    installment_id: str | None = None
    due_on: date | None = None
    currency: str | None = None
    reversed_by: str | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One receipt of money; a refund has a negative amount."""

    receipt_id: str
    received_on: date
    gross_amount: int
    account_id: str | None = None
    instrument: str | None = None
    matures_on: date | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One part of a receipt on an invoice or a node."""

    allocation_id: str
    receipt_id: str
    amount: int
    invoice_id: str | None = None
    installment_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The money chain as known on the morning of one day.

    Attributes
    ----------
    on : date
        The day; what happened on it or later is not in the rows.
    agreements, installments, invoices, receipts : dict
        Rows by their identifier.
    allocations : tuple of Allocation
        What receipts settle by their own word.
    """

    on: date
    agreements: dict[str, Agreement] = field(default_factory=dict)
    installments: dict[str, Installment] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    allocations: tuple[Allocation, ...] = ()
    _replaced_by: dict[str, str] = field(init=False, default_factory=dict)
    _reverses: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for invoice in self.invoices.values():
            if invoice.replaces is not None:
                self._replaced_by[invoice.replaces] = invoice.invoice_id
            if invoice.reversed_by is not None:
                self._reverses[invoice.reversed_by] = invoice.invoice_id

    def root(self, invoice: Invoice) -> Invoice:
        """The first invoice of a line of reversals and re-issues: its days are the age of all that follow."""
        seen = {invoice.invoice_id}
        while invoice.replaces is not None and invoice.replaces in self.invoices and invoice.replaces not in seen:
            invoice = self.invoices[invoice.replaces]
            seen.add(invoice.invoice_id)
        return invoice

    def latest(self, invoice_id: str) -> str:
        """The invoice that stands for this one now: itself, or the last that replaces it."""
        seen = {invoice_id}
        while (following := self._replaced_by.get(invoice_id)) is not None and following not in seen:
            seen.add(following)
            invoice_id = following
        return invoice_id

    def standing_amount(self, invoice: Invoice) -> int:
        """What an invoice still states: without the part a red invoice takes back; a red invoice states nothing.

        An invoice whose red invoice is not on record states nothing either: someone said that it is reversed.
        """
        if invoice.reversed_by is not None:
            red = self.invoices.get(invoice.reversed_by)
            return 0 if red is None else max(invoice.gross_amount + red.gross_amount, 0)
        return 0 if invoice.invoice_id in self._reverses else invoice.gross_amount


def read_chain(generation: Generation, as_of: datetime, zone: ZoneInfo) -> Chain:
    """The money chain as it was known at a moment.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        With a time zone.
    zone : ZoneInfo
        The company's time zone.
    """
    read = {
        name: read_as_of(generation, name, as_of, zone)
        for name in ("agreements", "installments", "invoices", "receipts", "receipt_allocations")
    }
    return make_chain(on=as_of.astimezone(zone).date(), **read)


def make_chain(
    *,
    on: date,
    agreements: pa.Table,
    installments: pa.Table,
    invoices: pa.Table,
    receipts: pa.Table,
    receipt_allocations: pa.Table,
) -> Chain:
    """The money chain of tables that hold what was known on the morning of `on`."""
    agreement_columns = ("agreement_id", "account_id", "kind", "currency", "net_amount", "tax_rate")
    made = {}
    for row in agreements.select(agreement_columns).to_pylist():
        net, rate = row.pop("net_amount"), row.pop("tax_rate")
        made[row["agreement_id"]] = Agreement(**row, gross_amount=None if net is None else add_tax(net, rate))
    return Chain(
        on=on,
        agreements=made,
        installments={
            row["installment_id"]: Installment(**row) for row in _rows(installments, Installment, "gross_amount")
        },
        invoices={row["invoice_id"]: Invoice(**row) for row in _rows(invoices, Invoice, "gross_amount")},
        receipts={row["receipt_id"]: Receipt(**row) for row in _rows(receipts, Receipt, "gross_amount")},
        allocations=tuple(Allocation(**row) for row in _rows(receipt_allocations, Allocation, "amount")),
    )


def _rows(table: pa.Table, kind: type, amount: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select([column.name for column in fields(kind)]).to_pylist()
    return [row for row in rows if row[amount] is not None]


def add_tax(net: int, rate: float | None) -> int:
    """A net amount with its tax, in hundredths of the currency unit, rounded half up as tax offices do.

    Examples
    --------
    >>> add_tax(100_05, 0.13)
    11306
    """
    return _round(Decimal(net) * (1 + Decimal(str(rate or 0))))


def take_tax(gross: int, rate: float | None) -> int:
    """A gross amount without its tax, in hundredths of the currency unit.

    Examples
    --------
    >>> take_tax(113_00, 0.13)
    10000
    """
    return _round(Decimal(gross) / (1 + Decimal(str(rate or 0))))


def _round(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))
