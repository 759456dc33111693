from __future__ import annotations

import pytest

from crm.demo.company import DemoCompany, make_company


@pytest.fixture(scope="module")
def tiny() -> DemoCompany:
    return make_company("tiny", 1)


def test_same_seed_gives_the_same_bytes(tiny: DemoCompany) -> None:
    again = make_company("tiny", 1)
    assert set(again.tables) == set(tiny.tables)
    for name, rows in tiny.tables.items():
        assert rows.equals(again.tables[name]), name


def test_another_seed_gives_another_company(tiny: DemoCompany) -> None:
    assert not make_company("tiny", 2).tables["leads"].equals(tiny.tables["leads"])


def test_unknown_size_names_those_that_exist() -> None:
    with pytest.raises(ValueError, match="tiny, small, medium, large"):
        make_company("huge", 1)


def test_company_without_leaks_has_stated_columns_only(tiny: DemoCompany) -> None:
    assert tiny.custom == {}
    assert tiny.truth.planted == {}


def test_ten_leaks_are_planted_where_the_truth_says(tiny: DemoCompany) -> None:
    leaky = make_company("tiny", 1, planted_leaks=True)
    assert len(leaky.truth.planted) == 10
    custom = {f"leads.{name}" for name in leaky.custom["leads"]}
    assert set(leaky.truth.planted) - custom == {"leads.rep_id", "activities.kind=visit"}
    assert not leaky.tables["leads"]["rep_id"].equals(tiny.tables["leads"]["rep_id"])
    false = leaky.tables["activities"].num_rows - tiny.tables["activities"].num_rows
    assert leaky.tables["activities"]["activity_id"].to_pylist() != tiny.tables["activities"]["activity_id"].to_pylist()
    assert sum(name.startswith("AX") for name in leaky.tables["activities"]["activity_id"].to_pylist()) == false > 100


def test_leaks_change_nothing_else(tiny: DemoCompany) -> None:
    leaky = make_company("tiny", 1, planted_leaks=True)
    for name, rows in tiny.tables.items():
        if name not in {"leads", "activities"}:
            assert rows.equals(leaky.tables[name]), name
