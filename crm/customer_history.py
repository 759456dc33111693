"""What a customer's orders and renewals tell of its habit, derived once with clocks of their own.

`purchases` says beside every order line how long the customer's gaps between purchases are, as far as was known when
the line was: its own mean gap, drawn to that of customers of its kind as if one more gap had been seen. `renewals`
says how every agreement that was up for renewal ended, from the day on which that was known: kept, reduced or lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from itertools import groupby

import pyarrow as pa

from crm.engine import Engine
from crm.tables import empty_table

INPUTS = ("orders", "agreements", "accounts", "changes")
MADE_OF = {"purchases": "orders", "renewals": "agreements"}
RENEWABLE_KINDS = ("subscription", "maintenance")
RENEWABLE = f"({', '.join(repr(kind) for kind in RENEWABLE_KINDS)})"
GRACE_DAYS = 30
LEAST_SHARE = 0.9
# The gap that one purchase alone says nothing against: a quarter.
USUAL_GAP_DAYS = 90.0
# A kind of customer speaks for itself after so many gaps; a kind of agreement after so many losses.
KIND_GAPS = 20
KIND_LOSSES = 10

_KINDS = """
SELECT a.account_id, a.recorded_at,
  COALESCE(CASE WHEN b.entity_id IS NOT NULL THEN b.first_value ELSE a.buyer_type END,
    CASE WHEN g.entity_id IS NOT NULL THEN g.first_value ELSE a.region END, '') AS segment
FROM accounts AS a
LEFT JOIN firsts AS b ON b.entity = 'accounts' AND b.entity_id = a.account_id AND b.field = 'buyer_type'
LEFT JOIN firsts AS g ON g.entity = 'accounts' AND g.entity_id = a.account_id AND g.field = 'region'
"""
_FIRSTS = """
SELECT entity, entity_id, field, MIN_BY(old_value, (recorded_at, occurred_at, change_id)) AS first_value
FROM changes WHERE (entity = 'accounts' AND field IN ('buyer_type', 'region'))
  OR (entity = 'agreements' AND field IN ('net_amount', 'ends_on')) GROUP BY entity, entity_id, field
"""
# Each line adds to the customer's span of days and number of gaps what it lengthens them by, so that sums over a kind
# of customers up to any moment are those of all its customers at that moment.
_PURCHASES = """
WITH bought AS (
  SELECT o.order_id || '|' || o.line AS purchase_id, o.account_id, o.ordered_at, o.recorded_at,
    GREATEST(o.ordered_at, o.recorded_at) AS known_at, CAST(o.ordered_at AS DATE) AS day,
    COALESCE(k.segment, '') AS segment
  FROM orders AS o LEFT JOIN account_kinds AS k
    ON k.account_id = o.account_id AND k.recorded_at <= GREATEST(o.ordered_at, o.recorded_at)
  WHERE o.account_id IS NOT NULL AND (o.quantity IS NULL OR o.quantity >= 0)),
numbered AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY account_id, day ORDER BY known_at, purchase_id) = 1 AS is_new_day,
    ROW_NUMBER() OVER own = 1 AS is_first, CAST(MAX(day) OVER own - MIN(day) OVER own AS DOUBLE) AS span
  FROM bought
  WINDOW own AS (PARTITION BY account_id ORDER BY known_at, purchase_id ROWS UNBOUNDED PRECEDING)),
steps AS (
  SELECT *, CAST(is_new_day AS INT) - CAST(is_first AS INT) AS gap,
    span - COALESCE(LAG(span) OVER (PARTITION BY account_id ORDER BY known_at, purchase_id), 0) AS days
  FROM numbered),
sums AS (
  SELECT *, SUM(days) OVER own AS own_days, SUM(gap) OVER own AS own_gaps,
    SUM(days) OVER kind AS kind_days, SUM(gap) OVER kind AS kind_gaps,
    (SUM(days) OVER everybody + {usual}) / (SUM(gap) OVER everybody + 1) AS all_gap
  FROM steps WINDOW own AS (PARTITION BY account_id ORDER BY known_at RANGE UNBOUNDED PRECEDING),
    kind AS (PARTITION BY segment ORDER BY known_at RANGE UNBOUNDED PRECEDING),
    everybody AS (ORDER BY known_at RANGE UNBOUNDED PRECEDING)),
drawn AS (SELECT *, (kind_days + {k} * all_gap) / (kind_gaps + {k}) AS kind_gap FROM sums)
SELECT purchase_id, account_id, ordered_at, segment, kind_gap AS kind_gap_days,
  (own_days + kind_gap) / (own_gaps + 1) AS shrunk_gap_days, recorded_at
FROM drawn ORDER BY purchase_id
"""
# A renewal that nobody knew of by the end of the grace was a loss as far as anybody knew then.
_RENEWALS = """
WITH terms AS (
  SELECT g.*,
    CASE WHEN e.entity_id IS NULL THEN g.ends_on ELSE TRY_CAST(NULLIF(e.first_value, '') AS DATE) END AS until,
    CASE WHEN a.entity_id IS NULL THEN g.net_amount ELSE TRY_CAST(NULLIF(a.first_value, '') AS BIGINT) END AS amount
  FROM agreements AS g
  LEFT JOIN firsts AS a ON a.entity = 'agreements' AND a.entity_id = g.agreement_id AND a.field = 'net_amount'
  LEFT JOIN firsts AS e ON e.entity = 'agreements' AND e.entity_id = g.agreement_id AND e.field = 'ends_on'),
