"""Collection nodes (回款节点) that nobody bills, in the form of invoices, so that they are expected like these.

A node that an invoice bills is the invoice's money: it is expected through the invoice and never twice. A company
that bills its nodes therefore has no claims here; one that collects by nodes alone has one claim a node, called
`node:` and the node's key. The claim stands from the day the node was recorded, at most thirteen weeks before its
first planned day, which is its due day; a plan that moves moves it like any corrected due day. Its amount is the one
first recorded. When an invoice comes after all, the claim ends as taken back, not as paid.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.engine import Engine
from crm.tables import empty_table

PREFIX = "node:"
AHEAD_DAYS = 91
"""A node is asked about from so many days before its planned day: as far as cash is expected by week."""
BILLED_SHARE = 0.1
"""From this share of billed nodes on the company bills its nodes, and those without an invoice wait for one."""
_STAND_IN = frozenset({"installments", "agreements", "receipt_allocations"})
_NO_BILLS = pa.schema([("invoice_id", pa.string()), ("billed_on", pa.date32()), ("recorded_at", pa.timestamp("us"))])

_NODES = f"""
WITH first AS (
  SELECT entity_id, field, MIN_BY(old_value, (recorded_at, occurred_at, change_id)) AS value FROM changes
  WHERE entity = 'installments' AND field IN ('planned_on', 'gross_amount') GROUP BY entity_id, field)
SELECT '{PREFIX}' || n.installment_id AS invoice_id, a.account_id, n.agreement_id, n.installment_id,
  n.planned_on AS due_on, COALESCE(n.currency, a.currency) AS currency, a.signed_on,
  CASE WHEN p.entity_id IS NULL THEN n.planned_on ELSE TRY_CAST(NULLIF(p.value, '') AS DATE) END AS first_due_on,
  COALESCE(TRY_CAST(g.value AS BIGINT), n.gross_amount) AS gross_amount,
  GREATEST(n.recorded_at, a.recorded_at) AS recorded_at, n.backfilled, n.ingested_at, n.source
FROM installments AS n JOIN agreements AS a ON a.agreement_id = n.agreement_id
LEFT JOIN first AS p ON p.entity_id = n.installment_id AND p.field = 'planned_on'
LEFT JOIN first AS g ON g.entity_id = n.installment_id AND g.field = 'gross_amount'
"""
# What an invoice says of an agreement alone it says of all nodes of it.
_BILLED = f"""
SELECT '{PREFIX}' || n.installment_id AS invoice_id, i.issued_on AS billed_on, i.recorded_at FROM installments AS n
JOIN invoices AS i ON i.installment_id = n.installment_id
  OR (i.installment_id IS NULL AND i.agreement_id = n.agreement_id)
"""


def is_on_record(name: str, tables: Collection[str]) -> bool:
    """Whether a table has rows, or nodes that stand in for invoices where there are none."""
    return name in tables or (name == "invoices" and set(tables) >= _STAND_IN)


def register_node_claims(engine: Engine, tables: Collection[str], zone: ZoneInfo) -> frozenset[str]:
    """Let `invoices` and `changes` of an engine speak of unbilled nodes too; the tables that can be read then.

    Parameters
    ----------
    engine : Engine
        Where the record's tables are registered.
    tables : collection of str
        Names of the tables registered on it.
    zone : ZoneInfo
        Where the company's days begin.

    Notes
    -----
    Registers `billed_nodes` as well: the claims that an invoice took over, and when. Nodes of an agreement that is
    not on record have no customer and are left out.
    """
    engine.register("billed_nodes", _NO_BILLS.empty_table())
    if not set(tables) >= _STAND_IN:
        return frozenset(tables)
    for name in ("invoices", "changes"):
        if name not in tables:
            engine.register(name, empty_table(name))
    nodes, billed = engine.query(_NODES), engine.query(_BILLED)
    n_billed = len(billed.column("invoice_id").unique())
    if nodes.num_rows == 0 or n_billed >= BILLED_SHARE * nodes.num_rows:
        return frozenset(tables)
    engine.register("node_claims", _as_claims(nodes, zone))
    engine.register("billed_nodes", billed)
    joined = "SELECT * FROM invoices UNION ALL BY NAME SELECT * FROM node_claims"
    engine.register("invoices", engine.query(joined))
    moved = (
        f"SELECT * FROM changes UNION ALL BY NAME SELECT * REPLACE ('{PREFIX}' || change_id AS change_id, "
        f"'invoices' AS entity, '{PREFIX}' || entity_id AS entity_id, 'due_on' AS field) FROM changes "
        "WHERE entity = 'installments' AND field = 'planned_on'"
    )
    engine.register("changes", engine.query(moved))
    return frozenset(tables) | {"invoices", "changes"}


def _as_claims(nodes: pa.Table, zone: ZoneInfo) -> pa.Table:
    """The nodes with the day from which each stands."""
    days: dict[datetime, date] = {}
    issued = []
    for row in nodes.select(["recorded_at", "signed_on", "first_due_on"]).to_pylist():
        at, first_due = row["recorded_at"], row["first_due_on"]
        if at not in days:
            days[at] = at.replace(tzinfo=UTC).astimezone(zone).date()
        since = [days[at], row["signed_on"]]
        if first_due is not None:
            since.append(first_due - timedelta(days=AHEAD_DAYS))
        issued.append(max(since))
    return nodes.drop_columns(["signed_on", "first_due_on"]).append_column("issued_on", pa.array(issued, pa.date32()))
