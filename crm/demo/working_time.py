"""Working time: the clock on which the demo company's hazards run.

A working day counts 1, a Sunday little, the Spring Festival next to nothing, the year-end rush more. All
processes have piecewise-constant rates on this clock, so the calendar moves everything and the truth can
still be integrated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from lunardate import LunarDate

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
# The company works in UTC+8 without daylight saving; hours below are local.
ZONE_US = 8 * HOUR_US
OPENS_US = 9 * HOUR_US
WORKDAY_US = 9 * HOUR_US + HOUR_US // 2
# Contacts that people log reach the record in the evening.
SYNC_US = 20 * HOUR_US

_SATURDAY, _SUNDAY = 0.15, 0.10
_FESTIVAL, _BEFORE_FESTIVAL, _AFTER_FESTIVAL = 0.04, 0.45, 0.60
_GOLDEN_WEEK, _MAY = 0.06, 0.10
_YEAR_END, _QUARTER_END = 1.35, 1.15


def epoch_day(day: date) -> int:
    """Days since 1970-01-01.

    Examples
    --------
    >>> epoch_day(date(1970, 1, 2))
    1
    """
    return (day - date(1970, 1, 1)).days


def new_year_days(first: int, last: int) -> Ints:
    """Epoch days of the Lunar New Years of the years `first` to `last`."""
    return np.array([epoch_day(LunarDate(year, 1, 1).to_solar_date()) for year in range(first, last + 1)])


def day_weights(days: Ints) -> Floats:
    """How much working time each day holds.

    Parameters
    ----------
    days : ndarray of int64, shape (n_days,)
        Epoch days, local.

    Returns
    -------
    ndarray of float64, shape (n_days,)
        Always positive, about 1 on a working day.
    """
    stamp = days.astype("datetime64[D]")
    month = stamp.astype("datetime64[M]").astype(np.int64) % 12 + 1
    monthday = (stamp - stamp.astype("datetime64[M]")).astype(np.int64) + 1
    weekday = (days + 3) % 7
    weight = np.ones(len(days))
    weight[(month == 12) & (monthday > 5)] = _YEAR_END
    weight[np.isin(month, (3, 6, 9)) & (monthday > 18)] = _QUARTER_END
    weight[weekday == 5] = _SATURDAY
    weight[weekday == 6] = _SUNDAY
    weight[(month == 10) & (monthday <= 7)] = _GOLDEN_WEEK
    weight[(month == 5) & (monthday <= 3)] = _MAY
    weight[(month == 1) & (monthday == 1)] = _MAY
    years = stamp.astype("datetime64[Y]").astype(np.int64) + 1970
    for festival in new_year_days(int(years.min()), int(years.max())):
        offset = days - festival
        weight[(offset >= -9) & (offset < -1)] *= _BEFORE_FESTIVAL
        weight[(offset >= -1) & (offset <= 6)] = _FESTIVAL
        weight[(offset > 6) & (offset <= 14)] *= _AFTER_FESTIVAL
    return weight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkClock:
    """Turns moments into working time and back.

    Attributes
    ----------
    first_day : int
        Epoch day at which working time is 0.
    weights : ndarray of float64, shape (n_days,)
        Working time of each day from `first_day` on.
    elapsed : ndarray of float64, shape (n_days + 1,)
        Working time before each day.
    """

    first_day: int
    weights: Floats
    elapsed: Floats

    def at(self, moments: Ints) -> Floats:
        """Working time at UTC microseconds."""
        local = moments + ZONE_US
        day = local // DAY_US - self.first_day
        share = np.clip((local % DAY_US - OPENS_US) / WORKDAY_US, 0.0, 1.0)
        held = np.clip(day, 0, len(self.weights) - 1)
        return np.asarray(self.elapsed[held] + share * self.weights[held])

    def moment(self, times: Floats) -> Ints:
        """UTC microseconds at working times."""
        day = np.clip(np.searchsorted(self.elapsed, times, side="right") - 1, 0, len(self.weights) - 1)
        share = np.clip((times - self.elapsed[day]) / self.weights[day], 0.0, 1.0)
        local = (day + self.first_day) * DAY_US + OPENS_US + (share * WORKDAY_US).astype(np.int64)
        return np.asarray(local - ZONE_US)


def make_clock(first: date, last: date) -> WorkClock:
    """The clock over the days `first` to `last`, both included.

    Examples
    --------
    >>> clock = make_clock(date(2026, 1, 1), date(2026, 12, 31))
    >>> moments = clock.moment(np.array([3.5, 100.25]))
    >>> np.round(clock.at(moments), 6).tolist()
    [3.5, 100.25]
    """
    days = np.arange(epoch_day(first), epoch_day(last) + 1, dtype=np.int64)
    weights = day_weights(days)
    elapsed = np.concatenate([[0.0], np.cumsum(weights)])
    return WorkClock(first_day=int(days[0]), weights=weights, elapsed=elapsed)


def local_day(moments: Ints) -> Ints:
    """The local epoch day of UTC microseconds."""
    return np.asarray((moments + ZONE_US) // DAY_US)


def at_hour(days: Ints, hour: float) -> Ints:
    """UTC microseconds of a local hour on local epoch days."""
    return np.asarray(days * DAY_US + int(hour * HOUR_US) - ZONE_US)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """A piecewise-constant rate over age in working time.

    Attributes
    ----------
    edges : ndarray of float64, shape (n_steps,)
        Age at which each step begins; the first is 0.
    levels : ndarray of float64, shape (n_steps,)
        Rate on each step; the last goes on for ever.
    """

    edges: Floats
    levels: Floats

    def total(self, ages: Floats) -> Floats:
        """The rate integrated from 0 to each age."""
        at_edges = np.concatenate([[0.0], np.cumsum(np.diff(self.edges) * self.levels[:-1])])
        step = np.clip(np.searchsorted(self.edges, ages, side="right") - 1, 0, None)
        return np.asarray(at_edges[step] + (ages - self.edges[step]) * self.levels[step])

    def age(self, totals: Floats) -> Floats:
        """The age at which the integrated rate reaches each total."""
        at_edges = np.concatenate([[0.0], np.cumsum(np.diff(self.edges) * self.levels[:-1])])
        step = np.clip(np.searchsorted(at_edges, totals, side="right") - 1, 0, None)
        return np.asarray(self.edges[step] + (totals - at_edges[step]) / self.levels[step])
