"""Which rows speak of the same sale: by the keys on record, else presumed, so that a missing link never counts twice.

A presumed link can only take money out of what is still expected: an open deal whose customer signed meanwhile is
taken as signed, an order outside any agreement as delivery of one that waits for it. Whoever loses links therefore
gets a lower forecast, never a higher one.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

# A renewal is signed around the end of what it renews; an agreement that follows later is a new sale.
RENEWAL_DAYS = 120
# An order within so many days of the signature may deliver an agreement that it does not name.
DELIVERY_DAYS = 365


def presumed_signed(deals: pd.DataFrame, agreements: pd.DataFrame) -> Ints:
    """The deal that each agreement without one is presumed to sign; -1 for none, shape (n_agreements,).

    Parameters
    ----------
    deals : pd.DataFrame
        `account` (-1 for none), `created`, `amount`, `waits`: whether its signature is not linked yet.
    agreements : pd.DataFrame
        `account`, `signed`, `deal` (-1 where no deal is named), `is_renewal`.

    Notes
    -----
    Each agreement that names no deal and renews nothing stands for one deal of its customer that was there when it was
    signed, so that together they take out as much money as they can: the deal that was meant is one they could take,
    so a lost link never leaves more. A deal may take any agreement signed after it was created, so the greatest
    amounts first, each the earliest agreement that is free, is a maximum-weight matching (unit jobs with release days).
    """
    found = np.full(len(agreements), -1, dtype=np.int64)
    waiting = deals[deals["waits"] & (deals["account"] >= 0)]
    free = agreements.assign(place=np.arange(len(agreements)))
    free = free[(free["deal"] < 0) & ~free["is_renewal"] & free["account"].isin(waiting["account"])]
    by_account = {account: rows for account, rows in free.sort_values("signed", kind="stable").groupby("account")}
    chosen = waiting[waiting["account"].isin(free["account"])].sort_values("amount", ascending=False, kind="stable")
    for account, rows in chosen.groupby("account", sort=False):
        slots = by_account[account]
        first = np.searchsorted(slots["signed"].to_numpy(), rows["created"].to_numpy(), side="left")
        for deal, place in zip(rows.index.tolist(), _slots(first.tolist(), len(slots)), strict=True):
            if place >= 0:
                found[int(slots["place"].iloc[place])] = deal
    return found


def _slots(first: list[int], n: int) -> list[int]:
    """For each in turn the earliest free slot at or after its first; -1 where none is left.

    Examples
    --------
    >>> _slots([0, 0, 2, 1, 2], 3)
    [0, 1, 2, -1, -1]
    """
    following = list(range(n + 1))
    taken = []
    for slot in first:
        path = []
        while following[slot] != slot:
            path.append(slot)
            slot = following[slot]
        for passed in path:
            following[passed] = slot
        taken.append(slot if slot < n else -1)
        if slot < n:
            following[slot] = slot + 1
    return taken


def renewals_of(agreements: pd.DataFrame, named: Ints) -> Ints:
    """The agreement that renews each one, by its key or presumed; -1 for none, shape (n_agreements,).

    Parameters
    ----------
    agreements : pd.DataFrame
        `account`, `product`, `signed`, `ends`, `deal`.
    named : ndarray of int64
        What the record names.

    Notes
    -----
    Presumed is the first agreement of the same customer and product, of no deal, that was signed within
    `RENEWAL_DAYS` of the end and renews nothing else.
    """
    found = named.copy()
    taken = np.zeros(len(agreements) + 1, dtype=np.bool_)
    taken[named] = True
    open_end = agreements[(named < 0) & (agreements["ends"] < 2**30)]
    candidates = agreements[(agreements["deal"] < 0) & ~taken[:-1]]
    pairs = open_end.reset_index(names="old").merge(
        candidates.reset_index(names="new"), on=["account", "product"], suffixes=("", "_new")
    )
    near = (pairs["signed_new"] - pairs["ends"]).abs() <= RENEWAL_DAYS
    pairs = pairs[near & (pairs["signed_new"] > pairs["signed"]) & (pairs["old"] != pairs["new"])]
    for old, new in pairs.sort_values(["signed_new", "old"])[["old", "new"]].itertuples(index=False):
        if found[old] < 0 and not taken[new]:
            found[old], taken[new] = new, True
    return found


def presumed_delivery(orders: pd.DataFrame, agreements: pd.DataFrame) -> Flags:
    """Whether an order that names no agreement delivers one all the same, shape (n_orders,).

    Parameters
    ----------
    orders : pd.DataFrame
        `account`, `product`, `day`, `net`, `agreement` (-1 where none is named).
    agreements : pd.DataFrame
        `account`, `product`, `signed`, `net`.
    """
    named = orders[orders["agreement"] >= 0]
    rest = agreements["net"].to_numpy(dtype=np.float64, copy=True)
    np.subtract.at(rest, named["agreement"].to_numpy(), named["net"].to_numpy())
    # Agreements of a product that is never delivered by orders do not wait for one.
    ordered = set(agreements["product"].iloc[named["agreement"]])
    waiting = agreements[(rest > 0) & agreements["product"].isin(ordered)]
    free = orders[(orders["agreement"] < 0)].reset_index(names="order")
    pairs = free.merge(waiting.reset_index(names="place"), on=["account", "product"], suffixes=("", "_agreed"))
    pairs = pairs[(pairs["day"] - pairs["signed"]).between(0, DELIVERY_DAYS)]
    found = np.zeros(len(orders), dtype=np.bool_)
    for order, place, net in pairs.sort_values(["day", "order", "signed"])[["order", "place", "net"]].itertuples(
        index=False
    ):
        if not found[order] and rest[place] > 0:
            rest[place] -= net
            found[order] = True
    return found


def presumed_billed(claims: pd.DataFrame, invoices: pd.DataFrame) -> tuple[Floats, Flags]:
    """What is left of open claims when invoices that name no sale bill the oldest of the same customer's.

    Parameters
    ----------
    claims : pd.DataFrame
        `account_id`, `is_billed`, `signed` (day of the agreement), `due`, `gross`.
    invoices : pd.DataFrame
        `account_id`, `day`, `gross` of invoices that name neither agreement nor node nor order.

    Returns
    -------
    rest : ndarray of float64, shape (n_claims,)
        `gross` of the claims, less what is presumed billed; billed claims stay.
    bills : ndarray of bool, shape (n_invoices,)
        Which invoices are presumed to bill what was signed by their day.
    """
    rest = claims["gross"].to_numpy(dtype=np.float64, copy=True)
    bills = np.zeros(len(invoices), dtype=np.bool_)
    waiting = claims.assign(place=np.arange(len(claims)))[~claims["is_billed"].to_numpy(dtype=np.bool_)]
    waiting = waiting[waiting["account_id"].isin(invoices["account_id"])].sort_values("due", kind="stable")
    by_account = {account: rows for account, rows in waiting.groupby("account_id", sort=False)}
    ordered = invoices.assign(place=np.arange(len(invoices))).sort_values("day", kind="stable")
    ordered = ordered[ordered["account_id"].isin(waiting["account_id"]) & (ordered["gross"] > 0)]
    for account, day, left, number in ordered[["account_id", "day", "gross", "place"]].itertuples(index=False):
        rows = by_account[account]
        for place in rows["place"].to_numpy()[rows["signed"].to_numpy() <= day].tolist():
            part = min(left, rest[place])
            rest[place] -= part
            left -= part
            bills[number] |= part > 0
    return rest, bills
