"""What is owed: the issue's own example, then each rule alone."""

from datetime import date, timedelta

import pytest

from crm.balances import Balances, balances_of
from crm.chain import Agreement, Allocation, Chain, Installment, Invoice, Receipt, add_tax


def chain(on: date, *rows: object) -> Chain:
    """The money chain of rows that had happened before `on`."""
    found: dict[type, list[object]] = {}
    for row in rows:
        happened = getattr(row, "issued_on", None) or getattr(row, "received_on", None)
        if happened is None or happened < on:
            found.setdefault(type(row), []).append(row)
    known = {row.receipt_id for row in found.get(Receipt, []) if isinstance(row, Receipt)}
    return Chain(
        on=on,
        agreements={row.agreement_id: row for row in found.get(Agreement, []) if isinstance(row, Agreement)},
        installments={row.installment_id: row for row in found.get(Installment, []) if isinstance(row, Installment)},
        invoices={row.invoice_id: row for row in found.get(Invoice, []) if isinstance(row, Invoice)},
        receipts={row.receipt_id: row for row in found.get(Receipt, []) if isinstance(row, Receipt)},
        allocations=tuple(
            row for row in found.get(Allocation, []) if isinstance(row, Allocation) and row.receipt_id in known
        ),
    )


def invoice(name: str, amount: int, issued_on: date, **more: object) -> Invoice:
    return Invoice(invoice_id=name, account_id="c", gross_amount=amount, issued_on=issued_on, **more)  # type: ignore[arg-type]


def receipt(name: str, amount: int, received_on: date, **more: object) -> Receipt:
    return Receipt(receipt_id=name, account_id="c", gross_amount=amount, received_on=received_on, **more)  # type: ignore[arg-type]


def example(on: date) -> Balances:
    """A 30/40/20/10 agreement of 1,000,003.33, two small ones, one receipt over all three, a re-issue, a bill."""
    total = 100_000_333
    nodes = [
        ("advance", 30_000_100, date(2025, 1, 10)),
        ("milestone", 40_000_133, date(2025, 4, 10)),
        ("acceptance", 25_000_083, date(2025, 7, 10)),
        ("retention", 5_000_017, date(2026, 7, 10)),
    ]
    assert sum(amount for _, amount, _ in nodes) == total
    milestone: dict[str, object] = {"agreement_id": "A", "installment_id": "A-milestone"}
    red = "I1-red" if on > date(2025, 6, 1) else None
    rows: list[object] = [Agreement(agreement_id="A", account_id="c", kind="project", gross_amount=total)]
    rows += [
        Installment(installment_id=f"A-{kind}", agreement_id="A", kind=kind, gross_amount=amount, planned_on=planned)
        for kind, amount, planned in nodes
    ]
    for name in ("B", "C"):
        rows.append(Agreement(agreement_id=name, account_id="c", gross_amount=1_000_001))
        rows.append(Installment(installment_id=f"{name}-1", agreement_id=name, gross_amount=1_000_001))
    rows += [
        # The advance is paid before it is billed, together with the two small agreements, in one transfer.
        receipt("R1", 30_000_100 + 1_000_001 + 500_000, date(2025, 1, 20), instrument="transfer"),
        Allocation(allocation_id="1", receipt_id="R1", installment_id="A-advance", amount=30_000_100),
        Allocation(allocation_id="2", receipt_id="R1", installment_id="B-1", amount=1_000_001),
        Allocation(allocation_id="3", receipt_id="R1", installment_id="C-1", amount=500_000),
        # The milestone is billed, reversed, and billed anew.
        invoice("I1", 40_000_133, date(2025, 4, 1), due_on=date(2025, 5, 1), reversed_by=red, **milestone),
        invoice("I1-red", -40_000_133, date(2025, 6, 1), agreement_id="A"),
        invoice("I2", 40_000_133, date(2025, 6, 2), due_on=date(2025, 7, 2), replaces="I1", **milestone),
        # A six-month bank acceptance bill pays 10,000,000 of it.
        receipt("R2", 10_000_000, date(2025, 6, 20), instrument="acceptance_bill", matures_on=date(2025, 12, 20)),
        Allocation(allocation_id="4", receipt_id="R2", invoice_id="I2", amount=10_000_000),
        # Acceptance and retention are billed together.
        invoice("I3", 30_000_100, date(2025, 7, 10), agreement_id="A", due_on=date(2025, 8, 9)),
    ]
    return balances_of(chain(on, *rows))


def test_open_balances_of_the_example_are_exact_to_the_cent() -> None:
    known = example(date(2025, 9, 1))
    assert known.by_node() == {
        "A-advance": 0,
        "A-milestone": 30_000_133,
        "A-acceptance": 25_000_083,
        "A-retention": 5_000_017,
        "B-1": 0,
        "C-1": 500_001,
    }
    assert known.by_invoice() == {"I2": 30_000_133, "I3": 30_000_100}
    assert known.by_agreement() == {"A": 60_000_233, "B": 0, "C": 500_001}
    assert known.on_account == {}
    assert not any(part.assumed for part in known.settled)


