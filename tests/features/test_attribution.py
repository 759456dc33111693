"""Owners of amounts a column at a time: the same as one row after the other, whichever links are kept."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm.money import Books, Measure
from crm.schema import arrow_type
from crm.tables import table
from features.attribution import Attributed, Owners, attribute

ZONE = ZoneInfo("Asia/Shanghai")
Row = dict[str, str | int | date | None]
Tables = Mapping[str, list[Row]]
PARTS = ("rep_id", "team", "region", "line", "industry", "buyer_type")
PEOPLE: Tables = {
    "reps": [
        {"rep_id": "R1", "team_id": "T1", "region": "East"},
        {"rep_id": "R2", "team_id": None, "region": ""},
    ],
    "accounts": [
        {"account_id": "A1", "region": "North", "rep_id": "R2", "industry": "Steel", "buyer_type": "small"},
        {"account_id": "A2", "region": None, "rep_id": "R1", "industry": "", "buyer_type": None},
        {"account_id": "A3", "region": "South", "rep_id": None, "industry": "Oil", "buyer_type": "enterprise"},
    ],
    "products": [{"product": "Alpha", "line": "Cloud"}, {"product": "Beta", "line": None}],
}


def as_table(name: str, rows: list[Row]) -> pa.Table:
    schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in table(name).columns])
    return pa.Table.from_pylist(rows, schema=schema)


def made(draw: random.Random) -> Tables:
    """Agreements, orders, nodes, invoices and receipts with links to each other, to nothing and to the unknown."""

    def some(*choices: str | None) -> str | None:
        return draw.choice([*choices, None])

    def owned() -> Row:
        account, rep = some("A1", "A2", "A3", "A9", ""), some("R1", "R2", "R9", "")
        return {"account_id": account, "rep_id": rep, "product": some("Alpha", "Beta", "Gamma", "")}

    def amount() -> int:
        return draw.randint(-500, 5000)

    day = date(2026, 1, 1)
    gross = [amount() for _ in range(4)]
    return {
        "agreements": [
            {"agreement_id": f"G{n}", "signed_on": day, "net_amount": amount(), **owned()} for n in range(3)
        ],
        "orders": [
            {"order_id": f"O{n // 2}", "line": str(n), "region": some("West"), "net_amount": amount(), **owned()}
            for n in range(4)
        ],
        "installments": [
            {"installment_id": f"N{n}", "agreement_id": draw.choice(["G0", "G1", "G9"]), "gross_amount": 1}
            for n in range(2)
        ],
        "invoices": [
            {
                "invoice_id": f"I{n}",
                "account_id": some("A1", "A2", "A3"),
                "agreement_id": some("G0", "G1", "G9"),
                "order_id": some("O0", "O1", "O9"),
                "issued_on": day,
                "gross_amount": amount(),
            }
            for n in range(5)
        ],
        "receipts": [
            {"receipt_id": f"E{n}", "account_id": some("A1", "A2", "A3"), "received_on": day, "gross_amount": gross[n]}
            for n in range(4)
        ],
        "receipt_allocations": [
            {
                "allocation_id": f"L{n}",
                "receipt_id": f"E{draw.randint(0, 4)}",
                "invoice_id": some("I0", "I1", "I9"),
                "installment_id": some("N0", "N1", "N9"),
                "amount": draw.randint(1, 4000),
            }
            for n in range(5)
        ],
    }


def found_of(rows: list[Row], key: str, name: object) -> Row:
    return next((row for row in rows if name and row[key] == name), {})


def slow_owner(row: Row) -> tuple[object, ...]:
    """Whose a row is, looked up one after the other."""
    account = found_of(PEOPLE["accounts"], "account_id", row.get("account_id"))
    rep_id = row.get("rep_id") or account.get("rep_id") or None
    rep = found_of(PEOPLE["reps"], "rep_id", rep_id)
    region = rep.get("region") or account.get("region") or row.get("region") or None
    line = found_of(PEOPLE["products"], "product", row.get("product")).get("line") or row.get("product") or None
    return (
        rep_id,
        rep.get("team_id") or None,
        region,
        line,
        account.get("industry") or None,
        account.get("buyer_type") or None,
    )


def slow_origin(tables: Tables, invoice: Row) -> Row:
    signed = found_of(tables["agreements"], "agreement_id", invoice["agreement_id"])
    ordered = found_of(tables["orders"], "order_id", invoice["order_id"])
    return signed or ordered or {"account_id": invoice["account_id"]}


def slowly(tables: Tables, measure: Measure) -> Counter[tuple[object, ...]]:
    """Every part with its owner, one row after the other."""
    if measure is Measure.BOOKINGS:
        return Counter((row["agreement_id"], row["net_amount"], *slow_owner(row)) for row in tables["agreements"])
    if measure is Measure.REVENUE:
        return Counter(
            (row["invoice_id"], row["gross_amount"], *slow_owner(slow_origin(tables, row)))
            for row in tables["invoices"]
        )
    parts: list[tuple[object, ...]] = []
    for receipt in tables["receipts"]:
        rest = int(str(receipt["gross_amount"]))
        for share in (one for one in tables["receipt_allocations"] if one["receipt_id"] == receipt["receipt_id"]):
            invoice = found_of(tables["invoices"], "invoice_id", share["invoice_id"])
            node = found_of(tables["installments"], "installment_id", share["installment_id"])
            signed = found_of(tables["agreements"], "agreement_id", node.get("agreement_id"))
            origin = slow_origin(tables, invoice) if invoice else signed or {"account_id": receipt["account_id"]}
            part = int(str(share["amount"])) if receipt["gross_amount"] else 0
            part = rest if abs(part) > abs(rest) else part
            rest -= part
            parts.append((receipt["receipt_id"], part, *slow_owner(origin)))
        if rest:
            parts.append((receipt["receipt_id"], rest, *slow_owner({"account_id": receipt["account_id"]})))
    return Counter(parts)


def told(parts: Attributed) -> Counter[tuple[object, ...]]:
    columns = [
        [None if code < 0 else labels.names[code] for code in labels.codes.tolist()]
        for labels in (parts.labels[name] for name in PARTS)
    ]
    return Counter(zip(parts.row_id.to_pylist(), parts.amount.tolist(), *columns, strict=True))


@pytest.mark.parametrize("measure", [Measure.BOOKINGS, Measure.REVENUE, Measure.RECEIPTS])
def test_owners_are_those_of_one_row_after_the_other_in_random_histories(measure: Measure) -> None:
    draw = random.Random(11)
    owners = Owners(tables={name: as_table(name, rows) for name, rows in PEOPLE.items()}, sellers={}, teams=None)
    for _ in range(80):
        tables = made(draw)
        known = {name: as_table(name, rows) for name, rows in tables.items()}
        books = Books(on=date(2026, 2, 1), zone=ZONE, currency="CNY", tables=known)

        assert told(attribute(books, measure, owners)) == slowly(tables, measure)
