"""What became of every invoice, derived once from the money chain: when it was settled, and when that was known.

Receipts and their allocations are put in the order in which they became known, on both clocks, and an invoice is
settled by the part with which its amount is reached. What becomes known later stands behind that part and moves
nothing before it, so that the derived rows may be read as of any moment like rows that a company handed over.

Limits: money that nobody allocated to an invoice settles none here (`crm.receivables` spreads it over the oldest
claims of one moment); an invoice stays settled when money is taken back after it was; one that is said to be
reversed stays open until its red invoice is on record, since nothing else tells from when it was.
"""

from __future__ import annotations

from collections.abc import Collection
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.customer_history import MADE_OF, derive_customer_history
from crm.engine import Engine
from crm.node_claims import PREFIX, register_node_claims
from crm.tables import empty_table
from crm.tables_derived import DERIVED_TABLES, WEEKDAYS
from crm.use_levels import days_known_from, derive_use_levels

# What the derived tables are made of; those after the first may be missing.
INPUTS = (
    "invoices",
    "receipts",
    "receipt_allocations",
    "accounts",
    "changes",
    "promises",
    "installments",
    "agreements",
)
# A customer's own history weighs as much as its kind's after so many settled invoices.
SHRINKAGE = 5
MONTH_TAIL_DAYS = 5
"""The last days of a month, in which pay runs of a month's end lie."""
_MOST_REISSUES = 20
_CLAIMS = frozenset({"invoices", "installments"})
_NEEDS = {"on_account": "receipts", "promised": "promises"}
_WEEKDAY = (
    "CASE ISODOW(s.settled_on) " + " ".join(f"WHEN {n} THEN '{day}'" for n, day in enumerate(WEEKDAYS, 1)) + " END"
)

# What an allocation says of a node alone is paid on the one invoice that bills it, else on the node's own claim.
_PAYMENTS = """
WITH RECURSIVE bills AS (
  SELECT installment_id, MIN(invoice_id) AS invoice_id FROM invoices
  WHERE installment_id IS NOT NULL AND gross_amount > 0 AND replaces IS NULL
  GROUP BY installment_id, STARTS_WITH(invoice_id, '{prefix}') HAVING COUNT(*) = 1),
named AS (
  SELECT a.* REPLACE (COALESCE(a.invoice_id, b.invoice_id) AS invoice_id), a.invoice_id IS NULL AS is_by_node
  FROM receipt_allocations AS a LEFT JOIN bills AS b ON a.invoice_id IS NULL AND b.installment_id = a.installment_id),
heirs AS (
  SELECT i.invoice_id AS paid_id, i.invoice_id AS heir_id, GREATEST(i.recorded_at, d.known_from) AS known_at, 0 AS depth
  FROM invoices AS i JOIN settlement_days AS d ON d.day = i.issued_on
  UNION ALL
  SELECT h.paid_id, i.invoice_id, GREATEST(h.known_at, i.recorded_at, d.known_from), h.depth + 1
  FROM heirs AS h JOIN invoices AS i ON i.replaces = h.heir_id JOIN settlement_days AS d ON d.day = i.issued_on
  WHERE h.depth < {most})
SELECT CASE WHEN h.depth = 0 AND NOT a.is_by_node THEN a.allocation_id
    ELSE a.allocation_id || '>' || h.heir_id END AS payment_id,
  h.heir_id AS invoice_id, r.received_on AS paid_on, a.amount, r.instrument,
  GREATEST(a.recorded_at, r.recorded_at, h.known_at) AS recorded_at
FROM named AS a JOIN receipts AS r ON r.receipt_id = a.receipt_id
JOIN heirs AS h ON h.paid_id = a.invoice_id WHERE a.amount IS NOT NULL
"""

