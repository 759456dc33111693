"""Invoices are settled by the part with which their amount was reached, from the moment that was known."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm.engine import DuckDBEngine
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.settlements import derive_settlements, register_derived
from crm.tables import table

ZONE = ZoneInfo("Asia/Shanghai")


def naive(day: str, hour: int = 0) -> datetime:
    """A local moment as the record writes it."""
    local = datetime.combine(date.fromisoformat(day), time(hour), tzinfo=ZONE)
    return local.astimezone(UTC).replace(tzinfo=None)


def as_table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.Table.from_pylist(rows, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def invoice(name: str, issued: str, amount: int = 100_00, **more: Any) -> dict[str, Any]:
    issued_on = date.fromisoformat(issued)
    row = {"invoice_id": name, "account_id": "A", "issued_on": issued_on, "gross_amount": amount}
    return {"recorded_at": naive(issued, 9), "due_on": date(2025, 3, 1), **row, **more}


def money_in(name: str, day: str, invoice_id: str, amount: int, recorded: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "on": date.fromisoformat(day),
        "invoice_id": invoice_id,
        "amount": amount,
        "recorded_at": naive(recorded or day, 12),
    }


def settlements(
    invoices: list[dict[str, Any]], parts: list[dict[str, Any]], **tables: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    receipts = [
        {
            "receipt_id": part["name"],
            "account_id": "A",
            "received_on": part["on"],
            "recorded_at": naive(str(part["on"])),
            "gross_amount": part["amount"],
        }
        for part in parts
    ]
    allocations = [
        {
            "allocation_id": part["name"],
            "receipt_id": part["name"],
            "invoice_id": part["invoice_id"],
            "amount": part["amount"],
            "recorded_at": part["recorded_at"],
        }
        for part in parts
    ]
    rows = {"invoices": invoices, "receipts": receipts, "receipt_allocations": allocations, **tables}
    with DuckDBEngine({}, threads=1) as engine:
        for name, each in rows.items():
            engine.register(name, as_table(name, each))
        found = derive_settlements(engine, tuple(rows), ZONE)["settlements"]
    return {row["invoice_id"]: row for row in found.to_pylist()}


def test_invoice_is_settled_by_the_part_that_reaches_its_amount() -> None:
    parts = [money_in("P1", "2025-02-01", "I", 40_00), money_in("P2", "2025-03-05", "I", 60_00)]
    found = settlements([invoice("I", "2025-01-10")], parts)["I"]
    assert found["settled_on"] == date(2025, 3, 5)
    assert found["closed_at"] == naive("2025-03-06")
    assert (found["days_to_pay"], found["days_late"], found["timing"]) == (54.0, 4.0, "late")
    assert found["terms_days"] == 50.0


def test_settlement_is_known_when_its_last_part_was_recorded() -> None:
    found = settlements([invoice("I", "2025-01-10")], [money_in("P", "2025-02-01", "I", 100_00, "2025-02-20")])["I"]
    assert found["settled_on"] == date(2025, 2, 1)
    assert found["closed_at"] == naive("2025-02-20", 12)
    assert found["timing"] == "on_time"


def test_part_of_the_amount_leaves_an_invoice_open() -> None:
    found = settlements([invoice("I", "2025-01-10")], [money_in("P", "2025-02-01", "I", 99_99)])["I"]
    assert (found["closed_at"], found["settled_on"], found["days_to_pay"], found["timing"]) == (None,) * 4


def test_invoice_taken_back_is_closed_and_not_settled() -> None:
    red = invoice("R", "2025-02-03", -100_00)
    found = settlements([invoice("I", "2025-01-10", reversed_by="R"), red], [])
    assert set(found) == {"I"}
    assert (found["I"]["closed_at"], found["I"]["settled_on"]) == (naive("2025-02-04"), None)


def test_part_taken_back_lowers_what_has_to_be_paid() -> None:
    red = invoice("R", "2025-02-03", -30_00)
    parts = [money_in("P", "2025-02-10", "I", 70_00)]
    found = settlements([invoice("I", "2025-01-10", reversed_by="R"), red], parts)
    assert found["I"]["settled_on"] == date(2025, 2, 10)


def test_payment_follows_to_the_invoice_that_replaces_the_one_it_was_made_on() -> None:
    rows = [
        invoice("I", "2025-01-10", reversed_by="R"),
        invoice("R", "2025-02-03", -100_00),
        invoice("J", "2025-02-03", replaces="I"),
    ]
    found = settlements(rows, [money_in("P", "2025-02-20", "I", 100_00)])
    assert found["J"]["settled_on"] == date(2025, 2, 20)
    assert found["I"]["settled_on"] is None


def test_history_at_issue_counts_what_was_settled_by_then_and_draws_new_customers_to_their_kind() -> None:
    rows = [
        invoice("I1", "2025-01-10", 100_00),
        invoice("I2", "2025-01-20", 300_00),
        invoice("I3", "2025-03-15", 400_00),
        invoice("N", "2025-03-15", account_id="B"),
    ]
    parts = [money_in("P1", "2025-03-10", "I1", 100_00), money_in("P2", "2025-02-20", "I2", 300_00)]
    parts += [money_in("P3", "2025-04-10", "I3", 400_00), money_in("P4", "2025-06-10", "N", 100_00)]
    found = settlements(rows, parts)
    assert found["I1"]["shrunk_late_share"] is None
    assert found["I3"]["amount_to_usual"] == pytest.approx(2.0)
    assert found["I3"]["median_days_at_issue"] == pytest.approx((59 + 31) / 2)
    assert found["I3"]["shrunk_late_share"] == pytest.approx(0.5)
    assert found["N"]["shrunk_late_share"] == pytest.approx(0.5)
    assert found["N"]["shrunk_days_to_pay"] == pytest.approx((59 + 31) / 2)
    assert found["N"]["median_days_at_issue"] is None


def test_without_invoices_nothing_is_derived() -> None:
    with DuckDBEngine({}, threads=1) as engine:
        assert register_derived(engine, ("leads",), ("settlements",), ZONE) == {"leads"}
        engine.register("invoices", as_table("invoices", [invoice("I", "2025-01-10")]))
        names = register_derived(engine, ("invoices",), ("settlements",), ZONE)
        assert names == {"invoices", "payments", "settlements"}
        assert register_derived(engine, ("invoices",), ("accounts",), ZONE) == {"invoices"}
