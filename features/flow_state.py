"""Reading the rows of money as they were known at a cutoff, through the as-of door, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from crm.engine import DuckDBEngine
from crm.money import Books, Measure, NoMeasure
from crm.reading import read_as_of
from crm.store import Generation
from features.cells import CellBook
from features.columns import day_of, days_of, frame_of, numbers_of, objects_of, places_of, texts_of
from features.flow_claims import read_owed
from features.flow_links import presumed_delivery, presumed_signed, renewals_of
from features.flow_moves import moves_of
from features.flow_parts import invoice_rows, read_deliveries, read_invoices, read_parts
from features.flow_rows import (
    LOST,
    NEVER,
    OPEN,
    WON,
    AgreementRows,
    DealRows,
    DeliveryRows,
    FlowState,
    OrderRows,
)
from features.money_rates import Rates, read_rates
from features.panel import day_begun

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

# What the rows of money are read from, and whose they are.
TABLES = (
    "accounts",
    "agreements",
    "changes",
    "fx_rates",
    "installments",
    "invoices",
    "opportunities",
    "orders",
    "products",
    "receipt_allocations",
    "receipts",
    "reps",
)
# The sources of a measure's panel whose rows are drawn; of another source history alone speaks.
_DRAWN = {
    Measure.BOOKINGS: ("agreements", "opportunities"),
    Measure.REVENUE: ("invoices",),
    Measure.RECEIPTS: ("receipts",),
    Measure.GROSS_MARGIN: ("orders", "agreements"),
    Measure.NEW_CUSTOMERS: ("agreements", "opportunities"),
}
_DEALS = (
    "opportunity_id",
    "account_id",
    "rep_id",
    "product",
    "lead_id",
    "partner_id",
    "created_at",
    "closed_at",
    "outcome",
    "expected_close_on",
    "tender_on",
    "net_amount",
    "currency",
    "stage",
    "forecast_category",
)
_AGREEMENTS = (
    "agreement_id",
    "account_id",
    "opportunity_id",
    "rep_id",
    "kind",
    "product",
    "signed_on",
    "starts_on",
    "ends_on",
    "net_amount",
    "cost",
    "tax_rate",
    "currency",
    "renewed_to",
    "cancelled_at",
)
_ORDERS = (
    "account_id",
    "agreement_id",
    "rep_id",
    "product",
    "ordered_at",
    "net_amount",
    "cost",
    "tax_rate",
    "currency",
)


def read_flow_state(
    generation: Generation, as_of: datetime, *, zone: ZoneInfo, currency: str, engine: DuckDBEngine | None = None
) -> FlowState:
    """All rows of the money as known at a moment.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        The cutoff, with a time zone.
    zone : ZoneInfo
        Where days begin.
    currency : str
        The reporting currency.
    engine : DuckDBEngine or None
        An open engine over the same generation, for many cutoffs.

    Raises
    ------
    crm.money.NoRate
        An amount's currency has no exchange rate by its day.
    """
    if engine is None:
        with generation.engine() as own:
            return read_flow_state(generation, as_of, zone=zone, currency=currency, engine=own)
    as_of = day_begun(as_of, zone)
    tables = {name: read_as_of(generation, name, as_of, zone, engine=engine) for name in TABLES if generation.has(name)}
    on = as_of.astimezone(zone).date()
    return make_flow_state(Books(on=on, zone=zone, currency=currency, tables=tables), tables)


def make_flow_state(books: Books, tables: Mapping[str, pa.Table]) -> FlowState:
    """The rows of money in tables as known at one moment.

    Parameters
    ----------
    books : Books
        The money chain, its day, time zone and currency.
    tables : mapping of str to pa.Table
        The tables of the books, and `reps`, `accounts`, `products`, `changes` where they are kept.
    """
    on, rates = day_of(books.on), read_rates(tables.get("fx_rates"), books.currency)
    deals = frame_of(tables, "opportunities", _DEALS)
    agreements = frame_of(tables, "agreements", _AGREEMENTS)
    orders = frame_of(tables, "orders", _ORDERS)
    agreements = agreements[(agreements["kind"] != "framework") & agreements["net_amount"].notna()]
    agreements = agreements.reset_index(drop=True)
    owed = read_owed(books, pd.Index(agreements["agreement_id"]), days_of(agreements["signed_on"]), rates)
    accounts = pd.Index(
        pd.unique(pd.concat([frame["account_id"] for frame in (deals, agreements, orders, owed.frame)])), dtype=object
    )
    free, free_owners = read_invoices(tables, pd.Index(agreements["agreement_id"]), agreements, owed)
    book = CellBook(tables, books.on)
    placed = [
        book.place(frame["account_id"].to_numpy(), frame["rep_id"].to_numpy(), frame["product"].to_numpy())
        for frame in (deals, agreements, orders, owed.owners(agreements), free_owners)
    ]
    cells, cell = book.close()
    agreed = _agreement_rows(agreements, deals, accounts, cell[placed[1]], rates)
    outside, deliveries = _order_rows(orders, agreements, accounts, cell[placed[2]], agreed, rates, books.zone)
    held, matched = _deal_rows(deals, tables, accounts, cell[placed[0]], agreed, rates, on, books.zone)
    # What is presumed to sign a deal is no run-rate of signatures.
    agreed = replace(agreed, deal=np.where(matched >= 0, matched, agreed.deal))
    return FlowState(
        on=on,
        cells=cells,
        rates=rates,
        deals=held,
        agreements=agreed,
        claims=owed.claims(accounts, cell[placed[3]]),
        bills=owed.bills(cell[placed[3]]),
        orders=outside,
        invoices=invoice_rows(free, accounts, cell[placed[4]], rates),
        parts=read_parts(tables, pd.Index(agreements["agreement_id"]), agreed),
        deliveries=deliveries,
        lags=owed.lags(accounts),
        accounts=accounts.to_numpy(dtype=object),
        measures=_told(books),
    )


def _told(books: Books) -> frozenset[Measure]:
    """The measures that rows can tell: those whose panels count rows that are drawn."""
    found = set()
    for measure, sources in _DRAWN.items():
        try:
            if books.source(measure) in sources:
                found.add(measure)
        except NoMeasure:
            continue
    # Cash is drawn from invoices: without them nobody knows when it is asked for.
    bills = books.tables.get("invoices")
    return frozenset(found if bills is not None and bills.num_rows else found - {Measure.RECEIPTS})


def _agreement_rows(
    rows: pd.DataFrame, deals: pd.DataFrame, accounts: pd.Index, cell: Ints, rates: Rates
) -> AgreementRows:
    signed = days_of(rows["signed_on"])
    money = {name: numbers_of(rows[column]) for name, column in (("net", "net_amount"), ("cost", "cost"))}
    net, cost = (rates.convert(money[name], objects_of(rows["currency"]), signed) for name in ("net", "cost"))
    tax = np.nan_to_num(numbers_of(rows["tax_rate"]))
    deal = places_of(rows["opportunity_id"], pd.Index(deals["opportunity_id"]))
    ends = days_of(rows["ends_on"])
    named = places_of(rows["renewed_to"], pd.Index(rows["agreement_id"]))
    account = places_of(rows["account_id"], accounts)
    linked = pd.DataFrame(
        {"account": account, "product": rows["product"], "signed": signed, "ends": ends, "deal": deal}
    )
    return AgreementRows(
        name=rows["agreement_id"].to_numpy(dtype=object),
        kind=texts_of(rows["kind"]),
        account=account,
        cell=cell,
        deal=deal,
        signed=signed,
        starts=days_of(rows["starts_on"]),
        ends=ends,
        cancelled=days_of(rows["cancelled_at"]),
        renewed_to=renewals_of(linked, named),
        net=net,
        gross=np.round(net * (1 + tax)),
        margin=net - cost,
    )


def _deal_rows(
    rows: pd.DataFrame,
    tables: Mapping[str, pa.Table],
    accounts: pd.Index,
    cell: Ints,
    agreed: AgreementRows,
    rates: Rates,
    on: int,
    zone: ZoneInfo,
) -> tuple[DealRows, Ints]:
    """The deals, and the deal that each agreement without one is presumed to sign (-1 for none)."""
    closed = days_of(rows["closed_at"], zone)
    outcome = np.select([rows["outcome"] == "won", rows["outcome"] == "lost"], [WON, LOST], OPEN)
    outcome = np.where(closed == NEVER, OPEN, outcome)
    account, created = places_of(rows["account_id"], accounts), days_of(rows["created_at"], zone)
    signs = np.zeros(len(rows), dtype=np.bool_)
    signs[agreed.deal[agreed.deal >= 0]] = True
    if not len(agreed.name):
        # Where nobody keeps agreements a deal that is won is its own signature.
        signs = np.asarray(outcome == WON)
    waits = ~signs & (outcome != LOST)
    renewal = np.zeros(len(agreed.deal) + 1, dtype=np.bool_)
    renewal[agreed.renewed_to] = True
    matched = presumed_signed(
        pd.DataFrame(
            {"account": account, "created": created, "amount": numbers_of(rows["net_amount"]), "waits": waits}
        ),
        pd.DataFrame(
            {"account": agreed.account, "signed": agreed.signed, "deal": agreed.deal, "is_renewal": renewal[:-1]}
        ),
    )
    signs[matched[matched >= 0]] = True
    currency, known = objects_of(rows["currency"]), np.minimum(closed, on)
    told = DealRows(
        name=rows["opportunity_id"].to_numpy(dtype=object),
        account=account,
        cell=cell,
        created=created,
        closed=closed,
        expected=days_of(rows["expected_close_on"]),
        tender=days_of(rows["tender_on"]),
        outcome=outcome,
        is_signed=signs,
        amount=rates.convert(numbers_of(rows["net_amount"]), currency, known, must=False),
        stage=texts_of(rows["stage"]),
        category=texts_of(rows["forecast_category"]),
        origin=np.select([rows["lead_id"].notna(), rows["partner_id"].notna()], ["lead", "partner"], "customer").astype(
            object
        ),
        currency=currency,
        moves=moves_of(rows, tables.get("changes"), rates, currency, known, zone),
    )
    return told, matched


def _order_rows(
    rows: pd.DataFrame,
    agreements: pd.DataFrame,
    accounts: pd.Index,
    cell: Ints,
    agreed: AgreementRows,
    rates: Rates,
    zone: ZoneInfo,
) -> tuple[OrderRows, DeliveryRows]:
    """The orders that no agreement covers, by its key or presumed, and what the others delivered."""
    day, account = days_of(rows["ordered_at"], zone), places_of(rows["account_id"], accounts)
    currency = objects_of(rows["currency"])
    net = rates.convert(numbers_of(rows["net_amount"]), currency, day)
    cost = rates.convert(numbers_of(rows["cost"]), currency, day)
    agreement = places_of(rows["agreement_id"], pd.Index(agreements["agreement_id"]))
    linked = pd.DataFrame(
        {"account": account, "product": rows["product"], "day": day, "net": net, "agreement": agreement}
    )
    waiting = pd.DataFrame(
        {"account": agreed.account, "product": agreements["product"], "signed": agreed.signed, "net": agreed.net}
    )
    free = np.flatnonzero((agreement < 0) & rows["agreement_id"].isna().to_numpy() & np.isfinite(net))
    free = free[~presumed_delivery(linked, waiting)[free]]
    gross = np.round(net * (1 + np.nan_to_num(numbers_of(rows["tax_rate"]))))
    outside = OrderRows(
        account=account[free],
        cell=cell[free],
        day=day[free],
        net=net[free],
        gross=gross[free],
        margin=(net - cost)[free],
    )
    return outside, read_deliveries(agreement, day, net - cost, agreed)