def test_age_of_a_reissued_invoice_goes_on_from_the_first() -> None:
    (reissued,) = [one for one in example(date(2025, 9, 1)).claims if one.claim.invoice_id == "I2"]
    assert reissued.age_days == (date(2025, 9, 1) - date(2025, 4, 1)).days
    assert reissued.overdue_days == (date(2025, 9, 1) - date(2025, 5, 1)).days


def test_an_acceptance_bill_settles_on_receipt_and_is_cash_when_it_matures() -> None:
    early, late = example(date(2025, 12, 20)), example(date(2025, 12, 21))
    assert early.cash() == 31_500_101
    assert late.cash() == 41_500_101
    assert sum(one.in_bills for one in early.claims) == 10_000_000
    assert sum(one.in_bills for one in late.claims) == 0
    assert early.by_invoice() == late.by_invoice()


def test_retention_is_not_late_before_its_planned_day_though_it_is_billed() -> None:
    def of(on: date, kind: str) -> int | None:
        (found,) = [one.overdue_days for one in example(on).claims if one.claim.kind == kind]
        return found

    assert of(date(2026, 7, 10), "acceptance") == (date(2026, 7, 10) - date(2025, 8, 9)).days
    assert of(date(2026, 7, 10), "retention") == 0
    assert of(date(2026, 7, 11), "retention") == 1


def test_between_reversal_and_reissue_nothing_is_billed_but_the_node_is_still_owed() -> None:
    known = example(date(2025, 6, 2))
    assert known.by_invoice() == {}
    assert known.by_node()["A-milestone"] == 40_000_133


def test_what_was_paid_on_a_reversed_invoice_follows_to_the_new_one() -> None:
    known = balances_of(
        chain(
            date(2025, 3, 1),
            invoice("1", 100, date(2025, 1, 1), reversed_by="2"),
            invoice("2", -100, date(2025, 2, 1)),
            invoice("3", 100, date(2025, 2, 1), replaces="1"),
            receipt("r", 40, date(2025, 1, 15)),
            Allocation(allocation_id="a", receipt_id="r", invoice_id="1", amount=40),
        )
    )
    assert known.by_invoice() == {"3": 60}
    assert not known.settled[0].assumed


def test_an_unallocated_receipt_settles_the_oldest_claim_and_says_that_this_is_assumed() -> None:
    known = balances_of(
        chain(
            date(2025, 3, 1),
            invoice("new", 100, date(2025, 2, 1)),
            invoice("old", 100, date(2025, 1, 1)),
            receipt("r", 130, date(2025, 2, 15)),
        )
    )
    assert known.by_invoice() == {"old": 0, "new": 70}
    assert sum(one.assumed for one in known.claims) == 130


def test_money_beyond_every_claim_stays_on_account() -> None:
    known = balances_of(
        chain(date(2025, 3, 1), invoice("1", 100, date(2025, 2, 1)), receipt("r", 130, date(2025, 2, 15)))
    )
    assert known.by_invoice() == {"1": 0}
    assert known.on_account == {"c": 30}


def test_a_refund_on_an_invoice_opens_it_again() -> None:
    known = balances_of(
        chain(
            date(2025, 3, 1),
            invoice("1", 100, date(2025, 1, 1)),
            receipt("r", 100, date(2025, 1, 15)),
            receipt("back", -30, date(2025, 1, 20)),
            Allocation(allocation_id="a", receipt_id="r", invoice_id="1", amount=100),
            Allocation(allocation_id="b", receipt_id="back", invoice_id="1", amount=-30),
        )
    )
    assert known.by_invoice() == {"1": 30}
    assert known.on_account == {}


def test_money_in_another_currency_settles_nothing_by_assumption() -> None:
    known = balances_of(
        chain(
            date(2025, 3, 1),
            invoice("1", 100, date(2025, 2, 1), currency="CNY"),
            receipt("r", 100, date(2025, 2, 15), currency="USD"),
        )
    )
    assert known.by_invoice() == {"1": 100}
    assert known.on_account == {"c": 100}


def test_a_line_of_replacements_that_bites_its_tail_still_ends() -> None:
    known = balances_of(
        chain(
            date(2025, 3, 1),
            invoice("1", 100, date(2025, 1, 1), replaces="2"),
            invoice("2", 100, date(2025, 1, 2), replaces="1"),
        )
    )
    assert sum(known.by_invoice().values()) == 200


@pytest.mark.parametrize(
    ("net", "rate", "gross"), [(100_05, 0.13, 113_06), (1, 0.5, 2), (-100, 0.06, -106), (7, None, 7)]
)
def test_tax_is_rounded_half_away_from_zero(net: int, rate: float | None, gross: int) -> None:
    assert add_tax(net, rate) == gross


def test_an_agreement_without_nodes_owes_what_is_not_billed() -> None:
    known = balances_of(
        chain(
            date(2025, 1, 1) + timedelta(days=60),
            Agreement(agreement_id="A", account_id="c", gross_amount=1000),
            Agreement(agreement_id="F", account_id="c", kind="framework", gross_amount=9000),
            invoice("1", 400, date(2025, 1, 1), agreement_id="A"),
        )
    )
    assert known.by_agreement() == {"A": 1000}
    assert known.receivable() == 400
