"""How agreements turned into invoices and orders: the pattern that agreements to come are taken to follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.columns import days_of, frame_of, numbers_of, objects_of, places_of, texts_of
from features.flow_claims import Owed, with_owners
from features.flow_rows import NEVER, AgreementRows, DeliveryRows, InvoiceRows, PartRows
from features.money_rates import Rates

Ints: TypeAlias = npt.NDArray[np.int64]

_INVOICES = (
    "invoice_id",
    "account_id",
    "agreement_id",
    "installment_id",
    "issued_on",
    "gross_amount",
    "tax_rate",
    "currency",
)


def read_parts(tables: Mapping[str, pa.Table], names: pd.Index, agreed: AgreementRows) -> PartRows:
    """The parts in which agreements are paid: their nodes, else their invoices.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        `installments` and `invoices` as known at the cutoff.
    names : pd.Index
        Keys of the agreements.
    agreed : AgreementRows
        The agreements.
    """
    nodes = frame_of(tables, "installments", ("agreement_id", "planned_on", "gross_amount", "kind"))
    bills = frame_of(tables, "invoices", ("agreement_id", "issued_on", "gross_amount"))
    bills = bills.rename(columns={"issued_on": "planned_on"}).assign(kind="")
    bills = bills[~bills["agreement_id"].isin(nodes["agreement_id"])]
    rows = pd.concat([nodes, bills], ignore_index=True) if len(bills) else nodes
    place = places_of(rows["agreement_id"], names)
    day, gross = days_of(rows["planned_on"]), numbers_of(rows["gross_amount"])
    known = np.flatnonzero((place >= 0) & (day != NEVER) & np.isfinite(gross) & (gross > 0))
    known = known[np.lexsort((day[known], place[known]))]
    place, day, gross = place[known], day[known], gross[known]
    # In the agreement's own currency on both sides: the sum of its parts is its gross amount.
    total = np.bincount(place, gross, minlength=len(names)) if len(place) else np.zeros(len(names))
    return PartRows(
        agreement=place,
        days=day - agreed.signed[place],
        share=gross / np.maximum(total[place], 1.0),
        kind=texts_of(rows["kind"])[known],
    )


def read_invoices(
    tables: Mapping[str, pa.Table], names: pd.Index, agreements: pd.DataFrame, owed: Owed
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The invoices that bill no agreement, and their owners, as frames."""
    rows = frame_of(tables, "invoices", _INVOICES)
    free = rows[rows["agreement_id"].isna() & rows["installment_id"].isna() & ~rows["invoice_id"].isin(owed.presumed)]
    free = free.reset_index(drop=True)
    return free, with_owners(free, np.full(len(free), -1), agreements, owed.orders)


def invoice_rows(rows: pd.DataFrame, accounts: pd.Index, cell: Ints, rates: Rates) -> InvoiceRows:
    """Those invoices as rows."""
    day = days_of(rows["issued_on"])
    gross = rates.convert(numbers_of(rows["gross_amount"]), objects_of(rows["currency"]), day)
    tax = np.nan_to_num(numbers_of(rows["tax_rate"]))
    return InvoiceRows(
        account=places_of(rows["account_id"], accounts),
        cell=cell,
        day=day,
        net=np.round(gross / (1 + tax)),
        gross=gross,
    )


def read_deliveries(place: Ints, day: Ints, margin: npt.NDArray[np.float64], agreed: AgreementRows) -> DeliveryRows:
    """What orders delivered of agreements.

    Parameters
    ----------
    place, day, margin : ndarray, shape (n_orders,)
        Agreement (-1 for none), day and margin of each.
    agreed : AgreementRows
        The agreements.
    """
    n = len(agreed.signed)
    linked = np.flatnonzero((place >= 0) & np.isfinite(margin))
    first = np.full(n, NEVER)
    np.minimum.at(first, place[linked], day[linked])
    earned = np.bincount(place[linked], margin[linked], minlength=n) if len(linked) else np.zeros(n)
    return DeliveryRows(
        days=np.where(first == NEVER, NEVER, first - agreed.signed), margin_share=earned / np.maximum(agreed.net, 1.0)
    )
