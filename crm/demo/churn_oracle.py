"""The best possible churn risk: the simulator's own chance that a customer leaves within a window.

A customer leaves when nothing covers it at the end of the window and it bought nothing after its cover ran out, as
`features.account_moments` asks. It stays in four ways, and the chance to leave is the product of those that none of
them happens: an agreement is renewed within the window, by its fates (`crm.demo.health_oracle`) and the days on which
renewals are signed; an open deal is won (`crm.demo.win_oracle`), or a won one is signed; maintenance that follows a
licence or a project is signed; a licence or a project that runs on brings small orders. A purchase is due or a cover
ends: `features.account_moments` asks about no other accounts, and which they are is on record, not a matter of chance.

Deals that may begin within the window count alike for everybody, as those of a customer do on average. What is left
out makes the bar low by very little: cancellations within the window (two in a hundred a year); agreements of one
account are weighed one by one, although they share its health.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo.agreements import LICENCE, MAINTENANCE
from crm.demo.billing import ADD_ONS_PER_YEAR
from crm.demo.customer_seen import LATER, CustomerBook
from crm.demo.deal_oracle import LEAST_SCORE, SCORE_STEP, TIME_STEP, win_tables
from crm.demo.deals import EXPANSIONS_PER_YEAR, WORK_YEAR
from crm.demo.health_oracle import RENEWS, HealthOracle, make_health_oracle
from crm.demo.seen import micros, moments_of, places
from crm.demo.win_oracle import win_probability
from crm.demo.working_time import Floats, Ints, at_hour, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

# Days from the end of a deal to the signature, and how often maintenance follows a licence or a project.
_SIGNED_WITHIN = 5
_FOLLOWED_UP, _FOLLOW_UP_SIGNED = 0.7, (2, 24)
_LICENCE_DAYS, _PAUSE_DAYS = 365, 30


def lapse_probability(company: DemoCompany, spine: pa.Table, *, horizon_days: int = 90) -> Floats:
    """P(account is covered by nothing when the window closes, and bought nothing after its cover ran out).

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (account that is asked about: no agreement covers it beyond the window, and it may leave)
        and `as_of` (naive UTC timestamp, a local midnight).
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
    leaves = np.array(
        [_by_agreements(oracle, int(a), int(on), horizon_days) for a, on in zip(account, day, strict=True)]
    )
    leaves *= _by_deals(company, account, day, horizon_days) * _by_new_deals(company, day, horizon_days)
    return np.where(account >= 0, leaves, np.nan)


def _by_agreements(oracle: HealthOracle, account: int, day: int, horizon_days: int) -> float:
    """P(no agreement signed so far keeps the account)."""
    book, until = oracle.book, day + horizon_days
    signed = book.agreements_of(account, day)
    ends = {a: _last_day(book, a, day) for a in signed if book.recurs[a]}
    uncovered = max([day, *ends.values()])
    leaves = 1.0
    for a in signed:
        if not book.recurs[a]:
            runs_to = int(book.starts[a]) + _LICENCE_DAYS if book.kind[a] == LICENCE else int(book.ends[a])
            leaves *= np.exp(
                -ADD_ONS_PER_YEAR / 365 * max(min(runs_to, until) - max(int(book.starts[a]), uncovered), 0)
            )
            leaves *= 1 - _follow_up(book, a, day, until)
    ending = [a for a in ends if _is_open(book, a, day) and oracle.signs_between(a, day, until) > 0]
    if ending:
        weight, fates = oracle.log_health(account, day)
        share = np.exp(weight - weight.max())
        for a in ending:
            kept = np.exp(fates[a][RENEWS] - np.logaddexp.reduce(fates[a], axis=0))
            leaves *= 1 - float((share * kept).sum() / share.sum()) * oracle.signs_between(a, day, until)
    return float(leaves)


def _last_day(book: CustomerBook, place: int, day: int) -> int:
    """The last day on which an agreement covers, as known at a day."""
    cancelled, ends = int(book.cancelled[place]), int(book.ends[place])
    return min(cancelled, ends) if cancelled < day else ends


