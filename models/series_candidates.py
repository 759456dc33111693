"""The forecasters that compete for a series: what each would say of the next months from what is known at an origin.

The libraries bring numba and pandas; they are loaded when something is forecast and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from features.nodes import Level
from models.series_booster import say_booster
from models.series_histories import SEASON, Floats, Histories

# Two whole years before a seasonal pattern is believed.
DENSE_YEARS = 2
DENSE_MONTHS = DENSE_YEARS * SEASON
DENSE_SHARE = 0.6
# The joint sample of the rows of the record, told beside the forecasters of the past months.
PIPELINE = "pipeline"
BASELINE = "seasonal_naive"

# A salesperson's months are few deals: theta follows their accidents, and there are many salespeople.
_THETA_LEVELS = tuple(level.value for level in Level if level is not Level.REP)
_ETS_LEVELS = ("company", "region", "line", "series")


def begun(values: Floats) -> Floats:
    """The series from their first amount on: what lies before is unknown, gaps after it are drawn between neighbours.

    Examples
    --------
    >>> begun(np.array([[0.0, 0.0, 3.0, np.nan, 5.0]])).tolist()
    [[nan, nan, 3.0, 4.0, 5.0]]
    """
    found = np.full_like(values, np.nan)
    for row, series in enumerate(values):
        told = np.flatnonzero(np.isfinite(series) & (series != 0))
        if len(told) == 0:
            continue
        known = np.flatnonzero(np.isfinite(series))
        places = np.arange(told[0], len(series))
        found[row, told[0] :] = np.interp(places, known, series[known])
    return found


def is_dense(series: Floats, season: int = SEASON) -> bool:
    """Whether a series is long and regular enough for seasonal models: two years, most periods with an amount.

    Parameters
    ----------
    series : ndarray of float64, shape (n_periods,)
        NaN where unknown.
    season : int
        Periods of a year.
    """
    known, least = series[np.isfinite(series)], DENSE_YEARS * season
    return len(known) >= least and float(np.mean(known[-least:] != 0)) >= DENSE_SHARE


def scale_of(values: Floats, season: int = SEASON) -> Floats:
    """The size of each series' surprises: mean absolute change against the same period a year before.

    Parameters
    ----------
    values : ndarray of float64, shape (n_series, n_periods)
        NaN before a series begins.
    season : int
        Periods of a year.

    Notes
    -----
    The denominator of MASE (Hyndman & Koehler 2006), never below half of the mean size of the last year, so that a
    series with a short or a constant history is not divided by nothing. 1 for a series of zeros.
    """
    scales = np.ones(len(values))
    for row, series in enumerate(values):
        known = series[np.isfinite(series)]
        if len(known) == 0:
            continue
        size = 0.5 * float(np.abs(known[-season:]).mean())
        change = float(np.abs(known[season:] - known[:-season]).mean()) if len(known) > season else 0.0
        scales[row] = max(size, change) or 1.0
    return scales


def forecast_candidates(histories: Histories, names: Sequence[str], *, horizon: int, seed: int) -> dict[str, Floats]:
    """What each forecaster says of the periods after the last one.

    Parameters
    ----------
    histories : Histories
        What is known.
    names : sequence of str
        Keys of `CANDIDATES`; `PIPELINE` speaks from the rows of the record and is left out here.
    horizon : int
        Periods ahead.
    seed : int
        Random state of the booster.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_series, horizon)
        NaN where a forecaster has nothing to say of a series: seasonal models of short or sparse ones, and
        everything of a series that has not begun.
    """
    return {name: CANDIDATES[name](histories, horizon, seed) for name in names if name != PIPELINE}


def _each(histories: Histories, horizon: int, say: Callable[[Floats], Floats | None]) -> Floats:
    found = np.full((len(histories.amounts), horizon), np.nan)
    for row, series in enumerate(histories.amounts):
        known = series[np.isfinite(series)]
        said = say(known) if len(known) else None
        if said is not None:
            found[row] = said
    return found


def _seasonal_naive(histories: Histories, horizon: int, seed: int) -> Floats:
    """The same period of the last year; the mean of what is known while that is less than a year."""
    season = histories.season

    def say(known: Floats) -> Floats:
        if len(known) < season:
            return np.full(horizon, known.mean())
        return np.resize(known[-season:], horizon)

    return _each(histories, horizon, say)


def _last_year_grown(histories: Histories, horizon: int, seed: int) -> Floats:
    """The same period of the last year times the growth of that year over the one before, held within a half to two.

    Growth goes on for one year and then stops: nobody knows it longer.
    """
    season = histories.season

    def say(known: Floats) -> Floats | None:
        if len(known) < 2 * season or known[-2 * season : -season].sum() <= 0:
            return None
        growth = float(np.clip(known[-season:].sum() / known[-2 * season : -season].sum(), 0.5, 2.0))
        return np.asarray(np.resize(known[-season:], horizon) * growth)

    return _each(histories, horizon, say)


def _recent_mean(histories: Histories, horizon: int, seed: int) -> Floats:
    """The mean of the last year."""
    return _each(histories, horizon, lambda known: np.full(horizon, known[-histories.season :].mean()))


def _ets(histories: Histories, horizon: int, seed: int) -> Floats:
    """Exponential smoothing chosen by AICc (Hyndman et al. 2002) among additive forms, of the larger sums alone.

    Fitting it takes most of the time, and the series of a person or of a product line in one region are too sparse
    for its seasonal terms.
    """
    from statsforecast.models import AutoETS

    season = histories.season
    return _library(histories, horizon, lambda: AutoETS(season_length=season, model="AZA", damped=True), _ETS_LEVELS)


def _theta(histories: Histories, horizon: int, seed: int) -> Floats:
    """The dynamic optimised theta method (Fiorucci et al. 2016), of sums over salespeople."""
    from statsforecast.models import DynamicOptimizedTheta

    return _library(histories, horizon, lambda: DynamicOptimizedTheta(season_length=histories.season), _THETA_LEVELS)


def _library(
    histories: Histories, horizon: int, make: Callable[[], Any], levels: tuple[str, ...] | None = None
) -> Floats:
    def say(known: Floats) -> Floats | None:
        if not is_dense(known, histories.season):
            return None
        said = np.asarray(make().forecast(y=known, h=horizon)["mean"], dtype=np.float64)
        return said if np.isfinite(said).all() else None

    found = np.full((len(histories.amounts), horizon), np.nan)
    for row, (group, series) in enumerate(zip(histories.groups, histories.amounts, strict=True)):
        known = series[np.isfinite(series)]
        if len(known) and (levels is None or group.rsplit("/", 1)[-1] in levels):
            said = say(known)
            found[row] = np.nan if said is None else said
    return found


CANDIDATES: Mapping[str, Callable[[Histories, int, int], Floats]] = {
    BASELINE: _seasonal_naive,
    "last_year_grown": _last_year_grown,
    "recent_mean": _recent_mean,
    "ets": _ets,
    "theta": _theta,
    "booster": say_booster,
}
