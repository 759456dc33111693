"""What is owed at a cutoff in columns: open claims, acceptance bills on hand, and how late money moved so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from crm.chain import Chain, make_chain
from crm.money import Books
from crm.receivables import Claim, Settled, build_claims, cash_day, settle
from crm.tables import empty_table
from features.columns import day_of, days_of, objects_of, places_of
from features.flow_links import presumed_billed
from features.flow_rows import NEVER, BillRows, ClaimRows, Lags
from features.money_rates import Rates

Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

_CHAIN = ("agreements", "installments", "invoices", "receipts", "receipt_allocations")
_COLUMNS = ("account_id", "agreement_id", "invoice_id", "kind", "since", "due_on", "gross", "currency")


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
        `account_id`, `days`, `issued` of every settled part of an invoice.
    billed : pd.DataFrame
        `kind`, `days` of every billed node.
    orders : pd.DataFrame
        Salesperson and product of the first line of each invoice's order, by invoice.
    presumed : frozenset of str
        Invoices that name no sale and are presumed to bill what was signed.
    """

    frame: pd.DataFrame
    n_claims: int
    settled: pd.DataFrame
    billed: pd.DataFrame
    orders: pd.DataFrame
    presumed: frozenset[str]

    def owners(self, agreements: pd.DataFrame) -> pd.DataFrame:
        """Customer, salesperson and product of every row, by its agreement, else by its order."""
        return with_owners(self.frame, self.frame["agreement"].to_numpy(), agreements, self.orders)

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
            pay_issued=self.settled["issued"].to_numpy(dtype=np.int64),
            open_issued=self.frame["issued"].to_numpy(dtype=np.int64)[self.frame["is_billed"].to_numpy(dtype=np.bool_)],
            bill_kind=self.billed["kind"].to_numpy(dtype=object),
            bill_days=self.billed["days"].to_numpy(dtype=np.int64),
        )


def read_owed(books: Books, agreements: pd.Index, signed: Ints, rates: Rates) -> Owed:
    """What is owed in books.

    Parameters
    ----------
    books : Books
        As known at the cutoff.
    agreements : pd.Index
        Keys of the agreements, in the order of their places.
    signed : ndarray of int64, shape (n_agreements,)
        Days on which they were signed.
    rates : Rates
        Exchange rates; open money is worth what it is worth at the cutoff.
    """
    chain = make_chain(on=books.on, **{name: books.tables.get(name, empty_table(name)) for name in _CHAIN})
    claims = build_claims(chain)
    parts = settle(chain, claims)
    owed = _open_claims(claims, parts)
    frame = _frame(owed + _bills(chain, claims, parts), agreements, rates, day_of(books.on), _taxes(books))
    orders = orders_of(books)
    rest = frame["gross"].to_numpy(dtype=np.float64, copy=True)
    place = frame["agreement"].to_numpy()
    known = signed[place] if len(signed) else np.zeros(len(place), dtype=np.int64)
    claimed = frame.assign(signed=np.where(place >= 0, known, -NEVER)).iloc[: len(owed)]
    unlinked = _unlinked(chain, rates, orders)
    rest[: len(owed)], bills = presumed_billed(claimed, unlinked)
    frame = frame.assign(net=frame["net"] * rest / np.maximum(frame["gross"], 1), gross=rest)
    return Owed(
        frame=frame,
        n_claims=len(owed),
        settled=_settled(chain, claims, parts),
        billed=_billed(chain, claims),
        orders=orders,
        presumed=frozenset(unlinked["invoice_id"][bills]),
    )


def _open_claims(claims: tuple[Claim, ...], parts: tuple[Settled, ...]) -> list[tuple[object, ...]]:
    paid: dict[str, int] = {}
    for part in parts:
        if part.claim_id is not None:
            paid[part.claim_id] = paid.get(part.claim_id, 0) + part.amount
    rows: list[tuple[object, ...]] = []
    for one in claims:
        rest = one.gross - paid.get(one.claim_id, 0)
        if rest > 0:
            due = one.due_on if one.due_on is not None else one.since_on
            known = (one.account_id, one.agreement_id, one.invoice_id, one.kind)
            rows.append((*known, one.since_on, due, rest, one.currency))
    return rows


def _bills(chain: Chain, claims: tuple[Claim, ...], parts: tuple[Settled, ...]) -> list[tuple[object, ...]]:
    """Parts of receipts that are no cash yet; the day they become it stands in the place of the due day."""
    agreement = {claim.claim_id: claim.agreement_id for claim in claims}
    rows: list[tuple[object, ...]] = []
    for part in parts:
        if not part.is_cash:
            receipt = chain.receipts[part.receipt_id]
            of = agreement.get(part.claim_id or "")
            rows.append((receipt.account_id, of, None, None, None, cash_day(receipt), part.amount, receipt.currency))
    return rows


