"""What customers owe by month, and the ratios that people watch: collection rate, turnover, days, ageing.

All of it is told as it is known at one moment: an invoice that was taken back since was never owed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.balances import Balances, balances_of
from crm.chain import Chain, read_chain
from crm.money import Books, Measure, NoMeasure, measure_facts, read_books
from crm.store import Generation
from features.panel import day_begun, last_closed_month

Floats: TypeAlias = npt.NDArray[np.float64]
Months: TypeAlias = npt.NDArray[np.datetime64]
Ints: TypeAlias = npt.NDArray[np.int64]

_HUNDREDTHS = 100
_YEAR_DAYS = 365.0
_YEAR = 12
# The last day past due of each class of ageing; what is older is in the class after the last.
AGEING = (0, 30, 90, 180, 365)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Receivables:
    """Claims and money by month, in units of the reporting currency, gross.

    Attributes
    ----------
    months : ndarray of datetime64[M], shape (n_months,)
        Closed months in a row.
    invoiced, due, received : ndarray of float64, shape (n_months,)
        Billed in the month; fallen due in it, billed or planned; received in it, bills when they mature.
    owed, overdue : ndarray of float64, shape (n_months,)
        Billed and not settled at the end of the month, and the part of it past due. An acceptance bill settles.
    ageing : mapping of str to float
        What was billed and not settled at the moment itself, by days past due.
    """

    months: Months
    invoiced: Floats
    due: Floats
    received: Floats
    owed: Floats
    overdue: Floats
    ageing: Mapping[str, float]


def collection_rate(received: Floats, due: Floats, *, window: int = _YEAR) -> Floats:
    """Receipts over what fell due in the last `window` months; NaN before so many, or where nothing fell due.

    Examples
    --------
    >>> collection_rate(np.array([80.0, 100.0, 0.0]), np.array([100.0, 100.0, 0.0]), window=2).tolist()
    [nan, 0.9, 1.0]
    """
    return _share(_trailing(received, window), _trailing(due, window))


def turnover(invoiced: Floats, owed: Floats, *, window: int = _YEAR) -> Floats:
    """How often a year what customers owe is turned into money: invoiced a year over the mean owed at month ends.

    Examples
    --------
    >>> turnover(np.full(12, 100.0), np.full(12, 200.0)).tolist()[-1]
    6.0
    """
    return _share(_trailing(invoiced, window) * _YEAR / window, _trailing(owed, window) / window)


def days_outstanding(invoiced: Floats, owed: Floats, *, window: int = _YEAR) -> Floats:
    """Days that an invoice waits for its money: 365 over the turnover; NaN where nothing was invoiced.

    Examples
    --------
    >>> days_outstanding(np.full(12, 100.0), np.full(12, 200.0))[-1].round(1).item()
    60.8
    """
    return _share(_trailing(owed, window) / window * _YEAR_DAYS, _trailing(invoiced, window) * _YEAR / window)


def _trailing(values: Floats, window: int) -> Floats:
    """Sums of the last `window` values; NaN before so many."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    found = np.full(len(values), np.nan)
    found[window - 1 :] = sums[window:] - sums[:-window] if len(values) >= window else found[window - 1 :]
    return found


def _share(part: Floats, whole: Floats) -> Floats:
    is_known = np.isfinite(part) & (whole > 0)
    return np.where(is_known, part / np.where(is_known, whole, 1.0), np.nan)


def read_receivables(generation: Generation, as_of: datetime, *, zone: ZoneInfo, currency: str) -> Receivables | None:
    """Claims and money by closed month, as known at a moment; None when nothing was owed or received by then.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        The cutoff, with a time zone.
    zone : ZoneInfo
        The company's time zone.
    currency : str
        The reporting currency; a claim and what settles it take the rate of the day it was billed or falls due.

    Raises
    ------
    crm.money.NoRate
        A claim's currency has no exchange rate by its day.
    """
    as_of = day_begun(as_of, zone)
    chain = read_chain(generation, as_of, zone)
    books = read_books(generation, as_of, zone, currency)
    return _by_month(chain, balances_of(chain), books, last_closed_month(as_of, zone))


