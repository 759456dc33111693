"""Facts of a month that are known ahead: working days by the holiday calendar, days around the Spring Festival."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from features.calendar import spring_festival

# Offices empty a week before the festival and fill again a week after it.
_FESTIVAL_DAYS = range(-7, 15)


def month_facts(months: npt.NDArray[np.datetime64], country: str) -> npt.NDArray[np.float64]:
    """Working days and Spring Festival days of months.

    Parameters
    ----------
    months : ndarray of datetime64[M], shape (n_months,)
        Past or future.
    country : str
        ISO code of the holiday calendar; one that the `holidays` library does not know has weekends alone.

    Returns
    -------
    ndarray of float64, shape (n_months, 2)
        Working days; days from a week before to two weeks after the first day of the lunar year.

    Examples
    --------
    >>> month_facts(np.array(["2026-02", "2026-03"], "datetime64[M]"), "CN").tolist()
    [[14.0, 19.0], [22.0, 3.0]]
    """
    return np.array([(_working_days(month, country), _festival_days(month)) for month in months.tolist()])


def _days(month: date) -> list[date]:
    days, day = [], month
    while day.month == month.month:
        days.append(day)
        day += timedelta(days=1)
    return days


@lru_cache(maxsize=4096)
def _working_days(month: date, country: str) -> float:
    free = _holidays(country, month.year)
    return float(sum(day.weekday() < 5 and day not in free for day in _days(month)))


@lru_cache(maxsize=256)
def _holidays(country: str, year: int) -> frozenset[date]:
    import holidays

    if country not in holidays.list_supported_countries():
        return frozenset()
    return frozenset(holidays.country_holidays(country, years=year))


@lru_cache(maxsize=4096)
def _festival_days(month: date) -> float:
    first = spring_festival(month.year)
    around = {first + timedelta(days=days) for days in _FESTIVAL_DAYS}
    return float(sum(day in around for day in _days(month)))