# Every invoice with the part that closed it. A red invoice takes a part back like a payment; when it is that part
# which closes the invoice, nobody paid it. Agreed is the due day that was recorded first; lateness is judged by the
# one that held when the invoice was closed.
_CLOSED = """
WITH moves AS (
  SELECT entity_id, old_value, new_value, occurred_at, recorded_at, change_id FROM changes
  WHERE entity = 'invoices' AND field = 'due_on'),
agreed AS (
  SELECT entity_id, TRY_CAST(NULLIF(MIN_BY(COALESCE(old_value, ''), (recorded_at, occurred_at, change_id)), '') AS DATE)
    AS due_on FROM moves GROUP BY entity_id),
inv AS (
  SELECT i.invoice_id, i.account_id, i.issued_on, CASE WHEN m.entity_id IS NULL THEN i.due_on ELSE m.due_on END
    AS due_on, i.gross_amount, i.reversed_by, i.recorded_at, GREATEST(d.known_from, i.recorded_at) AS known_at
  FROM invoices AS i JOIN settlement_days AS d ON d.day = i.issued_on
  LEFT JOIN agreed AS m ON m.entity_id = i.invoice_id
  WHERE i.gross_amount > 0),
said AS (
  SELECT entity_id, MIN(GREATEST(occurred_at, recorded_at)) AS known_at FROM changes
  WHERE entity = 'invoices' AND field = 'reversed_by' AND new_value <> '' GROUP BY entity_id),
parts AS (
  SELECT p.invoice_id, p.payment_id AS part_id, p.paid_on AS part_on, p.amount, TRUE AS is_paid,
    GREATEST(d.known_from, p.recorded_at) AS known_at
  FROM payments AS p JOIN settlement_days AS d ON d.day = p.paid_on
  UNION ALL
  SELECT i.invoice_id, 'red', red.issued_on, -red.gross_amount, FALSE,
    GREATEST(i.known_at, d.known_from, red.recorded_at, said.known_at)
  FROM inv AS i JOIN invoices AS red ON red.invoice_id = i.reversed_by
  JOIN settlement_days AS d ON d.day = red.issued_on LEFT JOIN said ON said.entity_id = i.invoice_id
  UNION ALL
  SELECT i.invoice_id, 'billed', b.billed_on, i.gross_amount, FALSE,
    GREATEST(i.known_at, b.recorded_at, d.known_from)
  FROM inv AS i JOIN billed_nodes AS b ON b.invoice_id = i.invoice_id
  JOIN settlement_days AS d ON d.day = b.billed_on),
running AS (
  SELECT *, SUM(amount) OVER so_far AS total, MAX(part_on) OVER so_far AS reached_on FROM parts
  WINDOW so_far AS (PARTITION BY invoice_id ORDER BY known_at, part_id ROWS UNBOUNDED PRECEDING)),
closing AS (
  SELECT i.invoice_id, MIN(r.known_at) AS closed_at, MIN_BY(r.reached_on, (r.known_at, r.part_id)) AS closed_on,
    MIN_BY(r.is_paid, (r.known_at, r.part_id)) AS is_paid
  FROM running AS r JOIN inv AS i ON i.invoice_id = r.invoice_id
  WHERE r.total >= i.gross_amount GROUP BY i.invoice_id),
held AS (
  SELECT c.invoice_id, TRY_CAST(NULLIF(MAX_BY(COALESCE(m.new_value, ''), (m.occurred_at, m.change_id)), '') AS DATE)
    AS due_on
  FROM closing AS c JOIN moves AS m ON m.entity_id = c.invoice_id
  WHERE GREATEST(m.occurred_at, m.recorded_at) <= c.closed_at
  GROUP BY c.invoice_id),
kinds AS (
  SELECT entity_id, field, MIN_BY(old_value, (recorded_at, occurred_at, change_id)) AS first_value
  FROM changes WHERE entity = 'accounts' AND field IN ('buyer_type', 'region') GROUP BY entity_id, field)
SELECT i.* EXCLUDE (reversed_by),
  CASE WHEN c.closed_at IS NOT NULL THEN GREATEST(c.closed_at, i.known_at) END AS closed_at,
  CASE WHEN c.is_paid THEN c.closed_on END AS settled_on,
  CASE WHEN h.invoice_id IS NULL THEN i.due_on ELSE h.due_on END AS held_due_on,
  COALESCE(CASE WHEN b.entity_id IS NOT NULL THEN b.first_value ELSE a.buyer_type END,
    CASE WHEN g.entity_id IS NOT NULL THEN g.first_value ELSE a.region END, '') AS segment
FROM inv AS i LEFT JOIN closing AS c ON c.invoice_id = i.invoice_id
LEFT JOIN held AS h ON h.invoice_id = i.invoice_id
LEFT JOIN accounts AS a ON a.account_id = i.account_id AND a.recorded_at <= i.known_at
LEFT JOIN kinds AS b ON b.entity_id = a.account_id AND b.field = 'buyer_type'
LEFT JOIN kinds AS g ON g.entity_id = a.account_id AND g.field = 'region'
"""

