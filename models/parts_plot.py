"""What a forecast is made of: one stacked bar a month, quarter or year, with its range and the year before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np

from features.nodes import Level, Node
from features.periods import Period, stretches
from models.drawing import INK, LANGUAGES, Axis, Drawing, Line, add_axis, axis_over, short_amount, to_svg
from models.joint import Joint
from models.joint_forecast import sums_of
from models.series_points import Batch
from models.series_words import measure_words, node_words

ByMonth: TypeAlias = Mapping[str, float]

WIDTH, HEIGHT = 860, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 92, 44
_BEFORE = "#c07a1e"
_PER_ROW = 3
# Part of the forecast: its colour and its name in English and Chinese, in the order in which they are stacked.
PART_LOOKS: Mapping[str, tuple[str, str, str]] = {
    "to_date": ("#4d4d4d", "brought already", "已实现"),
    "signed": ("#1f5fa8", "signed before", "已签未完成"),
    "renewals": ("#5b9bd5", "renewals and follow-ups", "续约与续购"),
    "open_deals": ("#3a9e8f", "open deals", "在谈商机"),
    "new_deals": ("#b5d99c", "deals not created yet", "尚未产生的商机"),
    "run_rate": ("#c9b8dc", "run-rate without deals", "无商机的常规业务"),
}
_WORDS = {
    "en": ("{measure}, {node}: what they are made of", "line: 80 % range", "mark: a year before"),
    "zh": ("{node}，{measure}：预测构成", "竖线：80%区间", "橙线：去年同期"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchParts:
    """A month, quarter or year to come.

    Parameters
    ----------
    first_month : date
        Where it begins.
    parts : mapping of str to float
        By part of `PART_LOOKS`, units of the currency; they add up to what is expected.
    low, high : float
        The 80 % range.
    before : float or None
        What the same stretch of the year before brought.
    """

    first_month: date
    parts: Mapping[str, float]
    low: float
    high: float
    before: float | None = None

    @property
    def expected(self) -> float:
        """The sum of its parts."""
        return sum(self.parts.values())


def write_parts(joint: Joint, batch: Batch, fiscal_year_starts: int) -> dict[str, str]:
    """The quarters of the first measure of the whole company as SVG by language, `en` and `zh`.

    Parameters
    ----------
    joint : Joint
        The joint sample.
    batch : Batch
        The same cutoff.
    fiscal_year_starts : int
        First month of the fiscal year.
    """
    measure, company = next(iter(joint.draws)), Node(level=Level.COMPANY)
    amounts = batch.raw[batch.keys.index((measure.value, company))]
    past = {str(month): float(one) for month, one in zip(batch.months, amounts, strict=True) if np.isfinite(one)}
    n_months = joint.draws[measure].shape[1]
    found = []
    for one in stretches(joint.month + np.arange(n_months), fiscal_year_starts):
        if one.period is not Period.QUARTER:
            continue
        begin = max(int((one.first - joint.month).astype(int)), 0)
        passed = sum(past.get(str(month), 0.0) for month in one.months if month < joint.month)
        here = slice(begin, int((one.last - joint.month).astype(int)) + 1)
        draws, parts = sums_of(joint, measure, company, here, passed)
        low, high = np.quantile(draws, (0.1, 0.9)).tolist()
        first: date = one.first.astype("datetime64[D]").item()
        found.append(
            StretchParts(first_month=first, parts=parts, low=low, high=high, before=year_before(one.months, past))
        )
    return {
        language: to_svg(
            draw_parts(
                found,
                measure=measure_words(measure.value, language),
                node=node_words(company, language),
                period=Period.QUARTER.value,
                language=language,
            )
        )
        for language in LANGUAGES
    }


def year_before(months: Iterable[np.datetime64], past: ByMonth) -> float | None:
    """What the same months of the year before brought; None when one of them is not known.

    Parameters
    ----------
    months : iterable of numpy.datetime64
        Months.
    past : mapping of str to float
        Amounts of closed months, `2026-05`.
    """
    before = [past.get(str(month - 12)) for month in months]
    return None if None in before else sum(amount for amount in before if amount is not None)


def draw_parts(stretches: Sequence[StretchParts], *, measure: str, node: str, period: str, language: str) -> Drawing:
    """Stacked bars of the parts of every stretch.

    Parameters
    ----------
    stretches : sequence of StretchParts
        In the order of time.
    measure, node : str
        What they are called, in the same language.
    period : str
        `month`, `quarter` or `year`.
    language : str
        `en` or `zh`.
    """
    title, *marks = _WORDS[language]
    title = title.format(measure=measure, node=node)
    drawing = Drawing(width=WIDTH, height=HEIGHT, title=title)
    drawing.text(_LEFT, 18, title, is_bold=True)
    _add_legend(drawing, language, marks)
    told = [
        value
        for one in stretches
        for value in (one.low, one.high, one.before or 0.0, _stacked(one, up=True), _stacked(one, up=False))
    ]
    axis = axis_over(told, floor=HEIGHT - _BOTTOM, ceiling=_TOP)
    add_axis(drawing, axis, _LEFT, WIDTH - _RIGHT, language)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(stretches), 1)
    for place, one in enumerate(stretches):
        middle = round(_LEFT + (place + 0.5) * step, 1)
        _add_bar(drawing, axis, one, middle, round(0.3 * step, 1))
        drawing.text(middle, HEIGHT - _BOTTOM + 16, _name(one, period), "middle")
        if len(stretches) <= _MOST_TOLD:
            drawing.text(middle, HEIGHT - _BOTTOM + 32, short_amount(one.expected, language), "middle", is_bold=True)
    return drawing


# More bars leave no room for their amounts.
_MOST_TOLD = 12


def _name(one: StretchParts, period: str) -> str:
    if period == "year":
        return f"{one.first_month:%Y-%m}+"
    return f"{one.first_month:%y-%m}" + ("+" if period == "quarter" else "")


def _stacked(one: StretchParts, *, up: bool) -> float:
    return sum(value for value in one.parts.values() if (value > 0) == up)


def _add_bar(drawing: Drawing, axis: Axis, one: StretchParts, middle: float, half: float) -> None:
    # Credit notes go down from nothing, all else goes up.
    above = below = 0.0
    for name, (colour, _, _) in PART_LOOKS.items():
        value = one.parts.get(name, 0.0)
        begin = above if value > 0 else below
        top, bottom = sorted((axis.y(begin + value), axis.y(begin)))
        drawing.box(middle - half, middle + half, top, bottom, colour)
        above, below = above + max(value, 0.0), below + min(value, 0.0)
    drawing.add(Line(points=((middle, axis.y(one.low)), (middle, axis.y(one.high))), colour=INK, width=1.5))
    if one.before is not None:
        y = axis.y(one.before)
        drawing.add(Line(points=((middle - 1.3 * half, y), (middle + 1.3 * half, y)), colour=_BEFORE, width=2.5))


def _add_legend(drawing: Drawing, language: str, marks: Sequence[str]) -> None:
    width = (WIDTH - _LEFT - _RIGHT) / (_PER_ROW + 1)
    for place, (colour, english, chinese) in enumerate(PART_LOOKS.values()):
        x, y = _LEFT + place % _PER_ROW * width, 40 + place // _PER_ROW * 18
        drawing.box(x, x + 10, y - 9, y + 1, colour)
        drawing.text(x + 15, y, chinese if language == "zh" else english)
    for row, mark in enumerate(marks):
        x, y = _LEFT + _PER_ROW * width, 40 + row * 18
        drawing.add(Line(points=((x, y - 4), (x + 10, y - 4)), colour=(INK, _BEFORE)[row], width=2.0))
        drawing.text(x + 15, y, mark)
