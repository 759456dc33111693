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