# Receipts come in as money nobody has allocated yet; each allocation takes its part away when it is known.
_ON_ACCOUNT = """
SELECT receipt_id AS part_id, account_id, received_on, gross_amount AS amount, recorded_at FROM receipts
UNION ALL
SELECT r.receipt_id || '>' || a.allocation_id, r.account_id, r.received_on, -a.amount,
  GREATEST(a.recorded_at, r.recorded_at)
FROM receipt_allocations AS a JOIN receipts AS r ON r.receipt_id = a.receipt_id WHERE a.amount IS NOT NULL
"""
_PROMISED = """
SELECT promise_id, invoice_id, made_on, CAST(promised_on - made_on AS DOUBLE) AS promised_within_days, recorded_at
FROM promises WHERE promised_on IS NOT NULL
"""

# What was known of the customer, its kind and everybody when the invoice was: sums over all settlements up to then.
_SETTLEMENTS = """
WITH s AS (
  SELECT *, CAST(CASE WHEN settled_on < issued_on THEN 0 ELSE settled_on - issued_on END AS DOUBLE) AS days_to_pay,
    CAST(settled_on - held_due_on AS DOUBLE) AS days_late, CAST(due_on - issued_on AS DOUBLE) AS terms_days
  FROM closed_invoices),
told AS (
  SELECT account_id, segment, closed_at AS t, CAST(NULL AS VARCHAR) AS invoice_id, days_to_pay,
    CAST(days_late > 0 AS INT) AS late FROM s WHERE settled_on IS NOT NULL
  UNION ALL SELECT account_id, segment, known_at, invoice_id, NULL, NULL FROM s),
sums AS (
  SELECT invoice_id, MEDIAN(days_to_pay) OVER own AS median_days,
    COUNT(late) OVER own AS n, SUM(late) OVER own AS late_own, SUM(days_to_pay) OVER own AS days_own,
    COUNT(days_to_pay) OVER own AS n_days,
    COUNT(late) OVER kind AS n_kind, SUM(late) OVER kind AS late_kind, SUM(days_to_pay) OVER kind AS days_kind,
    COUNT(days_to_pay) OVER kind AS n_days_kind,
    AVG(late) OVER everybody AS late_all, AVG(days_to_pay) OVER everybody AS days_all
  FROM told WINDOW own AS (PARTITION BY account_id ORDER BY t RANGE UNBOUNDED PRECEDING),
    kind AS (PARTITION BY segment ORDER BY t RANGE UNBOUNDED PRECEDING),
    everybody AS (ORDER BY t RANGE UNBOUNDED PRECEDING)),
drawn AS (
  SELECT *, (COALESCE(late_kind, 0) + {k} * late_all) / (n_kind + {k}) AS kind_share,
    (COALESCE(days_kind, 0) + {k} * days_all) / (n_days_kind + {k}) AS kind_days
  FROM sums WHERE invoice_id IS NOT NULL),
usual AS (
  SELECT invoice_id, (SUM(gross_amount) OVER before - gross_amount) / NULLIF(COUNT(*) OVER before - 1, 0) AS amount
  FROM s WHERE account_id IS NOT NULL
  WINDOW before AS (PARTITION BY account_id ORDER BY known_at RANGE UNBOUNDED PRECEDING))
SELECT s.invoice_id, s.account_id, s.issued_on, s.due_on, s.gross_amount, s.terms_days, s.closed_at, s.settled_on,
  s.days_to_pay, s.days_late, CASE WHEN s.days_late > 0 THEN 'late' WHEN s.days_late <= 0 THEN 'on_time' END AS timing,
  {weekday} AS pay_weekday, CASE WHEN LAST_DAY(s.settled_on) - s.settled_on < {tail} THEN 'end'
    WHEN s.settled_on IS NOT NULL THEN 'before' END AS month_part,
  CAST(s.gross_amount / NULLIF(u.amount, 0) AS DOUBLE) AS amount_to_usual,
  CASE WHEN s.account_id IS NOT NULL THEN d.median_days END AS median_days_at_issue,
  d.kind_share AS segment_late_share,
  CASE WHEN s.account_id IS NULL THEN d.kind_share
    ELSE (COALESCE(d.late_own, 0) + {k} * d.kind_share) / (d.n + {k}) END AS shrunk_late_share,
  CASE WHEN s.account_id IS NULL THEN d.kind_days
    ELSE (COALESCE(d.days_own, 0) + {k} * d.kind_days) / (d.n_days + {k}) END AS shrunk_days_to_pay,
  s.recorded_at, s.known_at
FROM s JOIN drawn AS d ON d.invoice_id = s.invoice_id LEFT JOIN usual AS u ON u.invoice_id = s.invoice_id
ORDER BY s.invoice_id
"""


