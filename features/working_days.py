"""Which days people work: weekends, public holidays, and weekend days worked in exchange (调休)."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

_FRIDAY = 4


def working_weight(days: npt.NDArray[np.datetime64], country: str) -> npt.NDArray[np.float64]:
    """The working time of days: 1 on a working day, 0 on a free one.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n_days,)
        Past or future.
    country : str
        ISO code of the holiday calendar; one that the `holidays` library does not know has weekends alone.

    Returns
    -------
    ndarray of float64, shape (n_days,)
        A weekend day that is worked in exchange for a holiday counts 1. The exchanges of a year are announced late in
        the year before; farther ahead the days that the law itself names are free, and nothing is exchanged.

    Examples
    --------
    The Sunday before the Spring Festival of 2025 was worked, the Tuesday of its eve was not.

    >>> working_weight(np.array(["2025-01-26", "2025-01-27", "2025-01-28"], "datetime64[D]"), "CN").tolist()
    [1.0, 1.0, 0.0]
    """
    years = days.astype("datetime64[Y]")
    found = np.zeros(len(days))
    for year in np.unique(years):
        here = years == year
        place = (days[here] - year.astype("datetime64[D]")).astype(np.intp)
        found[here] = _year(country, int(year.astype(np.int64)) + 1970)[place]
    return found


@lru_cache(maxsize=512)
def _year(country: str, year: int) -> npt.NDArray[np.float64]:
    """The working time of each day of a year."""
    import holidays

    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range((date(year, 12, 31) - first).days + 1)]
    if country not in holidays.list_supported_countries():
        return np.array([float(day.weekday() <= _FRIDAY) for day in days])
    calendar = holidays.country_holidays(country, years=year)
    return np.array([float(calendar.is_working_day(day)) for day in days])