def _settled(chain: Chain, claims: tuple[Claim, ...], parts: tuple[Settled, ...]) -> pd.DataFrame:
    claim_of = {claim.claim_id: claim for claim in claims if claim.invoice_id is not None}
    rows = []
    for part in parts:
        claim = claim_of.get(part.claim_id or "")
        if claim is not None and claim.since_on is not None and part.amount > 0:
            cash = cash_day(chain.receipts[part.receipt_id])
            rows.append((claim.account_id, (cash - claim.since_on).days, day_of(claim.since_on)))
    return pd.DataFrame(rows, columns=["account_id", "days", "issued"])


def _billed(chain: Chain, claims: tuple[Claim, ...]) -> pd.DataFrame:
    rows = []
    for claim in claims:
        node = chain.installments.get(claim.installment_id or "")
        if claim.invoice_id is None or node is None or node.planned_on is None or claim.since_on is None:
            continue
        rows.append((claim.kind or "", (claim.since_on - node.planned_on).days))
    return pd.DataFrame(rows, columns=["kind", "days"])


def _unlinked(chain: Chain, rates: Rates, orders: pd.DataFrame) -> pd.DataFrame:
    """Invoices that name no agreement, no node and no order: `invoice_id`, `account_id`, `day`, `gross`."""
    rows = [
        (one.invoice_id, one.account_id, day_of(one.issued_on), chain.standing_amount(one), one.currency)
        for one in chain.invoices.values()
        if one.agreement_id is None and one.installment_id is None and one.invoice_id not in orders.index
    ]
    found = pd.DataFrame(rows, columns=["invoice_id", "account_id", "day", "gross", "currency"])
    gross = rates.convert(
        found["gross"].to_numpy(dtype=np.float64), objects_of(found["currency"]), found["day"].to_numpy(dtype=np.int64)
    )
    return found.assign(gross=gross)


def orders_of(books: Books) -> pd.DataFrame:
    """Salesperson and product of the first line of each invoice's order, by invoice; invoices of an order alone."""
    if "orders" not in books.tables or "invoices" not in books.tables:
        return pd.DataFrame({"rep_id": pd.Series(dtype=object), "product": pd.Series(dtype=object)})
    lines = books.tables["orders"].select(["order_id", "rep_id", "product"]).to_pandas().drop_duplicates("order_id")
    named = books.tables["invoices"].select(["invoice_id", "order_id"]).to_pandas().dropna()
    joined: pd.DataFrame = named.merge(lines, on="order_id").drop_duplicates("invoice_id").set_index("invoice_id")
    return joined[["rep_id", "product"]].astype(object)


def with_owners(frame: pd.DataFrame, agreement: Ints, agreements: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Customer, salesperson and product of rows with `account_id`, `invoice_id`: their agreement's, else their order's.

    Parameters
    ----------
    frame : pd.DataFrame
        The rows.
    agreement : ndarray of int64, shape (n_rows,)
        Place of the agreement of each; -1 for none.
    agreements, orders : pd.DataFrame
        Who sold what, by place of the agreement and by invoice.
    """
    found = pd.DataFrame({"account_id": objects_of(frame["account_id"])})
    said = orders.reindex(pd.Index(objects_of(frame["invoice_id"]), dtype=object))
    for name in ("rep_id", "product"):
        values = objects_of(said[name])
        values[agreement >= 0] = objects_of(agreements[name])[agreement[agreement >= 0]]
        found[name] = values
    return found


def _taxes(books: Books) -> tuple[dict[str, float], dict[str, float]]:
    """Tax rate by invoice and by agreement; their keys may be alike."""
    found: list[dict[str, float]] = []
    for name, key in (("invoices", "invoice_id"), ("agreements", "agreement_id")):
        rows = books.tables[name].select([key, "tax_rate"]).to_pandas().dropna() if name in books.tables else None
        found.append({} if rows is None else dict(zip(rows[key], rows["tax_rate"], strict=True)))
    return found[0], found[1]


def _frame(
    rows: list[tuple[object, ...]],
    agreements: pd.Index,
    rates: Rates,
    on: int,
    taxes: tuple[Mapping[str, float], Mapping[str, float]],
) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)
    gross = rates.convert(
        found["gross"].to_numpy(dtype=np.float64), objects_of(found["currency"]), np.full(len(found), on)
    )
    names = ("invoice_id", "agreement_id")
    tax = [found[name].map(rate).astype(float) for name, rate in zip(names, taxes, strict=True)]
    share = tax[0].fillna(tax[1]).fillna(0.0).to_numpy()
    is_billed = found["invoice_id"].notna().to_numpy()
    return found.assign(
        agreement=places_of(found["agreement_id"], agreements),
        is_billed=is_billed,
        kind=np.where(found["kind"].notna(), found["kind"], ""),
        issued=np.where(is_billed, days_of(found["since"]), NEVER),
        due=days_of(found["due_on"]),
        gross=gross,
        net=np.round(gross / (1 + share)),
    )
