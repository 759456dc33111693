"""Measures of the money chain by month: bookings, receipts, revenue, gross margin, new customers.

Opportunity, agreement, order and invoice speak of the same sale. A measure is therefore read from one table of
the chain alone, the first that the company keeps; linking rows of one table to rows of another moves no total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.amounts import Amounts, convert
from crm.engine import DuckDBEngine
from crm.money_rows import ROWS, Counted, Days, Facts, column_of, days_of
from crm.reading import read_as_of
from crm.store import Generation

# What measures and their owners are told from; other columns are not rolled back for them.
_READ: dict[str, tuple[str, ...]] = {
    "agreements": (
        *("agreement_id", "account_id", "rep_id", "product", "kind", "signed_on"),
        *("net_amount", "cost", "tax_rate", "currency"),
    ),
    "orders": (
        *("order_id", "line", "account_id", "rep_id", "region", "product", "ordered_at"),
        *("net_amount", "cost", "tax_rate", "currency"),
    ),
    "opportunities": (
        *("opportunity_id", "account_id", "rep_id", "product", "outcome", "closed_at"),
        *("net_amount", "tax_rate", "currency"),
    ),
    "installments": ("installment_id", "agreement_id"),
    "invoices": (
        *("invoice_id", "account_id", "agreement_id", "order_id", "issued_on"),
        *("gross_amount", "tax_rate", "currency"),
    ),
    "receipts": ("receipt_id", "account_id", "received_on", "gross_amount", "instrument", "matures_on", "currency"),
    "receipt_allocations": ("allocation_id", "receipt_id", "invoice_id", "installment_id", "amount"),
    "fx_rates": ("currency", "rate_on", "rate"),
}


class Measure(StrEnum):
    """What is counted by month."""

    BOOKINGS = "bookings"
    RECEIPTS = "receipts"
    REVENUE = "revenue"
    GROSS_MARGIN = "gross_margin"
    NEW_CUSTOMERS = "new_customers"


def minor_units(measure: Measure) -> int:
    """How many of what is summed make one unit: hundredths for money, one for a count.

    Examples
    --------
    >>> minor_units(Measure.BOOKINGS), minor_units(Measure.NEW_CUSTOMERS)
    (100, 1)
    """
    return 1 if measure is Measure.NEW_CUSTOMERS else 100


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
    amounts : str
        Whether bookings and revenue count with tax (`gross`) or without it (`net`).
    """

    on: date
    zone: ZoneInfo
    currency: str
    tables: Mapping[str, pa.Table]
    amounts: Literal["net", "gross"] = "net"

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

    def convert(self, amount: Amounts, currency: pa.Array, on: Days) -> Amounts:
        """Amounts in the reporting currency; arguments and errors of `in_reporting_currency`."""
        rates = self.tables.get("fx_rates")
        return in_reporting_currency(amount, currency, on, to=self.currency, rates=rates)


def read_books(
    generation: Generation,
    as_of: datetime,
    zone: ZoneInfo,
    currency: str,
    *,
    engine: DuckDBEngine | None = None,
    amounts: Literal["net", "gross"] = "net",
) -> Books:
    """The tables that measures are read from, as they were known at a moment; `engine` as in `read_as_of`."""
    tables: dict[str, pa.Table] = {}
    for name, columns in _READ.items():
        # No measure asks a deal where agreements tell, and deals change most: reading them would take half the time.
        is_told = name == "opportunities" and "agreements" in tables and tables["agreements"].num_rows > 0
        if generation.has(name) and not is_told:
            tables[name] = read_as_of(generation, name, as_of, zone, engine=engine, columns=columns)
    return Books(on=as_of.astimezone(zone).date(), zone=zone, currency=currency, tables=tables, amounts=amounts)


