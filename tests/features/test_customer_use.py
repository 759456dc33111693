"""Features of use hold a customer against all others and against itself, and are unknown where nothing is told."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Store
from crm.tables import table
from features.build import build_features
from features.groups.agreement import GROUPS
from features.groups.customer_use import CUSTOMER_USE
from features.online import compute_features

ZONE = ZoneInfo("Asia/Shanghai")
START = date(2025, 1, 5)
AS_OF = datetime(2025, 10, 6, tzinfo=UTC)
AGREEMENT_USE = next(group for group in GROUPS if group.name == "agreement_use")
Rows = list[dict[str, object]]


def as_table(name: str, rows: Rows) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.Table.from_pylist(rows, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def weeks_of_use(quiet: int) -> Rows:
    """Ten customers who halve their use in the last weeks before `AS_OF`; the first nearly ends it."""
    days = [START + timedelta(weeks=week) for week in range(39)]
    return [
        {
            "account_id": f"c{n}",
            "used_on": day,
            "active_users": 20 if week < quiet else 2 if n == 0 else 10,
            "licensed_seats": 40,
            "recorded_at": datetime(day.year, day.month, day.day, 18, tzinfo=UTC),
        }
        for week, day in enumerate(days)
        for n in range(10)
    ]


def features_of(folder: Path, *, usage: Rows | None) -> Rows:
    signed = datetime(2025, 1, 1, tzinfo=UTC)
    agreements: Rows = [
        {"agreement_id": f"g{n}", "account_id": f"c{n}", "signed_on": signed.date(), "recorded_at": signed}
        for n in range(2)
    ]
    store = Store(folder)
    with store.writing() as writer:
        writer.replace("agreements", as_table("agreements", agreements), {})
        if usage is not None:
            writer.replace("usage", as_table("usage", usage), {})
    spine = pa.table({"entity_id": ["g0", "g1"], "as_of": pa.array([AS_OF] * 2, pa.timestamp("us"))})
    return build_features(store.current(), (AGREEMENT_USE,), spine, zone=ZONE).to_pylist()


def test_use_that_everybody_halves_is_usual_and_use_that_one_ends_is_not(tmp_path: Path) -> None:
    leaving, staying = features_of(tmp_path, usage=weeks_of_use(30))
    assert staying["use_against_all_30d"] == pytest.approx(1.0, abs=0.15)
    assert staying["use_against_usual_30d"] == pytest.approx(1.0, abs=0.15)
    assert math.isnan(float(str(staying["days_since_low_use"])))
    assert staying["evidence_of_falling_use"] == 0.0
    assert float(str(leaving["use_against_usual_30d"])) < 0.3
    assert leaving["days_since_low_use"] == pytest.approx(7.67, abs=1.0)
    assert float(str(leaving["days_since_usual_use"])) > 60
    assert float(str(leaving["evidence_of_falling_use"])) > 10


def test_rows_recorded_after_the_moment_change_nothing(tmp_path: Path) -> None:
    rows = weeks_of_use(30)
    late: Rows = [
        {**row, "account_id": "late", "active_users": 1, "recorded_at": datetime(2025, 10, 7, tzinfo=UTC)}
        for row in rows[::10]
    ]
    assert str(features_of(tmp_path / "a", usage=rows)) == str(features_of(tmp_path / "b", usage=rows + late))


def test_without_use_on_record_every_feature_of_it_is_unknown(tmp_path: Path) -> None:
    for row in features_of(tmp_path, usage=None):
        assert all(math.isnan(float(str(value))) for value in row.values())


def test_a_row_that_brings_no_use_has_unknown_features_and_no_error() -> None:
    found = compute_features((CUSTOMER_USE,), {"account_id": "new"}, {}, AS_OF, zone=ZONE)
    assert set(found) == {field.name for field in CUSTOMER_USE.fields}
    assert all(value is None or math.isnan(float(value)) for value in found.values())
