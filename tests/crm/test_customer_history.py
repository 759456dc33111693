"""Habits and renewals are derived so that each row tells only what was known when it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from crm.customer_history import KIND_GAPS, KIND_LOSSES, USUAL_GAP_DAYS, derive_customer_history, usual_gaps
from crm.engine import DuckDBEngine
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.settlements import can_be_derived
from crm.tables import table

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
Rows = list[dict[str, object]]


def as_table(name: str, rows: Rows) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.Table.from_pylist(rows, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def derived(**tables: Rows) -> dict[str, list[dict[str, object]]]:
    with DuckDBEngine({}, threads=1) as engine:
        for name, rows in tables.items():
            engine.register(name, as_table(name, rows))
        return {name: found.to_pylist() for name, found in derive_customer_history(engine, tuple(tables)).items()}


def order(account: str, day: int, *, line: str = "1", known_late: int = 0, quantity: float = 1.0) -> dict[str, object]:
    at = START + timedelta(days=day)
    return {
        "order_id": f"{account}{day:03d}",
        "line": line,
        "account_id": account,
        "ordered_at": at,
        "quantity": quantity,
        "recorded_at": at + timedelta(days=known_late),
    }


def agreement(name: str, ends: date, **more: object) -> dict[str, object]:
    signed = ends - timedelta(days=370)
    return {
        "agreement_id": name,
        "account_id": "a",
        "kind": "subscription",
        "signed_on": signed,
        "starts_on": signed,
        "ends_on": ends,
        "net_amount": 1000,
        "recorded_at": datetime.combine(signed, datetime.min.time()),
        **more,
    }


def test_a_gap_is_the_customers_own_drawn_to_its_kinds_as_if_one_more_had_been_seen() -> None:
    found = derived(orders=[order("a", 0), order("a", 10), order("a", 10, line="2"), order("a", 30)])["purchases"]
    last = max(found, key=lambda row: str(row["purchase_id"]))
    everybody = (30 + USUAL_GAP_DAYS) / 3
    kind = (30 + KIND_GAPS * everybody) / (2 + KIND_GAPS)
    assert last["kind_gap_days"] == pytest.approx(kind)
    assert last["shrunk_gap_days"] == pytest.approx((30 + kind) / 3)


def test_a_customer_seen_once_has_the_gap_of_its_kind() -> None:
    rows = [*(order("weekly", day) for day in range(0, 70, 7)), *(order("yearly", day) for day in (0, 60))]
    accounts: Rows = [
        {"account_id": name, "buyer_type": kind, "recorded_at": START}
        for name, kind in (("weekly", "small"), ("yearly", "government"), ("new", "small"))
    ]
    found = derived(orders=[*rows, order("new", 70)], accounts=accounts)["purchases"]
    new = next(row for row in found if row["account_id"] == "new")
    assert new["shrunk_gap_days"] == new["kind_gap_days"]
    assert float(str(new["kind_gap_days"])) < float(
        str(max(row["kind_gap_days"] for row in found if row["account_id"] == "yearly"))  # type: ignore[type-var]
    )


def test_an_order_known_late_moves_nothing_that_was_known_before_and_a_return_is_no_purchase() -> None:
    plain = derived(orders=[order("a", 0), order("a", 20)])["purchases"]
    late = derived(orders=[order("a", 0), order("a", 5, known_late=60), order("a", 20), order("a", 21, quantity=-1.0)])
    kept = [row for row in late["purchases"] if row["purchase_id"] != "a005|1"]
    assert kept == plain


def test_a_renewal_is_kept_reduced_or_lost_from_the_day_on_which_that_was_known() -> None:
    ends = date(2026, 3, 31)
    signed = date(2026, 3, 20)
    heirs = [
        agreement(
            name,
            date(2027, 3, 31),
            signed_on=on,
            net_amount=amount,
            recorded_at=datetime.combine(on, datetime.min.time()),
        )
        for name, on, amount in (("k2", signed, 950), ("r2", signed, 600), ("t2", date(2026, 5, 20), 1000))
    ]
    rows = [
        agreement("k", ends, renewed_to="k2"),
        agreement("r", ends, renewed_to="r2"),
        agreement("late", ends, renewed_to="t2"),
        agreement("gone", ends),
        agreement("cancelled", ends, cancelled_at=date(2026, 1, 5)),
        agreement("forever", ends, kind="licence"),
    ]
    found = {str(row["agreement_id"]): row for row in derived(agreements=[*rows, *heirs])["renewals"]}
    assert {name: (row["outcome"], row["closed_on"]) for name, row in found.items() if name[-1] != "2"} == {
        "k": ("kept", signed),
        "r": ("reduced", signed),
        "late": ("lost", date(2026, 4, 30)),
        "gone": ("lost", date(2026, 4, 30)),
        "cancelled": ("lost", date(2026, 1, 5)),
    }
    assert found["r"]["share_cut"] == pytest.approx(0.4)
    # One loss and one smaller renewal were known by the signature: (1 + k * (1 + 1) / (2 + 2)) / (2 + k).
    assert found["r"]["reduced_share_of_kind"] == pytest.approx((1 + KIND_LOSSES * 0.5) / (2 + KIND_LOSSES))


def test_a_renewal_that_was_linked_late_is_not_known_before_the_link_was() -> None:
    ends, signed = date(2026, 3, 31), date(2026, 3, 20)
    known = datetime.combine(signed, datetime.min.time())
    linked = datetime(2026, 4, 10, tzinfo=UTC)
    change = {
        "change_id": "1",
        "entity": "agreements",
        "entity_id": "k",
        "field": "renewed_to",
        "new_value": "k2",
        "occurred_at": linked,
        "recorded_at": linked,
    }
    rows = [
        agreement("k", ends, renewed_to="k2"),
        agreement("k2", date(2027, 3, 31), signed_on=signed, recorded_at=known),
    ]
    found = derived(agreements=rows, changes=[change])["renewals"]
    kept = next(row for row in found if row["agreement_id"] == "k")
    assert (kept["outcome"], kept["recorded_at"]) == ("kept", linked.replace(tzinfo=None))


def test_what_a_record_lacks_is_not_derived() -> None:
    assert derived(leads=[]) == {}
    assert can_be_derived("purchases", ["orders"])
    assert not can_be_derived("renewals", ["orders"])
    assert not can_be_derived("settlements", ["orders"])
    assert can_be_derived("settlements", ["invoices"])


@pytest.mark.parametrize("seed", range(8))
def test_the_gaps_of_one_customer_are_those_of_the_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        order(str(rng.choice(["a", "b"])), int(day), line=str(n), known_late=int(rng.integers(0, 3) * 20))
        for n, day in enumerate(rng.integers(0, 200, 30))
    ]
    found = derived(orders=rows)["purchases"]
    own = [row for row in found if row["account_id"] == "a"]
    known = [(max(moment(row["ordered_at"]), moment(row["recorded_at"])), moment(row["ordered_at"])) for row in own]
    order_known = sorted(range(len(own)), key=lambda place: known[place][0])
    gaps = usual_gaps(
        [(known[place][0], known[place][1].date()) for place in order_known],
        [float(str(own[place]["kind_gap_days"])) for place in order_known],
    )
    assert list(gaps) == pytest.approx([own[place]["shrunk_gap_days"] for place in order_known])


def moment(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value
