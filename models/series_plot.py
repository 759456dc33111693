"""The fan of a forecast: the last two years and the next months with their ranges, as SVG without any library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.series_forecast import NodeForecast
from models.series_points import Batch
from models.series_task import QUANTILES

Floats: TypeAlias = npt.NDArray[np.float64]

WIDTH, HEIGHT = 760, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 36, 40
_PAST_MONTHS = 24
_FONT = "font-family='sans-serif' font-size='12'"
_BANDS = ((0.05, 0.95, "#d6e4f5"), (0.1, 0.9, "#b4cfec"), (0.25, 0.75, "#86b0de"))
WORDS = {
    "en": ("{measure}, company, monthly", "ranges: 90, 80 and 50 %", "no series of the whole company"),
    "zh": ("{measure}：全公司，按月", "区间：90%、80%、50%", "没有全公司的序列"),
}
MEASURES = {
    "en": {
        "bookings": "bookings",
        "receipts": "receipts",
        "revenue": "revenue",
        "gross_margin": "gross margin",
        "new_customers": "new customers",
    },
    "zh": {
        "bookings": "合同额",
        "receipts": "回款额",
        "revenue": "收入",
        "gross_margin": "毛利",
        "new_customers": "新客户数",
    },
}


def write_fans(forecasts: Sequence[NodeForecast], batch: Batch) -> dict[str, str]:
    """The fan of the first measure of the whole company by language, `en` and `zh`.

    Parameters
    ----------
    forecasts : sequence of NodeForecast
        From `forecast_batch`.
    batch : Batch
        The same cutoff.
    """
    shown = next((one for one in forecasts if one.node.level.value in ("company", "series")), None)
    if shown is None:
        return {language: _empty(words[2]) for language, words in WORDS.items()}
    row = batch.keys.index((shown.measure, shown.node))
    return {
        language: draw_fan(shown, batch.months[-_PAST_MONTHS:], batch.raw[row][-_PAST_MONTHS:], language=language)
        for language in WORDS
    }


def draw_fan(forecast: NodeForecast, months: npt.NDArray[np.datetime64], actual: Floats, *, language: str) -> str:
    """The fan of one series as SVG: past amounts as a line, the forecast dashed, ranges as bands.

    Parameters
    ----------
    forecast : NodeForecast
        What is said.
    months, actual : ndarray, shape (n_months,)
        The past that is shown.
    language : str
        `en` or `zh`.
    """
    told = np.concatenate([actual, forecast.expected, forecast.quantiles.ravel()])
    top = float(np.nanmax(told)) or 1.0
    bottom = min(float(np.nanmin(told)), 0.0)
    # Of quarters the months in which they end are drawn, where they lie.
    later = [int(step) for step in (forecast.months - months[-1]).astype(int)]
    n = len(months) + later[-1]

    def x(place: float) -> float:
        return round(_LEFT + place / max(n - 1, 1) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM), 1)

    title, legend, _ = WORDS[language]
    measure = MEASURES[language].get(forecast.measure, forecast.measure)
    parts = _frame(title.format(measure=_escaped(measure)), legend)
    for share in (0.0, 0.5, 1.0):
        value = bottom + share * (top - bottom)
        parts += [
            f"<path d='M{_LEFT} {y(value)}H{WIDTH - _RIGHT}' stroke='#ddd'/>",
            f"<text x='{_LEFT - 6}' y='{y(value) + 4}' text-anchor='end' {_FONT}>{value:,.0f}</text>",
        ]
    now = len(months) - 1
    if np.isfinite(forecast.quantiles).all():
        for low, high, colour in _BANDS:
            bounds = forecast.quantiles[:, [QUANTILES.index(low), QUANTILES.index(high)]]
            there = [f"{x(now + step)} {y(value)}" for step, value in zip(later, bounds[:, 1], strict=True)]
            back = [f"{x(now + step)} {y(value)}" for step, value in zip(later, bounds[:, 0], strict=True)][::-1]
            parts.append(f"<path d='M{'L'.join([*there, *back])}Z' fill='{colour}'/>")
    shown = [f"{x(place)} {y(value)}" for place, value in enumerate(actual) if np.isfinite(value)]
    ahead = [f"{x(now + step)} {y(value)}" for step, value in zip(later, forecast.expected, strict=True)]
    parts += [
        f"<path d='M{'L'.join(shown)}' stroke='#222' fill='none'/>",
        f"<path d='M{'L'.join(ahead)}' stroke='#1f5fa8' stroke-width='2' stroke-dasharray='5 3' fill='none'/>",
    ]
    every = (months[0] + np.arange(n)).tolist()
    for place in range(0, n, 6):
        parts.append(
            f"<text x='{x(place)}' y='{HEIGHT - _BOTTOM + 18}' text-anchor='middle' {_FONT}>{every[place]:%Y-%m}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _frame(title: str, legend: str) -> list[str]:
    return [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}' viewBox='0 0 {WIDTH} {HEIGHT}' "
        f"role='img' aria-label='{title}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        f"<text x='{_LEFT}' y='20' {_FONT} font-weight='bold'>{title}</text>",
        f"<text x='{WIDTH - _RIGHT}' y='20' text-anchor='end' {_FONT}>{legend}</text>",
    ]


def _empty(text: str) -> str:
    return "\n".join([*_frame(text, ""), "</svg>"]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;")
