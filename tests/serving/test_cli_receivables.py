"""What customers owe, from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Store
from crm.tables import table
from serving.cli import app
from serving.cli_errors import NotPossible


def write(folder: Path, name: str, rows: Sequence[dict[str, object]]) -> None:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
    stamp = {"backfilled": False, "source": "test", "recorded_at": datetime(2026, 3, 31, 20)}  # noqa: DTZ001
    with Store(folder / "var" / "record").writing() as writer:
        writer.replace(name, pa.Table.from_pylist([stamp | row for row in rows], schema=schema))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "salescast.yaml").write_text(f"store: {{folder: '{tmp_path}/var'}}\n", encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    called = ["--config", str(folder / "salescast.yaml"), "receivables", *arguments]
    return CliRunner().invoke(app, called, catch_exceptions=False).stdout


def test_what_is_owed_is_told_by_month_and_by_age(folder: Path) -> None:
    bill = {"invoice_id": "I1", "account_id": "A1", "issued_on": date(2026, 1, 5), "due_on": date(2026, 2, 4)}
    money = {"receipt_id": "E1", "account_id": "A1", "received_on": date(2026, 3, 10), "gross_amount": 60_00}
    write(folder, "invoices", [bill | {"gross_amount": 100_00}])
    write(folder, "receipts", [money])

    told = json.loads(run(folder, "--months", "2", "--json"))
    assert [month["owed"] for month in told["months"]] == [100.0, 40.0]
    assert told["ageing"]["31-90"] == 40.0
    # Less than a year is known: no ratio yet, and no NaN either.
    assert told["months"][-1]["collected"] is None
    lines = run(folder).splitlines()
    assert lines[3].split() == ["2026-03", "0", "0", "60", "40", "40", "-", "-", "-"]


def test_a_company_that_bills_nothing_is_told_what_is_missing(folder: Path) -> None:
    write(folder, "products", [{"product": "Alpha", "line": "Cloud"}])
    with pytest.raises(NotPossible, match="it needs invoices, installments or receipts"):
        run(folder)
