"""Real data sets, unedited and whole, through their mappings: the counts are those that their README states."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pytest

from crm.config import Config
from crm.consistency import find_contradictions
from crm.ingest import IngestReport, ingest
from crm.mapping import read_mapping
from crm.schema import DType
from crm.store import Generation, Store

MAPPINGS = Path(__file__).parents[2] / "examples" / "mappings"
SLOW = pytest.mark.slow


def _ingest(shared_data: Path, folder: Path, name: str, day: int = 1) -> IngestReport:
    mapping = read_mapping(MAPPINGS / f"{name}.yaml")
    now = datetime(2026, 1, day, tzinfo=UTC)
    return ingest(Store(folder / name), mapping, shared_data / name, config=Config(), now=now)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("xeducation_leads", {"observations": 9_240}),
        ("bank_marketing", {"observations": 41_188}),
        (
            "ibm_receivables",
            {"accounts": 100, "invoices": 1_725, "receipts": 1_623, "receipt_allocations": 1_623},
        ),
        pytest.param(
            "maven_crm",
            {"opportunities": 8_800, "accounts": 85, "products": 7, "reps": 35, "org_units": 9},
            marks=SLOW,
        ),
        pytest.param("bpic2012", {"opportunities": 7_455, "changes": 33_797, "activities": 105_000}, marks=SLOW),
        pytest.param("ibm_telco_churn", {"observations": 7_043}, marks=SLOW),
        pytest.param("online_retail", {"orders": 334_054, "accounts": 3_412}, marks=SLOW),
        pytest.param(
            "ravenstack",
            {"accounts": 500, "agreements": 5_000, "usage": 24_111, "tickets": 2_000, "activities": 600},
            marks=SLOW,
        ),
        pytest.param("superstore", {"orders": 9_994, "accounts": 793, "products": 1_862}, marks=SLOW),
        pytest.param("aus_tourism", {"panel": 21_888}, marks=SLOW),
        pytest.param("hillstrom", {"observations": 31_960}, marks=SLOW),
    ],
)
def test_data_set_is_taken_in_whole_and_again_changes_nothing(
    shared_data: Path, tmp_path: Path, name: str, rows: dict[str, int]
) -> None:
    report = _ingest(shared_data, tmp_path, name)
    assert not report.refused
    assert not report.rejects
    generation = Store(tmp_path / name).current()
    assert {table: generation.rows(table) for table in generation.tables} == rows
    again = _ingest(shared_data, tmp_path, name, day=2)
    assert again.generation == 1
    assert sum(source.unchanged for source in again.sources) == sum(rows.values())


def test_every_data_set_has_a_mapping(shared_data: Path) -> None:
    folders = {path.name for path in shared_data.iterdir() if path.is_dir()}
    assert {path.stem for path in MAPPINGS.glob("*.yaml")} >= folders


def _generation(shared_data: Path, folder: Path, name: str) -> Generation:
    _ingest(shared_data, folder, name)
    return Store(folder / name).current()


def test_xeducation_keeps_every_column_and_reads_select_as_missing(shared_data: Path, tmp_path: Path) -> None:
    generation = _generation(shared_data, tmp_path, "xeducation_leads")
    custom = generation.custom("observations")
    assert len(custom) == 34
    assert {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"} <= set(custom)
    rows = generation.read("observations")
    assert not pc.any(pc.equal(rows.column("City"), "Select")).as_py()
    assert pc.sum(rows.column("label")).as_py() == 3_561
    assert rows.column("position").null_count == 0


def test_bank_marketing_reads_unknown_and_999_as_missing(shared_data: Path, tmp_path: Path) -> None:
    generation = _generation(shared_data, tmp_path, "bank_marketing")
    rows = generation.read("observations")
    assert pc.sum(rows.column("label")).as_py() == 4_640
    assert (rows.column("job").null_count, len(rows) - rows.column("pdays").null_count) == (330, 1_515)
    assert generation.custom("observations")["pdays"] is DType.NUMBER


def test_receivables_keep_zero_padded_numbers_and_the_order_of_days(shared_data: Path, tmp_path: Path) -> None:
    generation = _generation(shared_data, tmp_path, "ibm_receivables")
    invoices = generation.read("invoices")
    assert "0000611365" in invoices.column("invoice_id").to_pylist()
    assert pc.all(pc.less_equal(invoices.column("issued_on"), invoices.column("due_on"))).as_py()
    assert "written_after_outcome" in generation.facts("invoices")


@pytest.mark.slow
def test_telco_reads_blank_charges_as_missing(shared_data: Path, tmp_path: Path) -> None:
    generation = _generation(shared_data, tmp_path, "ibm_telco_churn")
    assert generation.read("observations").column("TotalCharges").null_count == 11
    assert generation.custom("observations")["TotalCharges"] is DType.NUMBER


@pytest.mark.slow
def test_maven_products_are_found_under_their_other_spelling(shared_data: Path, tmp_path: Path) -> None:
    report = _ingest(shared_data, tmp_path, "maven_crm")
    assert not [found for found in report.dangling if found.column == "product"]
    rows = Store(tmp_path / "maven_crm").current().read("opportunities")
    counts = {item["values"]: item["counts"] for item in pc.value_counts(rows.column("outcome")).to_pylist()}
    assert counts == {"won": 4_238, "lost": 2_473, "open": 2_089}


@pytest.mark.slow
def test_what_the_tables_of_ravenstack_contradict_is_named(shared_data: Path, tmp_path: Path) -> None:
    found = find_contradictions(_generation(shared_data, tmp_path, "ravenstack"))
    said = {one.sentence for one in found}
    assert "churn_flag of accounts and the rows of churn_events agree for 38 % of accounts" in said
    assert "77 % of usage happened before starts_on of their agreements" in said


@pytest.mark.slow
def test_tourism_has_304_series_of_quarters(shared_data: Path, tmp_path: Path) -> None:
    rows = _generation(shared_data, tmp_path, "aus_tourism").read("panel")
    assert len(pc.unique(rows.column("unique_id"))) == 304
    assert str(pc.max(rows.column("ds")).as_py()) == "2015-10-01"
