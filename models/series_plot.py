"""The fan of a forecast: the last two years and the next months with their ranges, beside last year's months."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.drawing import BLUE, LANGUAGES, Area, Axis, Drawing, Line, Point, add_axis, axis_over, to_svg
from models.series_forecast import NodeForecast
from models.series_points import Batch
from models.series_task import QUANTILES
from models.series_words import measure_words, node_words

Floats: TypeAlias = npt.NDArray[np.float64]

WIDTH, HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 60, 40
PAST_MONTHS = 24
_BANDS = ((0.05, 0.95, "#d6e4f5"), (0.1, 0.9, "#b4cfec"), (0.25, 0.75, "#86b0de"))
_NAIVE = "#c07a1e"
# How many letters of a month's name fit below each other's neighbours.
_EVERY = 6
WORDS = {
    "en": (
        "{measure}, {node}, monthly",
        "forecast dashed, its ranges 90, 80 and 50 %; dotted: the same months a year before",
        "no series of the whole company",
    ),
    "zh": (
        "{measure}：{node}，按月",
        "虚线：预测，区间90%、80%、50%；点线：去年同月",
        "没有全公司的序列",
    ),
}


def write_fans(forecasts: Sequence[NodeForecast], batch: Batch) -> dict[str, str]:
    """The fan of the first measure of the whole company as SVG by language, `en` and `zh`.

    Parameters
    ----------
    forecasts : sequence of NodeForecast
        From `forecast_batch` or `forecast_jointly`.
    batch : Batch
        The same cutoff.
    """
    shown = next((one for one in forecasts if one.node.level.value in ("company", "series")), None)
    if shown is None:
        return {language: to_svg(empty_drawing(WORDS[language][2])) for language in LANGUAGES}
    row = batch.keys.index((shown.measure, shown.node))
    months, actual = batch.months[-PAST_MONTHS:], batch.raw[row][-PAST_MONTHS:]
    return {language: to_svg(draw_fan(shown, months, actual, language=language)) for language in LANGUAGES}


def empty_drawing(text: str) -> Drawing:
    """A drawing that says why there is nothing to draw."""
    drawing = Drawing(width=WIDTH, height=HEIGHT, title=text)
    drawing.text(_LEFT, 20, text, is_bold=True)
    return drawing


def draw_fan(
    forecast: NodeForecast,
    months: npt.NDArray[np.datetime64],
    actual: Floats,
    *,
    language: str,
    measured: str = "",
) -> Drawing:
    """The fan of one series: past amounts as a line, the forecast dashed, ranges as bands, seasonal naive dotted.

    Parameters
    ----------
    forecast : NodeForecast
        What is said.
    months, actual : ndarray, shape (n_months,)
        The past that is shown.
    language : str
        `en` or `zh`.
    measured : str
        What was measured of its ranges, below the title.
    """
    title, legend, _ = WORDS[language]
    title = title.format(measure=measure_words(forecast.measure, language), node=node_words(forecast.node, language))
    drawing = Drawing(width=WIDTH, height=HEIGHT, title=title)
    drawing.text(_LEFT, 18, title, is_bold=True)
    drawing.text(_LEFT, 34, legend)
    drawing.text(_LEFT, 50, measured)
    told = np.concatenate([actual, forecast.expected, forecast.baseline, forecast.quantiles.ravel()])
    axis = axis_over(told[np.isfinite(told)].tolist(), floor=HEIGHT - _BOTTOM, ceiling=_TOP)
    add_axis(drawing, axis, _LEFT, WIDTH - _RIGHT, language)
    # Of quarters the months in which they end are drawn, where they lie.
    later = [int(step) for step in (forecast.months - months[-1]).astype(int)]
    now, n = len(months) - 1, len(months) + (later[-1] if later else 0)

    def x(place: float) -> float:
        return round(_LEFT + place / max(n - 1, 1) * (WIDTH - _LEFT - _RIGHT), 1)

    ahead = [x(now + step) for step in later]
    if np.isfinite(forecast.quantiles).all():
        _add_bands(drawing, axis, ahead, forecast.quantiles)
    past = _line(axis, [x(place) for place in range(len(months))], actual)
    if past:
        drawing.add(Line(points=past))
    for values, colour, width, dash in ((forecast.baseline, _NAIVE, 1.5, 2.0), (forecast.expected, BLUE, 2.0, 5.0)):
        points = _line(axis, ahead, values)
        if points:
            drawing.add(Line(points=points, colour=colour, width=width, dash=dash))
    every = (months[0] + np.arange(n)).tolist()
    for place in range(0, n, _EVERY):
        drawing.text(x(place), HEIGHT - _BOTTOM + 18, f"{every[place]:%Y-%m}", "middle")
    return drawing


def _add_bands(drawing: Drawing, axis: Axis, ahead: Sequence[float], quantiles: Floats) -> None:
    for low, high, colour in _BANDS:
        there = _line(axis, ahead, quantiles[:, QUANTILES.index(high)])
        back = _line(axis, ahead, quantiles[:, QUANTILES.index(low)])
        drawing.add(Area(points=[*there, *back[::-1]], fill=colour))


def _line(axis: Axis, x: Sequence[float], values: Floats) -> list[Point]:
    return [(place, axis.y(value)) for place, value in zip(x, values.tolist(), strict=True) if np.isfinite(value)]
