"""Measures of the money chain by month: bookings, receipts, revenue, gross margin, new customers.

Opportunity, agreement, order and invoice speak of the same sale. A measure is therefore read from one table of
the chain alone, the first that the company keeps; linking rows of one table to rows of another moves no total.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.chain import Chain, Receipt, make_chain, take_tax
from crm.engine import DuckDBEngine
from crm.reading import read_as_of
from crm.receivables import cash_day
from crm.store import Generation

_CHAIN_TABLES = ("agreements", "installments", "invoices", "receipts", "receipt_allocations")
_READ = ("opportunities", "orders", "fx_rates", *_CHAIN_TABLES)


class Measure(StrEnum):
    """What is counted by month."""

    BOOKINGS = "bookings"
    RECEIPTS = "receipts"
    REVENUE = "revenue"
    GROSS_MARGIN = "gross_margin"
    NEW_CUSTOMERS = "new_customers"


# The tables that can tell a measure, best first. Signing is booking; without agreements a won deal is, then an order.
SOURCES: dict[Measure, tuple[str, ...]] = {
    Measure.BOOKINGS: ("agreements", "opportunities", "orders"),
    Measure.RECEIPTS: ("receipts",),
    Measure.REVENUE: ("invoices", "orders", "agreements"),
    Measure.GROSS_MARGIN: ("orders", "agreements"),
    Measure.NEW_CUSTOMERS: ("agreements", "opportunities", "orders", "invoices"),
}


class NoRate(LookupError):
    """An amount is in a currency for which no exchange rate is on record by its day."""


class NoMeasure(LookupError):
    """The company keeps none of the tables that tell a measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One amount that belongs to one month.

    Parameters
    ----------
    row_id : str
        Key of the row it comes from.
    on : date
        Its day in the company's time zone.
    amount : int
        Minor units of the reporting currency; a count for new customers.
    account_id, rep_id, product : str or None
        Whose it is, for sums by any of them.
    """

    row_id: str
    on: date
    amount: int
    account_id: str | None = None
    rep_id: str | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The tables that measures are read from, as known at one moment.

    Attributes
    ----------
    on : date
        The day on whose morning this is known.
    zone : ZoneInfo
        The company's time zone.
    currency : str
        The reporting currency.
    tables : mapping of str to pa.Table
        Tables of the record by name; a missing one counts as kept by nobody.
    """

    on: date
    zone: ZoneInfo
    currency: str
    tables: Mapping[str, pa.Table]

    def source(self, measure: Measure) -> str:
        """The table that tells a measure: the first of `SOURCES` that has rows (with a cost, for margins).

        Raises
        ------
        NoMeasure
            The company keeps none of them.
        """
        for name in SOURCES[measure]:
            rows = self.tables.get(name)
            if rows is None or rows.num_rows == 0:
                continue
            if measure is not Measure.GROSS_MARGIN or rows.column("cost").null_count < rows.num_rows:
                return name
        raise NoMeasure(f"{measure.value} needs one of the tables {', '.join(SOURCES[measure])}; none has usable rows")


def read_books(
    generation: Generation, as_of: datetime, zone: ZoneInfo, currency: str, *, engine: DuckDBEngine | None = None
) -> Books:
    """The tables that measures are read from, as they were known at a moment; `engine` as in `read_as_of`."""
    tables = {name: read_as_of(generation, name, as_of, zone, engine=engine) for name in _READ if generation.has(name)}
    return Books(on=as_of.astimezone(zone).date(), zone=zone, currency=currency, tables=tables)


def measure_facts(books: Books, measure: Measure) -> tuple[Fact, ...]:
    """The amounts that make up a measure, each counted once, by day.

    Parameters
    ----------
    books : Books
        What is known.
    measure : Measure
        What to count.

    Returns
    -------
    tuple of Fact
        Amounts are net, except receipts, which are gross. An acceptance bill is a receipt on the day it matures. A
        framework agreement books nothing itself: what is called off does. A reversed invoice and its red invoice
        take each other back on their own days.

    Raises
    ------
    NoMeasure
        The company keeps no table that tells it.
    NoRate
        An amount's currency has no exchange rate by its day.
    """
    source = books.source(measure)
    if measure is Measure.RECEIPTS:
        facts: Iterable[tuple[Fact, str | None]] = _receipts(books)
    elif measure is Measure.NEW_CUSTOMERS:
        facts = _first_sales(books, source)
    else:
        facts = _ROWS[source](books, measure)
    rates = _rates(books)
    counted = measure is Measure.NEW_CUSTOMERS
    return tuple(
        fact if counted else _converted(fact, currency or books.currency, books.currency, rates)
        for fact, currency in facts
    )


def measure_by_month(books: Books, measure: Measure) -> dict[date, int]:
    """A measure by first of the month, in the order of time; months without an amount are left out."""
    totals: dict[date, int] = defaultdict(int)
    for fact in measure_facts(books, measure):
        totals[fact.on.replace(day=1)] += fact.amount
    return dict(sorted(totals.items()))


