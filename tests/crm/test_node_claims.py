"""Nodes that nobody bills stand as claims of their own; those that an invoice bills never do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.engine import DuckDBEngine
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.settlements import register_derived
from crm.tables import table

ZONE = ZoneInfo("Asia/Shanghai")
N_NODES = 20


def naive(day: date, hour: int = 0) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)


def as_table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.Table.from_pylist(rows, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def nodes_only(**more: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """One agreement of 2025-01-10 with a node every 30 days; the first was paid 3 days after its plan."""
    signed = date(2025, 1, 10)
    known = {"agreement_id": "C", "recorded_at": naive(signed, 17)}
    plan = [signed + timedelta(days=30 * (n + 1)) for n in range(N_NODES)]
    paid = plan[0] + timedelta(days=3)
    seen = {"receipt_id": "E", "recorded_at": naive(paid, 18)}
    return {
        "agreements": [{**known, "account_id": "A", "signed_on": signed, "currency": "CNY"}],
        "installments": [
            {**known, "installment_id": f"N{n}", "planned_on": day, "gross_amount": 100_00}
            for n, day in enumerate(plan)
        ],
        "receipts": [{**seen, "account_id": "A", "received_on": paid, "gross_amount": 100_00}],
        "receipt_allocations": [{**seen, "allocation_id": "G", "installment_id": "N0", "amount": 100_00}],
        **more,
    }


def settled(rows: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    with DuckDBEngine({}, threads=1) as engine:
        for name, each in rows.items():
            engine.register(name, as_table(name, each))
        names = register_derived(engine, tuple(rows), ("settlements",), ZONE)
        assert {"settlements", "payments"} <= names
        found = engine.query("SELECT * FROM settlements").to_pylist()
    return {row["invoice_id"]: row for row in found}


def test_node_without_an_invoice_is_settled_by_its_allocations_and_late_after_its_planned_day() -> None:
    found = settled(nodes_only())
    assert len(found) == N_NODES
    first = found["node:N0"]
    assert first["account_id"] == "A"
    assert (first["issued_on"], first["due_on"]) == (date(2025, 1, 10), date(2025, 2, 9))
    assert (first["settled_on"], first["days_late"], first["timing"]) == (date(2025, 2, 12), 3.0, "late")
    assert found["node:N1"]["closed_at"] is None


def test_node_stands_at_most_thirteen_weeks_before_its_plan() -> None:
    last = settled(nodes_only())[f"node:N{N_NODES - 1}"]
    assert last["due_on"] - last["issued_on"] == timedelta(days=91)


def invoice(name: str, **more: Any) -> dict[str, Any]:
    issued = date(2025, 2, 20)
    row = {"invoice_id": name, "account_id": "A", "issued_on": issued, "due_on": date(2025, 3, 20)}
    return {**row, "gross_amount": 100_00, "recorded_at": naive(issued, 9), **more}


def test_company_that_bills_its_nodes_is_asked_about_invoices_alone() -> None:
    bills = [invoice(f"I{n}", installment_id=f"N{n}", agreement_id="C") for n in range(2)]
    assert set(settled(nodes_only(invoices=bills))) == {"I0", "I1"}


def test_node_that_is_billed_after_all_ends_unpaid_and_goes_on_as_the_invoice() -> None:
    found = settled(nodes_only(invoices=[invoice("I", installment_id="N1")]))
    assert found["node:N1"]["closed_at"] == naive(date(2025, 2, 21))
    assert found["node:N1"]["settled_on"] is None
    assert found["I"]["closed_at"] is None


def test_money_on_a_billed_node_counts_for_its_invoice() -> None:
    rows = nodes_only(invoices=[invoice(f"I{n}", installment_id=f"N{n}") for n in range(2)])
    assert settled(rows)["I0"]["settled_on"] == date(2025, 2, 12)


def test_moved_plan_is_judged_by_what_held_at_the_payment_and_agreed_stays_what_was_first() -> None:
    at = naive(date(2025, 2, 1))
    change = {"change_id": "K", "entity": "installments", "entity_id": "N0", "field": "planned_on"}
    change |= {"old_value": "2025-01-30", "new_value": "2025-02-09", "occurred_at": at, "recorded_at": at}
    found = settled(nodes_only(changes=[change]))["node:N0"]
    assert (found["due_on"], found["terms_days"], found["days_late"]) == (date(2025, 1, 30), 20.0, 3.0)
