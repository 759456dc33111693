"""Reads as of a moment: both clocks, mutable values rolled back."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm.reading import read_as_of
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table

SHANGHAI = ZoneInfo("Asia/Shanghai")


def rows_of(name: str, rows: list[dict[str, object]]) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.Table.from_pylist(rows, schema=pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


def naive(day: int, hour: int = 0) -> datetime:
    return at(day, hour).replace(tzinfo=None)


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    store = Store(tmp_path / "record")
    deal = {"opportunity_id": "o1", "created_at": naive(1), "recorded_at": naive(2), "stage": "Won"}
    deal |= {"net_amount": 900, "closed_at": naive(20), "outcome": "won"}
    late = {"opportunity_id": "o2", "created_at": naive(1), "recorded_at": naive(25), "stage": "New"}

    def change(number: int, day: int, field: str, old: str, new: str, recorded: int) -> dict[str, object]:
        return {
            "change_id": str(number),
            "entity": "opportunities",
            "entity_id": "o1",
            "occurred_at": naive(day),
            "recorded_at": naive(recorded),
            "field": field,
            "old_value": old,
            "new_value": new,
        }

    invoice = {"invoice_id": "i1", "issued_on": date(2026, 1, 10), "gross_amount": 5, "recorded_at": naive(1)}
    with store.writing() as writer:
        writer.replace("opportunities", rows_of("opportunities", [deal, late]))
        changes = [
            change(1, 5, "stage", "New", "Offer", 5),
            change(2, 20, "stage", "Offer", "Won", 20),
            change(3, 10, "net_amount", "", "900", 12),
        ]
        writer.replace("changes", rows_of("changes", changes))
        writer.replace("invoices", rows_of("invoices", [invoice]))
    return store.current()


def test_a_row_is_unknown_until_it_was_recorded(generation: Generation) -> None:
    assert read_as_of(generation, "opportunities", at(1, 12), SHANGHAI).num_rows == 0
    assert read_as_of(generation, "opportunities", at(3), SHANGHAI).column("opportunity_id").to_pylist() == ["o1"]
    assert read_as_of(generation, "opportunities", at(26), SHANGHAI).num_rows == 2


@pytest.mark.parametrize(("day", "stage"), [(3, "New"), (6, "Offer"), (19, "Offer"), (21, "Won")])
def test_a_mutable_value_is_rolled_back_through_changes(generation: Generation, day: int, stage: str) -> None:
    row = read_as_of(generation, "opportunities", at(day), SHANGHAI).to_pylist()[0]
    assert row["stage"] == stage


def test_a_change_counts_only_once_it_was_recorded(generation: Generation) -> None:
    assert read_as_of(generation, "opportunities", at(11), SHANGHAI).to_pylist()[0]["net_amount"] is None
    assert read_as_of(generation, "opportunities", at(12), SHANGHAI).to_pylist()[0]["net_amount"] == 900


def test_an_outcome_is_null_before_it_was_known(generation: Generation) -> None:
    row = read_as_of(generation, "opportunities", at(19), SHANGHAI).to_pylist()[0]
    assert (row["outcome"], row["closed_at"]) == (None, None)
    assert read_as_of(generation, "opportunities", at(20), SHANGHAI).to_pylist()[0]["outcome"] == "won"


def test_a_day_counts_from_the_next_day_in_the_company_s_time_zone(generation: Generation) -> None:
    assert read_as_of(generation, "invoices", at(10, 15), SHANGHAI).num_rows == 0
    assert read_as_of(generation, "invoices", at(10, 16), SHANGHAI).num_rows == 1


def test_an_absent_table_reads_as_empty_with_its_columns(generation: Generation) -> None:
    rows = read_as_of(generation, "receipts", at(10), SHANGHAI)
    assert rows.num_rows == 0
    assert "gross_amount" in rows.column_names


def test_a_moment_without_time_zone_is_refused(generation: Generation) -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        read_as_of(generation, "invoices", datetime(2026, 1, 1), SHANGHAI)  # noqa: DTZ001
