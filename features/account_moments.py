"""Churn of accounts: at which moments an account is asked about, and when it turned out to have left.

An account is asked about at every month's beginning at which it was a customer: for the event `lapsed` it had bought
within the year before, for the event `cancelled` an agreement of it was running. It lapses by buying nothing in the
window, which is settled when the window has passed; it cancels when the next of its agreements is cancelled. Returns
(negative quantities) are no purchases.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.engine import Engine
from features.asof import DAY_SECONDS, local_days
from features.question import BadQuestion, Question

ACTIVE_DAYS = 365
_DAY = np.timedelta64(1, "D")
_PURCHASES = "SELECT account_id, ordered_at, recorded_at FROM orders WHERE quantity IS NULL OR quantity >= 0"
# What makes an account a customer at a moment. A day counts from the day after, as everywhere.
_CUSTOMERS = {
    "lapsed": f"SELECT DISTINCT o.account_id AS entity_id, m.as_of FROM moments AS m JOIN ({_PURCHASES}) AS o "
    "ON o.ordered_at <= m.as_of AND o.recorded_at <= m.as_of "
    f"AND unix_timestamp(m.as_of) - unix_timestamp(o.ordered_at) < {ACTIVE_DAYS * DAY_SECONDS} "
    "WHERE o.account_id IS NOT NULL ORDER BY entity_id, as_of",
    "cancelled": "SELECT DISTINCT g.account_id AS entity_id, m.as_of FROM moments AS m JOIN agreements AS g "
    "ON g.starts_on < m.as_of_on AND g.recorded_at <= m.as_of "
    "AND (g.cancelled_at IS NULL OR g.cancelled_at >= m.as_of_on) "
    "AND (g.ends_on IS NULL OR g.ends_on >= m.as_of_on) "
    "WHERE g.account_id IS NOT NULL ORDER BY entity_id, as_of",
}
_FIRST = {
    "lapsed": "SELECT CAST(MIN(ordered_at) AS DATE) AS first FROM orders",
    "cancelled": "SELECT MIN(starts_on) AS first FROM agreements",
}
_NEXT = {
    "lapsed": f"SELECT s.n, MIN(o.ordered_at) AS next_at FROM asked AS s JOIN ({_PURCHASES}) AS o "
    "ON o.account_id = s.entity_id AND o.ordered_at > s.opens_at GROUP BY s.n",
    "cancelled": "SELECT s.n, MIN(CAST(g.cancelled_at AS TIMESTAMP)) AS next_at FROM asked AS s JOIN agreements AS g "
    "ON g.account_id = s.entity_id AND g.cancelled_at >= s.opens_on GROUP BY s.n",
}


def account_spine(engine: Engine, question: Question, *, zone: ZoneInfo, until: datetime) -> pa.Table:
    """Every customer at every month's beginning up to `until`: `entity_id`, `as_of`, sorted by both.

    Parameters
    ----------
    engine : Engine
        With the record's tables.
    question : Question
        The event, `lapsed` or `cancelled`, and the first day.
    zone : ZoneInfo
        Where months begin.
    until : datetime
        No row lies after it.
    """
    first = engine.query(_text_for(_FIRST, question)).column("first")[0].as_py()
    if question.since is not None and first is not None:
        first = max(first, question.since)
    return customers_at(engine, question, month_starts(first, until, zone), zone=zone)


def customers_at(engine: Engine, question: Question, moments: Sequence[datetime], *, zone: ZoneInfo) -> pa.Table:
    """The accounts that were customers at given moments (naive UTC): `entity_id`, `as_of`, sorted by both."""
    as_of = np.array(moments, dtype="datetime64[us]")
    engine.register("moments", pa.table({"as_of": as_of, "as_of_on": pa.array(local_days(as_of, zone), pa.date32())}))
    found = engine.query(_text_for(_CUSTOMERS, question))
    return pa.table(
        {
            "entity_id": found.column("entity_id").cast(pa.string()),
            "as_of": found.column("as_of").cast(pa.timestamp("us")),
        }
    )


def churned_at(
    engine: Engine, question: Question, entity_id: npt.NDArray[np.str_], as_of: npt.NDArray[np.datetime64]
) -> npt.NDArray[np.datetime64]:
    """When each row's account turned out to have left, shape (n_rows,), NaT where it stayed.

    A lapse is settled at the end of the row's window (as_of + gap, as_of + gap + horizon], so that labels judge
    whether the record reaches that far in the same way as for every other event.
    """
    opens = as_of + question.gap_days * _DAY
    asked = {
        "n": pa.array(np.arange(len(as_of), dtype=np.int64)),
        "entity_id": pa.array(entity_id.tolist(), pa.string()),
        "opens_at": opens,
        "opens_on": pa.array(opens.astype("datetime64[D]"), pa.date32()),
    }
    engine.register("asked", pa.table(asked))
    found = engine.query(_text_for(_NEXT, question))
    after: npt.NDArray[np.datetime64] = np.full(len(as_of), np.datetime64("NaT", "us"))
    after[found.column("n").to_numpy()] = found.column("next_at").cast(pa.timestamp("us")).to_numpy()
    if question.event == "cancelled":
        # Midnight of the first day of the window lies inside it.
        return np.where(after <= opens, opens + np.timedelta64(1, "us"), after)
    closes = opens + question.horizon_days * _DAY
    stayed = ~np.isnat(after) & (after <= closes)
    return np.where(stayed, np.datetime64("NaT", "us"), closes)


def _text_for(texts: dict[str, str], question: Question) -> str:
    try:
        return texts[question.event]
    except KeyError:
        raise BadQuestion(f"no event {question.event!r} of accounts; there are {', '.join(texts)}") from None


def month_starts(first: date | None, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Local midnights of the first of each month after `first`, naive UTC."""
    moments: list[datetime] = []
    if first is None:
        return moments
    last = until.astimezone(UTC).replace(tzinfo=None)
    month = first.year * 12 + first.month
    while True:
        start = datetime.combine(date(month // 12, month % 12 + 1, 1), time(), tzinfo=zone)
        at = start.astimezone(UTC).replace(tzinfo=None)
        if at > last:
            return moments
        moments.append(at)
        month += 1
