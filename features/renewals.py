"""Agreements up for renewal: asked about 120, 90, 60 and 30 days before their last day.

An agreement is kept when another one renews it within the grace after its last day, at no less than nine tenths of
its amount; it is lost when it is cancelled, not renewed by then (settled on the last day of the grace), or renewed
for less (settled when that is signed).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.customer_history import GRACE_DAYS, LEAST_SHARE, RENEWABLE, RENEWABLE_KINDS
from crm.engine import Engine

DAYS_BEFORE = (120, 90, 60, 30)
# Everything that settles a renewal, from the first question to the last day of the grace; a local midnight may lie
# up to a day before that of UTC.
HORIZON_DAYS = DAYS_BEFORE[0] + GRACE_DAYS + 1

_FAR = "CAST('2200-01-01 00:00:00' AS TIMESTAMP)"
_SETTLED = f"CAST(g.ends_on AS TIMESTAMP) + INTERVAL '{GRACE_DAYS}' DAY"
LOST = (
    "SELECT x.entity_id, x.happened_at FROM (SELECT g.agreement_id AS entity_id, LEAST("
    f"COALESCE(CAST(g.cancelled_at AS TIMESTAMP), {_FAR}), "
    f"CASE WHEN n.signed_on IS NULL OR CAST(n.signed_on AS TIMESTAMP) > {_SETTLED} THEN {_SETTLED} "
    f"WHEN n.net_amount < {LEAST_SHARE} * g.net_amount THEN CAST(n.signed_on AS TIMESTAMP) ELSE {_FAR} END"
    ") AS happened_at FROM agreements AS g LEFT JOIN agreements AS n ON n.agreement_id = g.renewed_to "
    f"WHERE g.ends_on IS NOT NULL AND g.kind IN {RENEWABLE}) AS x WHERE x.happened_at < {_FAR}"
)
_UP_FOR_RENEWAL = (
    "SELECT g.agreement_id, g.starts_on, g.signed_on, g.ends_on, g.recorded_at, g.cancelled_at, n.signed_on AS next_on "
    "FROM agreements AS g LEFT JOIN agreements AS n ON n.agreement_id = g.renewed_to "
    f"WHERE g.ends_on IS NOT NULL AND g.starts_on IS NOT NULL AND g.kind IN {RENEWABLE} ORDER BY g.agreement_id"
)


def renewal_spine(engine: Engine, *, zone: ZoneInfo, until: datetime) -> pa.Table:
    """Every agreement at the days before its last one on which it was neither cancelled nor renewed yet.

    Parameters
    ----------
    engine : Engine
        With the record's tables.
    zone : ZoneInfo
        Where days begin.
    until : datetime
        No row lies after it.

    Returns
    -------
    pa.Table
        `entity_id`, `as_of` (naive UTC), sorted by both.
    """
    last = until.astimezone(UTC).replace(tzinfo=None)
    names: list[str] = []
    moments: list[datetime] = []
    for row in engine.query(_UP_FOR_RENEWAL).to_pylist():
        # A day counts from the day after.
        known_on = max(row["starts_on"], row["signed_on"])
        closed_on: date = min(row["cancelled_at"] or date.max, row["next_on"] or date.max)
        for days in DAYS_BEFORE:
            on = row["ends_on"] - timedelta(days=days)
            at = datetime.combine(on, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
            if known_on < on < closed_on and row["recorded_at"] <= at <= last:
                names.append(row["agreement_id"])
                moments.append(at)
    return pa.table({"entity_id": pa.array(names, pa.string()), "as_of": pa.array(moments, pa.timestamp("us"))})


def why_not_up_for_renewal(agreement: Mapping[str, object], on: date) -> str | None:
    """Why an agreement is not asked about on a local day; None when it is up for renewal.

    Parameters
    ----------
    agreement : mapping
        Its `kind`, `starts_on`, `signed_on`, `ends_on`, `cancelled_at` and `next_on`, the day on which the one that
        renews it was signed; what is missing is unknown.
    on : date
        The day.

    Examples
    --------
    >>> yearly = {"kind": "subscription", "starts_on": date(2026, 1, 1), "ends_on": date(2026, 12, 31)}
    >>> why_not_up_for_renewal(yearly, date(2026, 11, 1)) is None
    True
    >>> why_not_up_for_renewal(yearly, date(2026, 3, 1))
    'It is asked about in the last 120 days before its last day, which is 305 days ahead.'
    """
    days = {name: cast("date | None", agreement.get(name)) for name in _DAYS}
    ends, began = days["ends_on"], [day for day in (days["starts_on"], days["signed_on"]) if day is not None]
    if agreement.get("kind") not in RENEWABLE_KINDS:
        return f"Only agreements of the kinds {' and '.join(RENEWABLE_KINDS)} are renewed."
    if ends is None:
        return "It has no last day on which a renewal would be due."
    if not began or max(began) >= on:
        return "It had not begun at that moment."
    if any(day is not None and day <= on for day in (days["cancelled_at"], days["next_on"])):
        return "Nothing is open any more: it was cancelled or renewed."
    if on > ends:
        return "Its last day has passed."
    if (ends - on).days > DAYS_BEFORE[0]:
        return (
            f"It is asked about in the last {DAYS_BEFORE[0]} days before its last day, "
            f"which is {(ends - on).days} days ahead."
        )
    return None


_DAYS = ("starts_on", "signed_on", "ends_on", "cancelled_at", "next_on")
