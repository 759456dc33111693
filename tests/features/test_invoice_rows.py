"""Rows of open invoices: at issue and weekly while open, outcomes censored where the record ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.invoice_rows import build_invoice_rows
from features.question import BadQuestion

ZONE = ZoneInfo("Asia/Shanghai")


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZONE).astimezone(UTC)


def stored(folder: Path, **tables: list[dict[str, Any]]) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in tables.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(c.name, arrow_type(c.dtype)) for c in columns])
            writer.replace(name, pa.Table.from_pylist(rows, schema))
    return store.current()


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    """Four invoices of Wednesday 2025-01-01: paid after 9 days, after 30, never, and taken back after 5."""
    issued = date(2025, 1, 1)

    def known(day: date) -> dict[str, Any]:
        return {"recorded_at": midnight(day).replace(tzinfo=None)}

    own = {"account_id": "A", "issued_on": issued, "due_on": date(2025, 1, 15), "gross_amount": 1000, **known(issued)}
    invoices: list[dict[str, Any]] = [{"invoice_id": name, **own} for name in ("fast", "never", "slow")]
    red_on = date(2025, 1, 6)
    invoices += [
        {"invoice_id": "wrong", **own, "reversed_by": "red"},
        {"invoice_id": "red", **own, "issued_on": red_on, "gross_amount": -1000, **known(red_on)},
    ]
    receipts, allocations = [], []
    for name, days in (("fast", 9), ("slow", 30)):
        on = issued + timedelta(days=days)
        receipts.append({"receipt_id": name, "account_id": "A", "received_on": on, "gross_amount": 1000, **known(on)})
        allocations.append({"allocation_id": name, "receipt_id": name, "invoice_id": name, "amount": 1000, **known(on)})
    return stored(tmp_path, invoices=invoices, receipts=receipts, receipt_allocations=allocations)


def test_rows_lie_at_the_first_midnight_and_on_mondays_while_the_invoice_is_open(generation: Generation) -> None:
    rows = build_invoice_rows(generation, zone=ZONE, until=midnight(date(2025, 2, 15)))
    found = [
        (name, str(day)) for name, day in zip(rows.spine.column("entity_id").to_pylist(), rows.as_of_on, strict=True)
    ]
    assert [day for name, day in found if name == "fast"] == ["2025-01-02", "2025-01-06"]
    assert [day for name, day in found if name == "wrong"] == ["2025-01-02", "2025-01-06"]
    assert [day for name, day in found if name == "slow"] == [
        "2025-01-02",
        *(f"2025-01-{day:02}" for day in (6, 13, 20, 27)),
    ]
    assert len([day for name, day in found if name == "never"]) == 7
    assert rows.age_days.tolist()[:2] == [1.0, 5.0]


def test_outcome_after_the_end_is_censored_and_late_is_known_once_the_due_day_has_passed(
    generation: Generation,
) -> None:
    def at_issue(until: date) -> dict[str, tuple[float, float, float]]:
        rows = build_invoice_rows(generation, zone=ZONE, until=midnight(until), weekly=False)
        told = zip(rows.paid_days.tolist(), rows.watched_days.tolist(), rows.late().tolist(), strict=True)
        return dict(zip(rows.spine.column("entity_id").to_pylist(), told, strict=True))

    late = at_issue(date(2025, 2, 15))
    assert late["fast"] == (9.0, 9.0, 0.0)
    assert late["slow"] == (30.0, 30.0, 1.0)
    np.testing.assert_equal(late["never"], (np.nan, 44.0, 1.0))
    np.testing.assert_equal(late["wrong"], (np.nan, 5.0, np.nan))
    early = at_issue(date(2025, 1, 13))
    assert early["fast"] == (9.0, 9.0, 0.0)
    np.testing.assert_equal(early["slow"], (np.nan, 11.0, np.nan))
    passed = at_issue(date(2025, 1, 20))
    np.testing.assert_equal(passed["slow"], (np.nan, 18.0, 1.0))


def test_nothing_learned_later_moves_a_row(generation: Generation) -> None:
    whole = build_invoice_rows(generation, zone=ZONE, until=midnight(date(2025, 2, 15)))
    cut = build_invoice_rows(generation, zone=ZONE, until=midnight(date(2025, 1, 20)))
    before = whole.take(np.asarray(whole.as_of_on <= np.datetime64("2025-01-20")))
    assert before.spine.equals(cut.spine)
    assert np.isnan(cut.paid_days[np.isnan(before.paid_days)]).all()
    assert cut.followed_days.max() == 18.0


def test_record_without_invoices_is_refused(tmp_path: Path) -> None:
    account = {"account_id": "A", "created_at": datetime(2025, 1, 1), "recorded_at": datetime(2025, 1, 1)}  # noqa: DTZ001
    with pytest.raises(BadQuestion, match="invoices or installments are needed"):
        build_invoice_rows(stored(tmp_path, accounts=[account]), zone=ZONE)
