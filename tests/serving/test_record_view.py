"""The record as the service reads it."""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from crm.store import Store
from serving import record_view
from serving.record_view import RecordView


def test_of_too_many_rows_the_newest_are_read_the_same_ones_each_time(
    tmp_path: Path, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = datetime(2026, 1, 1)  # noqa: DTZ001 -- the record keeps UTC without saying so
    days: list[int | None] = [4, 0, 3, None, 5, 3, 1]
    rows = [
        {
            "order_id": f"O{place}",
            "line": "1",
            "account_id": "C1",
            "ordered_at": None if day is None else first + timedelta(days=day),
            "recorded_at": first,
        }
        for place, day in enumerate(days)
    ]
    with Store(tmp_path).writing() as writer:
        writer.replace(
            "orders", make.rows_of("orders", [*rows, {**rows[0], "order_id": "of another", "account_id": "C2"}])
        )
    monkeypatch.setattr(record_view, "_MOST_ROWS_JOINED", 4)
    for _ in range(2):
        view = RecordView(Store(tmp_path).current(), ZoneInfo("UTC"))
        assert [row["order_id"] for row in view.rows_where("orders", "account_id", "C1")] == ["O4", "O0", "O2", "O5"]
