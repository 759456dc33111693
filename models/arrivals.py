"""How often things come: a rate per business day with a trend that dies away, and examples of what comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.business_time import BusinessClock

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# The level is the weighted mean of the last quarters, the trend of two years; both forget with this half-life.
_QUARTERS = 8
_QUARTER_DAYS = 91
_HALF_LIFE_QUARTERS = 3.0
# A quarter's log growth beyond this is chance or a merger, and is not gone on with.
_MOST_GROWTH = 0.15
# Events worth of belief in no growth.
_PRIOR_EVENTS = 60.0
_DAMPING_DAYS = 365.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Events per business day from the cutoff on.

    Parameters
    ----------
    level : float
        At the cutoff.
    growth : float
        Log growth per day at the cutoff; it halves every `_DAMPING_DAYS` ln 2.
    n : int
        Events it was learned from.
    """

    level: float
    growth: float
    n: int

    def at(self, ahead: Floats) -> Floats:
        """Events per business day so many calendar days after the cutoff."""
        return np.asarray(self.level * np.exp(self.growth * _DAMPING_DAYS * (1 - np.exp(-ahead / _DAMPING_DAYS))))


def learn_rate(days: Ints, on: int, clock: BusinessClock, *, first: int) -> Rate:
    """The rate of events that came before a day.

    Parameters
    ----------
    days : ndarray of int64
        When they came.
    on : int
        The cutoff.
    clock : BusinessClock
        Working time.
    first : int
        The first day on record.

    Examples
    --------
    >>> from features.business_time import CLASSES, make_business_clock
    >>> clock = make_business_clock(0, 2000, "", dict.fromkeys(CLASSES, 1.0))
    >>> rate = learn_rate(np.arange(0, 1000, 2), 1000, clock, first=0)
    >>> round(rate.level, 2), abs(rate.growth) < 1e-4
    (0.5, True)
    """
    n = max(1, min(_QUARTERS, (on - first) // _QUARTER_DAYS))
    edges = on - _QUARTER_DAYS * np.arange(n, -1, -1)
    if on - first < _QUARTER_DAYS:
        edges = np.array([min(first, on - 1), on])
    counts = np.histogram(days[days < on], bins=edges)[0].astype(np.float64)
    exposure = np.maximum(np.diff(clock.at(edges)), 1e-9)
    middle = (edges[:-1] + edges[1:]) / 2 - on
    weight = 0.5 ** (np.arange(n)[::-1] / _HALF_LIFE_QUARTERS) if len(counts) == n else np.ones(len(counts))
    growth = _growth(counts, exposure, middle)
    lift = np.exp(growth * middle)
    level = float((weight * counts).sum() / (weight * exposure * lift).sum())
    return Rate(level=level, growth=growth, n=int(counts.sum()))


def _growth(counts: Floats, exposure: Floats, middle: Floats) -> float:
    """Log growth per day by Poisson regression with a normal prior at none (one Newton path in one slope)."""
    if len(counts) < 4 or counts.sum() == 0:
        return 0.0
    slope, spread = 0.0, float(np.var(middle))
    for _ in range(8):
        expected = exposure * np.exp(slope * middle)
        share = expected / expected.sum()
        centre = float((share * middle).sum())
        gradient = float((counts * (middle - centre)).sum()) - _PRIOR_EVENTS * spread * slope
        curve = counts.sum() * float((share * (middle - centre) ** 2).sum()) + _PRIOR_EVENTS * spread
        slope += gradient / curve
    most = _MOST_GROWTH / _QUARTER_DAYS
    return float(np.clip(slope, -most, most))


def draw_arrivals(
    rate: Rate, on: int, until: int, clock: BusinessClock, n_draws: int, rng: np.random.Generator, shock: Floats
) -> tuple[Ints, Floats]:
    """Draws and business times (since the clock's beginning) of events from the cutoff to a day, both shape (n,).

    Parameters
    ----------
    rate : Rate
        How often.
    on, until : int
        First day, and day after the last.
    n_draws : int
        Draws.
    shock : ndarray of float64, shape (n_draws,)
        Factor on the rate of each draw.
    """
    days = np.arange(on, until)
    start = clock.at(days)
    mean = rate.at((days - on).astype(np.float64)) * (clock.at(days + 1) - start)
    total = float(mean.sum())
    count = rng.poisson(total * shock)
    draw = np.repeat(np.arange(n_draws), count)
    cumulated = np.concatenate([[0.0], np.cumsum(mean)])
    place = rng.random(len(draw)) * total
    day = np.clip(np.searchsorted(cumulated, place, side="right") - 1, 0, len(days) - 1)
    within = rng.random(len(draw)) * (clock.at(days + 1) - start)[day]
    return draw, start[day] + within
