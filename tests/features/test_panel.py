"""Monthly panels as known at a cutoff: each amount once, owners added up, nothing from the future."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.money import Measure, measure_facts, read_books
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.attribution import attribute, read_owners
from features.months import month_facts
from features.panel import Panel, end_of_month, last_closed_month, read_panels

ZONE = ZoneInfo("Asia/Shanghai")
CUTOFF = datetime(2026, 4, 10, tzinfo=UTC)
Rows = Sequence[Mapping[str, object]]


def recorded(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)  # noqa: DTZ001 - the record's timestamps are naive UTC


def write(folder: Path, **tables: Rows) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in tables.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
            filled = [{"backfilled": False, "source": "test", **row} for row in rows]
            writer.replace(name, pa.Table.from_pylist(filled, schema=schema))
    return store.current()


def panels(generation: Generation, as_of: datetime = CUTOFF) -> dict[str, Panel]:
    measures = (Measure.BOOKINGS, Measure.RECEIPTS, Measure.REVENUE)
    return read_panels(generation, measures, as_of, zone=ZONE, currency="CNY")


def people() -> dict[str, Rows]:
    long_ago = date(2020, 1, 1)
    staff = [("R1", "East", "rep"), ("R2", "West", "rep"), ("R3", "West", "rep"), ("P1", "West", "presales")]
    return {
        "reps": [
            {"rep_id": rep, "region": region, "role": role, "hired_on": long_ago, "recorded_at": recorded(long_ago)}
            for rep, region, role in staff
        ],
        "products": [{"product": "Alpha", "line": "Cloud", "recorded_at": recorded(long_ago)}],
        "accounts": [
            {"account_id": "A1", "region": "North", "rep_id": "R1", "recorded_at": recorded(long_ago)},
        ],
    }


def agreement(name: str, day: date, amount: int, rep: str, **more: object) -> dict[str, object]:
    return {
        "agreement_id": name,
        "account_id": "A1",
        "rep_id": rep,
        "product": "Alpha",
        "kind": "licence",
        "signed_on": day,
        "net_amount": amount * 100,
        "recorded_at": recorded(day),
        **more,
    }


def test_a_sale_is_counted_once_along_deal_and_agreement(tmp_path: Path) -> None:
    day = date(2026, 2, 3)
    deal = {
        "opportunity_id": "O1",
        "created_at": recorded(date(2026, 1, 1)),
        "account_id": "A1",
        "rep_id": "R1",
        "outcome": "won",
        "closed_at": recorded(day),
        "net_amount": 500_00,
        "recorded_at": recorded(date(2026, 1, 1)),
    }
    signed = agreement("G1", day, 500, "R1", opportunity_id="O1")
    found = panels(write(tmp_path, **people(), opportunities=[deal], agreements=[signed]))

    assert found["bookings"].series("company").tolist() == [500.0, 0.0]


def test_every_level_adds_up_to_the_company(tiny_company: Generation) -> None:
    for measure, panel in panels(tiny_company, tiny_company.recorded_to).items():
        whole = panel.series("company")
        for level in ("region", "line", "region_line"):
            parts = [panel.values[place] for place, node in enumerate(panel.nodes) if node.level.value == level]
            assert np.sum(parts, axis=0) == pytest.approx(whole), (measure, level)


def test_the_running_month_is_left_out(tmp_path: Path) -> None:
    rows = [agreement("G1", date(2026, 3, 31), 10, "R1"), agreement("G2", date(2026, 4, 2), 99, "R1")]
    found = panels(write(tmp_path, **people(), agreements=rows))["bookings"]

    assert found.months.tolist() == [date(2026, 3, 1)]
    assert found.series("company").tolist() == [10.0]


def test_a_month_closes_at_midnight_of_the_company(tmp_path: Path) -> None:
    closed = end_of_month(np.datetime64("2026-03", "M"), ZONE)

    assert closed == datetime(2026, 3, 31, 16, tzinfo=UTC)
    assert last_closed_month(closed, ZONE) == np.datetime64("2026-03", "M")
    assert last_closed_month(closed - timedelta(seconds=1), ZONE) == np.datetime64("2026-02", "M")
    assert last_closed_month(closed - timedelta(microseconds=1), ZONE) == np.datetime64("2026-03", "M")


def test_a_month_read_at_its_last_moment_holds_its_last_day(tmp_path: Path) -> None:
    generation = write(tmp_path, **people(), agreements=[agreement("G1", date(2026, 3, 31), 10, "R1")])
    closed = end_of_month(np.datetime64("2026-03", "M"), ZONE)

    for as_of in (closed, closed - timedelta(microseconds=1)):
        assert panels(generation, as_of)["bookings"].series("company").tolist() == [10.0]


def test_rows_recorded_after_the_cutoff_change_nothing(tmp_path: Path) -> None:
    known = [agreement("G1", date(2026, 1, 5), 10, "R1"), agreement("G2", date(2026, 2, 5), 20, "R2")]
    later = CUTOFF + timedelta(days=1)
    moved = {
        "change_id": "H1",
        "entity": "agreements",
        "entity_id": "G2",
        "occurred_at": later.replace(tzinfo=None),
        "recorded_at": later.replace(tzinfo=None),
        "field": "net_amount",
        "old_value": "2000",
        "new_value": "777700",
    }
    late = agreement("G3", date(2026, 2, 6), 5000, "R1", recorded_at=later.replace(tzinfo=None))
    changed = [known[0], {**known[1], "net_amount": 777700}, late]
    before = panels(write(tmp_path / "a", **people(), agreements=known))["bookings"]
    after = panels(write(tmp_path / "b", **people(), agreements=changed, changes=[moved]))["bookings"]

    assert after.nodes == before.nodes
    assert after.values.tolist() == before.values.tolist()


def test_someone_who_sold_nothing_yet_has_a_reason_and_no_series(tmp_path: Path) -> None:
    found = panels(write(tmp_path, **people(), agreements=[agreement("G1", date(2026, 1, 5), 10, "R1")]))["bookings"]

    assert {node.node_id for node in found.nodes} == {
        "company",
        "region:East",
        "line:Cloud",
        "region_line:East|Cloud",
        "rep:R1",
    }
    assert found.silent["rep:R2"] == "no history yet: nothing sold in a closed month"
    assert found.silent["rep:P1"] == "does not sell"


def test_an_acceptance_bill_is_received_on_the_day_it_matures(tmp_path: Path) -> None:
    bill = {
        "receipt_id": "E1",
        "account_id": "A1",
        "received_on": date(2025, 10, 5),
        "gross_amount": 300_00,
        "instrument": "acceptance_bill",
        "matures_on": date(2026, 2, 20),
        "recorded_at": recorded(date(2025, 10, 5)),
    }
    found = panels(write(tmp_path, **people(), receipts=[bill]))["receipts"]

    assert dict(zip(found.months.tolist(), found.series("company").tolist(), strict=True)) == {
        date(2026, 2, 1): 300.0,
        date(2026, 3, 1): 0.0,
    }


def test_a_receipt_is_cut_along_the_agreements_it_pays(tmp_path: Path) -> None:
    day = date(2026, 2, 1)
    signed = [agreement("G1", day, 100, "R1"), agreement("G2", day, 200, "R2")]
    invoices = [
        {"invoice_id": f"I{n}", "agreement_id": f"G{n}", "issued_on": day, "gross_amount": n * 100_00} for n in (1, 2)
    ]
    receipt = {"receipt_id": "E1", "account_id": "A1", "received_on": day, "gross_amount": 310_00}
    parts = [
        {"allocation_id": f"L{n}", "receipt_id": "E1", "invoice_id": f"I{n}", "amount": n * 100_00} for n in (1, 2)
    ]
    stamp = {"recorded_at": recorded(day)}
    generation = write(
        tmp_path,
        **people(),
        agreements=signed,
        invoices=[{**row, **stamp} for row in invoices],
        receipts=[{**receipt, **stamp}],
        receipt_allocations=[{**row, **stamp} for row in parts],
    )
    found = panels(generation)["receipts"]

    # What nobody allocated is the customer's, whose owner is R1.
    assert found.series("rep:R1")[0] == 110.0
    assert found.series("rep:R2")[0] == 200.0
    assert found.series("company")[0] == 310.0


def test_parts_add_up_to_the_measure_to_the_hundredth(tiny_company: Generation) -> None:
    books = read_books(tiny_company, tiny_company.recorded_to, ZONE, "CNY")
    owners = read_owners(tiny_company, tiny_company.recorded_to, ZONE)

    for measure in (Measure.BOOKINGS, Measure.RECEIPTS, Measure.REVENUE):
        facts = measure_facts(books, measure).amount.sum()
        assert attribute(books, measure, owners).amount.sum() == facts


def test_a_panel_of_the_company_is_taken_as_it_is(tmp_path: Path) -> None:
    rows = [
        {
            "panel": "trips",
            "unique_id": name,
            "ds": date(2026, month, 1),
            "frequency": "month",
            "y": float(10 * month),
            "recorded_at": recorded(date(2026, month + 1, 1)),
        }
        for name in ("north", "south")
        for month in (1, 2, 3)
        if (name, month) != ("south", 2)
    ]
    found = panels(write(tmp_path, panel=rows))["trips"]

    assert found.series("series:north").tolist() == [10.0, 20.0, 30.0]
    assert np.isnan(found.series("series:south")[1])


def test_a_panel_by_quarter_ends_with_the_last_quarter_that_has_closed(tmp_path: Path) -> None:
    rows = [
        {
            "panel": "trips",
            "unique_id": "north",
            "ds": date(2025, month, 1),
            "frequency": "quarter",
            "y": float(month),
            "recorded_at": recorded(date(2025, month, 2)),
        }
        for month in (1, 4, 7)
    ]
    generation = write(tmp_path, panel=rows)
    before = panels(generation, end_of_month(np.datetime64("2025-08"), ZONE))["trips"]
    after = panels(generation, end_of_month(np.datetime64("2025-09"), ZONE))["trips"]

    assert (before.period, before.months.astype(str).tolist()) == (3, ["2025-03", "2025-06"])
    assert after.months.astype(str).tolist() == ["2025-03", "2025-06", "2025-09"]
    assert after.series("series:north").tolist() == [1.0, 4.0, 7.0]


def test_working_days_of_a_month_know_the_holidays_of_the_country() -> None:
    october = np.array(["2025-10"], "datetime64[M]")

    assert month_facts(october, "CN")[0, 0] < month_facts(october, "??")[0, 0] == 23.0
