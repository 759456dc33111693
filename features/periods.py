"""Months, and the fiscal quarters and years that they make up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.fiscal import quarter_start, year_start

Months: TypeAlias = npt.NDArray[np.datetime64]


class Period(StrEnum):
    """What an amount is summed over in time."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def n_months(self) -> int:
        """How many months it has."""
        return {"month": 1, "quarter": 3, "year": 12}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One month, quarter or year.

    Parameters
    ----------
    period : Period
        Which of them.
    first : numpy.datetime64
        Its first month.
    step : int
        How many periods ahead it lies; 1 is the one that was running.
    """

    period: Period
    first: np.datetime64
    step: int

    @property
    def months(self) -> Months:
        """Its months in a row."""
        return np.asarray(self.first + np.arange(self.period.n_months))

    @property
    def last(self) -> np.datetime64:
        """Its last month."""
        return self.first + np.timedelta64(self.period.n_months - 1, "M")


def first_month(month: np.datetime64, period: Period, fiscal_year_starts: int = 1) -> np.datetime64:
    """The first month of the period that holds a month.

    Parameters
    ----------
    month : numpy.datetime64
        Any month.
    period : Period
        What it is summed into.
    fiscal_year_starts : int
        First month of the fiscal year, 1 to 12.

    Examples
    --------
    >>> first_month(np.datetime64("2026-03", "M"), Period.QUARTER, 2)
    np.datetime64('2026-02')
    """
    if period is Period.MONTH:
        return month
    begin = quarter_start if period is Period.QUARTER else year_start
    first: np.datetime64 = begin(np.array([month]), fiscal_year_starts)[0]
    return first


def stretches(months: Months, fiscal_year_starts: int = 1) -> Iterator[Stretch]:
    """Every month, and every quarter and year that ends within the months; the running ones begin before them.

    Parameters
    ----------
    months : ndarray of datetime64[M], shape (n_months,)
        Months ahead in a row, the first is the running one.
    fiscal_year_starts : int
        First month of the fiscal year.

    Examples
    --------
    >>> ahead = np.arange("2026-03", "2026-09", dtype="datetime64[M]")
    >>> [str(one.first) for one in stretches(ahead) if one.period is Period.QUARTER]
    ['2026-01', '2026-04']
    """
    for period in Period:
        first = first_month(months[0], period, fiscal_year_starts)
        step = 1
        while first + np.timedelta64(period.n_months - 1, "M") <= months[-1]:
            yield Stretch(period=period, first=first, step=step)
            first, step = first + np.timedelta64(period.n_months, "M"), step + 1
