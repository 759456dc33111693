"""What a system counted as it happened may be telling; what was taken in afterwards is excused nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.counted import counted_fields
from models.tasks.churn_risk import TASK


def use(folder: Path, *backfilled: bool) -> Generation:
    taken = datetime(2026, 1, 2, tzinfo=UTC)
    rows = [
        {"account_id": "a", "used_on": date(2026, 1, 1), "events": 1.0, "recorded_at": taken, "backfilled": late}
        for late in backfilled
    ]
    columns = (*table("usage").columns, *SYSTEM_COLUMNS)
    store = Store(folder)
    with store.writing() as writer:
        form = pa.schema([(c.name, arrow_type(c.dtype)) for c in columns])
        writer.replace("usage", pa.Table.from_pylist(rows, form), {})
    return store.current()


def test_use_counts_and_what_people_wrote_does_not(tmp_path: Path) -> None:
    found = counted_fields(use(tmp_path, False, False), TASK.question)
    assert {"share_of_seats_used", "users_against_year", "days_since_use"} <= found
    assert not found & {"n_tickets_90d", "days_since_contact", "days_since_purchase", "industry", "month_of_year"}


@pytest.mark.parametrize("backfilled", [(True,), (False, True)])
def test_a_table_with_one_row_taken_in_afterwards_is_excused_nothing(
    tmp_path: Path, backfilled: tuple[bool, ...]
) -> None:
    assert counted_fields(use(tmp_path, *backfilled), TASK.question) == frozenset()
