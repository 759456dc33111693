"""The demo company's money chain adds up to the cent."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm.balances import open_balances
from crm.demo.company import DemoCompany, make_company
from crm.demo.write import write_company
from crm.store import Store


@pytest.fixture(scope="module")
def company() -> DemoCompany:
    return make_company("tiny", 5, months=36)


def _sums(rows: pa.Table, by: str, amount: str) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for key, value in zip(rows[by].to_pylist(), rows[amount].to_pylist(), strict=True):
        if key is not None:
            total[key] += value
    return total


def test_nodes_of_an_agreement_sum_to_its_gross_amount(company: DemoCompany) -> None:
    nodes = _sums(company.tables["installments"], "agreement_id", "gross_amount")
    for agreement in company.tables["agreements"].to_pylist():
        per_mille = round(agreement["tax_rate"] * 1000)
        gross = (agreement["net_amount"] * (1000 + per_mille) + 500) // 1000
        assert nodes[agreement["agreement_id"]] == gross


def test_invoices_of_a_node_sum_to_it_or_have_not_been_issued(company: DemoCompany) -> None:
    billed = _sums(company.tables["invoices"], "installment_id", "gross_amount")
    nodes = company.tables["installments"].to_pylist()
    assert all(billed.get(n["installment_id"], n["gross_amount"]) == n["gross_amount"] for n in nodes)
    assert 0.5 < len(billed) / len(nodes) < 1.0


def test_a_reversed_invoice_its_red_one_and_the_new_one_cancel(company: DemoCompany) -> None:
    invoices = {row["invoice_id"]: row for row in company.tables["invoices"].to_pylist()}
    again = {row["replaces"]: row for row in invoices.values() if row["replaces"]}
    reversed_ = [row for row in invoices.values() if row["reversed_by"]]
    assert reversed_
    for row in reversed_:
        red, new = invoices[row["reversed_by"]], again[row["invoice_id"]]
        assert row["gross_amount"] + red["gross_amount"] == 0
        assert (new["gross_amount"], new["due_on"]) == (row["gross_amount"], row["due_on"])
        assert row["issued_on"] < red["issued_on"] <= new["issued_on"]


def test_allocations_spend_each_receipt_and_never_overpay_an_invoice(company: DemoCompany) -> None:
    allocations = company.tables["receipt_allocations"]
    spent = _sums(allocations, "receipt_id", "amount")
    receipts = {row["receipt_id"]: row["gross_amount"] for row in company.tables["receipts"].to_pylist()}
    assert spent == receipts
    paid = _sums(allocations, "invoice_id", "amount")
    billed = {row["invoice_id"]: row for row in company.tables["invoices"].to_pylist()}
    assert all(0 < amount <= billed[name]["gross_amount"] for name, amount in paid.items())
    assert all(billed[name]["reversed_by"] is None for name in paid)


def test_receipts_belong_to_the_account_that_was_billed(company: DemoCompany) -> None:
    account = {row["receipt_id"]: row["account_id"] for row in company.tables["receipts"].to_pylist()}
    billed = {row["invoice_id"]: row["account_id"] for row in company.tables["invoices"].to_pylist()}
    for row in company.tables["receipt_allocations"].to_pylist():
        assert account[row["receipt_id"]] == billed[row["invoice_id"]]


def test_an_agreement_books_its_deal_once(company: DemoCompany) -> None:
    deals = {row["opportunity_id"]: row for row in company.tables["opportunities"].to_pylist()}
    from_deals = [row for row in company.tables["agreements"].to_pylist() if row["opportunity_id"]]
    assert len({row["opportunity_id"] for row in from_deals}) == len(from_deals)
    assert all(deals[row["opportunity_id"]]["outcome"] == "won" for row in from_deals)
    assert all(deals[row["opportunity_id"]]["net_amount"] == row["net_amount"] for row in from_deals)


def test_orders_of_an_agreement_repeat_its_amount_and_others_stand_alone(company: DemoCompany) -> None:
    net = {row["agreement_id"]: row["net_amount"] for row in company.tables["agreements"].to_pylist()}
    orders = company.tables["orders"].to_pylist()
    linked = [row for row in orders if row["agreement_id"]]
    assert all(net[row["agreement_id"]] == row["net_amount"] for row in linked)
    billed = {row["order_id"] for row in company.tables["invoices"].to_pylist() if row["order_id"]}
    assert billed.isdisjoint(row["order_id"] for row in linked)


def test_bills_mature_after_half_a_year_and_transfers_do_not(company: DemoCompany) -> None:
    receipts = company.tables["receipts"].to_pylist()
    bills = [row for row in receipts if row["instrument"] == "acceptance_bill"]
    assert bills
    assert all((row["matures_on"] - row["received_on"]).days == 180 for row in bills)
    assert all(row["matures_on"] is None for row in receipts if row["instrument"] != "acceptance_bill")


def test_renewals_follow_and_leavers_do_not_renew(company: DemoCompany) -> None:
    agreements = {row["agreement_id"]: row for row in company.tables["agreements"].to_pylist()}
    renewed = [row for row in agreements.values() if row["renewed_to"]]
    assert renewed
    for row in renewed:
        following = agreements[row["renewed_to"]]
        assert following["account_id"] == row["account_id"]
        assert following["starts_on"] > row["ends_on"]
        assert row["cancelled_at"] is None


def test_open_balances_are_what_was_signed_less_what_was_paid(company: DemoCompany, tmp_path: Path) -> None:
    store, zone = Store(tmp_path), ZoneInfo("Asia/Shanghai")
    write_company(company, store)
    balances = open_balances(store.current(), datetime(2026, 7, 1, tzinfo=zone), zone)
    paid = sum(company.tables["receipt_allocations"]["amount"].to_pylist())
    nodes = sum(company.tables["installments"]["gross_amount"].to_pylist())
    invoices = company.tables["invoices"].to_pylist()
    add_ons = sum(row["gross_amount"] for row in invoices if row["order_id"])
    assert balances.on_account == {}
    assert sum(balances.by_account().values()) == nodes + add_ons - paid
    assert balances.receivable() == sum(row["gross_amount"] for row in invoices) - paid
