"""What customers owe by month and its ratios, against amounts counted by hand and against the open balances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.balances import open_balances
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.panel import day_begun
from features.receivables import collection_rate, days_outstanding, read_receivables, turnover

ZONE = ZoneInfo("Asia/Shanghai")
CUTOFF = datetime(2026, 4, 10, tzinfo=UTC)


def write(folder: Path, **tables: Sequence[Mapping[str, object]]) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in tables.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
            stamp = {"backfilled": False, "source": "test", "recorded_at": datetime(2025, 1, 1)}  # noqa: DTZ001
            writer.replace(name, pa.Table.from_pylist([stamp | dict(row) for row in rows], schema=schema))
    return store.current()


def test_what_is_owed_falls_due_and_is_paid_month_by_month(tmp_path: Path) -> None:
    invoice = {"invoice_id": "I1", "account_id": "A1", "issued_on": date(2026, 1, 5), "due_on": date(2026, 2, 4)}
    receipt = {"receipt_id": "E1", "account_id": "A1", "received_on": date(2026, 3, 10), "gross_amount": 60_00}
    generation = write(tmp_path, invoices=[invoice | {"gross_amount": 100_00}], receipts=[receipt])
    found = read_receivables(generation, CUTOFF, zone=ZONE, currency="CNY")

    assert found is not None
    assert found.months.astype(str).tolist() == ["2026-01", "2026-02", "2026-03"]
    assert found.invoiced.tolist() == [100.0, 0.0, 0.0]
    assert found.due.tolist() == [0.0, 100.0, 0.0]
    assert found.received.tolist() == [0.0, 0.0, 60.0]
    assert found.owed.tolist() == [100.0, 100.0, 40.0]
    assert found.overdue.tolist() == [0.0, 100.0, 40.0]
    assert found.ageing == {"not due": 0, "1-30": 0, "31-90": 40.0, "91-180": 0, "181-365": 0, "over 365": 0}
    assert collection_rate(found.received, found.due, window=2).tolist()[1:] == [0.0, 0.6]


def test_a_claim_and_its_receipt_take_one_exchange_rate(tmp_path: Path) -> None:
    invoice = {"invoice_id": "I1", "account_id": "A1", "issued_on": date(2026, 1, 5), "currency": "USD"}
    receipt = {"receipt_id": "E1", "account_id": "A1", "received_on": date(2026, 3, 10), "currency": "USD"}
    rates = [
        {"currency": "USD", "rate_on": day, "rate": rate}
        for day, rate in [(date(2026, 1, 1), 7.0), (date(2026, 3, 1), 8)]
    ]
    generation = write(
        tmp_path,
        invoices=[invoice | {"gross_amount": 100_00}],
        receipts=[receipt | {"gross_amount": 100_00}],
        fx_rates=rates,
    )
    found = read_receivables(generation, CUTOFF, zone=ZONE, currency="CNY")

    assert found is not None
    assert found.owed.tolist() == [700.0, 700.0, 0.0]
    assert found.received.tolist() == [0.0, 0.0, 800.0]


def test_the_last_month_is_what_the_open_balances_say(tiny_company: Generation) -> None:
    generation = tiny_company
    found = read_receivables(generation, generation.recorded_to, zone=ZONE, currency="CNY")
    balances = open_balances(generation, day_begun(generation.recorded_to, ZONE), ZONE)
    billed = [one for one in balances.claims if one.claim.invoice_id is not None]
    own = sum(one.open for one in billed if one.claim.currency == "CNY") / 100
    foreign = sum(one.open for one in billed if one.claim.currency == "USD") / 100

    assert found is not None
    assert sum(found.ageing.values()) == pytest.approx(found.owed[-1])
    # A dollar of the demo company is worth six to eight yuan.
    assert own + 6 * foreign <= found.owed[-1] <= own + 8 * foreign + 0.01
    assert (found.overdue <= found.owed + 1e-6).all()


def test_ratios_without_a_whole_window_or_a_base_are_unknown() -> None:
    nothing = np.zeros(12)

    assert np.isnan(collection_rate(np.ones(3), np.ones(3))).all()
    assert np.isnan(turnover(nothing, nothing)).all()
    assert np.isnan(days_outstanding(nothing, np.ones(12))).all()


def test_a_company_that_bills_nothing_has_no_receivables(tmp_path: Path) -> None:
    generation = write(tmp_path, products=[{"product": "Alpha", "line": "Cloud"}])

    assert read_receivables(generation, CUTOFF, zone=ZONE, currency="CNY") is None
