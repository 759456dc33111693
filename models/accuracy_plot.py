"""How good forecasts were by months ahead: their error beside last year's months, the difference, held ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.drawing import BLUE, Drawing, add_axis, axis_over

WIDTH, HEIGHT = 860, 378
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 20, 66, 110
_NAIVE = "#c07a1e"
_WORDS = {
    "en": {
        "backtest": "{measure}, {level}: error of the replayed past (WAPE)",
        "ledger": "{measure}, {level}: error of what was published (WAPE)",
        "ours": "forecast",
        "naive": "the same month of the year before",
        "ahead": "months ahead",
        "all": "all",
        "n": "outcomes judged",
        "gain": "difference",
        "between": "its 95 % interval",
        "inside": "inside the 80 % range",
    },
    "zh": {
        "backtest": "{measure}，{level}：历史重放误差（WAPE）",
        "ledger": "{measure}，{level}：已发布预测误差（WAPE）",
        "ours": "预测",
        "naive": "去年同月",
        "ahead": "提前月数",
        "all": "全部",
        "n": "已评估点数",
        "gain": "差异",
        "between": "差异的95%区间",
        "inside": "80%区间命中",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A figure and its 95 % interval; `low` and `high` None where too little was judged for one."""

    value: float
    low: float | None
    high: float | None

    def text(self, form: str) -> str:
        """The figure, its interval behind it."""
        between = self.interval(form)
        return f"{self.value:{form}} ({between})" if between else format(self.value, form)

    def interval(self, form: str) -> str:
        """The interval alone; empty where there is none."""
        return "" if self.low is None or self.high is None else f"{self.low:{form}} – {self.high:{form}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Forecasts of one stretch of months ahead, held against what came.

    Parameters
    ----------
    bucket : str
        The months ahead, for instance `1-3`, or `all`.
    n : int
        Outcomes.
    wape, baseline_wape : float or None
        Sum of absolute errors over the sum of amounts, of the forecast and of last year's months.
    gain, inside : Span or None
        The difference of the two, negative when the forecast is better, and the share of outcomes in the 80 % range.
    """

    bucket: str
    n: int
    wape: float | None
    baseline_wape: float | None
    gain: Span | None
    inside: Span | None


def draw_accuracy(judged: Sequence[Judged], *, measure: str, level: str, source: str, language: str) -> Drawing:
    """Pairs of bars by months ahead, with what was measured below them.

    Parameters
    ----------
    judged : sequence of Judged
        One a stretch of months ahead.
    measure, level : str
        What they are called.
    source : str
        `backtest` or `ledger`.
    language : str
        `en` or `zh`.
    """
    words = _WORDS[language]
    title = words[source].format(measure=measure, level=level)
    drawing = Drawing(width=WIDTH, height=HEIGHT, title=title)
    drawing.text(16, 18, title, is_bold=True)
    for place, (name, colour) in enumerate((("ours", BLUE), ("naive", _NAIVE))):
        x = _LEFT + place * 120
        drawing.box(x, x + 10, 31, 41, colour)
        drawing.text(x + 15, 40, words[name])
    told = [value for one in judged for value in (one.wape, one.baseline_wape) if value is not None]
    axis = axis_over(told, floor=HEIGHT - _BOTTOM, ceiling=_TOP)
    add_axis(drawing, axis, _LEFT, WIDTH - _RIGHT, language, is_share=True)
    for row, name in enumerate(("ahead", "n", "gain", "between", "inside")):
        drawing.text(12, HEIGHT - _BOTTOM + 18 + row * 18, words[name])
    step = (WIDTH - _LEFT - _RIGHT) / max(len(judged), 1)
    for place, one in enumerate(judged):
        middle = round(_LEFT + (place + 0.5) * step, 1)
        for value, shift, colour in ((one.wape, -0.3, BLUE), (one.baseline_wape, 0.02, _NAIVE)):
            if value is None:
                continue
            left = middle + shift * step
            drawing.box(left, left + 0.28 * step, axis.y(value), axis.y(0.0), colour)
            drawing.text(left + 0.14 * step, axis.y(value) - 4, f"{value:.1%}", "middle")
        below = (
            words["all"] if one.bucket == "all" else one.bucket,
            f"{one.n:,}",
            "–" if one.gain is None else f"{one.gain.value:+.1%}",
            "–" if one.gain is None else one.gain.interval("+.1%"),
            "–" if one.inside is None else one.inside.text(".0%"),
        )
        for row, text in enumerate(below):
            drawing.text(middle, HEIGHT - _BOTTOM + 18 + row * 18, text, "middle")
    return drawing
