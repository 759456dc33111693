"""A company's own working time: how much of its business a day holds, learned from when its deals moved.

Deals do not move at weekends and hurry at the end of a quarter. Counting days alike shifts wins out of December into
the Spring Festival. Every day belongs to a class of the calendar; the weight of a class is its events per day over
those of an ordinary working day, shrunk to what the class is worth before anything is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.calendar import spring_festival

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# What a day of each class is worth before anything is known, ordinary working days being 1.
PRIOR: Mapping[str, float] = {
    "working": 1.0,
    "weekend": 0.15,
    "holiday": 0.1,
    "before_festival": 0.7,
    "after_festival": 0.8,
    "quarter_end": 1.1,
    "year_end": 1.2,
}
CLASSES = tuple(PRIOR)
# Days of an ordinary working day's worth of belief in the prior.
PRIOR_EVENTS = 20.0
_BEFORE, _AFTER = 9, 14


def day_classes(days: Ints, country: str) -> Ints:
    """The class of each day, a place in `CLASSES`, shape (n_days,).

    Parameters
    ----------
    days : ndarray of int64, shape (n_days,)
        Local epoch days.
    country : str
        ISO code of the holiday calendar; an unknown one has weekends alone.

    Examples
    --------
    >>> days = np.array(["2026-02-17", "2026-03-11", "2026-12-30"], "datetime64[D]").astype(np.int64)
    >>> [CLASSES[place] for place in day_classes(days, "CN")]
    ['holiday', 'working', 'year_end']
    """
    return np.array([_class_of(int(day), country) for day in days], dtype=np.int64)


@lru_cache(maxsize=32_768)
def _class_of(day: int, country: str) -> int:
    on = date.fromordinal(day + date(1970, 1, 1).toordinal())
    free, worked = _holidays(country, on.year)
    if on in free:
        return CLASSES.index("holiday")
    if on.weekday() >= 5 and on not in worked:
        return CLASSES.index("weekend")
    if country in ("CN", "HK", "TW", "SG"):
        apart = (on - spring_festival(on.year)).days
        if -_BEFORE <= apart < 0:
            return CLASSES.index("before_festival")
        if 0 <= apart <= _AFTER:
            return CLASSES.index("after_festival")
    if on.month == 12 and on.day > 5:
        return CLASSES.index("year_end")
    if on.month in (3, 6, 9) and on.day > 18:
        return CLASSES.index("quarter_end")
    return CLASSES.index("working")


@lru_cache(maxsize=256)
def _holidays(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """Days off, and weekend days that are worked instead (调休)."""
    import holidays

    if country not in holidays.list_supported_countries():
        return frozenset(), frozenset()
    found = holidays.country_holidays(country, years=year)
    return frozenset(found), frozenset(getattr(found, "weekend_workdays", ()) or ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BusinessClock:
    """Business time elapsed before each day of a range.

    Attributes
    ----------
    first_day : int
        Epoch day of the first place.
    weights : ndarray of float64, shape (n_days,)
        Business time of each day.
    elapsed : ndarray of float64, shape (n_days + 1,)
        Business time before each day.
    """

    first_day: int
    weights: Floats
    elapsed: Floats

    def at(self, days: Ints) -> Floats:
        """Business time at the beginning of days; days outside the range count as its ends."""
        return np.asarray(self.elapsed[np.clip(days - self.first_day, 0, len(self.weights))])

    def day(self, times: Floats) -> Ints:
        """The day in which business times lie; the last day of the range for times beyond it."""
        place = np.searchsorted(self.elapsed, times, side="right") - 1
        return np.asarray(np.clip(place, 0, len(self.weights) - 1) + self.first_day)


def make_business_clock(first_day: int, last_day: int, country: str, weights: Mapping[str, float]) -> BusinessClock:
    """The clock over a range of days, both included, with the weights of the classes."""
    days = np.arange(first_day, last_day + 1)
    worth = np.array([weights[name] for name in CLASSES])[day_classes(days, country)]
    return BusinessClock(first_day=first_day, weights=worth, elapsed=np.concatenate([[0.0], np.cumsum(worth)]))


def learn_day_weights(events: Ints, first_day: int, last_day: int, country: str) -> dict[str, float]:
    """The weight of each class of days from the days on which something moved.

    Parameters
    ----------
    events : ndarray of int64
        Days of stage changes and closings, between the two.
    first_day, last_day : int
        The days looked at, both included.
    country : str
        Holiday calendar.

    Notes
    -----
    A company grows, so days are compared within a quarter of a year: each event counts by the inverse of its quarter's
    events. Gamma shrinkage with `PRIOR_EVENTS` events of the prior.
    """
    days = np.arange(first_day, last_day + 1)
    kind = day_classes(days, country)
    seen = events[(events >= first_day) & (events <= last_day)] - first_day
    counts = np.bincount(seen, minlength=len(days)).astype(np.float64)
    quarter = (days - first_day) // 91
    level = np.bincount(quarter, counts * 1.0) / np.maximum(
        np.bincount(quarter, np.array([PRIOR[name] for name in CLASSES])[kind]), 1e-9
    )
    expected = np.bincount(kind, level[quarter], minlength=len(CLASSES))
    came = np.bincount(kind, counts, minlength=len(CLASSES))
    prior = np.array([PRIOR[name] for name in CLASSES])
    weights = (came + PRIOR_EVENTS * prior) / (expected + PRIOR_EVENTS)
    return dict(zip(CLASSES, (weights / weights[0]).tolist(), strict=True))