def _by_month(chain: Chain, balances: Balances, books: Books, last: np.datetime64) -> Receivables | None:
    known = [one for one in balances.claims if one.claim.since_on is not None or one.claim.due_on is not None]
    place = {one.claim.claim_id: number for number, one in enumerate(known)}
    since = np.array([one.claim.since_on or one.claim.due_on for one in known], "datetime64[D]")
    due = np.array([one.claim.due_on or one.claim.since_on for one in known], "datetime64[D]")
    billed = np.array([one.claim.invoice_id is not None for one in known], dtype=np.bool_)
    money = pa.array([one.claim.currency for one in known], pa.string())
    gross = books.convert(np.array([one.claim.gross for one in known], dtype=np.int64), money, since)
    parts = [part for part in balances.settled if part.claim_id in place]
    of_claim = np.array([place[part.claim_id or ""] for part in parts], dtype=np.intp)
    paid_on = np.array([chain.receipts[part.receipt_id].received_on for part in parts], "datetime64[D]")
    paid = np.array([part.amount for part in parts], dtype=np.int64)
    paid = books.convert(paid, money.take(pa.array(of_claim)), since[of_claim])
    cash_on, cash = _cash(books)
    months = _months(since, due, cash_on, last)
    if len(months) == 0:
        return None
    claims, later = np.flatnonzero(billed), np.flatnonzero(billed[of_claim])
    begins = [since[claims], np.maximum(since, due)[claims]]
    ends = [np.maximum(paid_on, day[of_claim])[later] for day in (since, np.maximum(since, due))]
    owed, overdue = (
        np.cumsum(_sums(months, start, gross[claims]) - _sums(months, end, paid[later]))
        for start, end in zip(begins, ends, strict=True)
    )
    open_now = gross.copy()
    np.subtract.at(open_now, of_claim, paid)
    return Receivables(
        months=months,
        invoiced=_units(_sums(months, since[claims], gross[claims])),
        due=_units(_sums(months, due, gross)),
        received=_units(_sums(months, cash_on, cash)),
        owed=_units(owed),
        overdue=_units(overdue),
        ageing=_ageing((np.datetime64(balances.on) - due[claims]).astype(np.int64), open_now[claims]),
    )


def _cash(books: Books) -> tuple[npt.NDArray[np.datetime64], Ints]:
    try:
        facts = measure_facts(books, Measure.RECEIPTS)
    except NoMeasure:
        return np.array([], "datetime64[D]"), np.array([], dtype=np.int64)
    return facts.on, facts.amount


def _months(
    since: npt.NDArray[np.datetime64],
    due: npt.NDArray[np.datetime64],
    cash_on: npt.NDArray[np.datetime64],
    last: np.datetime64,
) -> Months:
    every = np.concatenate([since, due, cash_on]).astype("datetime64[M]")
    return np.arange(every.min(), last + 1) if len(every) else every


def _sums(months: Months, days: npt.NDArray[np.datetime64], amounts: Ints) -> Ints:
    """Amounts by month of their day; days after the last month are left out."""
    place = (days.astype("datetime64[M]") - months[0]).astype(np.intp)
    there = place < len(months)
    found = np.zeros(len(months), dtype=np.int64)
    np.add.at(found, place[there], amounts[there])
    return found


def _units(values: Ints) -> Floats:
    return values / _HUNDREDTHS


def _ageing(days: Ints, open_now: Ints) -> dict[str, float]:
    """Open amounts by days past due."""
    bounds = [f"{first + 1}-{last}" for first, last in pairwise(AGEING)]
    names = ["not due", *bounds, f"over {AGEING[-1]}"]
    place = np.searchsorted(AGEING, days, side="left")
    sums = np.zeros(len(names), dtype=np.int64)
    np.add.at(sums, place, open_now)
    return dict(zip(names, _units(sums).tolist(), strict=True))
