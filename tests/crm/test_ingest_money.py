"""Amounts taken in: hundredths of the unit in every currency, rounded or taxed only where the mapping says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from crm.config import Config
from crm.ingest import IngestReport, ingest
from crm.mapping import parse_mapping
from crm.store import Store

AGREEMENTS = """
company: {currency: EUR, time_zone: UTC}
sources:
  - name: agreements
    file: agreements.csv
    table: agreements
    columns: {agreement_id: id, signed_on: day, net_amount: {from: net}, cost: {subtract: [net, gain]}, currency: money}
"""


def _ingest(folder: Path, *, mapping: str) -> IngestReport:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    return ingest(Store(folder / "record"), parse_mapping(mapping), folder, config=Config(), now=now)


def test_amounts_are_the_same_hundredths_in_every_currency_and_tax_has_its_rate(tmp_path: Path) -> None:
    mapping = """
company: {currency: CNY, time_zone: UTC}
sources:
  - name: orders
    file: orders.csv
    table: orders
    columns:
      order_id: id
      line: {constant: 1}
      ordered_at: day
      currency: cur
      net_amount: {from: amount, tax: gross, tax_rate: 0.13}
      cost: {from: cost, unit: 万}
"""
    rows = [["a", "2024-01-01", "CNY", "113.00", "1.5"], ["b", "2024-01-01", "JPY", "1130", "2"]]
    lines = ["id,day,cur,amount,cost", *(",".join(row) for row in rows)]
    (tmp_path / "orders.csv").write_text("\n".join(lines), encoding="utf-8")
    _ingest(tmp_path, mapping=mapping)
    found = Store(tmp_path / "record").current().read("orders").to_pylist()
    assert [(row["net_amount"], row["cost"]) for row in found] == [(10000, 1500000), (100000, 2000000)]


def test_money_is_kept_in_hundredths_of_the_unit_in_every_currency(tmp_path: Path) -> None:
    lines = ["J,2024-01-05,1500,1,JPY", "K,2024-01-05,1.25,0.25,KWD", "F,2024-01-05,1.255,0.125,KWD"]
    (tmp_path / "agreements.csv").write_text("\n".join(["id,day,net,gain,money", *lines]), encoding="utf-8")
    report = _ingest(tmp_path, mapping=AGREEMENTS)
    rows = Store(tmp_path / "record").current().read("agreements").to_pylist()
    found = {row["agreement_id"]: (row["net_amount"], row["cost"], row["currency"]) for row in rows}
    assert found == {"J": (150_000, 149_900, "JPY"), "K": (125, 100, "KWD")}
    assert {reject.line for reject in report.rejects} == {4}
    assert "at most 2 decimal places; state `rounded: true`" in report.rejects[0].reason


def test_finer_amounts_are_rounded_and_cents_are_hundredths_when_the_mapping_says_so(tmp_path: Path) -> None:
    (tmp_path / "agreements.csv").write_text("id,day,net,gain,money\nF,2024-01-05,1.255,150,KWD\n", encoding="utf-8")
    mapping = AGREEMENTS.replace("net_amount: {from: net}", "net_amount: {from: net, rounded: true}")
    _ingest(tmp_path, mapping=mapping.replace("cost: {subtract: [net, gain]}", "cost: {from: gain, unit: cents}"))
    row = Store(tmp_path / "record").current().read("agreements").to_pylist()[0]
    assert (row["net_amount"], row["cost"]) == (126, 150)