said AS (
  SELECT entity_id, MAX(GREATEST(occurred_at, recorded_at)) AS known_at FROM changes
  WHERE entity = 'agreements' AND field = 'renewed_to' GROUP BY entity_id),
linked AS (
  SELECT g.agreement_id, g.account_id, g.kind, g.recorded_at AS first_at, g.cancelled_at, g.amount,
    n.amount AS next_amount, g.until + {grace} AS settled_on, n.signed_on,
    GREATEST(n.recorded_at, COALESCE(s.known_at, n.recorded_at)) AS next_at
  FROM terms AS g LEFT JOIN terms AS n ON n.agreement_id = g.renewed_to
  LEFT JOIN said AS s ON s.entity_id = g.agreement_id
  WHERE g.until IS NOT NULL AND g.kind IN {renewable}),
ended AS (
  SELECT *, CASE WHEN signed_on <= settled_on AND next_at <= CAST(settled_on AS TIMESTAMP) THEN signed_on END
    AS renewed_on FROM linked),
outcomes AS (
  SELECT agreement_id, account_id, kind,
    CASE WHEN cancelled_at <= COALESCE(renewed_on, settled_on) THEN cancelled_at
      ELSE COALESCE(renewed_on, settled_on) END AS closed_on,
    CASE WHEN cancelled_at <= COALESCE(renewed_on, settled_on) OR renewed_on IS NULL THEN 'lost'
      WHEN next_amount < {least} * amount THEN 'reduced' ELSE 'kept' END AS outcome,
    CAST(next_amount AS DOUBLE) / NULLIF(amount, 0) AS ratio,
    GREATEST(first_at, CASE WHEN renewed_on IS NOT NULL THEN next_at ELSE first_at END) AS recorded_at
  FROM ended),
told AS (
  SELECT agreement_id, account_id, kind, closed_on, outcome, recorded_at,
    CASE WHEN outcome <> 'lost' THEN ratio END AS amount_ratio,
    GREATEST(CAST(closed_on AS TIMESTAMP), recorded_at) AS known_at FROM outcomes),
sums AS (
  SELECT *, COUNT(*) FILTER (WHERE outcome = 'reduced') OVER of_kind AS reduced,
    COUNT(*) FILTER (WHERE outcome <> 'kept') OVER of_kind AS losses,
    (COUNT(*) FILTER (WHERE outcome = 'reduced') OVER everything + 1.0)
      / (COUNT(*) FILTER (WHERE outcome <> 'kept') OVER everything + 2.0) AS share_of_all
  FROM told WINDOW of_kind AS (PARTITION BY kind ORDER BY known_at RANGE UNBOUNDED PRECEDING),
    everything AS (ORDER BY known_at RANGE UNBOUNDED PRECEDING))
SELECT agreement_id, account_id, kind, closed_on, outcome, amount_ratio,
  CASE WHEN outcome = 'reduced' THEN 1 - amount_ratio END AS share_cut,
  (reduced + {k} * share_of_all) / (losses + {k}) AS reduced_share_of_kind, recorded_at
FROM sums ORDER BY agreement_id
"""


def derive_customer_history(engine: Engine, tables: Collection[str]) -> dict[str, pa.Table]:
    """The derived tables `purchases` and `renewals`, as far as the record has what they are made of.

    Parameters
    ----------
    engine : Engine
        Where the record's tables are registered. DuckDB: the text is not of the portable subset.
    tables : collection of str
        Names of the tables registered on it; the missing ones of `INPUTS` are registered empty.

    Notes
    -----
    Own gap: (days between first and last purchase + kind's mean gap) / (gaps + 1), the posterior mean of an
    exponential gap whose prior weighs one gap (empirical Bayes); the kind's mean is drawn to everybody's likewise.
    """
    for name in INPUTS:
        if name not in tables:
            engine.register(name, empty_table(name))
    engine.register("firsts", engine.query(_FIRSTS))
    engine.register("account_kinds", engine.query(_KINDS))
    found: dict[str, pa.Table] = {}
    if "orders" in tables:
        text = _PURCHASES.format(k=f"CAST({KIND_GAPS} AS DOUBLE)", usual=f"CAST({USUAL_GAP_DAYS} AS DOUBLE)")
        found["purchases"] = engine.query(text)
    if "agreements" in tables:
        k = f"CAST({KIND_LOSSES} AS DOUBLE)"
        text = _RENEWALS.format(k=k, grace=GRACE_DAYS, least=LEAST_SHARE, renewable=RENEWABLE)
        found["renewals"] = engine.query(text)
    return found


def usual_gaps(known: Sequence[tuple[datetime, date]], kind_gaps: Sequence[float]) -> Iterator[float]:
    """The usual gap of one customer as known with each of its purchases: `shrunk_gap_days` of `purchases`.

    Parameters
    ----------
    known : sequence of (datetime, date)
        When each purchase was known and its day (UTC), in ascending order.
    kind_gaps : sequence of float
        Mean days between purchases of customers of its kind when each was known: the prior, which weighs one gap.

    Examples
    --------
    >>> january = [date(2026, 1, day) for day in (1, 1, 11, 31)]
    >>> list(usual_gaps([(datetime(day.year, day.month, day.day), day) for day in january], [90.0] * 4))
    [90.0, 90.0, 50.0, 40.0]
    """
    days: set[date] = set()
    for _, group in groupby(zip(known, kind_gaps, strict=True), key=lambda one: one[0][0]):
        together = list(group)
        days |= {day for (_, day), _ in together}
        span = (max(days) - min(days)).days
        yield from ((span + kind_gap) / len(days) for _, kind_gap in together)
