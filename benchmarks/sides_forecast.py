"""The sides of the forecast's comparisons: reconciling, and one booster for many series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Work = Callable[[], object]

N_NODES, N_EQUAL = 6_000, 2_000
N_RESIDUALS, N_STEPS = 60, 18
N_SERIES, N_MONTHS = 10_000, 60
COUNTRY, SEED = "CN", 20260101


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hierarchy:
    """A made-up company, regions, lines, regions x lines and salespeople below them, with forecasts and residuals.

    Attributes
    ----------
    S : scipy.sparse.csr_matrix, shape (n_nodes, n_bottom)
        Summing matrix, the bottom last.
    base : ndarray of float64, shape (n_nodes, 18)
        Forecasts that do not add up.
    residuals : ndarray of float64, shape (n_nodes, 60)
        Their errors so far.
    """

    S: Any
    base: Floats
    residuals: Floats


def make_hierarchy(n_nodes: int) -> Hierarchy:
    """A grouped hierarchy of so many nodes, one in eleven of them a sum.

    Parameters
    ----------
    n_nodes : int
        At least 100.
    """
    from scipy import sparse

    random = np.random.default_rng(SEED)
    n_regions = max(int(np.sqrt(n_nodes / 22)), 2)
    n_sums = 1 + 2 * n_regions + n_regions**2
    cell = np.arange(n_nodes - n_sums) % n_regions**2
    region, line = np.divmod(cell, n_regions)
    owners = [np.zeros(len(cell), dtype=int), 1 + region, 1 + n_regions + line, 1 + 2 * n_regions + cell]
    rows = np.concatenate([*owners, n_sums + np.arange(len(cell))])
    columns = np.tile(np.arange(len(cell)), 5)
    S = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_nodes, len(cell)))
    bottom = random.gamma(2.0, 50.0, size=(len(cell), N_STEPS))
    moves = S @ random.normal(scale=20.0, size=(len(cell), N_RESIDUALS))
    own = random.normal(scale=10.0, size=(n_nodes, N_RESIDUALS))
    return Hierarchy(S=S, base=S @ bottom + random.normal(scale=15.0, size=(n_nodes, N_STEPS)), residuals=moves + own)


def reconcile_ours(hierarchy: Hierarchy) -> Floats:
    """Our MinT-shrink."""
    from models.reconcile import Method, reconcile

    return reconcile(hierarchy.base, hierarchy.S, Method.MINT_SHRINK, hierarchy.residuals)


def reconcile_library(hierarchy: Hierarchy, S: Floats) -> Floats:
    """That of hierarchicalforecast, which takes the summing matrix `S` written out."""
    from hierarchicalforecast.methods import MinTrace

    fitted = np.zeros_like(hierarchy.residuals)
    found = MinTrace(method="mint_shrink").fit_predict(
        S=S, y_hat=hierarchy.base, y_insample=hierarchy.residuals, y_hat_insample=fitted
    )
    return np.asarray(found["mean"])


def reconciling(*, ours: bool) -> Work:
    """One reconciliation at `N_NODES`; libraries are loaded and compiled on a small one before."""
    small, large = make_hierarchy(100), make_hierarchy(N_NODES)
    if ours:
        reconcile_ours(small)
        return lambda: reconcile_ours(large)
    reconcile_library(small, small.S.toarray())
    full = large.S.toarray()
    return lambda: reconcile_library(large, full)


def make_series(n_series: int) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """Months and made-up amounts with a season, shape (n_series, `N_MONTHS`).

    Parameters
    ----------
    n_series : int
        How many.
    """
    random = np.random.default_rng(SEED)
    months = np.datetime64("2020-01") + np.arange(N_MONTHS)
    season = 1 + 0.3 * np.sin(2 * np.pi * (np.arange(N_MONTHS) / 12 + random.uniform(size=(n_series, 1))))
    noise = np.exp(0.3 * random.normal(size=(n_series, N_MONTHS)))
    return months, np.exp(random.normal(4.0, 1.0, size=(n_series, 1))) * season * noise


def boosting_ours(n_series: int) -> Work:
    """Our booster candidate, from an array of amounts to forecasts."""
    from models.series_candidates import forecast_candidates
    from models.series_histories import Histories

    def prepare(n: int) -> Work:
        months, amounts = make_series(n)
        histories = Histories(groups=("bookings/rep",) * n, months=months, amounts=amounts, country=COUNTRY)
        return lambda: forecast_candidates(histories, ("booster",), horizon=N_STEPS, seed=SEED)["booster"]

    prepare(50)()
    return prepare(n_series)


def boosting_library(n_series: int) -> Work:
    """Mlforecast alone on a frame that is ready: scaled, with the calendar beside every row, the same features."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean

    from models.series_booster import BOOSTER, LAGS, ROLLING

    def prepare(n: int) -> Work:
        frame, ahead, size = _frames(n)

        def work() -> Floats:
            model = MLForecast(
                models={"booster": LGBMRegressor(**BOOSTER, random_state=SEED)},
                freq="MS",
                lags=list(LAGS),
                lag_transforms={1: [RollingMean(window_size=window, min_samples=1) for window in ROLLING]},
                date_features=["month"],
                num_threads=1,
            )
            model.fit(frame, static_features=["group"], dropna=False)
            said = model.predict(N_STEPS, X_df=ahead)
            return np.asarray(said["booster"].to_numpy().reshape(n, N_STEPS) * size)

        return work

    prepare(50)()
    return prepare(n_series)


def _frames(n_series: int) -> tuple[Any, Any, Floats]:
    """What mlforecast reads: the past, the calendar ahead, and the unit of each series."""
    import pandas as pd

    from features.months import FACTS, month_facts

    months, amounts = make_series(n_series)
    size = np.abs(amounts[:, -12:]).mean(axis=1)[:, None]

    def table(over: npt.NDArray[np.datetime64]) -> dict[str, Any]:
        facts = month_facts(over, COUNTRY)
        return {
            "unique_id": np.repeat(np.arange(n_series), len(over)),
            "ds": np.tile(over.astype("datetime64[ns]"), n_series),
            **{name: np.tile(facts[:, place], n_series) for place, name in enumerate(FACTS)},
        }

    frame = pd.DataFrame(table(months) | {"y": (amounts / size).ravel(), "group": 0})
    return frame, pd.DataFrame(table(months[-1] + 1 + np.arange(N_STEPS))), size


FORECAST_SIDES: dict[str, tuple[Callable[[Path], Work], int]] = {
    "reconcile_ours": (lambda folder: reconciling(ours=True), 1),
    "reconcile_library": (lambda folder: reconciling(ours=False), 1),
    "boosting_ours": (lambda folder: boosting_ours(N_SERIES), 1),
    "boosting_library": (lambda folder: boosting_library(N_SERIES), 1),
}
"""As `benchmarks.sides.SIDES`; none of them reads the folder."""
