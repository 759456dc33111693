"""What the champion says of the next months: one answer a node and measure, from the record as known at a cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.nodes import Node
from models.series_bundle import SeriesModel
from models.series_candidates import BASELINE, is_dense
from models.series_histories import SEASON
from models.series_points import Batch

Floats: TypeAlias = npt.NDArray[np.float64]

FORECAST, BASE_RATE, INSUFFICIENT = "forecast", "base_rate", "insufficient_data"
# Why a series is answered as it is, in both languages.
NOTES: dict[str, tuple[str, str]] = {
    "": ("", ""),
    "short": (
        "less than a year of history: its mean so far, no seasonal pattern",
        "历史不足一年：按迄今均值，不含季节规律",
    ),
    "sparse": (
        "too few months with an amount for seasonal models: averages and last year's months",
        "有金额的月份太少，不适用季节模型：按均值与去年同月",
    ),
    "baseline": (
        "nothing was better than last year's same month, which is said here",
        "没有方法优于去年同月，此处给出去年同月值",
    ),
    "unknown": ("nothing was learned of this measure at this level yet", "该指标在此层级尚无学习结果"),
}
# The same of a series by quarter.
QUARTER = "quarter_"
_EN, _ZH = "every amount is of the quarter that ends with its month", "每个金额属于以该月结束的整个季度"
NOTES |= {
    QUARTER + key: (f"{_EN}; {english}" if english else _EN, f"{_ZH}；{chinese}" if chinese else _ZH)
    for key, (english, chinese) in list(NOTES.items())
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeForecast:
    """One series and its next months.

    Parameters
    ----------
    measure : str
        What is counted.
    node : Node
        Where.
    status : str
        `forecast`; `base_rate` where seasonal naive answers; `insufficient_data` where the history is below a year.
    note : str
        Key of `NOTES`.
    months : ndarray of datetime64[M], shape (n_ahead,)
        The months ahead; of quarters the last month of each.
    expected, baseline : ndarray of float64, shape (n_ahead,)
        The forecast and seasonal naive, currency units.
    quantiles : ndarray of float64, shape (n_ahead, n_quantiles)
        Rising; NaN where nothing was learned of ranges.
    period : int
        Months that one amount is of: 1, or 3 for quarters.
    """

    measure: str
    node: Node
    status: str
    note: str
    months: npt.NDArray[np.datetime64]
    expected: Floats
    baseline: Floats
    quantiles: Floats
    period: int = 1


def forecast_batch(model: SeriesModel, batch: Batch) -> tuple[NodeForecast, ...]:
    """The forecasts of every series that has begun.

    Parameters
    ----------
    model : SeriesModel
        The champion.
    batch : Batch
        Series as known at the cutoff.
    """
    said = batch.said(model.candidates, country=model.country, horizon=model.horizon, seed=model.seed)
    months = batch.month + np.arange(1, model.horizon + 1)
    found = []
    for place, (measure, node) in enumerate(batch.keys):
        known = np.isfinite(batch.values[place])
        if not known.any():
            continue
        own = {name: values[place] for name, values in said.items()}
        level = node.level.value
        expected, quantiles = model.answer(
            measure, level, own, float(batch.scale[place]), is_positive=bool(batch.is_positive[place])
        )
        period = int(batch.periods[place])
        status, note = _status(model, measure, level, batch.values[place][known], SEASON // period)
        # Months beyond what was learned are answered by the baseline, without a range.
        expected = np.where(np.isfinite(expected), expected, own[BASELINE])
        ahead = np.isfinite(own[BASELINE])
        found.append(
            NodeForecast(
                measure=measure,
                node=node,
                status=status,
                note=note if period == 1 else QUARTER + note,
                months=months[ahead],
                expected=expected[ahead],
                baseline=own[BASELINE][ahead],
                quantiles=quantiles[ahead],
                period=period,
            )
        )
    return tuple(found)


def _status(model: SeriesModel, measure: str, level: str, known: Floats, season: int) -> tuple[str, str]:
    answer = model.answers.get((measure, level))
    if answer is None:
        return INSUFFICIENT, "unknown"
    if len(known) < season:
        return INSUFFICIENT, "short"
    if answer == BASE_RATE:
        return BASE_RATE, "baseline"
    return FORECAST, "" if is_dense(known, season) else "sparse"
