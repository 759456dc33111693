"""Facts of months that are known ahead."""

import numpy as np
import pytest

from features.calendar import spring_festival
from features.months import FACTS, month_facts

MONTHS = np.arange("2015-01", "2031-01", dtype="datetime64[M]")


def fact(name: str, months: list[str], country: str, year_starts: int = 1) -> list[float]:
    found = month_facts(np.array(months, "datetime64[M]"), country, year_starts=year_starts)
    return found[:, FACTS.index(name)].tolist()


def test_every_festival_has_all_its_days_in_january_february_or_march() -> None:
    found = month_facts(MONTHS, "CN")
    years = MONTHS.astype("datetime64[Y]")
    for name, days in (("days_before_festival", 8), ("days_of_festival", 8), ("days_after_festival", 8)):
        sums = np.bincount((years - years[0]).astype(int), found[:, FACTS.index(name)])
        assert sums.tolist() == [days] * 16
    assert spring_festival(2025).month == 1
    assert not month_facts(MONTHS, "US")[:, 1:4].any()


def test_quarters_and_years_end_by_the_fiscal_calendar() -> None:
    year = [f"2026-{month:02}" for month in range(1, 13)]

    assert np.flatnonzero(fact("quarter_end", year, "CN")).tolist() == [2, 5, 8, 11]
    assert np.flatnonzero(fact("quarter_end", year, "CN", 2)).tolist() == [0, 3, 6, 9]
    assert np.flatnonzero(fact("year_end", year, "CN", 4)).tolist() == [2]


@pytest.mark.parametrize(("country", "released", "rush"), [("CN", [3, 4, 5], [10, 11]), ("JP", [3, 4, 5], [1, 2])])
def test_public_budgets_follow_the_public_year(country: str, released: list[int], rush: list[int]) -> None:
    year = [f"2026-{month:02}" for month in range(1, 13)]

    assert np.flatnonzero(fact("budget_release", year, country)).tolist() == released
    assert np.flatnonzero(fact("budget_rush", year, country)).tolist() == rush


def test_no_month_has_no_facts() -> None:
    assert month_facts(MONTHS[:0], "CN").shape == (0, len(FACTS))