def _is_open(book: CustomerBook, place: int, day: int) -> bool:
    """Neither cancelled nor renewed before a day."""
    following = int(book.renewed_to[place])
    return not (book.cancelled[place] < day or (following >= 0 and book.signed[following] < day))


def _follow_up(book: CustomerBook, place: int, day: int, until: int) -> float:
    """P(maintenance that follows a licence or a project is signed within the window | it was not so far)."""
    is_licence = book.kind[place] == LICENCE
    starts = int(book.starts[place]) + _LICENCE_DAYS if is_licence else int(book.ends[place]) + _PAUSE_DAYS
    others = book.agreements_of(int(book.account[place]), day)
    if any(book.kind[a] == MAINTENANCE and book.starts[a] == starts for a in others):
        return 0.0
    left, after = (_signed_from(starts, on) for on in (day, until))
    return _FOLLOWED_UP * (left - after) / (1 - _FOLLOWED_UP + _FOLLOWED_UP * left)


def _signed_from(starts: int, day: int) -> float:
    """P(maintenance that starts on a day is signed on another or later)."""
    first, last = _FOLLOW_UP_SIGNED
    return float(np.clip(starts - first - day + 1, 0, last - first + 1)) / (last - first + 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Deals:
    """All deals: account, created, closed (UTC microseconds), whether won, day of signature."""

    name: pa.ChunkedArray
    account: Ints
    created: Ints
    closed: Ints
    is_won: Ints
    signed: Ints


def _by_deals(company: DemoCompany, account: Ints, day: Ints, horizon_days: int) -> Floats:
    """P(no deal that is open, or won and not signed yet, keeps the account), shape (n_rows,)."""
    deals = _all_deals(company)
    order = np.argsort(deals.account, kind="stable")
    begin = np.searchsorted(deals.account[order], account, side="left")
    length = np.searchsorted(deals.account[order], account, side="right") - begin
    row = np.repeat(np.arange(len(account)), length)
    deal = order[begin[row] + np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)]
    now = at_hour(day[row], 0.0)
    leaves = np.ones(len(account))
    waits = (deals.closed[deal] <= now) & (deals.is_won[deal] == 1) & (deals.signed[deal] >= day[row])
    leaves[row[waits]] = 0.0
    is_open = (deals.created[deal] <= now) & (deals.closed[deal] > now)
    row, deal = row[is_open], deal[is_open]
    if len(row):
        moments = pa.array(at_hour(day[row], 0.0)).cast(pa.timestamp("us"))
        asked = pa.table({"entity_id": deals.name.take(pa.array(deal)), "as_of": moments})
        reach = timedelta(days=horizon_days - _SIGNED_WITHIN / 2)
        np.multiply.at(leaves, row, 1 - win_probability(company, asked, horizon=reach))
    return leaves


def _by_new_deals(company: DemoCompany, day: Ints, horizon_days: int) -> Floats:
    """P(no deal that begins within the window keeps the account), shape (n_rows,): the same for every customer."""
    truth = company.truth
    deal, grid = truth.laws.deal, truth.laws.grid
    rival = np.array([0.0, deal.competitor])[:, None]
    score = truth.laws.effects * (deal.quality * grid.quality + deal.belief * grid.belief + deal.expansion + rival)
    share = np.array([[1 - deal.competitor_share], [deal.competitor_share]]) * grid.prior
    row = np.clip(np.rint((score - LEAST_SCORE) / SCORE_STEP).astype(np.int64), 0, None)
    won = np.tensordot(share, win_tables(deal)[0][row], axes=2)
    # Deals begin evenly over the window: the chance to be won by its end, summed over when they begin.
    so_far = np.concatenate([[0.0], np.cumsum(won) * TIME_STEP])
    length = truth.clock.at(at_hour(day + horizon_days, 0.0)) - truth.clock.at(at_hour(day, 0.0))
    step = np.minimum((length / TIME_STEP).astype(np.int64), len(won))
    return np.asarray(np.exp(-EXPANSIONS_PER_YEAR / WORK_YEAR * so_far[step]))


def _all_deals(company: DemoCompany) -> _Deals:
    rows = company.tables["opportunities"]
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
