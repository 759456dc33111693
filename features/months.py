"""Facts of a month that are known ahead: working days, Spring Festival, ends of quarters, public budgets.

Public buyers spend by the budget year: money is released when the budget is approved and what is left must be spent
before the year closes. In China the National People's Congress approves the budget in March and units have it about
April; elsewhere the year's first months stand for it.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from crm.fiscal import quarter_start, year_start
from features.calendar import spring_festival
from features.working_days import working_weight

FACTS = (
    "working_days",
    "days_before_festival",
    "days_of_festival",
    "days_after_festival",
    "quarter_end",
    "year_end",
    "budget_release",
    "budget_rush",
)

# Where business stops for the lunar new year.
_LUNAR = frozenset({"CN", "HK", "MO", "TW", "SG", "MY", "KR", "VN"})
# Offices empty a week before the eve, are closed to the seventh day, and fill until the Lantern Festival.
_BEFORE, _OF, _AFTER = range(-9, -1), range(-1, 7), range(7, 15)
# The last month of the public budget year, where it is not December.
_BUDGET_ENDS = {"US": 9, "JP": 3, "IN": 3, "GB": 3, "CA": 3, "HK": 3, "SG": 3, "AU": 6}
# In the budget year, counted from 0, the months in which money is released; and the last ones, in which it is spent.
_RELEASED = {"CN": (3, 4, 5)}
_FIRST_MONTHS = (0, 1, 2)
_RUSH = (10, 11)


def month_facts(months: npt.NDArray[np.datetime64], country: str, *, year_starts: int = 1) -> npt.NDArray[np.float64]:
    """What the calendar says of months, past or future.

    Parameters
    ----------
    months : ndarray of datetime64[M], shape (n_months,)
        Past or future.
    country : str
        ISO code of the holiday calendar; one that the `holidays` library does not know has weekends alone.
    year_starts : int
        First month of the company's fiscal year.

    Returns
    -------
    ndarray of float64, shape (n_months, n_facts)
        In the order of `FACTS`: working days, weekend days worked in exchange among them; days before, of and after
        the Spring Festival, 0 in countries that do not keep it; 1 in the last month of a fiscal quarter and of the
        fiscal year; 1 in the months in which public budgets are released and in which what is left of them is spent.

    Examples
    --------
    The festival of 2026 was on 17 February, that of 2025 on 29 January.

    >>> found = month_facts(np.array(["2025-01", "2025-02", "2026-01", "2026-02"], "datetime64[M]"), "CN")
    >>> found[:, :4].tolist()
    [[19.0, 8.0, 4.0, 0.0], [19.0, 0.0, 4.0, 8.0], [21.0, 0.0, 0.0, 0.0], [16.0, 8.0, 8.0, 5.0]]
    """
    if len(months) == 0:
        return np.zeros((0, len(FACTS)))
    days = np.array([(_working_days(month, country), *_festival_days(month, country)) for month in months.tolist()])
    is_quarter_end = quarter_start(months + 1, year_starts) == months + 1
    is_year_end = year_start(months + 1, year_starts) == months + 1
    return np.column_stack([days, is_quarter_end, is_year_end, *_budget(months, country)]).astype(np.float64)


def _days(month: date) -> list[date]:
    return [month + timedelta(days=number) for number in range(monthrange(month.year, month.month)[1])]


@lru_cache(maxsize=4096)
def _working_days(month: date, country: str) -> float:
    return float(working_weight(np.array(_days(month), "datetime64[D]"), country).sum())


@lru_cache(maxsize=4096)
def _festival_days(month: date, country: str) -> tuple[float, float, float]:
    """Days of a month before, of and after the Spring Festival."""
    if country not in _LUNAR:
        return 0.0, 0.0, 0.0
    first = spring_festival(month.year)
    apart = [(day - first).days for day in _days(month)]
    before, of, after = (float(sum(place in span for place in apart)) for span in (_BEFORE, _OF, _AFTER))
    return before, of, after


def _budget(months: npt.NDArray[np.datetime64], country: str) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    starts = _BUDGET_ENDS.get(country, 12) % 12 + 1
    place = (months - year_start(months, starts)).astype(np.int64)
    return np.isin(place, _RELEASED.get(country, _FIRST_MONTHS)), np.isin(place, _RUSH)
