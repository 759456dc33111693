"""The calibration plot of a card: what was said against what happened, as SVG without any library."""

from __future__ import annotations

from collections.abc import Sequence

from models.report import CalibrationBin

SIZE, MARGIN = 420, 56
_SPAN = SIZE - 2 * MARGIN
_FONT = "font-family='sans-serif' font-size='12'"
WORDS = {
    "en": ("Calibration on the test window", "said", "happened"),
    "zh": ("测试窗口上的校准", "预测", "实际"),
}


def write_plot(bins: Sequence[CalibrationBin], *, language: str) -> str:
    """The plot as SVG: one dot a tenth of the rows with its 95 % interval, beside the diagonal of honest odds.

    Parameters
    ----------
    bins : sequence of CalibrationBin
        Tenths of the test window.
    language : str
        `en` or `zh`.
    """
    title, said, happened = WORDS[language]
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{SIZE}' height='{SIZE}' viewBox='0 0 {SIZE} {SIZE}' "
        f"role='img' aria-label='{title}'>",
        f"<rect width='{SIZE}' height='{SIZE}' fill='white'/>",
        f"<text x='{SIZE / 2}' y='24' text-anchor='middle' {_FONT} font-weight='bold'>{title}</text>",
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = _x(tick), _y(tick)
        parts += [
            f"<path d='M{x} {_y(0)}V{_y(1)}M{_x(0)} {y}H{_x(1)}' stroke='#ddd'/>",
            f"<text x='{x}' y='{_y(0) + 16}' text-anchor='middle' {_FONT}>{tick:.0%}</text>",
            f"<text x='{_x(0) - 6}' y='{y + 4}' text-anchor='end' {_FONT}>{tick:.0%}</text>",
        ]
    parts.append(f"<path d='M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}' stroke='#888' stroke-dasharray='4 4'/>")
    for tenth in bins:
        x = _x(tenth.mean_probability)
        parts += [
            f"<path d='M{x} {_y(tenth.low)}V{_y(tenth.high)}' stroke='#1f5fa8'/>",
            f"<circle cx='{x}' cy='{_y(tenth.event_rate)}' r='4' fill='#1f5fa8'/>",
        ]
    parts += [
        f"<text x='{SIZE / 2}' y='{SIZE - 14}' text-anchor='middle' {_FONT}>{said}</text>",
        f"<text x='16' y='{SIZE / 2}' text-anchor='middle' {_FONT} transform='rotate(-90 16 {SIZE / 2})'>"
        f"{happened}</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(share: float) -> float:
    return round(MARGIN + share * _SPAN, 1)


def _y(share: float) -> float:
    return round(SIZE - MARGIN - share * _SPAN, 1)
