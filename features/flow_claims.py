"""What is owed at a cutoff in columns: open claims, acceptance bills on hand, and how late money moved so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from crm.chain import Chain, make_chain
from crm.money import Books
from crm.receivables import build_claims, cash_day, settle
from crm.tables import empty_table
from features.columns import day_of, days_of, objects_of, places_of
from features.flow_rows import NEVER, BillRows, ClaimRows, Lags
from features.money_rates import Rates

Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

# What an invoice without a due day gives its customer.
USUAL_TERMS_DAYS = 30
_CHAIN = ("agreements", "installments", "invoices", "receipts", "receipt_allocations")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Owed:
    """Open claims and bills as rows, and the lags of what was settled.

    Attributes
    ----------
    frame : pd.DataFrame
        Claims with money open, then bills.
    n_claims : int
        How many of the rows are claims.
    settled : pd.DataFrame
        `account_id`, `days`, `due` of every part of an invoice that is cash.
    billed : pd.DataFrame
        `kind`, `days` of every billed node.
    """

    frame: pd.DataFrame
    n_claims: int
    settled: pd.DataFrame
    billed: pd.DataFrame

    def owners(self, agreements: pd.DataFrame) -> pd.DataFrame:
        """Customer, salesperson and product of every row, by its agreement, else by its order."""
        place = self.frame["agreement"].to_numpy()
        found = pd.DataFrame({"account_id": self.frame["account_id"].to_numpy(dtype=object)})
        for name in ("rep_id", "product"):
            said = self.frame[name].to_numpy(dtype=object).copy()
            said[place >= 0] = agreements[name].to_numpy(dtype=object)[place[place >= 0]]
            found[name] = said
        return found

    def claims(self, accounts: pd.Index, cell: Ints) -> ClaimRows:
        """The open claims."""
        rows = self.frame.iloc[: self.n_claims]
        return ClaimRows(
            account=places_of(rows["account_id"], accounts),
            cell=cell[: self.n_claims],
            agreement=rows["agreement"].to_numpy(dtype=np.int64),
            is_billed=rows["is_billed"].to_numpy(dtype=np.bool_),
            kind=rows["kind"].to_numpy(dtype=object),
            issued=rows["issued"].to_numpy(dtype=np.int64),
            due=rows["due"].to_numpy(dtype=np.int64),
            gross=rows["gross"].to_numpy(dtype=np.float64),
            net=rows["net"].to_numpy(dtype=np.float64),
        )

    def bills(self, cell: Ints) -> BillRows:
        """The acceptance bills on hand."""
        rows = self.frame.iloc[self.n_claims :]
        return BillRows(
            cell=cell[self.n_claims :],
            day=rows["due"].to_numpy(dtype=np.int64),
            gross=rows["gross"].to_numpy(dtype=np.float64),
        )

    def lags(self, accounts: pd.Index) -> Lags:
        """How late money moved."""
        return Lags(
            pay_account=places_of(self.settled["account_id"], accounts),
            pay_days=self.settled["days"].to_numpy(dtype=np.int64),
            pay_due=self.settled["due"].to_numpy(dtype=np.int64),
            bill_kind=self.billed["kind"].to_numpy(dtype=object),
            bill_days=self.billed["days"].to_numpy(dtype=np.int64),
        )


def read_owed(books: Books, agreements: pd.Index, rates: Rates) -> Owed:
    """What is owed in books.

    Parameters
    ----------
    books : Books
        As known at the cutoff.
    agreements : pd.Index
        Keys of the agreements, in the order of their places.
    rates : Rates
        Exchange rates; open money is worth what it is worth at the cutoff.
    """
    chain = _chain_of(books)
    claims = build_claims(chain)
    parts = settle(chain, claims)
    by_claim: dict[str, int] = {}
    for part in parts:
        if part.claim_id is not None:
            by_claim[part.claim_id] = by_claim.get(part.claim_id, 0) + part.amount
    claim_of = {claim.claim_id: claim for claim in claims}
    on, orders = day_of(books.on), _orders_of(books)
    rows: list[tuple[object, ...]] = []
    bills: list[tuple[object, ...]] = []
    settled, billed = [], []
    for claim in claims:
        due = claim.due_on if claim.due_on is not None else claim.since_on
        if claim.invoice_id is not None and claim.installment_id is not None:
            node = chain.installments.get(claim.installment_id)
            if node is not None and node.planned_on is not None and claim.since_on is not None:
                billed.append((claim.kind or "", (claim.since_on - node.planned_on).days))
        rest = claim.gross - by_claim.get(claim.claim_id, 0)
        if rest > 0:
            said = orders.get(claim.invoice_id or "", (None, None))
            rows.append(
                (
                    claim.account_id,
                    claim.agreement_id,
                    claim.invoice_id,
                    *said,
                    claim.kind,
                    claim.since_on,
                    due,
                    rest,
                    claim.currency,
                )
            )
    for part in parts:
        receipt = chain.receipts[part.receipt_id]
        cash = cash_day(receipt)
        found = claim_of.get(part.claim_id or "")
        if not part.is_cash:
            agreement = found.agreement_id if found is not None else None
            bills.append(
                (receipt.account_id, agreement, None, None, None, None, None, cash, part.amount, receipt.currency)
            )
        if found is not None and found.invoice_id is not None and part.amount > 0:
            since = _due(found.due_on, found.since_on)
            if since is not None:
                settled.append((found.account_id, day_of(cash) - since, since))
    frame = _frame(rows + bills, agreements, rates, on, _taxes(books))
    return Owed(
        frame=frame,
        n_claims=len(rows),
        settled=pd.DataFrame(settled, columns=["account_id", "days", "due"]),
        billed=pd.DataFrame(billed, columns=["kind", "days"]),
    )


def _chain_of(books: Books) -> Chain:
    return make_chain(on=books.on, **{name: books.tables.get(name, empty_table(name)) for name in _CHAIN})


def _due(due: date | None, since: date | None) -> int | None:
    if due is not None:
        return day_of(due)
    return None if since is None else day_of(since) + USUAL_TERMS_DAYS


def _orders_of(books: Books) -> dict[str, tuple[str | None, str | None]]:
    """Salesperson and product of the first line of each invoice's order."""
    if "orders" not in books.tables or "invoices" not in books.tables:
        return {}
    lines = books.tables["orders"].select(["order_id", "rep_id", "product"]).to_pandas().drop_duplicates("order_id")
    named = books.tables["invoices"].select(["invoice_id", "order_id"]).to_pandas().dropna()
    joined = named.merge(lines, on="order_id")
    return {row.invoice_id: (row.rep_id, row.product) for row in joined.itertuples()}


