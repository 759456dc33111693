"""A drawing of a few kinds of shapes, and the same as SVG text; plots are drawn once and written as SVG or PNG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

LANGUAGES = ("en", "zh")
GREY, INK, BLUE = "#dddddd", "#222222", "#1f5fa8"
FONT_SIZE = 12
# Steps of an axis: the smallest of these that leaves at most five of them.
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_STEPS = 5
Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A filled polygon."""

    points: Sequence[Point]
    fill: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through points; `dash` is the length of its strokes and gaps, 0 for a whole one."""

    points: Sequence[Point]
    colour: str = INK
    width: float = 1.0
    dash: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text; `anchor` is `start`, `middle` or `end`."""

    at: Point
    text: str
    anchor: str = "start"
    is_bold: bool = False


Shape: TypeAlias = Area | Line | Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Shapes from back to front on a white ground; the origin is the upper left corner.

    Parameters
    ----------
    width, height : int
        Pixels.
    title : str
        What it shows.
    shapes : list of Area, Line or Label
        What is drawn.
    """

    width: int
    height: int
    title: str
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Put shapes in front of the others."""
        self.shapes.extend(shapes)

    def text(self, x: float, y: float, text: str, anchor: str = "start", *, is_bold: bool = False) -> None:
        """Put a text in front."""
        self.add(Label(at=(x, y), text=text, anchor=anchor, is_bold=is_bold))

    def box(self, left: float, right: float, top: float, bottom: float, fill: str) -> None:
        """Put a filled rectangle in front."""
        self.add(Area(points=((left, top), (right, top), (right, bottom), (left, bottom)), fill=fill))


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A vertical axis from pixel `floor` upwards to pixel `ceiling`.

    Parameters
    ----------
    low, high : float
        Values at its ends.
    floor, ceiling : float
        Pixels of its ends.
    ticks : tuple of float
        Values that are labelled.
    """

    low: float
    high: float
    floor: float
    ceiling: float
    ticks: tuple[float, ...]

    def y(self, value: float) -> float:
        """The pixel of a value."""
        return round(self.floor - (value - self.low) / (self.high - self.low) * (self.floor - self.ceiling), 1)


def axis_over(values: Iterable[float], *, floor: float, ceiling: float) -> Axis:
    """An axis that holds nothing and all of the values, with round ticks.

    Parameters
    ----------
    values : iterable of float
        Finite.
    floor, ceiling : float
        Pixels of its ends.

    Examples
    --------
    >>> axis_over([3.0, 41.0], floor=100, ceiling=0).ticks
    (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)
    """
    told = [0.0, *values]
    low, high = min(told), max(told)
    span = (high - low) or 1.0
    power = 10.0 ** _exponent(span / _MOST_STEPS)
    step = next(step * power for step in _STEPS if step * power * _MOST_STEPS >= span)
    first, last = int(low // step), int(-(-high // step))
    ticks = tuple(step * number for number in range(first, max(last, first + 1) + 1))
    return Axis(low=ticks[0], high=ticks[-1], floor=floor, ceiling=ceiling, ticks=ticks)


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def add_axis(drawing: Drawing, axis: Axis, left: float, right: float, language: str, *, is_share: bool = False) -> None:
    """Draw the lines of an axis and what they stand for.

    Parameters
    ----------
    drawing : Drawing
        Where.
    axis : Axis
        Which.
    left, right : float
        Pixels between which the lines run.
    language : str
        `en` or `zh`.
    is_share : bool
        Values are shares, shown in percent.
    """
    for value in axis.ticks:
        y = axis.y(value)
        drawing.add(Line(points=((left, y), (right, y)), colour=GREY))
        drawing.text(left - 6, y + 4, f"{value:.0%}" if is_share else short_amount(value, language), "end")


def short_amount(value: float, language: str) -> str:
    """An amount in three or four digits.

    Examples
    --------
    >>> short_amount(1_250_000, "en"), short_amount(1_250_000, "zh"), short_amount(-420, "en")
    ('1.25 m', '125 万', '-420')
    """
    units = ((1e8, " 亿"), (1e4, " 万")) if language == "zh" else ((1e9, " bn"), (1e6, " m"), (1e3, " k"))
    size, unit = next(((size, unit) for size, unit in units if abs(value) >= size), (1.0, ""))
    return f"{value / size:,.4g}{unit}" if abs(value) < 1e4 * size else f"{value / size:,.0f}{unit}"


def to_svg(drawing: Drawing) -> str:
    """The drawing as SVG, without any library."""
    size = f"width='{drawing.width}' height='{drawing.height}' viewBox='0 0 {drawing.width} {drawing.height}'"
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img' aria-label='{_escaped(drawing.title)}'>",
        f"<rect width='{drawing.width}' height='{drawing.height}' fill='white'/>",
        *map(_element, drawing.shapes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(shape: Shape) -> str:
    if isinstance(shape, Area):
        return f"<path d='{_path(shape.points)}Z' fill='{shape.fill}'/>"
    if isinstance(shape, Line):
        dash = f" stroke-dasharray='{shape.dash:g} {shape.dash * 0.6:g}'" if shape.dash else ""
        look = f"stroke='{shape.colour}' stroke-width='{shape.width:g}'{dash}"
        return f"<path d='{_path(shape.points)}' {look} fill='none'/>"
    (x, y), weight = shape.at, " font-weight='bold'" if shape.is_bold else ""
    font = f"font-family='sans-serif' font-size='{FONT_SIZE}'{weight}"
    return f"<text x='{x:g}' y='{y:g}' text-anchor='{shape.anchor}' {font}>{_escaped(shape.text)}</text>"


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&#39;")