def measure_facts(books: Books, measure: Measure) -> Facts:
    """The amounts that make up a measure, each counted once, by day.

    Parameters
    ----------
    books : Books
        What is known.
    measure : Measure
        What to count.

    Returns
    -------
    Facts
        Bookings and revenue with or without tax as the books say; margins are net and receipts gross. An acceptance
        bill is a receipt on the day it matures. A framework agreement books nothing itself: what is called off does.
        A reversed invoice and its red invoice take each other back on their own days.

    Raises
    ------
    NoMeasure
        The company keeps no table that tells it.
    NoRate
        An amount's currency has no exchange rate by its day.
    """
    source = books.source(measure)
    counted = Counted(on=books.on, zone=books.zone, amounts=books.amounts, is_margin=measure is Measure.GROSS_MARGIN)
    facts, currency = ROWS[source](books.tables[source], counted)
    return _first_sales(facts) if measure is Measure.NEW_CUSTOMERS else _converted(books, facts, currency)


def measure_by_month(books: Books, measure: Measure) -> dict[date, int]:
    """A measure by first of the month, in the order of time; months without an amount are left out."""
    facts = measure_facts(books, measure)
    months, place = np.unique(facts.on.astype("datetime64[M]"), return_inverse=True)
    totals = np.zeros(len(months), dtype=np.int64)
    np.add.at(totals, place, facts.amount)
    return dict(zip(months.astype("datetime64[D]").tolist(), totals.tolist(), strict=True))


def _first_sales(facts: Facts) -> Facts:
    """One customer each on the day of its first sale; of several on that day the first row stands for it."""
    account = facts.account_id.dictionary_encode()
    code = pc.fill_null(account.indices, -1).to_numpy(zero_copy_only=False)
    order = np.lexsort((np.arange(len(code)), facts.on, code))
    order = order[code[order] >= 0]
    _, first = np.unique(code[order], return_index=True)
    found = facts.take(order[first])
    return replace(found, amount=np.ones(len(found.on), dtype=np.int64))


def _converted(books: Books, facts: Facts, currency: pa.Array) -> Facts:
    return replace(facts, amount=books.convert(facts.amount, currency, facts.on))


def in_reporting_currency(amount: Amounts, currency: pa.Array, on: Days, *, to: str, rates: pa.Table | None) -> Amounts:
    """Amounts in the reporting currency, at the last rate on or before their day.

    Parameters
    ----------
    amount : ndarray of int64, shape (n,)
        Hundredths of the unit of its currency.
    currency : pa.StringArray, shape (n,)
        ISO 4217 codes; null or empty is the reporting currency.
    on : ndarray of datetime64[D], shape (n,)
        Days.
    to : str
        The reporting currency.
    rates : pa.Table or None
        The table `fx_rates` as known.

    Raises
    ------
    NoRate
        A currency has no rate by a day.
    """
    said = pc.fill_null(currency, "")
    is_own = pc.or_(pc.equal(said, ""), pc.equal(said, to))
    foreign = np.flatnonzero(~is_own.to_numpy(zero_copy_only=False))
    if len(foreign) == 0:
        return amount
    coded = currency.take(foreign).dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    rate = np.empty(len(foreign))
    for code, name in enumerate(coded.dictionary.to_pylist()):
        here = np.flatnonzero(codes == code)
        days, values = _rates(rates, name)
        place = np.searchsorted(days, on[foreign[here]], side="right") - 1
        if place.min() < 0:
            first = on[foreign[here]][place < 0][0]
            raise NoRate(f"no rate from {name} to {to} by {first}; add one to fx_rates")
        rate[here] = values[place]
    found = amount.copy()
    found[foreign] = convert(amount[foreign], rate)
    return found


def _rates(rows: pa.Table | None, currency: str) -> tuple[Days, npt.NDArray[np.float64]]:
    """The days and rates of a currency, in the order of time."""
    if rows is None:
        return np.array([], "datetime64[D]"), np.array([])
    # A rate of nothing is none: it would turn an amount into nothing.
    is_rate = pc.and_(pc.equal(rows.column("currency"), currency), pc.greater(rows.column("rate"), 0))
    rows = rows.filter(is_rate).sort_by("rate_on")
    return days_of(rows, "rate_on"), np.asarray(column_of(rows, "rate").to_numpy(zero_copy_only=False))
