"""Facts of a month that are known ahead: working days by the holiday calendar, days around the Spring Festival."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from features.calendar import spring_festival
from features.working_days import working_weight

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
        Working days, weekend days worked in exchange among them; days from a week before to two weeks after the
        first day of the lunar year.

    Examples
    --------
    >>> month_facts(np.array(["2026-02", "2026-03"], "datetime64[M]"), "CN").tolist()
    [[16.0, 19.0], [22.0, 3.0]]
    """
    return np.array([(_working_days(month, country), _festival_days(month)) for month in months.tolist()])


def _days(month: date) -> list[date]:
    return [month + timedelta(days=number) for number in range(monthrange(month.year, month.month)[1])]


@lru_cache(maxsize=4096)
def _working_days(month: date, country: str) -> float:
    return float(working_weight(np.array(_days(month), "datetime64[D]"), country).sum())


@lru_cache(maxsize=4096)
def _festival_days(month: date) -> float:
    first = spring_festival(month.year)
    around = {first + timedelta(days=days) for days in _FESTIVAL_DAYS}
    return float(sum(day in around for day in _days(month)))
