"""Churn of accounts: at which moments an account is asked about, and when it turned out to have left.

An account is asked about at a month's beginning when it may leave within the window. For the event `lapsed` that is
one which no agreement covers beyond the window's end: its cover still runs and runs out before, or it has none, bought
after its last cover, and a purchase is due: silence to the window's end would last at least as long as its usual gap
(`purchases` in `crm.customer_history`: its own mean gap drawn to its kind's, as known with its last purchase). One that
bought nothing for a year, nor for its usual gap, is no customer any more. It leaves by being covered by nothing at the
end and buying nothing after the cover ran out; that is settled when the window has passed. Whatever it signs, it
bought. Subscriptions and maintenance cover a customer up to the grace after their last day, a project up to its last
day, from which silence counts; a licence that nobody maintains covers nobody. For the event `cancelled` an account is
asked about while an agreement of it runs, and leaves when the next one is cancelled. Returns (negative quantities) are
no purchases.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.customer_history import GRACE_DAYS, INPUTS, RENEWABLE
from crm.engine import Engine, quote_text
from crm.settlements import register_derived
from crm.tables import empty_table
from features.asof import DAY_SECONDS, local_days
from features.compile import keyed_rows_sql
from features.groups.customer import AGREEMENTS
from features.question import BadQuestion, Question

ACTIVE_DAYS = 365
_DAY = np.timedelta64(1, "D")
_FAR = "2200-01-01"
# A day counts from the day after; noon lies behind the midnight at which rows begin, in every time zone.
_PURCHASES = (
    "SELECT account_id, ordered_at FROM orders WHERE quantity IS NULL OR quantity >= 0 "
    "UNION ALL SELECT account_id, CAST(signed_on AS TIMESTAMP) + INTERVAL '12' HOUR AS ordered_at FROM agreements"
)
# Agreements that cover a customer, with their last day: that of a cancelled one is the day it was cancelled.
_COVERING = (
    "SELECT g.account_id, g.signed_on, g.recorded_at, g.cancelled_at, "
    f"COALESCE(g.ends_on, CAST('{_FAR}' AS DATE)) AS ends_on FROM ({{agreements}}) AS g "
    f"WHERE g.account_id IS NOT NULL AND g.kind IN {RENEWABLE}"
)
# The last day of cover as known at each moment; a day counts from the day after, as everywhere.
_COVER = (
    "SELECT g.account_id, m.as_of, MAX(CASE WHEN g.cancelled_at < m.as_of_on THEN LEAST(g.cancelled_at, g.ends_on) "
    f"ELSE g.ends_on END) AS until FROM moments AS m JOIN ({_COVERING}) AS g "
    "ON g.recorded_at <= m.as_of AND g.signed_on < m.as_of_on GROUP BY g.account_id, m.as_of"
)
# What else was signed, as known at each moment: the day before which there is no silence, that of a project its last.
_BUSY = (
    f"SELECT g.account_id, m.as_of, MAX(CASE WHEN g.kind IN {RENEWABLE} THEN g.signed_on "
    "WHEN g.cancelled_at < m.as_of_on THEN g.cancelled_at ELSE COALESCE(g.ends_on, g.signed_on) END) AS until "
    "FROM moments AS m JOIN ({agreements}) AS g ON g.recorded_at <= m.as_of AND g.signed_on < m.as_of_on "
    "WHERE g.account_id IS NOT NULL GROUP BY g.account_id, m.as_of"
)
# The last purchase known at each moment, with the usual gap as known when it was.
_LATEST = (
    "SELECT account_id, as_of, last_at, gap FROM (SELECT p.account_id, m.as_of, p.ordered_at AS last_at, "
    f"p.shrunk_gap_days * {DAY_SECONDS} AS gap, ROW_NUMBER() OVER (PARTITION BY p.account_id, m.as_of "
    "ORDER BY p.ordered_at DESC, p.recorded_at DESC, p.purchase_id DESC) AS place "
    "FROM moments AS m JOIN purchases AS p ON p.ordered_at <= m.as_of AND p.recorded_at <= m.as_of "
    "WHERE p.account_id IS NOT NULL) AS ranked WHERE place = 1"
)
_GRACE = f"unix_timestamp(c.until) + {GRACE_DAYS * DAY_SECONDS}"
_CLOSES = "unix_timestamp(m.as_of_on) + {window}"
_BUSY_AT = "COALESCE(unix_timestamp(y.until), 0)"
_SILENT = "unix_timestamp(m.as_of) - b.last_at"
# What makes an account a customer that may leave.
_CUSTOMERS = {
    "lapsed": f"WITH c AS ({_COVER}), y AS ({_BUSY}), b AS (SELECT l.account_id, l.as_of, l.gap, "
    f"GREATEST(unix_timestamp(l.last_at), {_BUSY_AT}) AS last_at FROM ({_LATEST}) AS l "
    "LEFT JOIN y ON y.account_id = l.account_id AND y.as_of = l.as_of) "
    "SELECT c.account_id AS entity_id, c.as_of FROM c JOIN moments AS m ON m.as_of = c.as_of "
    "LEFT JOIN y ON y.account_id = c.account_id AND y.as_of = c.as_of "
    f"WHERE c.until >= m.as_of_on AND {_GRACE} < {_CLOSES} AND {_BUSY_AT} < {_CLOSES} "
    "UNION SELECT b.account_id, b.as_of FROM b JOIN moments AS m ON m.as_of = b.as_of "
    "LEFT JOIN c ON c.account_id = b.account_id AND c.as_of = b.as_of "
    f"WHERE b.last_at < {_CLOSES} AND {_SILENT} + {{window}} >= b.gap "
    f"AND {_SILENT} < GREATEST(b.gap, {ACTIVE_DAYS * DAY_SECONDS}) AND (c.until IS NULL "
    f"OR ({_GRACE} < unix_timestamp(m.as_of_on) AND b.last_at > unix_timestamp(c.until))) "
    "ORDER BY entity_id, as_of",
    "cancelled": "SELECT DISTINCT g.account_id AS entity_id, m.as_of FROM moments AS m JOIN agreements AS g "
    "ON g.starts_on < m.as_of_on AND g.recorded_at <= m.as_of "
    "AND (g.cancelled_at IS NULL OR g.cancelled_at >= m.as_of_on) "
    "AND (g.ends_on IS NULL OR g.ends_on >= m.as_of_on) "
    "WHERE g.account_id IS NOT NULL ORDER BY entity_id, as_of",
}
_FIRST = {
    "lapsed": "SELECT MIN(day) AS first FROM (SELECT CAST(MIN(ordered_at) AS DATE) AS day FROM orders "
    "UNION ALL SELECT MIN(signed_on) AS day FROM agreements)",
    "cancelled": "SELECT MIN(starts_on) AS first FROM agreements",
}
_NEXT = {
    "lapsed": f"SELECT s.n, MIN(o.ordered_at) AS next_at FROM asked AS s JOIN ({_PURCHASES}) AS o "
    "ON o.account_id = s.entity_id AND o.ordered_at > s.opens_at LEFT JOIN covered AS c ON c.n = s.n "
    "WHERE c.until IS NULL OR unix_timestamp(o.ordered_at) > unix_timestamp(c.until) GROUP BY s.n",
    "cancelled": "SELECT s.n, MIN(CAST(g.cancelled_at AS TIMESTAMP)) AS next_at FROM asked AS s JOIN agreements AS g "
    "ON g.account_id = s.entity_id AND g.cancelled_at >= s.opens_on GROUP BY s.n",
}
# Whether anything covers the account when the window closes, and the last day of renewable cover before that.
_COVERED = (
    "SELECT s.n, MAX(CASE WHEN g.grace > 0 THEN LEAST(COALESCE(g.cancelled_at, g.ends_on), g.ends_on) END) AS until, "
    "MAX(CASE WHEN g.cancelled_at < s.closes_on THEN 0 "
    "WHEN unix_timestamp(g.ends_on) + g.grace >= unix_timestamp(s.closes_on) THEN 1 ELSE 0 END) AS is_covered "
    "FROM asked AS s JOIN (SELECT account_id, signed_on, cancelled_at, "
    f"CASE WHEN kind IN {RENEWABLE} THEN {GRACE_DAYS * DAY_SECONDS} ELSE 0 END AS grace, "
    f"CASE WHEN kind IN {RENEWABLE} THEN COALESCE(ends_on, CAST('{_FAR}' AS DATE)) ELSE ends_on END AS ends_on "
    "FROM agreements) AS g ON g.account_id = s.entity_id AND g.signed_on < s.closes_on GROUP BY s.n"
)


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
    _know_agreements(engine)
    first = engine.query(_text_for(_FIRST, question)).column("first")[0].as_py()
    if question.since is not None and first is not None:
        first = max(first, question.since)
    return customers_at(engine, question, month_starts(first, until, zone), zone=zone)


def customers_at(engine: Engine, question: Question, moments: Sequence[datetime], *, zone: ZoneInfo) -> pa.Table:
    """The accounts that were customers at given moments (naive UTC): `entity_id`, `as_of`, sorted by both."""
    _know_agreements(engine)
    if question.event == "lapsed":
        _know_purchases(engine, zone)
    as_of = np.array(moments, dtype="datetime64[us]")
    engine.register("moments", pa.table({"as_of": as_of, "as_of_on": pa.array(local_days(as_of, zone), pa.date32())}))
    first = keyed_rows_sql(AGREEMENTS, with_changes=_has(engine, "changes"))
    window = (question.gap_days + question.horizon_days) * DAY_SECONDS
    found = engine.query(
        _text_for(_CUSTOMERS, question).replace("{agreements}", first).replace("{window}", str(window))
    )
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
    _know_agreements(engine)
    closes = opens + question.horizon_days * _DAY
    asked["closes_on"] = pa.array(closes.astype("datetime64[D]"), pa.date32())
    engine.register("asked", pa.table(asked))
    covered = engine.query(_COVERED)
    engine.register("covered", covered)
    found = engine.query(_text_for(_NEXT, question))
    after: npt.NDArray[np.datetime64] = np.full(len(as_of), np.datetime64("NaT", "us"))
    after[found.column("n").to_numpy()] = found.column("next_at").cast(pa.timestamp("us")).to_numpy()
    if question.event == "cancelled":
        # Midnight of the first day of the window lies inside it.
        return np.where(after <= opens, opens + np.timedelta64(1, "us"), after)
    stayed = ~np.isnat(after) & (after <= closes)
    stayed[covered.column("n").to_numpy()[covered.column("is_covered").to_numpy() == 1]] = True
    return np.where(stayed, np.datetime64("NaT", "us"), closes)


def _know_agreements(engine: Engine) -> None:
    """Register an empty table of agreements for a company that keeps none."""
    if not _has(engine, "agreements"):
        engine.register("agreements", empty_table("agreements"))


def _know_purchases(engine: Engine, zone: ZoneInfo) -> None:
    """Derive the customers' gaps where nobody did yet."""
    if not _has(engine, "purchases"):
        there = [name for name in INPUTS if _has(engine, name)]
        if "purchases" not in register_derived(engine, there, ("purchases",), zone):
            engine.register("purchases", empty_table("purchases"))


def _has(engine: Engine, name: str) -> bool:
    found = engine.query(f"SELECT COUNT(*) AS n FROM information_schema.tables WHERE table_name = {quote_text(name)}")
    return bool(found.column("n")[0].as_py())


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
