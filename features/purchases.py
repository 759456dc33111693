"""What each account bought of which product line, and since when that is known: orders and agreements together.

A line is what `products.line` says, or the product itself where the company keeps no lines. Purchases of one line on
one day count once, whether as order lines or as the agreement they belong to. Returns are no purchases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.store import Generation
from features.asof import local_days

Ints: TypeAlias = npt.NDArray[np.int64]
Moments: TypeAlias = npt.NDArray[np.datetime64]

_LINE = "COALESCE(NULLIF(TRIM(p.line), ''), e.product)"
_NO_LINES = "e.product"
_JOIN = " LEFT JOIN products AS p ON p.product = e.product"
_ORDERS = (
    "SELECT e.account_id, {line} AS line, e.ordered_at AS bought_at, e.recorded_at FROM orders AS e{join} "
    "WHERE e.account_id IS NOT NULL AND e.product IS NOT NULL AND (e.quantity IS NULL OR e.quantity >= 0)"
)
_AGREEMENTS = (
    "SELECT e.account_id, {line} AS line, e.signed_on AS bought_on, e.recorded_at FROM agreements AS e{join} "
    "WHERE e.account_id IS NOT NULL AND e.product IS NOT NULL AND e.signed_on IS NOT NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Purchases:
    """Purchases in the order of account, line and time; arrays of shape (n_purchases,).

    Attributes
    ----------
    accounts, lines : ndarray of str
        Names, sorted; the places below point into them.
    account, line : ndarray of int64
        Places.
    bought_at, known_at : ndarray of datetime64[us]
        When it happened, and from when it is on record; naive UTC.
    complete_from : datetime64[us]
        The first moment from which every kind of purchase is on record; NaT without purchases. A company that kept
        old agreements but no old orders seems to have sold nothing else before.
    """

    accounts: npt.NDArray[np.str_]
    lines: npt.NDArray[np.str_]
    account: Ints
    line: Ints
    bought_at: Moments
    known_at: Moments
    complete_from: np.datetime64


def read_purchases(generation: Generation, *, zone: ZoneInfo) -> Purchases:
    """Every purchase on record.

    Parameters
    ----------
    generation : Generation
        The record, with orders, agreements or both.
    zone : ZoneInfo
        Where days begin: an agreement is bought at the last moment of the day of its signature.
    """
    line, join = (_LINE, _JOIN) if generation.has("products") else (_NO_LINES, "")
    parts: list[tuple[pa.Table, Moments]] = []
    with generation.engine() as engine:
        if generation.has("orders"):
            rows = engine.query(_ORDERS.format(line=line, join=join))
            parts.append((rows, rows.column("bought_at").cast(pa.timestamp("us")).to_numpy()))
        if generation.has("agreements"):
            rows = engine.query(_AGREEMENTS.format(line=line, join=join))
            parts.append((rows, _ends_of_days(rows.column("bought_on").to_numpy(), zone)))
    names = [np.array(rows.column("account_id").to_pylist(), dtype=np.str_) for rows, _ in parts]
    shelves = [np.array(rows.column("line").to_pylist(), dtype=np.str_) for rows, _ in parts]
    recorded = [rows.column("recorded_at").cast(pa.timestamp("us")).to_numpy() for rows, _ in parts]
    none = np.empty(0, dtype="datetime64[us]")
    accounts, account = np.unique(np.concatenate([np.empty(0, np.str_), *names]), return_inverse=True)
    lines, shelf = np.unique(np.concatenate([np.empty(0, np.str_), *shelves]), return_inverse=True)
    bought = np.concatenate([none, *(at for _, at in parts)])
    known = np.fmax(np.concatenate([none, *recorded]), bought)
    day = local_days(bought, zone).astype(np.int64)
    # Of one day's purchases the one on record first stands for the others: it is what was known earliest.
    order = np.lexsort((bought, known, day, shelf, account))
    account, shelf, day, bought, known = account[order], shelf[order], day[order], bought[order], known[order]
    repeats = np.zeros(len(day), dtype=bool)
    repeats[1:] = (np.diff(account) == 0) & (np.diff(shelf) == 0) & (np.diff(day) == 0)
    kept = ~repeats
    return Purchases(
        accounts=accounts,
        lines=lines,
        account=account[kept],
        line=shelf[kept],
        bought_at=bought[kept],
        known_at=known[kept],
        complete_from=max((at.min() for _, at in parts if len(at)), default=np.datetime64("NaT", "us")),
    )


def _ends_of_days(days: Moments, zone: ZoneInfo) -> Moments:
    """The last moment of each local day, naive UTC."""
    values, place = np.unique(days.astype("datetime64[D]"), return_inverse=True)
    ends = (values + np.timedelta64(1, "D")).tolist()
    moments = [datetime.combine(day, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for day in ends]
    ended = np.array(moments, dtype="datetime64[us]") - np.timedelta64(1, "us")
    return np.asarray(ended[place], dtype="datetime64[us]")
