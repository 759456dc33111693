"""The demo company goes through the real door and comes out the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.config import Config
from crm.demo.company import DemoCompany, make_company
from crm.demo.export import export_company, forget_history
from crm.demo.write import write_company
from crm.ingest import IngestReport, ingest
from crm.mapping import read_mapping
from crm.store import Generation, Store

NOW = datetime(2026, 7, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def leaky() -> DemoCompany:
    return make_company("tiny", 4, planted_leaks=True)


def _ingested(company: DemoCompany, folder: Path) -> tuple[Generation, IngestReport]:
    mapping = read_mapping(export_company(company, folder / "files"))
    store = Store(folder / "record")
    report = ingest(store, mapping, folder / "files", config=Config(), now=NOW)
    return store.current(), report


def _assert_same(company: DemoCompany, generation: Generation, ignore: set[str]) -> None:
    assert set(generation.tables) == set(company.tables)
    for name, rows in company.tables.items():
        read = generation.read(name)
        for column in set(rows.column_names) - ignore:
            assert read[column].combine_chunks().equals(rows[column].combine_chunks()), f"{name}.{column}"


def test_exported_files_are_taken_in_without_a_reject_and_give_the_same_tables(
    leaky: DemoCompany, tmp_path: Path
) -> None:
    generation, report = _ingested(leaky, tmp_path)
    assert report.rejects == ()
    assert report.dangling == ()
    _assert_same(leaky, generation, {"ingested_at", "source"})
    assert generation.custom("leads") == leaky.custom["leads"]


def test_written_company_is_the_same_record(leaky: DemoCompany, tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_company(leaky, store)
    _assert_same(leaky, store.current(), set())
    assert store.current().recorded_to <= datetime(2026, 6, 30, 16, tzinfo=UTC)


def test_exports_look_like_a_chinese_crm(leaky: DemoCompany, tmp_path: Path) -> None:
    export_company(leaky, tmp_path)
    assert (tmp_path / "leads.csv").read_text("utf-8").startswith('"线索编号"')
    accounts = (tmp_path / "accounts.csv").read_bytes()
    assert "有限公司" in accounts.decode("gb18030")
    with pytest.raises(UnicodeDecodeError):
        accounts.decode("utf-8")
    receipts = (tmp_path / "receipts.csv").read_bytes().decode("gb18030")
    first = leaky.tables["receipts"]["gross_amount"][0].as_py()
    assert f"{first // 100}.{first % 100:02d}" in receipts.splitlines()[1]


def test_no_file_holds_the_truth(leaky: DemoCompany, tmp_path: Path) -> None:
    export_company(leaky, tmp_path)
    names = {path.stem for path in tmp_path.iterdir()}
    assert names == set(leaky.tables) | {"mapping"}
    for name, rows in leaky.tables.items():
        assert not {"state", "habit", "health", "score", "quality", "belief"} & set(rows.column_names), name


def test_a_company_without_history_has_today_s_values_only(tmp_path: Path) -> None:
    company = forget_history(make_company("tiny", 4))
    assert "changes" not in company.tables
    generation, report = _ingested(company, tmp_path)
    assert report.rejects == ()
    assert not generation.has("changes")
    deals = generation.read("opportunities")
    assert pc.all(deals["backfilled"]).as_py()
    assert deals["recorded_at"].equals(deals["created_at"])
    assert isinstance(deals, pa.Table)
