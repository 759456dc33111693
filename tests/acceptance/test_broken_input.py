"""Broken files all the way into a record that already holds good rows: refused, or rejected by line; never half in."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.config import Config
from crm.ingest import IngestReport, ingest
from crm.mapping import parse_mapping
from crm.store import Store

_KINDS = Path(__file__).parents[1] / "crm" / "readers" / "broken_files.py"
_SPEC = importlib.util.spec_from_file_location("broken_files", _KINDS)
assert _SPEC is not None
assert _SPEC.loader is not None
KINDS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(KINDS)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = {"G": ("Gus", 5), "1": ("Old", 1)}
SOUND = {"G": ("Gus", 5), "1": ("Ada", 10), "2": ("Bob", 20), "3": ("Cem", 30)}
DATED = b"id,name,n,day,revenue\n"
GOOD = b"1,Ada,10,2024-01-31,1.50\n2,Bob,20,2024-02-29,2\n3,Cem,30,2024-03-01 08:00:00,3\n"
# name: (content after the header, lines of the rejects, column, what a reason says)
VALUES = {
    "day that never was": (GOOD + b"9,Eve,1,2023-02-29,1\n", [5], "day", "no such day"),
    "month 13": (GOOD + b"9,Eve,1,2023-13-01,1\n", [5], "day", "no such day"),
    "day of a spreadsheet": (GOOD + b"9,Eve,1,45000,1\n", [5], "day", "expected a date"),
    "other order of day and month": (GOOD + b"9,Eve,1,31/01/2024,1\n", [5], "day", "expected a date"),
    "year 0001": (GOOD + b"9,Eve,1,0001-01-01,1\n", [5], "day", "expected"),
    "year 9999": (GOOD + b"9,Eve,1,9999-12-31,1\n", [5], "day", "expected"),
    "key that is missing": (GOOD + b",Eve,1,2024-01-01,1\n", [5], "id", "may not be empty"),
    "key with two values": (
        GOOD + b"9,Eve,1,2024-01-01,1\n9,Eve,2,2024-01-01,1\n",
        [5, 6],
        "account_id",
        "also in line",
    ),
    "columns in another order": (GOOD + b"9,Eve,2024-01-01,1,1\n", [5, 5], "n", "expected a number"),
    "number with a word": (GOOD + b"9,Eve,about 3,2024-01-01,1\n", [5], "n", "expected a number"),
    "infinite amount": (GOOD + b"9,Eve,1,2024-01-01,inf\n", [5], "revenue", "expected an amount"),
    "amount with lost digits": (GOOD + b"9,Eve,1,2024-01-01,1.2E+5\n", [5], "revenue", "lost digits"),
    "amount with three decimals": (GOOD + b"9,Eve,1,2024-01-01,1.005\n", [5], "revenue", "decimal places"),
    "amount beyond all bounds": (GOOD + b"9,Eve,1,2024-01-01,99999999999999999999\n", [5], "revenue", "below"),
    "spreadsheet error": (GOOD + b"9,Eve,1,2024-01-01,#REF!\n", [5], "revenue", "expected an amount"),
}


def _mapping(file: str, options: dict[str, object], columns: dict[str, str]) -> str:
    source = {"name": "broken", "file": file, **options, "table": "accounts", "columns": columns}
    return json.dumps({"company": {"time_zone": "UTC", "currency": "EUR"}, "sources": [source]})


def _take_in(
    folder: Path, file: str, content: bytes, options: dict[str, object], *, dated: bool = False
) -> IngestReport:
    columns = {"account_id": "id", "name": "name", "employees": "n"}
    (folder / file).write_bytes(content)
    mapping = _mapping(file, options, columns | ({"created_at": "day", "annual_revenue": "revenue"} if dated else {}))
    return ingest(Store(folder / "record"), parse_mapping(mapping), folder, config=Config(), now=NOW)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    lines = "".join(f"{key},{name},{n}\n" for key, (name, n) in BEFORE.items())
    assert _take_in(folder, "g.csv", KINDS.HEAD + lines.encode(), {}).generation == 1
    return folder / "record"


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    shutil.copytree(good, tmp_path / "record")
    return tmp_path


def _rows(folder: Path) -> dict[str, tuple[str, int]]:
    rows = Store(folder / "record").current().read("accounts", ["account_id", "name", "employees"]).to_pylist()
    return {row["account_id"]: (row["name"], row["employees"]) for row in rows}


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in (folder / "record").rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS.REFUSED)
def test_broken_file_leaves_the_record_as_it_was(folder: Path, kind: str) -> None:
    file, content, options, message = KINDS.REFUSED[kind]
    before, files = Store(folder / "record").current(), _files(folder)
    report = _take_in(folder, file, content, options)
    assert [source.source for source in report.refused] == ["broken"]
    assert report.refused[0].refused.startswith(f"{file}:")
    assert re.search(message, report.refused[0].refused)
    assert len(report.sources) == 1
    assert (report.generation, report.sources[0].inserted, report.sources[0].changed) == (1, 0, 0)
    assert Store(folder / "record").current().digest == before.digest
    assert _files(folder) == files
    assert _rows(folder) == BEFORE


def _assert_sound(folder: Path, report: IngestReport, lines: list[int], reason: str) -> None:
    assert [reject.line for reject in report.rejects] == lines
    assert any(reason in reject.reason for reject in report.rejects)
    assert report.sources[0].rejected == len(set(lines))
    assert (report.generation, _rows(folder)) == (2, SOUND)
    written = report.reject_files[0].read_text(encoding="utf-8-sig").splitlines()
    assert [int(line.split(",")[0]) for line in written[1:]] == sorted(lines)


@pytest.mark.parametrize("kind", KINDS.REJECTED)
def test_broken_record_is_left_out_by_line_and_the_sound_ones_come_in(folder: Path, kind: str) -> None:
    content, options, lines, reason = KINDS.REJECTED[kind]
    _assert_sound(folder, _take_in(folder, "f.csv", content, options), lines, reason)
    assert _take_in(folder, "f.csv", content, options).generation == 2


@pytest.mark.parametrize("kind", VALUES)
def test_broken_cell_leaves_its_row_out_by_line_and_column(folder: Path, kind: str) -> None:
    content, lines, column, reason = VALUES[kind]
    report = _take_in(folder, "f.csv", DATED + content, {}, dated=True)
    _assert_sound(folder, report, lines, reason)
    assert column in {reject.column for reject in report.rejects}
    assert _take_in(folder, "f.csv", DATED + content, {}, dated=True).generation == 2


@pytest.mark.parametrize("kind", [*KINDS.REJECTED, *VALUES])
def test_file_with_any_fault_is_refused_whole_when_the_mapping_says_so(folder: Path, kind: str) -> None:
    content, options = (DATED + VALUES[kind][0], {}) if kind in VALUES else KINDS.REJECTED[kind][:2]
    report = _take_in(folder, "f.csv", content, {**options, "on_reject": "refuse"}, dated=kind in VALUES)
    assert "on_reject: refuse" in report.refused[0].refused
    assert (report.generation, _rows(folder)) == (1, BEFORE)


def test_there_are_at_least_sixty_kinds_beside_those_of_single_cells() -> None:
    assert len(KINDS.REFUSED) + len(KINDS.REJECTED) >= 60
