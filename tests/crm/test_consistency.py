"""Contradictions between tables are named with their share."""

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from crm.consistency import Contradiction, find_contradictions
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.schema import SYSTEM_COLUMNS, DType, arrow_type
from crm.store import Generation, Store
from crm.tables import table

LOADED = datetime(2025, 1, 1)  # noqa: DTZ001 - the record's timestamps are naive UTC


def write(tmp_path: Path, **tables: tuple[list[dict[str, object]], dict[str, DType]]) -> Generation:
    store = Store(tmp_path / "record")
    with store.writing() as writer:
        for name, (rows, custom) in tables.items():
            columns = [(column.name, arrow_type(column.dtype)) for column in (*table(name).columns, *SYSTEM_COLUMNS)]
            columns += [(column, arrow_type(dtype)) for column, dtype in custom.items()]
            filled = [{"recorded_at": LOADED, "backfilled": True, "source": name} | row for row in rows]
            writer.replace(name, pa.Table.from_pylist(filled, schema=pa.schema(columns)), custom)
    return store.current()


def by_check(found: tuple[Contradiction, ...]) -> dict[tuple[str, str, str], float]:
    return {(one.check, one.table, one.column): one.share for one in found}


def subscriptions(tmp_path: Path) -> Generation:
    """Ten customers of a subscription firm whose tables tell different stories."""
    flag = {"churn_flag": DType.FLAG}
    accounts = [{"account_id": f"a{n}", "created_at": datetime(2023, 1, 1), "churn_flag": n < 5} for n in range(10)]  # noqa: DTZ001
    agreements = [
        {
            "agreement_id": f"s{n}",
            "account_id": f"a{n}",
            "signed_on": date(2024, 1, 1),
            "starts_on": date(2024, 1, 1),
            "churn_flag": n < 9,
        }
        for n in range(10)
    ]
    churn = [
        {"activity_id": f"c{n}", "account_id": f"a{n}", "occurred_at": datetime(2024, 6, 1), "kind": "other"}  # noqa: DTZ001
        | {"source": "churn_events"}
        for n in range(4, 10)
    ]
    usage = [
        {"account_id": f"a{n}", "used_on": date(2023, 6, 1) if n < 8 else date(2024, 6, 1), "subscription": f"s{n}"}
        for n in range(10)
    ]
    return write(
        tmp_path,
        accounts=(accounts, flag),
        agreements=(agreements, flag),
        activities=(churn, {}),
        usage=(usage, {"subscription": DType.TEXT}),
    )


def test_a_flag_that_contradicts_its_events_is_named(tmp_path: Path) -> None:
    found = find_contradictions(subscriptions(tmp_path))
    assert by_check(found)["flag_against_events", "accounts", "churn_flag"] == pytest.approx(0.9)
    sentences = [one.sentence for one in found]
    assert "churn_flag of accounts and the rows of churn_events agree for 10 % of accounts" in sentences
    assert "churn_flag of accounts and of their agreements agree for 60 % of accounts" in sentences


def test_usage_that_predates_its_agreement_is_named_through_a_custom_reference(tmp_path: Path) -> None:
    found = find_contradictions(subscriptions(tmp_path))
    assert by_check(found)["begins", "usage", "used_on"] == pytest.approx(0.8)
    assert any(one.sentence == "80 % of usage happened before starts_on of their agreements" for one in found)


def test_reversed_days_dangling_names_and_back_dating_are_named(tmp_path: Path) -> None:
    invoices: list[dict[str, object]] = [
        {"invoice_id": "1", "issued_on": date(2024, 12, 1), "due_on": date(2024, 11, 1), "account_id": "nobody"},
        {"invoice_id": "2", "issued_on": date(2024, 12, 31), "due_on": date(2025, 2, 1), "account_id": "a"},
    ]
    rows = [{"gross_amount": 1, "backfilled": False} | row for row in invoices]
    receipts: list[dict[str, object]] = [{"receipt_id": "r", "received_on": date(2025, 1, 1), "gross_amount": 10}]
    parts: list[dict[str, object]] = [{"allocation_id": "x", "receipt_id": "r", "invoice_id": "1", "amount": 11}]
    generation = write(
        tmp_path,
        accounts=([{"account_id": "a"}], {}),
        invoices=(rows, {}),
        receipts=(receipts, {}),
        receipt_allocations=(parts, {}),
    )
    found = by_check(find_contradictions(generation))
    assert found == {
        ("order", "invoices", "due_on"): 0.5,
        ("dangling", "invoices", "account_id"): 0.5,
        ("back_dated", "invoices", "issued_on"): 0.5,
        ("over_allocated", "receipt_allocations", "amount"): 1.0,
    }


def test_tables_that_agree_have_no_contradiction(tmp_path: Path) -> None:
    accounts: list[dict[str, object]] = [{"account_id": "a", "created_at": datetime(2023, 1, 1)}]  # noqa: DTZ001
    invoices: list[dict[str, object]] = [
        {"invoice_id": "1", "account_id": "a", "issued_on": date(2024, 1, 1), "gross_amount": 1}
    ]
    assert find_contradictions(write(tmp_path, accounts=(accounts, {}), invoices=(invoices, {}))) == ()


def test_the_demo_company_contradicts_itself_nowhere(tmp_path: Path) -> None:
    write_company(make_company("tiny", 7, months=30), Store(tmp_path / "record"))
    assert find_contradictions(Store(tmp_path / "record").current()) == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [20260101, 7])
def test_the_small_demo_company_contradicts_itself_nowhere(tmp_path: Path, seed: int) -> None:
    write_company(make_company("small", seed), Store(tmp_path / "record"))
    assert find_contradictions(Store(tmp_path / "record").current()) == ()


def test_lead_may_be_older_than_the_account_and_the_deal_that_it_became(tmp_path: Path) -> None:
    later = datetime(2024, 6, 1)  # noqa: DTZ001
    lead = {"lead_id": "l", "created_at": datetime(2024, 1, 1), "account_id": "a", "opportunity_id": "o"}  # noqa: DTZ001
    generation = write(
        tmp_path,
        accounts=([{"account_id": "a", "created_at": later}], {}),
        opportunities=([{"opportunity_id": "o", "created_at": later}], {}),
        leads=([lead | {"converted_at": later, "referrer_account_id": "a"}], {}),
    )
    # The one that referred it has to be there before.
    assert by_check(find_contradictions(generation)) == {("begins", "leads", "created_at"): 1.0}


def test_sum_of_a_month_is_no_late_entry_when_the_month_has_ended(tmp_path: Path) -> None:
    spend = [
        {"channel": "web", "amount": 1, "spend_month": date(2024, 2, 1), "backfilled": False}
        | {"recorded_at": datetime(2024, 3, day)}  # noqa: DTZ001
        for day in (1, 8)
    ]
    assert find_contradictions(write(tmp_path, channel_spend=(spend, {}))) == ()
    late: list[dict[str, object]] = [row | {"recorded_at": datetime(2024, 3, 9)} for row in spend]  # noqa: DTZ001
    found = by_check(find_contradictions(write(tmp_path / "late", channel_spend=(late, {}))))
    assert found == {("back_dated", "channel_spend", "spend_month"): 1.0}
