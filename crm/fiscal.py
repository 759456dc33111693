"""The fiscal calendar: years and quarters of months, by the month with which a company's year begins."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Months: TypeAlias = npt.NDArray[np.datetime64]
Ints: TypeAlias = npt.NDArray[np.int64]

_YEAR = 12
_QUARTER = 3
_EPOCH = 1970


def fiscal_year(months: Months, starts: int) -> Ints:
    """The fiscal year of months, called by the calendar year in which it ends.

    Parameters
    ----------
    months : ndarray of datetime64[M], shape (n_months,)
        Any months.
    starts : int
        First month of the fiscal year, 1 to 12; `company.fiscal_year_starts`.

    Examples
    --------
    >>> fiscal_year(np.array(["2026-03", "2026-04"], "datetime64[M]"), 4).tolist()
    [2026, 2027]
    >>> fiscal_year(np.array(["2026-03", "2026-12"], "datetime64[M]"), 1).tolist()
    [2026, 2026]
    """
    last = months + (_YEAR - 1 - _places(months, starts))
    return np.asarray(last.astype("datetime64[Y]").astype(np.int64) + _EPOCH)


def fiscal_quarter(months: Months, starts: int) -> Ints:
    """The quarter of the fiscal year, 1 to 4; parameters are those of `fiscal_year`.

    Examples
    --------
    >>> fiscal_quarter(np.array(["2026-03", "2026-04", "2026-07"], "datetime64[M]"), 4).tolist()
    [4, 1, 2]
    """
    return np.asarray(_places(months, starts) // _QUARTER + 1)


def quarter_start(months: Months, starts: int) -> Months:
    """The first month of the fiscal quarter that each month lies in; parameters are those of `fiscal_year`.

    Examples
    --------
    >>> quarter_start(np.array(["2026-01", "2026-02"], "datetime64[M]"), 2).tolist()
    [datetime.date(2025, 11, 1), datetime.date(2026, 2, 1)]
    """
    return np.asarray(months - _places(months, starts) % _QUARTER)


def year_start(months: Months, starts: int) -> Months:
    """The first month of the fiscal year that each month lies in; parameters are those of `fiscal_year`.

    Examples
    --------
    >>> year_start(np.array(["2026-03"], "datetime64[M]"), 4).tolist()
    [datetime.date(2025, 4, 1)]
    """
    return np.asarray(months - _places(months, starts))


def quarter_months(first: np.datetime64) -> Months:
    """The three months of the quarter that begins with a month.

    Examples
    --------
    >>> quarter_months(np.datetime64("2026-11", "M")).astype(str).tolist()
    ['2026-11', '2026-12', '2027-01']
    """
    return np.arange(first, first + _QUARTER)


def quarter_name(first: np.datetime64, starts: int) -> str:
    """The name of the fiscal quarter that begins with a month.

    Examples
    --------
    >>> quarter_name(np.datetime64("2025-04", "M"), 4), quarter_name(np.datetime64("2026-07", "M"), 1)
    ('FY2026 Q1', 'FY2026 Q3')
    """
    month = np.array([first])
    return f"FY{fiscal_year(month, starts)[0]} Q{fiscal_quarter(month, starts)[0]}"


def _places(months: Months, starts: int) -> Ints:
    """The place of months in their fiscal year, 0 to 11."""
    if not 1 <= starts <= _YEAR:
        raise ValueError(f"a fiscal year begins with a month from 1 to 12, not with {starts}")
    return np.asarray((months.astype("datetime64[M]").astype(np.int64) + 1 - starts) % _YEAR)
