"""Customers of a CRM and an ERP joined from the command line, so that the ERP's invoices reach the CRM's account."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crm.store import Store
from serving.cli import app

MAPPING = """
company: {currency: CNY, time_zone: Asia/Shanghai}
sources:
  - name: crm_accounts
    file: crm.csv
    table: accounts
    columns: {account_id: id, name: name, registration_code: code}
  - name: erp_accounts
    file: erp.csv
    table: accounts
    columns: {account_id: {from: number, prefix: "erp:"}, name: name, registration_code: code}
  - name: invoices
    file: invoices.csv
    table: invoices
    codes_of: {account_id: erp_accounts}
    columns:
      invoice_id: invoice
      account_id: {from: customer, prefix: "erp:"}
      issued_on: day
      gross_amount: amount
"""
# Both systems count from 1: without the prefix one's customers would overwrite the other's.
CRM = "id,name,code\n1,华信科技有限公司,91110000MA001\n2,Acme Trading Co.,\n3,北方重工机械公司,\n4,Nord GmbH,\n"
ERP = "number,name,code\n1,别名,91110000-MA001\n2,ACME Trading Ltd,\n3,北方重工机器公司,\n4,Nordd GmbH,\n5,Else,\n"
INVOICES = "invoice,customer,day,amount\n" + "".join(f"F{n},{n},2024-01-0{n},{n}00\n" for n in range(1, 6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in (("crm.csv", CRM), ("erp.csv", ERP), ("invoices.csv", INVOICES), ("mapping.yaml", MAPPING)):
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "salescast.yaml").write_text(f"store: {{folder: '{tmp_path}/var'}}\n", encoding="utf-8")
    return tmp_path


def _run(folder: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["--config", str(folder / "salescast.yaml"), *arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def _ingest(folder: Path) -> str:
    return _run(folder, "ingest", "--mapping", str(folder / "mapping.yaml"), "--data", str(folder))[1]


def _accounts(folder: Path) -> dict[str, str]:
    rows = Store(folder / "var" / "record").current().read("invoices").to_pylist()
    return {row["invoice_id"]: row["account_id"] for row in rows}


def test_pairs_are_proposed_decided_and_used_by_the_next_ingest(folder: Path) -> None:
    said = _ingest(folder)
    assert "invoices: 5 rows name an account of erp_accounts in account_id that is not joined" in said
    assert _accounts(folder)["F1"] == "erp:1"
    assert Store(folder / "var" / "record").current().rows("accounts") == 9

    _run(folder, "identities", "propose", "--leading", "crm_accounts")
    waiting = json.loads(_run(folder, "identities", "list", "--json")[0])
    assert {row["code"]: row["candidate_id"] for row in waiting} == {"erp:3": "3", "erp:4": "4"}
    said = _ingest(folder)
    assert "3 rows name" in said
    assert "erp:3, erp:4 wait in `salescast identities list`" in said
    assert _accounts(folder) == {"F1": "1", "F2": "2", "F3": "erp:3", "F4": "erp:4", "F5": "erp:5"}

    _run(folder, "identities", "confirm", "erp_accounts", "erp:3")
    _run(folder, "identities", "reject", "erp_accounts", "erp:4")
    _run(folder, "identities", "propose", "--leading", "crm_accounts")
    assert json.loads(_run(folder, "identities", "list", "--json")[0]) == []
    said = _ingest(folder)
    assert "2 rows name" in said
    assert "wait in" not in said
    assert _accounts(folder) == {"F1": "1", "F2": "2", "F3": "3", "F4": "erp:4", "F5": "erp:5"}

    before = Store(folder / "var" / "record").current_number()
    _ingest(folder)
    assert Store(folder / "var" / "record").current_number() == before


def test_pair_that_nobody_asked_about_is_refused_by_name(folder: Path) -> None:
    _ingest(folder)
    _run(folder, "identities", "propose", "--leading", "crm_accounts")
    result = CliRunner().invoke(
        app, ["--config", str(folder / "salescast.yaml"), "identities", "confirm", "erp_accounts", "erp:9"]
    )
    assert result.exit_code != 0
    assert "erp:9" in f"{result.output}{result.exception}"


@pytest.mark.parametrize(
    ("codes_of", "words"),
    [
        ("customer: erp_accounts", "no column 'customer' is filled here"),
        ("invoice_id: erp_accounts", "no reference to"),
    ],
)
def test_codes_of_names_a_filled_column_that_refers_to_accounts(folder: Path, codes_of: str, words: str) -> None:
    mapping = MAPPING.replace("account_id: erp_accounts", codes_of)
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    result = CliRunner().invoke(
        app,
        ["--config", str(folder / "salescast.yaml"), "ingest", "--mapping", str(folder / "mapping.yaml")],
    )
    assert result.exit_code != 0
    assert words in f"{result.output}{result.exception}"
