"""Measures by month: each amount once, whichever links are kept."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm.balances import balances_of
from crm.chain import Chain, make_chain
from crm.money import Books, Measure, NoMeasure, NoRate, measure_by_month, measure_facts
from crm.schema import arrow_type
from crm.tables import empty_table, table

SHANGHAI = ZoneInfo("Asia/Shanghai")
ON = date(2026, 1, 1)
Rows = list[dict[str, object]]


def books(on: date = ON, **tables: Rows) -> Books:
    def make(name: str, rows: Rows) -> pa.Table:
        return pa.Table.from_pylist(
            rows, schema=pa.schema([(column.name, arrow_type(column.dtype)) for column in table(name).columns])
        )

    return Books(on=on, zone=SHANGHAI, currency="CNY", tables={name: make(name, rows) for name, rows in tables.items()})


def chain_of(known: Books) -> Chain:
    names = ("agreements", "installments", "invoices", "receipts", "receipt_allocations")
    return make_chain(on=known.on, **{name: known.tables.get(name, empty_table(name)) for name in names})


@dataclass
class History:
    """One random company: a list of rows a table, without any link between deal, agreement, order and invoice."""

    tables: dict[str, Rows] = field(default_factory=dict)

    def linked(self, draw: random.Random) -> "History":
        """The same rows, linked at random: deal to agreement to order and node to invoice."""
        made = {name: [dict(row) for row in rows] for name, rows in self.tables.items()}

        def same(name: str, key: str, account: object) -> object:
            choices = [row[key] for row in made[name] if row["account_id"] == account]
            return draw.choice([None, *choices])

        for row in made["agreements"]:
            row["opportunity_id"] = same("opportunities", "opportunity_id", row["account_id"])
        for row in made["orders"]:
            row["agreement_id"] = same("agreements", "agreement_id", row["account_id"])
            row["opportunity_id"] = same("opportunities", "opportunity_id", row["account_id"])
        for row in made["invoices"]:
            row["order_id"] = same("orders", "order_id", row["account_id"])
            row["agreement_id"] = same("agreements", "agreement_id", row["account_id"])
            nodes = [n["installment_id"] for n in made["installments"] if n["agreement_id"] == row["agreement_id"]]
            row["installment_id"] = draw.choice([None, *nodes])
        return History(made)

    def totals(self) -> dict[str, object]:
        known = books(**self.tables)
        owed = balances_of(chain_of(known))
        figures: dict[str, object] = {measure.value: measure_by_month(known, measure) for measure in Measure}
        figures["receivable"] = owed.receivable()
        figures["cash"] = owed.cash()
        figures["received"] = sum(part.amount for part in owed.settled)
        return figures


def make_history(draw: random.Random) -> History:
    accounts = [f"c{number}" for number in range(draw.randint(1, 3))]

    def rows(count: int, key: str) -> Rows:
        return [{key: f"{key}{n}", "account_id": draw.choice(accounts)} for n in range(draw.randint(1, count))]

    def day() -> date:
        return date(2025, 1, 1) + timedelta(days=draw.randrange(360))

    def moment() -> datetime:
        return datetime(2025, 1, 1) + timedelta(minutes=draw.randrange(500_000))  # noqa: DTZ001

    made: dict[str, Rows] = {
        "opportunities": rows(4, "opportunity_id"),
        "agreements": rows(4, "agreement_id"),
        "orders": rows(5, "order_id"),
        "invoices": rows(6, "invoice_id"),
        "receipts": rows(5, "receipt_id"),
    }
    for row in made["opportunities"]:
        row |= {"outcome": "won", "closed_at": moment(), "net_amount": draw.randint(1, 10**9)}
    for row in made["agreements"]:
        row |= {"signed_on": day(), "net_amount": draw.randint(1, 10**9), "cost": draw.randint(0, 10**9)}
    for row in made["orders"]:
        row |= {"line": "1", "ordered_at": moment(), "net_amount": draw.randint(-(10**6), 10**9), "cost": 7}
    for row in made["invoices"]:
        row |= {"issued_on": day(), "due_on": day(), "gross_amount": draw.randint(1, 10**6), "tax_rate": 0.13}
    for row in made["receipts"]:
        row |= {"received_on": day(), "gross_amount": draw.randint(1, 10**6)}
        row["instrument"] = draw.choice(["transfer", "acceptance_bill"])
    made["installments"] = [
        {
            "installment_id": f"{agreement['agreement_id']}-{n}",
            "agreement_id": agreement["agreement_id"],
            "kind": draw.choice(["advance", "milestone", "retention"]),
            "planned_on": day(),
            "gross_amount": draw.randint(1, 10**6),
        }
        for agreement in made["agreements"]
        for n in range(draw.randint(0, 3))
    ]
    made["receipt_allocations"] = [
        {
            "allocation_id": f"x{n}",
            "receipt_id": draw.choice(made["receipts"])["receipt_id"],
            "invoice_id": draw.choice(made["invoices"])["invoice_id"],
            "amount": draw.randint(1, 10**5),
        }
        for n in range(draw.randint(0, 5))
    ]
    return History(made)


@pytest.mark.parametrize("seed", range(5))
def test_linking_deal_agreement_order_and_invoice_moves_no_total_in_1000_random_histories(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(200):
        history = make_history(draw)
        assert history.linked(draw).totals() == history.totals()


def test_parts_of_receipts_add_up_to_the_receipts_in_random_histories() -> None:
    draw = random.Random(7)
    for _ in range(200):
        history = make_history(draw).linked(draw)
        chain = chain_of(books(**history.tables))
        owed = balances_of(chain)
        assert sum(part.amount for part in owed.settled) == sum(one.gross_amount for one in chain.receipts.values())
        assert all(balance.open >= 0 for balance in owed.claims)
        billed = sum(balance.claim.gross for balance in owed.claims if balance.claim.invoice_id)
        assert billed == sum(invoice.gross_amount for invoice in chain.invoices.values())


def test_bookings_are_signed_agreements_and_never_the_deal_again() -> None:
    deal: Rows = [{"opportunity_id": "o", "outcome": "won", "closed_at": datetime(2025, 3, 1), "net_amount": 100}]  # noqa: DTZ001
    signed: Rows = [{"agreement_id": "a", "opportunity_id": "o", "signed_on": date(2025, 4, 2), "net_amount": 100}]
    assert measure_by_month(books(opportunities=deal, agreements=signed), Measure.BOOKINGS) == {date(2025, 4, 1): 100}
    assert measure_by_month(books(opportunities=deal), Measure.BOOKINGS) == {date(2025, 3, 1): 100}


def test_a_framework_books_nothing_and_its_call_off_does() -> None:
    rows: Rows = [
        {"agreement_id": "f", "kind": "framework", "signed_on": date(2025, 1, 1), "net_amount": 1000},
        {"agreement_id": "a", "parent_id": "f", "kind": "project", "signed_on": date(2025, 2, 1), "net_amount": 300},
    ]
    assert measure_by_month(books(agreements=rows), Measure.BOOKINGS) == {date(2025, 2, 1): 300}


def test_an_acceptance_bill_is_a_receipt_of_the_month_in_which_it_matures() -> None:
    bill: dict[str, object] = {"receipt_id": "r", "received_on": date(2025, 6, 20), "gross_amount": 100}
    bill |= {"instrument": "acceptance_bill", "matures_on": date(2025, 12, 20)}
    assert measure_by_month(books(date(2025, 12, 20), receipts=[bill]), Measure.RECEIPTS) == {}
    assert measure_by_month(books(date(2025, 12, 21), receipts=[bill]), Measure.RECEIPTS) == {date(2025, 12, 1): 100}


def test_a_reversed_invoice_is_revenue_of_its_month_and_taken_back_in_the_red_one_s() -> None:
    rows: Rows = [
        {"invoice_id": "1", "issued_on": date(2025, 4, 1), "gross_amount": 113, "tax_rate": 0.13, "reversed_by": "2"},
        {"invoice_id": "2", "issued_on": date(2025, 5, 1), "gross_amount": -113, "tax_rate": 0.13},
    ]
    assert measure_by_month(books(invoices=rows), Measure.REVENUE) == {date(2025, 4, 1): 100, date(2025, 5, 1): -100}


def test_a_foreign_amount_takes_the_last_rate_by_its_day() -> None:
    rates: Rows = [
        {"currency": "USD", "rate_on": date(2025, 1, 1), "rate": 7.0},
        {"currency": "USD", "rate_on": date(2025, 6, 1), "rate": 7.5},
    ]
    signed: Rows = [{"agreement_id": "a", "signed_on": date(2025, 5, 31), "net_amount": 101, "currency": "USD"}]
    assert measure_facts(books(agreements=signed, fx_rates=rates), Measure.BOOKINGS).amount.tolist() == [707]
    with pytest.raises(NoRate, match="USD to CNY by 2025-05-31"):
        measure_facts(books(agreements=signed), Measure.BOOKINGS)


def test_new_customers_are_counted_in_the_month_of_their_first_sale() -> None:
    rows: Rows = [
        {"agreement_id": "a", "account_id": "c", "signed_on": date(2025, 5, 1), "net_amount": 1},
        {"agreement_id": "b", "account_id": "c", "signed_on": date(2025, 2, 1), "net_amount": 1},
    ]
    assert measure_by_month(books(agreements=rows), Measure.NEW_CUSTOMERS) == {date(2025, 2, 1): 1}


def test_a_measure_that_no_table_tells_is_refused_by_name() -> None:
    with pytest.raises(NoMeasure, match="gross_margin needs one of the tables orders, agreements"):
        measure_by_month(books(), Measure.GROSS_MARGIN)
