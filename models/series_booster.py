"""One LightGBM over all series: the candidate that learns from the calendar and from market signals.

The libraries bring pandas; they are loaded when something is forecast and not before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.series_histories import SEASON, Floats, Histories

if TYPE_CHECKING:
    import pandas as pd

LAGS = (1, 2, 3, 6, 12)
ROLLING = (3, 12)
# A signal has to run beside three years of amounts before chance can be told from use.
_LEAST_MONTHS = 36
BOOSTER: dict[str, Any] = {
    "objective": "regression",
    "n_estimators": 120,
    "learning_rate": 0.06,
    "num_leaves": 15,
    "min_child_samples": 40,
    "colsample_bytree": 0.8,
    "reg_lambda": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def say_booster(histories: Histories, horizon: int, seed: int) -> Floats:
    """What one booster says of all series, each in units of its own last year, stepping month by month.

    Parameters
    ----------
    histories : Histories
        What is known; market signals are used that moved with the amounts by more than chance. Of quarters the
        booster says nothing: they are too few to learn from.
    horizon : int
        Months ahead.
    seed : int
        Random state.
    """
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean

    values, months = histories.amounts, histories.months
    found = np.full((len(values), horizon), np.nan)
    rows = np.flatnonzero(np.isfinite(values).sum(axis=1) >= SEASON)
    if len(rows) == 0 or histories.period != 1:
        return found
    size = np.array([_size(values[row]) for row in rows])
    histories = _with_useful_signals(histories, rows, size)
    ahead = months[-1] + 1 + np.arange(horizon)
    model = MLForecast(
        models={"booster": LGBMRegressor(**BOOSTER, random_state=seed)},
        freq="MS",
        lags=list(LAGS),
        lag_transforms={1: [RollingMean(window_size=window, min_samples=1) for window in ROLLING]},
        date_features=["month"],
        num_threads=1,
    )
    model.fit(_frame(histories, rows, size), static_features=["group"], dropna=False)
    said = model.predict(horizon, X_df=_known_ahead(histories, rows, ahead))
    found[rows] = said["booster"].to_numpy().reshape(len(rows), horizon) * size[:, None]
    return found


def _with_useful_signals(histories: Histories, rows: npt.NDArray[np.intp], size: Floats) -> Histories:
    """The histories with those signals alone that moved with the amounts of the past by more than chance.

    Notes
    -----
    Of amounts and signal the change on the year before is taken, averaged over the series. A signal is used when its
    correlation exceeds, in size, that of itself shifted against the amounts by every other number of months from a
    year on: a test by permutation that keeps the persistence of both (after Politis & Romano 1992, circular blocks).
    """
    if histories.signals is None:
        return histories
    amounts = _mean_change(histories.amounts[rows] / size[:, None])
    segments = [histories.segments[row] if histories.segments else () for row in rows]
    kept = []
    for name, told in histories.signals.expected(segments, histories.months).items():
        signal = _mean_change(told)
        known = np.isfinite(amounts) & np.isfinite(signal)
        if known.sum() >= _LEAST_MONTHS and _is_useful(amounts[known], signal[known]):
            kept.append(name)
    return replace(histories, signals=histories.signals.only(kept))


def _mean_change(values: Floats) -> Floats:
    """Mean over rows of the change on the same month of the year before; NaN where no row knows it."""
    change = values[:, SEASON:] - values[:, :-SEASON]
    known = np.isfinite(change)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, change, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _is_useful(amounts: Floats, signal: Floats) -> bool:
    amounts, signal = amounts - amounts.mean(), signal - signal.mean()
    if not amounts.any() or not signal.any():
        return False
    shifts = range(SEASON, len(signal) - SEASON + 1)
    return abs(float(amounts @ signal)) > max(abs(float(amounts @ np.roll(signal, shift))) for shift in shifts)


def _size(series: Floats) -> float:
    """Mean size of the last year; of the whole history where the last year is empty."""
    recent = float(np.nanmean(np.abs(series[-SEASON:])))
    return recent or float(np.nanmean(np.abs(series))) or 1.0


def _frame(histories: Histories, rows: npt.NDArray[np.intp], size: Floats) -> pd.DataFrame:
    import pandas as pd

    values = histories.amounts[rows] / size[:, None]
    place, month = np.nonzero(np.isfinite(values))
    known = histories.regressors(rows, histories.months)
    _, group = np.unique([histories.groups[row] for row in rows], return_inverse=True)
    return pd.DataFrame(
        {
            "unique_id": place,
            "ds": histories.months[month].astype("datetime64[ns]"),
            "y": values[place, month],
            "group": group[place],
            **{name: told[place, month] for name, told in known.items()},
        }
    )


def _known_ahead(histories: Histories, rows: npt.NDArray[np.intp], ahead: npt.NDArray[np.datetime64]) -> pd.DataFrame:
    import pandas as pd

    known = histories.regressors(rows, ahead)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(len(rows)), len(ahead)),
            "ds": np.tile(ahead.astype("datetime64[ns]"), len(rows)),
            **{name: told.ravel() for name, told in known.items()},
        }
    )
