"""The bridge between two forecasts as a waterfall: what was expected, each cause with its amount, what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.drawing import GREY, Drawing, Line, axis_over, short_amount

WIDTH = 860
_LEFT, _RIGHT, _TOP, _ROW = 270, 110, 56, 24
_TOTAL, _UP, _DOWN = "#4d4d4d", "#3a9e8f", "#c0504d"
_WORDS = {
    "en": (
        "{measure}, {node}: why the forecast moved",
        "{stretch}, as known on {before} and on {after}",
        "expected on",
    ),
    "zh": ("{node}，{measure}：预测为何变动", "{stretch}；分别按 {before} 与 {after} 所知", "预测于"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One cause: what it is called, and what it moved in units of the currency."""

    name: str
    amount: float


def draw_bridge(
    before: float,
    steps: Sequence[Step],
    *,
    measure: str,
    node: str,
    stretch: str,
    days: tuple[str, str],
    language: str,
) -> Drawing:
    """The waterfall, one row a cause.

    Parameters
    ----------
    before : float
        What was expected first; with the steps it makes what is expected last.
    steps : sequence of Step
        In the order in which they are shown.
    measure, node, stretch : str
        What is summed, of whom and over which months, as they are called.
    days : tuple of (str, str)
        The two days.
    language : str
        `en` or `zh`.
    """
    title, told, expected = _WORDS[language]
    title = title.format(measure=measure, node=node)
    height = _TOP + (len(steps) + 2) * _ROW + 16
    drawing = Drawing(width=WIDTH, height=height, title=title)
    drawing.text(16, 18, title, is_bold=True)
    drawing.text(16, 36, told.format(stretch=stretch, before=days[0], after=days[1]))
    levels = [before]
    for one in steps:
        levels.append(levels[-1] + one.amount)
    # The same arithmetic as of a vertical axis, from left to right.
    axis = axis_over(levels, floor=_LEFT, ceiling=WIDTH - _RIGHT)
    bars = [(f"{expected} {days[0]}", 0.0, before, True)]
    bars += [(one.name, levels[place], levels[place + 1], False) for place, one in enumerate(steps)]
    bars.append((f"{expected} {days[1]}", 0.0, levels[-1], True))
    zero = axis.y(0.0)
    drawing.add(Line(points=((zero, _TOP - 6), (zero, height - 12)), colour=GREY))
    for place, (name, begin, end, is_total) in enumerate(bars):
        top = _TOP + place * _ROW
        bottom, middle = top + _ROW - 8, top + _ROW - 12
        left, right = sorted((axis.y(begin), axis.y(end)))
        drawing.text(_LEFT - 10, middle, name, "end", is_bold=is_total)
        # What moved nothing still shows where it stands.
        drawing.box(left, max(right, left + 1), top, bottom, _TOTAL if is_total else _UP if end >= begin else _DOWN)
        if place:
            drawing.add(Line(points=((axis.y(levels[place - 1]), top - 8), (axis.y(levels[place - 1]), top))))
        amount = end if is_total else end - begin
        sign = "+" if amount > 0 and not is_total else ""
        drawing.text(WIDTH - 8, middle, f"{sign}{short_amount(amount, language)}", "end", is_bold=is_total)
    return drawing