def _list(books: Books, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = books.tables[name].select(list(columns)).to_pylist()
    return rows


def _local_day(books: Books, at: datetime) -> date:
    return at.replace(tzinfo=UTC).astimezone(books.zone).date()


def _from_agreements(books: Books, measure: Measure) -> Iterable[tuple[Fact, str | None]]:
    columns = ("agreement_id", "account_id", "rep_id", "product", "kind", "signed_on", "net_amount", "cost", "currency")
    for row in _list(books, "agreements", columns):
        amount = _of_row(row, measure)
        if amount is not None and row["kind"] != "framework":
            yield _fact(row["agreement_id"], row["signed_on"], amount, row), row["currency"]


def _from_opportunities(books: Books, measure: Measure) -> Iterable[tuple[Fact, str | None]]:
    columns = ("opportunity_id", "account_id", "rep_id", "product", "outcome", "closed_at", "net_amount", "currency")
    for row in _list(books, "opportunities", columns):
        if row["outcome"] == "won" and row["closed_at"] is not None and row["net_amount"] is not None:
            day = _local_day(books, row["closed_at"])
            yield _fact(row["opportunity_id"], day, row["net_amount"], row), row["currency"]


def _from_orders(books: Books, measure: Measure) -> Iterable[tuple[Fact, str | None]]:
    columns = ("order_id", "line", "account_id", "rep_id", "product", "ordered_at", "net_amount", "cost", "currency")
    for row in _list(books, "orders", columns):
        amount = _of_row(row, measure)
        if amount is not None:
            name = f"{row['order_id']}/{row['line']}"
            yield _fact(name, _local_day(books, row["ordered_at"]), amount, row), row["currency"]


def _from_invoices(books: Books, measure: Measure) -> Iterable[tuple[Fact, str | None]]:
    columns = ("invoice_id", "account_id", "issued_on", "gross_amount", "tax_rate", "currency")
    for row in _list(books, "invoices", columns):
        net = take_tax(row["gross_amount"], row["tax_rate"])
        yield _fact(row["invoice_id"], row["issued_on"], net, row), row["currency"]


_ROWS = {
    "agreements": _from_agreements,
    "opportunities": _from_opportunities,
    "orders": _from_orders,
    "invoices": _from_invoices,
}


def _receipts(books: Books) -> Iterable[tuple[Fact, str | None]]:
    for receipt in chain_of(books).receipts.values():
        day = cash_day(receipt)
        if day < books.on:
            yield _receipt_fact(receipt, day), receipt.currency


def _receipt_fact(receipt: Receipt, day: date) -> Fact:
    return Fact(row_id=receipt.receipt_id, on=day, amount=receipt.gross_amount, account_id=receipt.account_id)


def _first_sales(books: Books, source: str) -> Iterable[tuple[Fact, str | None]]:
    first: dict[str, Fact] = {}
    for fact, _ in _ROWS[source](books, Measure.BOOKINGS):
        if fact.account_id is not None and (fact.account_id not in first or fact.on < first[fact.account_id].on):
            first[fact.account_id] = fact
    for fact in first.values():
        yield replace(fact, amount=1), None


def _of_row(row: Mapping[str, Any], measure: Measure) -> int | None:
    """The amount of a row; for margins less its cost, None when that is unknown."""
    net, cost = row["net_amount"], row["cost"]
    if measure is not Measure.GROSS_MARGIN:
        return None if net is None else int(net)
    return None if net is None or cost is None else int(net) - int(cost)


def _fact(name: str, on: date, amount: int, row: Mapping[str, Any]) -> Fact:
    return Fact(
        row_id=name,
        on=on,
        amount=amount,
        account_id=row.get("account_id"),
        rep_id=row.get("rep_id"),
        product=row.get("product"),
    )


def chain_of(books: Books) -> Chain:
    """The money chain of the same moment."""
    from crm.tables import empty_table

    return make_chain(on=books.on, **{name: books.tables.get(name, empty_table(name)) for name in _CHAIN_TABLES})


def _rates(books: Books) -> dict[str, tuple[list[date], list[float]]]:
    rates: dict[str, tuple[list[date], list[float]]] = {}
    if "fx_rates" not in books.tables:
        return rates
    for row in sorted(_list(books, "fx_rates", ("currency", "rate_on", "rate")), key=lambda one: one["rate_on"]):
        days, values = rates.setdefault(row["currency"], ([], []))
        days.append(row["rate_on"])
        values.append(row["rate"])
    return rates


def _converted(fact: Fact, currency: str, to: str, rates: dict[str, tuple[list[date], list[float]]]) -> Fact:
    """The fact in the reporting currency, at the last rate on or before its day."""
    if currency == to:
        return fact
    days, values = rates.get(currency, ([], []))
    place = bisect_right(days, fact.on)
    if place == 0:
        raise NoRate(f"no rate from {currency} to {to} by {fact.on}; add one to fx_rates")
    amount = (fact.amount * Decimal(str(values[place - 1]))).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return replace(fact, amount=int(amount))