def _taxes(books: Books) -> dict[str, float]:
    """Tax rate by agreement and by invoice."""
    found: dict[str, float] = {}
    for name, key in (("agreements", "agreement_id"), ("invoices", "invoice_id")):
        if name in books.tables:
            rows = books.tables[name].select([key, "tax_rate"]).to_pandas().dropna()
            found |= dict(zip(rows[key], rows["tax_rate"], strict=True))
    return found


_COLUMNS = (
    "account_id",
    "agreement_id",
    "invoice_id",
    "rep_id",
    "product",
    "kind",
    "since",
    "due_on",
    "gross",
    "currency",
)


def _frame(
    rows: list[tuple[object, ...]], agreements: pd.Index, rates: Rates, on: int, taxes: dict[str, float]
) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)
    currency = objects_of(found["currency"])
    gross = rates.convert(found["gross"].to_numpy(dtype=np.float64), currency, np.full(len(found), on))
    tax = (
        found["invoice_id"].map(taxes).astype(float).fillna(found["agreement_id"].map(taxes).astype(float)).fillna(0.0)
    )
    place = places_of(found["agreement_id"], agreements)
    issued = days_of(found["since"])
    return found.assign(
        agreement=place,
        is_billed=found["invoice_id"].notna(),
        kind=found["kind"].where(found["kind"].notna(), ""),
        issued=np.where(found["invoice_id"].notna(), issued, NEVER),
        due=days_of(found["due_on"]),
        gross=gross,
        net=np.round(gross / (1 + tax.to_numpy())),
    )