def derive_settlements(engine: Engine, tables: Collection[str], zone: ZoneInfo) -> dict[str, pa.Table]:
    """The derived tables, by name; empty of outcomes when no receipts are on record.

    Parameters
    ----------
    engine : Engine
        Where the record's tables are registered. DuckDB: the text is not of the portable subset.
    tables : collection of str
        Names of the tables registered on it; the missing ones of `INPUTS` are registered empty.
    zone : ZoneInfo
        Where the company's days begin.

    Returns
    -------
    dict of str to pa.Table
        Columns as `crm.tables_derived` states them, with `recorded_at`; `settlements` also has `known_at`
        (timestamp[us], naive UTC), when the invoice itself was known. `invoices` and `changes` of the engine speak
        of unbilled nodes too, where a company collects by them.
    """
    tables = register_node_claims(engine, tables, zone)
    for name in INPUTS:
        if name not in tables:
            engine.register(name, empty_table(name))
    days = engine.query("SELECT issued_on AS day FROM invoices UNION SELECT received_on FROM receipts")
    engine.register("settlement_days", days_known_from(sorted(set(days.column("day").to_pylist()) - {None}), zone))
    payments = engine.query(_PAYMENTS.format(most=_MOST_REISSUES, prefix=PREFIX))
    engine.register("payments", payments)
    engine.register("closed_invoices", engine.query(_CLOSED))
    settlements = _SETTLEMENTS.format(k=f"CAST({SHRINKAGE} AS DOUBLE)", tail=MONTH_TAIL_DAYS, weekday=_WEEKDAY)
    return {
        "payments": payments,
        "settlements": engine.query(settlements),
        "on_account": engine.query(_ON_ACCOUNT),
        "promised": engine.query(_PROMISED),
    }


def register_derived(
    engine: Engine, tables: Collection[str], wanted: Collection[str], zone: ZoneInfo
) -> frozenset[str]:
    """The tables that can be read on the engine, with the derived ones that are wanted and can be made.

    Parameters
    ----------
    engine : Engine
        Where the record's tables are registered.
    tables : collection of str
        Names of the tables registered on it.
    wanted : collection of str
        Names of tables that somebody wants to read; stated ones are left alone.
    zone : ZoneInfo
        Where the company's days begin.
    """
    lacking = (set(wanted) & set(DERIVED_TABLES)) - set(tables)
    if lacking & set(MADE_OF):
        history = derive_customer_history(engine, tables)
        for name, rows in history.items():
            engine.register(name, rows)
        tables = frozenset(tables) | set(history)
    if "use_levels" in lacking:
        levels = derive_use_levels(engine, tables, zone)
        for name, rows in levels.items():
            engine.register(name, rows)
        tables = frozenset(tables) | set(levels)
        lacking -= {"use_levels"}
    if not lacking - set(MADE_OF) or not _CLAIMS & set(tables):
        return frozenset(tables)
    derived = derive_settlements(engine, tables, zone)
    for name, rows in derived.items():
        engine.register(name, rows)
    # What is made of tables that the company does not keep is not known to be nothing.
    lacking_inputs = {name for name, needed in _NEEDS.items() if needed not in tables}
    found = frozenset(tables) | set(derived) - lacking_inputs
    return found | {"invoices", "changes"} if "installments" in tables else found


def can_be_derived(name: str, tables: Collection[str]) -> bool:
    """Whether a record with these tables has what a derived table is made of."""
    if name in MADE_OF:
        return MADE_OF[name] in tables
    if name == "use_levels":
        return "usage" in tables
    return bool(_CLAIMS & set(tables)) and _NEEDS.get(name, next(iter(tables))) in tables
