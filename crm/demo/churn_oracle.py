"""The best possible churn risk: the simulator's own chance that a customer orders nothing within a window.

Orders come in three ways, and the chance of none is the product over them: small orders at an even rate while
agreements run; the order that goes with the renewal of a subscription, whose chance comes from the fates of the
agreement (`crm.demo.health_oracle`) and the days on which renewals are signed; the order that goes with a won deal,
from `crm.demo.win_oracle` for deals that are open now and for certain for those won and not signed yet. Small orders
also come with maintenance that starts in the window, as a renewal or after a licence or project.

What is left out makes the bar low by very little: deals that begin within the window and are won in it, small orders
of agreements signed in the window from open deals, and cancellations within it (two in a hundred a year). Agreements
of one account are weighed one by one, although they share its health.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo.agreements import KINDS, LICENCE, MAINTENANCE, PROJECT, SUBSCRIPTION
from crm.demo.billing import ADD_ONS_PER_YEAR
from crm.demo.customer_seen import LATER
from crm.demo.health_oracle import RENEWS, HealthOracle, make_health_oracle
from crm.demo.people import PRODUCTS
from crm.demo.seen import micros, moments_of, places
from crm.demo.win_oracle import win_probability
from crm.demo.working_time import Floats, Ints, at_hour, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

# Days from the end of a deal to the signature, and how often maintenance follows a licence or a project.
_SIGNED_WITHIN = 5
_FOLLOWED_UP, _FOLLOW_UP_SIGNED = 0.7, (2, 24)
_LICENCE_DAYS, _PAUSE_DAYS = 365, 30
_ORDERED = (LICENCE, SUBSCRIPTION)


def lapse_probability(company: DemoCompany, spine: pa.Table, *, horizon_days: int = 90) -> Floats:
    """P(account orders nothing in (as_of, as_of + horizon] | what was on record at as_of).

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (account) and `as_of` (naive UTC timestamp, a local midnight).
    horizon_days : int
        Length of the window.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        NaN where the account is unknown.
    """
    oracle = make_health_oracle(company)
    account = places(spine.column("entity_id"), company.tables["accounts"].column("account_id"))
    day = local_day(moments_of(spine))
    silent = np.array([_no_order(oracle, int(a), int(on), horizon_days) for a, on in zip(account, day, strict=True)])
    silent *= _no_win(company, account, day, horizon_days)
    return np.where(account >= 0, silent, np.nan)


def _no_order(oracle: HealthOracle, account: int, day: int, horizon_days: int) -> float:
    """P(no order by any agreement signed so far)."""
    book, until = oracle.book, day + horizon_days
    silent = 1.0
    ending: list[int] = []
    for a in book.agreements_of(account, day):
        ends, following = int(book.ends[a]), int(book.renewed_to[a])
        is_cancelled = book.cancelled[a] < day
        runs_to = int(book.starts[a]) + _LICENCE_DAYS if ends == LATER else ends
        runs_to = int(book.cancelled[a]) if is_cancelled else runs_to
        silent *= _quiet(max(int(book.starts[a]), day), min(runs_to, until))
        if book.kind[a] in (LICENCE, PROJECT):
            silent *= _quiet_follow_up(oracle, a, day, until)
        is_over = is_cancelled or (following >= 0 and book.signed[following] < day)
        if book.recurs[a] and not is_over and oracle.signs_between(a, day, until) > 0:
            ending.append(a)
    if not ending:
        return silent
    weight, fates = oracle.log_health(account, day)
    share = np.exp(weight - weight.max())
    for a in ending:
        kept = np.exp(fates[a][RENEWS] - np.logaddexp.reduce(fates[a], axis=0))
        renews = float((share * kept).sum() / share.sum())
        # Maintenance is renewed without an order, but small ones go on.
        orders = oracle.signs_between(a, day, until)
        if book.kind[a] == MAINTENANCE:
            orders = 1 - _quiet(max(int(book.ends[a]) + 1, day), until)
        silent *= 1 - renews * orders
    return silent


def _quiet(begin: int, end: int) -> float:
    """P(no small order from one day up to before another, while one agreement runs)."""
    return float(np.exp(-ADD_ONS_PER_YEAR / 365 * max(end - begin, 0)))


def _quiet_follow_up(oracle: HealthOracle, place: int, day: int, until: int) -> float:
    """P(no small order by maintenance that may follow a licence or a project and is not signed yet)."""
    book = oracle.book
    is_licence = book.kind[place] == LICENCE
    starts = int(book.starts[place]) + _LICENCE_DAYS if is_licence else int(book.ends[place]) + _PAUSE_DAYS
    signed = [
        book.signed[a] < day for a in book.agreements_of(int(book.account[place]), day) if _follows(oracle, a, starts)
    ]
    first, last = _FOLLOW_UP_SIGNED
    left = float(np.clip(starts - first - day + 1, 0, last - first + 1)) / (last - first + 1)
    if any(signed) or left == 0:
        return 1.0
    comes = _FOLLOWED_UP * left / (1 - _FOLLOWED_UP + _FOLLOWED_UP * left)
    return 1 - comes * (1 - _quiet(max(starts, day), until))


def _follows(oracle: HealthOracle, place: int, starts: int) -> bool:
    return bool(oracle.book.kind[place] == MAINTENANCE and oracle.book.starts[place] == starts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Deals:
    """Deals for what is ordered when signed: account, created, closed (UTC microseconds), won, day of signature."""

    name: pa.ChunkedArray
    account: Ints
    created: Ints
    closed: Ints
    is_won: Ints
    signed: Ints


def _no_win(company: DemoCompany, account: Ints, day: Ints, horizon_days: int) -> Floats:
    """P(no order by a deal that is open or not signed yet), shape (n_rows,)."""
    deals = _ordered_deals(company)
    order = np.argsort(deals.account, kind="stable")
    begin = np.searchsorted(deals.account[order], account, side="left")
    length = np.searchsorted(deals.account[order], account, side="right") - begin
    row = np.repeat(np.arange(len(account)), length)
    deal = order[begin[row] + np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)]
    now = at_hour(day[row], 0.0)
    silent = np.ones(len(account))
    waits = (deals.closed[deal] <= now) & (deals.is_won[deal] == 1) & (deals.signed[deal] >= day[row])
    silent[row[waits]] = 0.0
    is_open = (deals.created[deal] <= now) & (deals.closed[deal] > now)
    row, deal = row[is_open], deal[is_open]
    if len(row):
        moments = pa.array(at_hour(day[row], 0.0)).cast(pa.timestamp("us"))
        asked = pa.table({"entity_id": deals.name.take(pa.array(deal)), "as_of": moments})
        reach = timedelta(days=horizon_days - _SIGNED_WITHIN / 2)
        np.multiply.at(silent, row, 1 - win_probability(company, asked, horizon=reach))
    return silent


def _ordered_deals(company: DemoCompany) -> _Deals:
    rows = company.tables["opportunities"]
    kinds = np.array([KINDS.index(product[4]) for product in PRODUCTS])
    kind = kinds[places(rows["product"], pa.array([product[0] for product in PRODUCTS]))]
    rows = rows.filter(pa.array(np.isin(kind, _ORDERED)))
    agreements = company.tables["agreements"]
    found = places(rows["opportunity_id"], agreements["opportunity_id"])
    signed = np.append(agreements["signed_on"].cast(pa.int32()).to_numpy().astype(np.int64), LATER)
    return _Deals(
        name=rows["opportunity_id"],
        account=places(rows["account_id"], company.tables["accounts"]["account_id"]),
        created=micros(rows, "created_at"),
        closed=micros(rows, "closed_at"),
        is_won=pc.equal(rows["outcome"], "won").to_numpy().astype(np.int64),
        signed=signed[found],
    )
