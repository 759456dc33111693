"""Facts of a day that every company shares: month, weekday, quarter end, Spring Festival."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from functools import lru_cache

from lunardate import LunarDate

from features.spec import Calendar

FARTHEST_FESTIVAL_DAYS = 60
# The years for which the lunar calendar is tabulated.
_LUNAR_YEARS = range(1901, 2099)


def calendar_value(primitive: Calendar, day: date) -> float:
    """The value of a calendar feature on a day of the company.

    Examples
    --------
    >>> calendar_value(Calendar(what="days_to_spring_festival"), date(2026, 2, 10))
    7.0
    >>> calendar_value(Calendar(what="days_to_quarter_end"), date(2026, 3, 31))
    0.0
    >>> calendar_value(Calendar(what="days_to_month_end"), date(2028, 2, 1))
    28.0
    """
    match primitive.what:
        case "month":
            return float(day.month)
        case "weekday":
            return float(day.isoweekday())
        case "days_to_month_end":
            return float(monthrange(day.year, day.month)[1] - day.day)
        case "days_to_quarter_end":
            return float((_quarter_end(day) - day).days)
        case "days_to_year_end":
            return float((date(day.year, 12, 31) - day).days)
        case "days_to_spring_festival":
            return float(days_to_spring_festival(day))


def days_to_spring_festival(day: date) -> int:
    """Days to the nearest first day of the lunar year, negative after it; cut off at 60 either way."""
    years = [year for year in (day.year, day.year + 1) if year in _LUNAR_YEARS]
    if not years:
        return FARTHEST_FESTIVAL_DAYS
    nearest = min((spring_festival(year) - day for year in years), key=abs)
    return max(-FARTHEST_FESTIVAL_DAYS, min(FARTHEST_FESTIVAL_DAYS, nearest.days))


@lru_cache(maxsize=512)
def spring_festival(year: int) -> date:
    """First day of the lunar year that begins in a year of the common calendar.

    Examples
    --------
    >>> spring_festival(2025)
    datetime.date(2025, 1, 29)
    """
    found = LunarDate(year, 1, 1).to_solar_date()
    return date(found.year, found.month, found.day)


def _quarter_end(day: date) -> date:
    month = 3 * ((day.month - 1) // 3) + 3
    return date(day.year, month, 31 if month in {3, 12} else 30)
