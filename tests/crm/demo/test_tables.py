"""The demo company keeps the promises that `crm.tables` states."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm.demo.company import DemoCompany, make_company
from crm.schema import SYSTEM_COLUMNS, DType, arrow_type
from crm.tables import TABLES

# `identities` needs a second system; `observations` and `panel` are flat sources.
NOT_MADE = {"identities", "observations", "panel"}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "leaks"])
def company(request: pytest.FixtureRequest) -> DemoCompany:
    return make_company("tiny", 3, planted_leaks=request.param)


def _rows(company: DemoCompany) -> Iterator[tuple[str, pa.Table]]:
    yield from company.tables.items()


def test_every_table_of_a_company_is_filled(company: DemoCompany) -> None:
    assert set(company.tables) == set(TABLES) - NOT_MADE
    assert [name for name, rows in _rows(company) if rows.num_rows == 0] == []


def test_columns_are_those_stated_and_typed_as_stated(company: DemoCompany) -> None:
    for name, rows in _rows(company):
        stated = [(c.name, arrow_type(c.dtype)) for c in (*TABLES[name].columns, *SYSTEM_COLUMNS)]
        stated += [(column, arrow_type(dtype)) for column, dtype in company.custom.get(name, {}).items()]
        assert [(field.name, field.type) for field in rows.schema] == stated, name


def test_keys_are_unique_and_filled(company: DemoCompany) -> None:
    for name, rows in _rows(company):
        key = rows.select(list(TABLES[name].key))
        assert key.group_by(list(TABLES[name].key)).aggregate([]).num_rows == rows.num_rows, name
        assert all(column.null_count == 0 for column in key.columns), name


def test_required_columns_are_filled(company: DemoCompany) -> None:
    for name, rows in _rows(company):
        for column in (*TABLES[name].columns, *SYSTEM_COLUMNS):
            if column.required or column in SYSTEM_COLUMNS:
                assert rows[column.name].null_count == 0, f"{name}.{column.name}"


def test_closed_lists_hold_only_stated_values(company: DemoCompany) -> None:
    for name, rows in _rows(company):
        for column in TABLES[name].columns:
            if column.values:
                held = set(rows[column.name].unique().to_pylist()) - {None}
                assert held <= set(column.values), f"{name}.{column.name}"


def test_references_lead_to_rows_that_exist(company: DemoCompany) -> None:
    for name, rows in _rows(company):
        for column in TABLES[name].columns:
            if column.refers_to is None:
                continue
            wanted = rows[column.name].drop_null()
            there = company.tables[column.refers_to][TABLES[column.refers_to].key[0]]
            lost = pc.invert(pc.is_in(wanted, there.combine_chunks()))
            assert not pc.any(lost).as_py(), f"{name}.{column.name}"


def test_a_value_is_there_exactly_when_its_moment_is(company: DemoCompany) -> None:
    opportunities = company.tables["opportunities"]
    is_open = pc.equal(opportunities["outcome"], "open")
    assert pc.all(pc.equal(is_open, opportunities["closed_at"].is_null())).as_py()
    leads = company.tables["leads"]
    assert leads["opportunity_id"].is_null().equals(leads["converted_at"].is_null())


def test_nothing_is_recorded_before_it_happened_or_after_the_end(company: DemoCompany) -> None:
    for name, rows in _rows(company):
        recorded = rows["recorded_at"].cast(pa.int64()).to_numpy()
        assert recorded.max() <= company.end_us, name
        clock = TABLES[name].clock
        if clock is None:
            continue
        happened = rows[clock]
        if TABLES[name].column(clock).dtype is DType.DATE:
            happened_us = happened.cast(pa.int32()).to_numpy().astype(np.int64) * 86_400_000_000 - 8 * 3_600_000_000
        else:
            happened_us = happened.cast(pa.int64()).to_numpy()
        assert (recorded >= happened_us).all(), name


def test_every_field_that_changed_ends_at_its_last_change(company: DemoCompany) -> None:
    changes = company.tables["changes"].sort_by("occurred_at").to_pylist()
    last = {(c["entity"], c["field"], c["entity_id"]): c["new_value"] for c in changes}
    first = {}
    for change in changes:
        first.setdefault((change["entity"], change["field"], change["entity_id"]), change["occurred_at"])
    for (entity, field), keys in _by_field(last).items():
        rows = company.tables[entity]
        now = dict(zip(rows[TABLES[entity].key[0]].to_pylist(), rows[field].to_pylist(), strict=True))
        if company.truth.planted.get(f"{entity}.{field}"):
            continue
        for key in keys:
            value = last[entity, field, key]
            assert str(now[key]) == str(value) or value is None is now[key], f"{entity}.{field} of {key}"


def _by_field(last: dict[tuple[str, str, str], str]) -> dict[tuple[str, str], list[str]]:
    grouped: dict[tuple[str, str], list[str]] = {}
    for entity, field, key in last:
        grouped.setdefault((entity, field), []).append(key)
    return grouped


def test_changes_follow_each_other_without_gap(company: DemoCompany) -> None:
    changes = company.tables["changes"].sort_by([("occurred_at", "ascending"), ("change_id", "ascending")]).to_pylist()
    held: dict[tuple[str, str, str], str | None] = {}
    for change in changes:
        key = (change["entity"], change["entity_id"], change["field"])
        if key in held:
            assert held[key] == change["old_value"], key
        held[key] = change["new_value"]


def test_changes_name_stated_mutable_columns(company: DemoCompany) -> None:
    pairs = company.tables["changes"].group_by(["entity", "field"]).aggregate([]).to_pylist()
    for pair in pairs:
        assert TABLES[pair["entity"]].column(pair["field"]).mutable, pair


def test_a_row_exists_before_its_first_change(company: DemoCompany) -> None:
    changes = company.tables["changes"].to_pylist()
    for entity in {change["entity"] for change in changes}:
        rows = company.tables[entity]
        recorded = dict(zip(rows[TABLES[entity].key[0]].to_pylist(), rows["recorded_at"].to_pylist(), strict=True))
        late = [c for c in changes if c["entity"] == entity and c["occurred_at"] < recorded[c["entity_id"]]]
        assert late == [], entity


def test_nobody_works_after_leaving() -> None:
    company = make_company("small", 3)
    left = dict(zip(*(company.tables["reps"][name].to_pylist() for name in ("rep_id", "left_on")), strict=True))
    assert any(left.values())
    activities = company.tables["activities"]
    local = pc.add(activities["occurred_at"].cast(pa.int64()), 8 * 3_600_000_000).cast(pa.timestamp("us"))
    pairs = zip(activities["rep_id"].to_pylist(), local.cast(pa.date32(), safe=False).to_pylist(), strict=True)
    assert all(left[rep] is None or day <= left[rep] for rep, day in pairs)


def test_people_are_named_in_chinese_and_codes_have_their_check_character(company: DemoCompany) -> None:
    from crm.demo.names import check_character

    assert all("一" <= name[0] <= "鿿" for name in company.tables["reps"]["name"].to_pylist())
    codes = company.tables["accounts"]["registration_code"].to_pylist()
    assert all(check_character(code[:17]) == code[17] for code in codes)


def test_activities_thin_out_at_the_spring_festival() -> None:
    from lunardate import LunarDate

    days = make_company("tiny", 3).tables["activities"]["occurred_at"].cast(pa.date32()).cast(pa.int32()).to_numpy()
    festival = int(np.datetime64(LunarDate(2026, 1, 1).to_solar_date(), "D").astype(int))
    during = ((days >= festival) & (days < festival + 7)).sum()
    usual = ((days >= festival + 28) & (days < festival + 35)).sum()
    assert during < 0.25 * usual
