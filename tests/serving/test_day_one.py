"""A company that exports today's values trains without what nobody had seen at the time, and is told so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm.config import Config
from crm.demo.company import DemoCompany, make_company
from crm.demo.export import export_company, forget_history
from crm.demo.write import write_company
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Store
from features.first_seen import NOT_SEEN
from features.spoiling import truncate
from features.timed_set import TimedSet
from models.tasks.win_probability import TASK
from models.train import asked_of
from models.verdict import DAY_ONE, empty_report
from serving.training import RowSource, read_rows

CONFIG = Config()
TABLES = ("org_units", "reps", "products", "accounts", "opportunities", "changes")


@pytest.fixture(scope="module")
def company() -> DemoCompany:
    made = make_company("tiny", 11)
    return replace(made, tables={name: rows for name, rows in made.tables.items() if name in TABLES})


def timed(store: Store) -> TimedSet:
    rows = read_rows(store.current(), TASK, RowSource.AUTO, config=CONFIG)
    assert isinstance(rows, TimedSet)
    return rows


def test_on_the_first_day_the_final_stage_is_left_out_by_name(company: DemoCompany, tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_company(forget_history(company), store)
    rows = timed(store)
    left_out = {left.column for left in rows.left_out if left.reason == NOT_SEEN}
    assert {"stage", "days_in_stage", "forecast_category", "net_amount"} <= left_out
    assert not left_out & {field.name for field in rows.fields}
    assert DAY_ONE in empty_report(TASK, asked_of(TASK, rows), (), 1).limits


def test_a_company_with_its_past_loses_nothing(company: DemoCompany, tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_company(company, store)
    rows = timed(store)
    assert "stage" in {field.name for field in rows.fields}
    assert not [left for left in rows.left_out if left.reason == NOT_SEEN]
    assert DAY_ONE not in empty_report(TASK, asked_of(TASK, rows), (), 1).limits


def test_exports_taken_in_week_by_week_bring_the_fields_back(company: DemoCompany, tmp_path: Path) -> None:
    store, zone = Store(tmp_path / "record"), CONFIG.company.zone
    end = datetime.fromtimestamp(company.end_us / 1e6, UTC)
    for weeks in (6, 4, 2, 0):
        moment = end - timedelta(weeks=weeks)
        today = truncate(company.tables, moment, zone, {})
        mapping = export_company(forget_history(replace(company, tables=today)), tmp_path / "files")
        report = ingest(store, read_mapping(mapping), tmp_path / "files", config=CONFIG, now=moment)
        assert not [source.refused for source in report.sources if source.refused]
    rows = timed(store)
    stage = rows.rows.column("stage").to_pylist()
    known = [at for at, value in zip(rows.as_of, stage, strict=True) if value is not None]
    assert known
    # Before the second export nothing had been seen to change.
    assert min(known).astype(datetime).replace(tzinfo=UTC) >= end - timedelta(weeks=4)
