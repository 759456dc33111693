"""Whose an amount is: the salesperson, region and product line of every part of a measure, as known at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.engine import DuckDBEngine
from crm.money import Books, Fact, Measure, measure_facts
from crm.reading import read_as_of
from crm.store import Generation

_READ: dict[str, tuple[str, ...]] = {
    "reps": ("rep_id", "region", "role", "hired_on", "left_on"),
    "accounts": ("account_id", "region", "rep_id"),
    "products": ("product", "line"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One amount with its owner; the parts of a measure add up to the measure.

    Parameters
    ----------
    on : date
        Its day in the company's time zone.
    amount : int
        Hundredths of the reporting currency.
    rep_id, region, line : str or None
        Who sold it, where, and of which product line; None where the record does not say.
    """

    on: date
    amount: int
    rep_id: str | None
    region: str | None
    line: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """One salesperson as known at a moment."""

    rep_id: str
    region: str | None
    role: str | None
    hired_on: date | None
    left_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who owns what at one moment: today's organisation, in which all history is told.

    Attributes
    ----------
    sellers : mapping of str to Seller
        Salespeople by id.
    account_region, account_rep, lines : mapping
        Region and owner of a customer, product line of a product.
    """

    sellers: Mapping[str, Seller] = field(default_factory=dict)
    account_region: Mapping[str, str | None] = field(default_factory=dict)
    account_rep: Mapping[str, str | None] = field(default_factory=dict)
    lines: Mapping[str, str | None] = field(default_factory=dict)

    def part(self, on: date, amount: int, origin: _Origin) -> Part:
        """An amount with its owner; what the row does not say is the customer's."""
        account = origin.account_id or ""
        rep_id = origin.rep_id or self.account_rep.get(account)
        seller = self.sellers.get(rep_id or "")
        region = (seller.region if seller else None) or self.account_region.get(account) or origin.region
        line = self.lines.get(origin.product or "") or origin.product
        return Part(on=on, amount=amount, rep_id=rep_id, region=region, line=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """What a row of the money chain says of its owner."""

    account_id: str | None = None
    rep_id: str | None = None
    product: str | None = None
    region: str | None = None


def read_owners(
    generation: Generation, as_of: datetime, zone: ZoneInfo, *, engine: DuckDBEngine | None = None
) -> Owners:
    """Salespeople, customers and products as they were known at a moment; `engine` as in `read_as_of`."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _READ}
    for name, columns in _READ.items():
        if generation.has(name):
            rows[name] = read_as_of(generation, name, as_of, zone, engine=engine).select(list(columns)).to_pylist()
    return Owners(
        sellers={row["rep_id"]: Seller(**row) for row in rows["reps"]},
        account_region={row["account_id"]: row["region"] for row in rows["accounts"]},
        account_rep={row["account_id"]: row["rep_id"] for row in rows["accounts"]},
        lines={row["product"]: row["line"] for row in rows["products"]},
    )


def attribute(books: Books, measure: Measure, owners: Owners) -> tuple[Part, ...]:
    """The parts of a measure with their owners; their sum is the measure's, to the hundredth.

    Parameters
    ----------
    books : Books
        What is known of the money.
    measure : Measure
        What to count.
    owners : Owners
        Who owns what at the same moment.

    Raises
    ------
    crm.money.NoMeasure
        The company keeps no table that tells it.
    crm.money.NoRate
        An amount's currency has no exchange rate by its day.

    Notes
    -----
    An invoice is of its agreement, else of its order, else of its customer. A receipt is cut along the invoices and
    nodes that it is allocated to; what nobody allocated is the customer's.
    """
    facts = measure_facts(books, measure)
    source = books.source(measure)
    if source == "receipts":
        return tuple(_parts_of_receipts(books, facts, owners))
    origins: Mapping[str, _Origin] = {}
    if source == "invoices":
        origins = _of_invoices(books)
    elif source == "orders":
        origins = _of_orders(books)
    return tuple(owners.part(fact.on, fact.amount, origins.get(fact.row_id) or _own(fact)) for fact in facts)


def _own(fact: Fact) -> _Origin:
    return _Origin(account_id=fact.account_id, rep_id=fact.rep_id, product=fact.product)


def _rows(books: Books, name: str, *columns: str) -> list[dict[str, Any]]:
    found: pa.Table | None = books.tables.get(name)
    rows: list[dict[str, Any]] = [] if found is None else found.select(list(columns)).to_pylist()
    return rows


def _of_agreements(books: Books) -> dict[str, _Origin]:
    columns = ("account_id", "rep_id", "product")
    return {row.pop("agreement_id"): _Origin(**row) for row in _rows(books, "agreements", "agreement_id", *columns)}


def _of_orders(books: Books) -> dict[str, _Origin]:
    columns = ("account_id", "rep_id", "product", "region")
    return {
        f"{row.pop('order_id')}/{row.pop('line')}": _Origin(**row)
        for row in _rows(books, "orders", "order_id", "line", *columns)
    }


def _of_invoices(books: Books) -> dict[str, _Origin]:
    agreements = _of_agreements(books)
    first_line: dict[str, _Origin] = {}
    for name, origin in sorted(_of_orders(books).items()):
        first_line.setdefault(name.rsplit("/", 1)[0], origin)
    found = {}
    for row in _rows(books, "invoices", "invoice_id", "account_id", "agreement_id", "order_id"):
        said = agreements.get(row["agreement_id"] or "") or first_line.get(row["order_id"] or "")
        found[row["invoice_id"]] = said or _Origin(account_id=row["account_id"])
    return found


def _parts_of_receipts(books: Books, facts: Iterable[Fact], owners: Owners) -> Iterator[Part]:
    by_invoice, agreements = _of_invoices(books), _of_agreements(books)
    by_node = {
        row["installment_id"]: agreements.get(row["agreement_id"])
        for row in _rows(books, "installments", "installment_id", "agreement_id")
    }
    allocated: dict[str, list[tuple[int, _Origin | None]]] = defaultdict(list)
    columns = ("receipt_id", "invoice_id", "installment_id", "amount")
    for row in _rows(books, "receipt_allocations", *columns):
        origin = by_invoice.get(row["invoice_id"] or "") or by_node.get(row["installment_id"] or "")
        if row["amount"] is not None:
            allocated[row["receipt_id"]].append((row["amount"], origin))
    gross = {row["receipt_id"]: row["gross_amount"] for row in _rows(books, "receipts", "receipt_id", "gross_amount")}
    for fact in facts:
        rest, shares = fact.amount, allocated.get(fact.row_id, [])
        for amount, origin in shares:
            # In the currency of the receipt; the fact is in the reporting currency already.
            share = round(fact.amount * amount / gross[fact.row_id]) if gross[fact.row_id] else 0
            if abs(share) > abs(rest):
                share = rest
            rest -= share
            yield owners.part(fact.on, share, origin or _own(fact))
        if rest:
            yield owners.part(fact.on, rest, _own(fact))
