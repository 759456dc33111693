"""The direction of a score: against that of seven days before."""

from __future__ import annotations

from serving.schemas import Trend

TREND_DAYS = 7
TREND_POINTS = 3  # a score moves by less between two refreshes without anything having happened


def trend_between(before: int | None, score: int | None) -> Trend:
    """The trend from a score seven days ago to the present one.

    Examples
    --------
    >>> trend_between(40, 44).value, trend_between(40, 39).value, trend_between(None, 50).value
    ('improving', 'steady', 'unknown')
    """
    if before is None or score is None:
        return Trend.UNKNOWN
    if abs(score - before) < TREND_POINTS:
        return Trend.STEADY
    return Trend.IMPROVING if score > before else Trend.DECLINING
