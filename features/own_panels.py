"""Panels by month or quarter that a company brings along: wide arrays of its own series, as known at a cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.money_rows import column_of, days_of

Floats: TypeAlias = npt.NDArray[np.float64]


# Months that one amount is of; weeks do not add up to months and are not forecast.
PERIODS = {"quarter": 3, "month": 1}
_PLURAL = {3: "quarters", 1: "months"}


class TwoRowsAMonth(ValueError):
    """A panel gives one month or quarter of a series twice."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnPanel:
    """One panel of the company's own.

    Attributes
    ----------
    months : ndarray of datetime64[M], shape (n_months,)
        In a row, without a gap; of quarters the last month of each.
    series : tuple of str
        Names of its series.
    values : ndarray of float64, shape (n_series, n_months)
        NaN where it has no row.
    period : int
        Months that one amount is of.
    """

    months: npt.NDArray[np.datetime64]
    series: tuple[str, ...]
    values: Floats
    period: int = 1


def read_own_panels(rows: pa.Table, until: np.datetime64) -> dict[str, OwnPanel]:
    """The panels by month and by quarter among the rows of the table `panel`, by name, up to a month.

    A name that stands for both is read by month.

    Parameters
    ----------
    rows : pa.Table
        The table `panel` as known at a cutoff.
    until : numpy.datetime64
        The last closed month.

    Raises
    ------
    TwoRowsAMonth
        A month or quarter of a series has two rows; which of them holds is not ours to say.
    """
    found = {}
    for frequency, period in PERIODS.items():
        told = rows.filter(pc.and_(pc.equal(rows.column("frequency"), frequency), pc.is_finite(rows.column("y"))))
        for name in sorted(pc.unique(told.column("panel")).to_pylist()):
            own = _wide(name, told.filter(pc.equal(told.column("panel"), name)), until, period)
            if own is not None:
                found[name] = own
    return dict(sorted(found.items()))


def _wide(name: str, rows: pa.Table, until: np.datetime64, period: int) -> OwnPanel | None:
    # A period is dated by its first day and closed with its last month.
    month = days_of(rows, "ds").astype("datetime64[M]") + (period - 1)
    closed = np.flatnonzero(month <= until)
    if len(closed) == 0:
        return None
    series, place = np.unique(
        np.array(column_of(rows, "unique_id").to_pylist(), dtype=object)[closed], return_inverse=True
    )
    months = np.arange(month[closed].min(), month[closed].max() + 1, period)
    column = (month[closed] - months[0]).astype(np.intp) // period
    cell, times = np.unique(place * len(months) + column, return_counts=True)
    twice = cell[times > 1]
    if len(twice):
        raise TwoRowsAMonth(
            f"panel {name}: {len(twice)} {_PLURAL[period]} of a series have two rows or more, the first ends with "
            f"{months[twice[0] % len(months)]}; give one row each, or state in the mapping how they add up"
        )
    values = np.full((len(series), len(months)), np.nan)
    values[place, column] = np.array(column_of(rows, "y").to_numpy(zero_copy_only=False), dtype=np.float64)[closed]
    return OwnPanel(months=months, series=tuple(series.tolist()), values=values, period=period)
