"""Panels at their edges: a defined answer or a clear error for what records hold one day or other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.money import Measure, NoRate
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.nodes import Level, Node
from features.own_panels import TwoRowsAMonth
from features.panel import Panel, read_panels
from models.series_points import make_batch

ZONE = ZoneInfo("Asia/Shanghai")
CUTOFF = datetime(2026, 4, 10, tzinfo=UTC)
LONG_AGO = date(2020, 1, 1)
Row = Mapping[str, object]


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)  # noqa: DTZ001 - the record's timestamps are naive UTC


def write(folder: Path, **tables: Sequence[Row]) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in tables.items():
            columns = (*table(name).columns, *SYSTEM_COLUMNS)
            schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
            stamp = {"backfilled": False, "source": "test", "recorded_at": noon(LONG_AGO)}
            writer.replace(name, pa.Table.from_pylist([stamp | dict(row) for row in rows], schema=schema))
    return store.current()


def read(generation: Generation, as_of: datetime = CUTOFF, **more: object) -> dict[str, Panel]:
    return read_panels(generation, tuple(Measure), as_of, zone=ZONE, currency="CNY", **more)  # type: ignore[arg-type]


def rep(name: str, region: str = "East", team: str = "T1", **more: object) -> Row:
    return {"rep_id": name, "region": region, "team_id": team, "role": "rep", "hired_on": LONG_AGO, **more}


def signed(name: str, day: date, amount: int, seller: str = "R1", **more: object) -> Row:
    row = {"agreement_id": name, "account_id": "A1", "rep_id": seller, "product": "Alpha", "kind": "licence"}
    return {**row, "signed_on": day, "net_amount": amount * 100, "recorded_at": noon(day), **more}


CUSTOMER: Row = {"account_id": "A1", "region": "East", "industry": "Steel", "buyer_type": "government", "rep_id": "R1"}


def test_amounts_are_told_by_team_industry_and_kind_of_buyer(tmp_path: Path) -> None:
    other = {"account_id": "A2", "industry": "Oil"}
    rows = [
        signed("G1", date(2026, 2, 1), 10),
        signed("G2", date(2026, 2, 2), 5, "R2", account_id="A2"),
        signed("G3", date(2026, 2, 3), 1, "", account_id="A1"),
    ]
    generation = write(tmp_path, reps=[rep("R1"), rep("R2", "West", "T2")], accounts=[CUSTOMER, other], agreements=rows)
    found = read(generation)["bookings"]

    told = {node.node_id: found.series(node.node_id)[0] for node in found.nodes}
    assert (told["team:T1"], told["team:T2"]) == (11.0, 5.0)
    assert (told["industry:Steel"], told["industry:Oil"]) == (11.0, 5.0)
    assert told["buyer_type:government"] == 11.0
    assert "buyer_type:" not in told
    assert read(generation)["new_customers"].series("company").tolist() == [2.0, 0.0]


def test_names_that_hold_separators_stay_apart() -> None:
    first = Node(level=Level.REGION_LINE, region="East|West", line="Cloud")
    second = Node(level=Level.REGION_LINE, region="East", line="West|Cloud")
    third = Node(level=Level.LINE, line="a:b%7C")

    assert len({first.node_id, second.node_id, third.node_id, Node(level=Level.LINE, line="a:b|").node_id}) == 4


def test_a_region_and_a_team_that_sold_nothing_have_a_reason_and_no_series(tmp_path: Path) -> None:
    staff = [rep("R1"), rep("R2", "South", "T2"), rep("R3", "North", "T3", left_on=date(2025, 1, 1))]
    found = read(write(tmp_path, reps=staff, agreements=[signed("G1", date(2026, 2, 1), 10)]))["bookings"]

    assert {"region:South", "team:T2", "rep:R2"} <= set(found.silent)
    # Nobody sells there any more, so nobody misses it.
    assert "region:North" not in found.silent
    assert not {node.node_id for node in found.nodes} & set(found.silent)


def test_a_team_that_was_dissolved_gets_no_series(tmp_path: Path) -> None:
    units = [
        {"unit_id": name, "kind": "team", "valid_from": LONG_AGO, "valid_to": ends}
        for name, ends in (("T1", None), ("T2", date(2026, 3, 31)))
    ]
    rows = [signed("G1", date(2026, 2, 1), 10), signed("G2", date(2026, 2, 1), 5, "R2")]
    generation = write(tmp_path, org_units=units, reps=[rep("R1"), rep("R2", team="T2")], agreements=rows)

    assert read(generation)["bookings"].silent["team:T2"] == "not a unit of the organisation any more"
    before = read(generation, datetime(2026, 3, 20, tzinfo=UTC))["bookings"]
    assert before.series("team:T2").tolist() == [5.0]


def test_someone_who_moved_in_the_middle_of_a_month_takes_the_past_along(tmp_path: Path) -> None:
    moves = [
        {
            "change_id": f"H{number}",
            "entity": "reps",
            "entity_id": "R1",
            "occurred_at": noon(date(2026, 3, 16)),
            "recorded_at": noon(date(2026, 3, 16)),
            "field": field,
            "old_value": old,
            "new_value": new,
        }
        for number, (field, old, new) in enumerate([("region", "East", "West"), ("team_id", "T1", "T2")])
    ]
    rows = [
        signed("G1", date(2026, 2, 10), 10),
        signed("G2", date(2026, 3, 10), 20),
        signed("G3", date(2026, 3, 20), 40),
    ]
    generation = write(tmp_path, reps=[rep("R1", "West", "T2")], changes=moves, agreements=rows)

    after = read(generation)["bookings"]
    assert after.series("team:T2").tolist() == after.series("region:West").tolist() == [10.0, 60.0]
    assert not {"team:T1", "region:East"} & {node.node_id for node in after.nodes}
    before = read(generation, datetime(2026, 3, 15, tzinfo=UTC))["bookings"]
    assert before.series("team:T1").tolist() == before.series("region:East").tolist() == [10.0]


def test_one_month_of_history_is_one_month(tmp_path: Path) -> None:
    found = read(write(tmp_path, agreements=[signed("G1", date(2026, 3, 1), 10)]))
    batch = make_batch(found)

    assert found["bookings"].values.shape == (2, 1)
    assert batch is not None
    assert np.isfinite(batch.values).all()


def test_refunds_may_turn_a_month_negative(tmp_path: Path) -> None:
    money = [
        {"receipt_id": "E1", "account_id": "A1", "received_on": date(2026, 1, 5), "gross_amount": 50_00},
        {"receipt_id": "E2", "account_id": "A1", "received_on": date(2026, 2, 5), "gross_amount": -80_00},
    ]
    found = read(write(tmp_path, accounts=[CUSTOMER], receipts=money))
    batch = make_batch(found)

    assert found["receipts"].series("company").tolist() == [50.0, -80.0, 0.0]
    assert found["receipts"].series("industry:Steel").tolist() == [50.0, -80.0, 0.0]
    assert batch is not None
    assert not batch.is_positive.any()


def test_a_gap_in_the_record_is_a_month_of_nothing(tmp_path: Path) -> None:
    rows = [signed("G1", date(2025, 12, 1), 10), signed("G2", date(2026, 3, 1), 20)]

    assert read(write(tmp_path, agreements=rows))["bookings"].series("company").tolist() == [10.0, 0.0, 0.0, 20.0]


def test_a_missing_exchange_rate_is_named_with_its_day_and_no_amount(tmp_path: Path) -> None:
    rows = [signed("G1", date(2026, 2, 1), 123, currency="EUR")]
    rate = {"currency": "EUR", "rate_on": date(2026, 2, 2), "rate": 7.9}
    with pytest.raises(NoRate, match="no rate from EUR to CNY by 2026-02-01; add one to fx_rates"):
        read(write(tmp_path / "late", agreements=rows, fx_rates=[rate]))
    empty = {"currency": "EUR", "rate_on": date(2026, 1, 2), "rate": 0.0}
    with pytest.raises(NoRate, match="2026-02-01"):
        read(write(tmp_path / "empty", agreements=rows, fx_rates=[empty]))


def test_a_million_million_is_exact_to_the_hundredth(tmp_path: Path) -> None:
    rows = [{**signed(f"G{n}", date(2026, 2, 1), 0), "net_amount": 10**14 + n, "tax_rate": 0.13} for n in range(1, 4)]
    generation = write(tmp_path, agreements=rows)

    assert read(generation)["bookings"].series("company").tolist() == [3e12 + 0.06, 0.0]
    # With tax 1.13 times as much, each amount rounded by itself.
    assert read(generation, amounts="gross")["bookings"].series("company").tolist() == [3.39e12 + 0.06, 0.0]


def test_tax_is_counted_where_the_company_counts_with_it(tmp_path: Path) -> None:
    bill = {"invoice_id": "I1", "account_id": "A1", "issued_on": date(2026, 2, 1), "gross_amount": 113_00}
    rows = [signed("G1", date(2026, 2, 1), 100, tax_rate=0.13, cost=60_00)]
    generation = write(tmp_path, agreements=rows, invoices=[bill | {"tax_rate": 0.13}])
    net, gross = read(generation), read(generation, amounts="gross")

    for name, with_tax in (("bookings", 113.0), ("revenue", 113.0), ("gross_margin", 40.0), ("new_customers", 1.0)):
        assert gross[name].series("company")[0] == with_tax
    assert net["bookings"].series("company")[0] == net["revenue"].series("company")[0] == 100.0


def test_two_rows_of_one_month_in_a_panel_of_the_company_are_refused(tmp_path: Path) -> None:
    rows = [
        {"panel": "trips", "unique_id": "north", "ds": day, "frequency": "month", "y": 1.0}
        for day in (date(2026, 1, 1), date(2026, 1, 15), date(2026, 2, 1))
    ]
    with pytest.raises(TwoRowsAMonth, match=r"panel trips: 1 months .* the first ends with 2026-01"):
        read(write(tmp_path, panel=rows))


def test_what_is_no_number_is_a_gap_in_a_panel_of_the_company(tmp_path: Path) -> None:
    rows = [
        {"panel": "trips", "unique_id": "north", "ds": date(2026, month, 1), "frequency": "month", "y": value}
        for month, value in ((1, 1.0), (2, float("inf")), (3, 3.0))
    ]
    found = read(write(tmp_path, panel=rows))["trips"]

    assert np.array_equal(found.series("series:north"), [1.0, np.nan, 3.0], equal_nan=True)


def test_a_deal_that_closes_in_the_future_is_not_sold_yet(tmp_path: Path) -> None:
    later = CUTOFF.date() + timedelta(days=30)
    deal = {
        "opportunity_id": "O1",
        "account_id": "A1",
        "rep_id": "R1",
        "created_at": noon(date(2026, 1, 1)),
        "outcome": "won",
        "net_amount": 70_00,
    }
    past = deal | {"opportunity_id": "O2", "closed_at": noon(date(2026, 2, 1))}
    generation = write(tmp_path, opportunities=[deal | {"closed_at": noon(later)}, past])

    assert read(generation)["bookings"].series("company").tolist() == [70.0, 0.0]
    rows = [signed("G1", later, 10, recorded_at=noon(date(2026, 1, 1)))]
    assert read(write(tmp_path / "signed", agreements=rows)) == {}


def test_nobody_is_called_new_in_the_first_year_of_a_record(tmp_path: Path) -> None:
    sold = [(date(2024, 1, 5), "A1"), (date(2024, 2, 5), "A2"), (date(2025, 3, 5), "A1"), (date(2025, 4, 5), "A3")]
    rows = [signed(f"G{n}", day, 10, account_id=account) for n, (day, account) in enumerate(sold)]
    generation = write(tmp_path, agreements=rows)

    told = read(generation)["new_customers"]
    assert told.months[0] == np.datetime64("2025-04", "M")
    assert told.series("company").sum() == 1.0
    # Short of two years the record tells all it has, sure or not.
    early = read(generation, datetime(2025, 5, 10, tzinfo=UTC))["new_customers"]
    assert early.series("company").sum() == 3.0
