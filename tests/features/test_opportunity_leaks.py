"""What a CRM writes on deals after they closed is named before training, and a clean company is accused of nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.config import Config
from crm.demo.company import DemoCompany, make_company
from crm.demo.write import write_company
from crm.schema import DType
from crm.store import Store
from features.leakage import Finding
from features.leakage_record import find_leaks_of_record
from features.timed_set import build_timed_set
from models.tasks.win_probability import TASK

DAY_US = 86_400_000_000
SIZE, SEED = "small", 5


def found_in(folder: Path, tables: dict[str, pa.Table], custom: dict[str, dict[str, DType]]) -> dict[str, Finding]:
    """The findings of a company's record, by column."""
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in sorted(tables.items()):
            writer.replace(name, rows, custom.get(name))
    rows = build_timed_set(store.current(), TASK.question, config=Config())
    asked = rows.within(TASK.headline_days, TASK.event)
    found = find_leaks_of_record(store.current(), TASK.question, asked, config=Config(), seed=1)
    return {finding.column: finding for finding in found}


@pytest.fixture(scope="module")
def company() -> DemoCompany:
    return make_company(SIZE, SEED)


def test_a_clean_company_is_accused_of_nothing(company: DemoCompany, tmp_path: Path) -> None:
    write_company(company, Store(tmp_path))
    rows = build_timed_set(Store(tmp_path).current(), TASK.question, config=Config())
    asked = rows.within(TASK.headline_days, TASK.event)
    assert find_leaks_of_record(Store(tmp_path).current(), TASK.question, asked, config=Config(), seed=1) == ()
    # A stage whose changes are kept rightly tells that the end is near.
    assert "stage" in {field.name for field in rows.fields}


@pytest.mark.slow
def test_columns_and_rows_written_after_the_close_are_named(company: DemoCompany, tmp_path: Path) -> None:
    deals = company.tables["opportunities"]
    won = pc.fill_null(pc.equal(deals["outcome"], "won"), False).to_numpy(zero_copy_only=False)
    number = [f"C-{row % 90}" if is_won else None for row, is_won in enumerate(won)]
    tables = dict(company.tables)
    tables["opportunities"] = deals.append_column("contract_number", pa.array(number, pa.string()))
    tables["activities"] = with_visits_dated_back(company.tables["activities"], deals, won)
    found = found_in(tmp_path, tables, {"opportunities": {"contract_number": DType.TEXT}})
    assert found["contract_number"].verdict == "quarantined"
    assert found["activities.kind=visit"].verdict == "quarantined"
    assert found["n_meetings_30d"].verdict == "quarantined"
    assert not {"stage", "forecast_category", "net_amount", "opportunity_age_days"} & set(found)


@pytest.mark.slow
def test_a_stage_without_history_shows_the_outcome_and_is_named(company: DemoCompany, tmp_path: Path) -> None:
    tables = dict(company.tables)
    tables["changes"] = tables["changes"].filter(pc.not_equal(tables["changes"]["field"], "stage"))
    found = found_in(tmp_path, tables, {})
    assert found["stage"].verdict == "quarantined"


def with_visits_dated_back(activities: pa.Table, deals: pa.Table, won: np.ndarray) -> pa.Table:
    """Two visits to every won deal, typed in when it closed and dated back to each of the weeks before."""
    closed = deals["closed_at"].cast(pa.int64()).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.flatnonzero(won), 8)
    at = closed[rows] - (np.tile(np.arange(8), int(won.sum())) * 7 + 1) * DAY_US
    moments = pa.array(at.astype("int64"), pa.int64()).cast(pa.timestamp("us", "UTC"))
    columns = {
        "activity_id": pa.array([f"late-{n}" for n in range(len(rows))]),
        "occurred_at": moments,
        "recorded_at": moments,
        "ingested_at": moments,
        "kind": pa.array(["visit"] * len(rows)),
        "opportunity_id": deals["opportunity_id"].combine_chunks().take(pa.array(rows)),
        "backfilled": pa.array([False] * len(rows)),
        "source": pa.array(["demo"] * len(rows)),
    }
    schema = activities.schema
    made = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(len(rows), f.type) for f in schema]
    kept = activities.filter(pc.fill_null(pc.not_equal(activities["kind"], "visit"), True))
    return pa.concat_tables([kept, pa.table(made, schema=schema)]).combine_chunks()
