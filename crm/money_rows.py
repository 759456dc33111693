"""The rows of the money chain that count for a measure, each table a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.amounts import Amounts, add_taxes, take_taxes
from crm.receivables import BILL_DAYS

Days: TypeAlias = npt.NDArray[np.datetime64]
Kept: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """Amounts that belong to one day each, side by side.

    Attributes
    ----------
    row_id : pa.StringArray, shape (n,)
        Key of the row an amount comes from.
    on : ndarray of datetime64[D], shape (n,)
        Its day in the company's time zone.
    amount : ndarray of int64, shape (n,)
        Hundredths of the reporting currency; a count for new customers.
    account_id, rep_id, product : pa.StringArray, shape (n,)
        Whose it is; null where the row does not say.
    """

    row_id: pa.StringArray
    on: Days
    amount: Amounts
    account_id: pa.StringArray
    rep_id: pa.StringArray
    product: pa.StringArray

    def take(self, rows: npt.NDArray[Any]) -> Facts:
        """Some of the amounts, by place or by mask."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Facts(
            row_id=self.row_id.take(places),
            on=self.on[places],
            amount=self.amount[places],
            account_id=self.account_id.take(places),
            rep_id=self.rep_id.take(places),
            product=self.product.take(places),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How rows are counted.

    Parameters
    ----------
    on : date
        The day on whose morning they are known.
    zone : ZoneInfo
        Where days begin.
    amounts : str
        With tax (`gross`) or without it (`net`).
    is_margin : bool
        Amounts less their cost, always without tax.
    """

    on: date
    zone: ZoneInfo
    amounts: Literal["net", "gross"]
    is_margin: bool


def column_of(rows: pa.Table, name: str) -> pa.Array:
    """A column of a table in one piece."""
    return rows.column(name).combine_chunks()


def _whole(rows: pa.Table, name: str) -> tuple[Amounts, Kept]:
    """A column of whole numbers and where it is filled; 0 elsewhere."""
    cells = column_of(rows, name)
    return pc.fill_null(cells, 0).to_numpy(zero_copy_only=False).astype(np.int64), _filled(cells)


def _filled(cells: pa.Array) -> Kept:
    return np.asarray(pc.is_valid(cells).to_numpy(zero_copy_only=False))


def days_of(rows: pa.Table, name: str) -> Days:
    """A column of days; NaT where the record states none."""
    return np.asarray(column_of(rows, name).to_numpy(zero_copy_only=False).astype("datetime64[D]"))


def _local_days(rows: pa.Table, name: str, zone: ZoneInfo) -> Days:
    """The days of moments in the company's time zone; the record's moments are UTC."""
    moments = column_of(rows, name).cast(pa.timestamp("us", zone.key))
    return np.asarray(pc.local_timestamp(moments).to_numpy(zero_copy_only=False).astype("datetime64[D]"))


def _tax_rates(rows: pa.Table) -> npt.NDArray[np.float64]:
    return np.asarray(column_of(rows, "tax_rate").to_numpy(zero_copy_only=False).astype(np.float64))


def _facts(rows: pa.Table, row_id: pa.Array, on: Days, amount: Amounts, kept: Kept) -> tuple[Facts, pa.Array]:
    """The amounts of a table's rows that count, and their currencies."""
    nobody = pa.nulls(rows.num_rows, pa.string())
    owned = {
        name: column_of(rows, name) if name in rows.column_names else nobody
        for name in ("account_id", "rep_id", "product")
    }
    facts = Facts(row_id=row_id, on=on, amount=amount, **owned)
    return facts.take(kept), column_of(rows, "currency").take(np.flatnonzero(kept))


def _net_of(rows: pa.Table, counted: Counted) -> tuple[Amounts, Kept]:
    """The amounts of rows that state net ones, and where they are known; for margins less their cost."""
    net, known = _whole(rows, "net_amount")
    if counted.is_margin:
        cost, costed = _whole(rows, "cost")
        return net - cost, known & costed
    return (add_taxes(net, _tax_rates(rows)) if counted.amounts == "gross" else net), known


def _from_agreements(rows: pa.Table, counted: Counted) -> tuple[Facts, pa.Array]:
    amount, kept = _net_of(rows, counted)
    is_framework = pc.fill_null(pc.equal(column_of(rows, "kind"), "framework"), False)
    kept = kept & ~is_framework.to_numpy(zero_copy_only=False)
    return _facts(rows, column_of(rows, "agreement_id"), days_of(rows, "signed_on"), amount, kept)


def _from_opportunities(rows: pa.Table, counted: Counted) -> tuple[Facts, pa.Array]:
    amount, kept = _net_of(rows, counted)
    is_won = pc.fill_null(pc.equal(column_of(rows, "outcome"), "won"), False).to_numpy(zero_copy_only=False)
    kept = kept & is_won & _filled(column_of(rows, "closed_at"))
    return _facts(rows, column_of(rows, "opportunity_id"), _local_days(rows, "closed_at", counted.zone), amount, kept)


def order_lines(rows: pa.Table) -> pa.StringArray:
    """The names of order lines: order and line."""
    return pc.binary_join_element_wise(column_of(rows, "order_id"), column_of(rows, "line"), "/")


def _from_orders(rows: pa.Table, counted: Counted) -> tuple[Facts, pa.Array]:
    amount, kept = _net_of(rows, counted)
    return _facts(rows, order_lines(rows), _local_days(rows, "ordered_at", counted.zone), amount, kept)


def _from_invoices(rows: pa.Table, counted: Counted) -> tuple[Facts, pa.Array]:
    amount, kept = _whole(rows, "gross_amount")
    if counted.amounts == "net":
        amount = take_taxes(amount, _tax_rates(rows))
    return _facts(rows, column_of(rows, "invoice_id"), days_of(rows, "issued_on"), amount, kept)


def _from_receipts(rows: pa.Table, counted: Counted) -> tuple[Facts, pa.Array]:
    """Money on the day it is cash: as `crm.receivables.cash_day` says of one receipt."""
    amount, kept = _whole(rows, "gross_amount")
    received, matures = days_of(rows, "received_on"), days_of(rows, "matures_on")
    is_bill = pc.fill_null(pc.equal(column_of(rows, "instrument"), "acceptance_bill"), False)
    matures = np.where(np.isnat(matures), received + np.timedelta64(BILL_DAYS, "D"), matures)
    day = np.where(is_bill.to_numpy(zero_copy_only=False), matures, received)
    return _facts(rows, column_of(rows, "receipt_id"), day, amount, kept & (day < np.datetime64(counted.on)))


# By table, its amounts that count and the currency each is in.
ROWS: Mapping[str, Callable[[pa.Table, Counted], tuple[Facts, pa.Array]]] = {
    "agreements": _from_agreements,
    "opportunities": _from_opportunities,
    "orders": _from_orders,
    "invoices": _from_invoices,
    "receipts": _from_receipts,
}
