"""Broken input: rows are rejected by name or the source is refused whole; nothing is half taken in."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.config import Config
from crm.ingest import IngestReport, ingest
from crm.mapping import parse_mapping
from crm.store import Store

MAPPING = """
company: {currency: EUR, time_zone: Europe/Paris}
sources:
  - name: accounts
    file: accounts.csv
    table: accounts
    columns:
      account_id: id
      name: name
      created_at: created
      annual_revenue: revenue
      buyer_type: kind
      employees: staff
"""
HEADER = "id,name,created,revenue,kind,staff"
GOOD = ["A1,Ada GmbH,2024-01-05,1000.50,small,12", "A2,Bo SA,2024-01-06,2000,enterprise,300"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _ingest(folder: Path, lines: list[str], mapping: str = MAPPING, header: str = HEADER) -> IngestReport:
    (folder / "accounts.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return ingest(Store(folder / "record"), parse_mapping(mapping), folder, config=Config(), now=NOW)


def _ids(folder: Path) -> list[str]:
    return sorted(Store(folder / "record").current().read("accounts").column("account_id").to_pylist())


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("A3,Cy,2024-02-30,1,small,1", "created", "no such day"),
        ("A3,Cy,05/01/2024,1,small,1", "created", "expected a date"),
        ("A3,Cy,2024-03-31 02:30:00,1,small,1", "created", "never was in Europe/Paris"),
        ("A3,Cy,2024-02-03,12%,small,1", "revenue", "not a percentage"),
        ('A3,Cy,2024-02-03,"1,5",small,1', "revenue", "decimal_comma"),
        ("A3,Cy,2024-02-03,1e9,small,1", "revenue", "lost digits"),
        ("A3,Cy,2024-02-03,10.005,small,1", "revenue", "decimal places"),
        ("A3,Cy,2024-02-03,1,Small,1", "kind", "expected one of enterprise"),
        ("A3,Cy,2024-02-03,1,small,1.5", "staff", "whole number"),
        (",Cy,2024-02-03,1,small,1", "id", "may not be empty"),
        ("A3,2024-02-03,1,small,1,Cy", "created", "expected a date"),
    ],
)
def test_bad_cell_rejects_its_row_with_line_column_and_reason(
    tmp_path: Path, line: str, column: str, words: str
) -> None:
    report = _ingest(tmp_path, [*GOOD, line])
    assert report.sources[0].rejected == 1
    reject = next(reject for reject in report.rejects if reject.column == column)
    assert reject.line == 4
    assert words in reject.reason
    assert _ids(tmp_path) == ["A1", "A2"]


def test_personal_values_are_never_echoed(tmp_path: Path) -> None:
    report = _ingest(tmp_path, [*GOOD, "A2,Other Name,2024-01-06,2000,enterprise,300"])
    files = "".join(path.read_text(encoding="utf-8-sig") for path in report.reject_files)
    assert "Name" not in files
    assert "Bo SA" not in files


def test_key_with_two_values_is_rejected_on_both_lines(tmp_path: Path) -> None:
    report = _ingest(tmp_path, [*GOOD, "A2,Bo SA,2024-01-06,2001,enterprise,300"])
    assert [(reject.line, reject.value) for reject in report.rejects] == [(3, "A2"), (4, "A2")]
    assert "also in line 4" in report.rejects[0].reason
    assert _ids(tmp_path) == ["A1"]


def test_same_row_twice_counts_once_as_unchanged(tmp_path: Path) -> None:
    report = _ingest(tmp_path, [*GOOD, GOOD[0]])
    assert (report.sources[0].inserted, report.sources[0].unchanged, report.sources[0].rejected) == (2, 1, 0)


def test_keys_that_differ_only_in_composition_are_one_key(tmp_path: Path) -> None:
    report = _ingest(tmp_path, ["Caf\u00e9,x,2024-01-05,1,small,1", "Cafe\u0301,x,2024-01-05,1,small,1"])
    assert (report.sources[0].inserted, report.sources[0].unchanged) == (1, 1)


def test_rejects_are_written_safe_for_spreadsheets(tmp_path: Path) -> None:
    report = _ingest(tmp_path, [*GOOD, "A3,Cy,=1+1,1,small,1"])
    with report.reject_files[0].open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["value"] == "'=1+1"
    assert report.reject_files[0].parent.parent == tmp_path / "record" / "rejects"


def test_one_bad_row_refuses_the_source_when_the_mapping_says_so(tmp_path: Path) -> None:
    report = _ingest(tmp_path, [*GOOD, "A3,Cy,never,1,small,1"], MAPPING + "    on_reject: refuse\n")
    assert report.generation == 0
    assert "on_reject: refuse" in report.refused[0].refused


def test_mapping_that_fits_hardly_any_row_is_refused_whole(tmp_path: Path) -> None:
    lines = [f"A{number},Cy,05/01/2024,1,small,1" for number in range(30)]
    report = _ingest(tmp_path, [*GOOD, *lines])
    assert report.generation == 0
    assert "30 of 32 rows are at fault" in report.refused[0].refused


def test_absent_column_is_named_with_the_nearest_spelling(tmp_path: Path) -> None:
    report = _ingest(tmp_path, GOOD, header=HEADER.replace("revenue", "revenues"))
    assert "no column 'revenue'; did you mean 'revenues'?" in report.refused[0].refused


def test_custom_column_with_the_name_of_a_stated_one_is_refused_with_a_way_out(tmp_path: Path) -> None:
    lines = [f"{line},North" for line in GOOD]
    report = _ingest(tmp_path, lines, header=f"{HEADER},Region")
    assert "rename:" in report.refused[0].refused
    renamed = _ingest(tmp_path, lines, MAPPING + "    rename: {Region: sales_region}\n", f"{HEADER},Region")
    assert renamed.sources[0].inserted == 2


def test_other_encoding_is_refused_and_nothing_is_taken_in(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_bytes(f"{HEADER}\nA1,深圳公司,2024-01-05,1,small,1\n".encode("gbk"))
    report = ingest(Store(tmp_path / "record"), parse_mapping(MAPPING), tmp_path, config=Config(), now=NOW)
    assert report.generation == 0
    assert "accounts.csv" in report.refused[0].refused


def test_refused_source_leaves_the_others_whole(tmp_path: Path) -> None:
    second = (
        MAPPING.split("sources:\n")[1].replace("name: accounts", "name: more").replace("file: accounts", "file: more")
    )
    (tmp_path / "more.csv").write_text(f"{HEADER}\nB1,Di,2024-01-05,1,small,1\nB1,Ed,2024-01-06,1,small,1\n")
    report = _ingest(tmp_path, GOOD, MAPPING + second + "    on_reject: refuse\n")
    assert [bool(source.refused) for source in report.sources] == [False, True]
    assert _ids(tmp_path) == ["A1", "A2"]


def test_bad_cell_of_one_of_several_files_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "accounts_1.csv").write_text("\n".join([HEADER, *GOOD]) + "\n")
    (tmp_path / "accounts_2.csv").write_text(f"{HEADER}\nA3,Cy,2024-02-30,1,small,1\nA4,Di,2024-02-03,1,small,1\n")
    mapping = parse_mapping(MAPPING.replace("accounts.csv", "accounts_*.csv"))
    report = ingest(Store(tmp_path / "record"), mapping, tmp_path, config=Config(), now=NOW)
    assert [(reject.line, reject.reason.split(":")[0]) for reject in report.rejects] == [(2, "accounts_2.csv")]
    assert _ids(tmp_path) == ["A1", "A2", "A4"]
