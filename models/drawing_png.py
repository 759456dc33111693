"""A drawing as PNG, by Matplotlib, which is loaded only here."""

from __future__ import annotations

from io import BytesIO

from models.drawing import FONT_SIZE, Area, Drawing, Label, Line

_DPI = 100
_POINTS = 72
# Twice as many pixels as the drawing counts: sharp on slides.
_ZOOM = 2
# Fonts that hold Chinese, by the systems that bring them.
_CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "PingFang SC", "Heiti SC"),
    *("Microsoft YaHei", "SimHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Arial Unicode MS"),
)
_FIRST_CHINESE = "\u2e80"


class NoChineseFont(ValueError):
    """The machine has no font that holds the drawing's Chinese."""


def to_png(drawing: Drawing) -> bytes:
    """The drawing as PNG, two pixels for each of its own.

    Parameters
    ----------
    drawing : Drawing
        What is drawn.

    Raises
    ------
    NoChineseFont
        It holds Chinese, and the machine has no font for it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Polygon

    fonts = _fonts(drawing)
    figure = Figure(figsize=(drawing.width / _DPI, drawing.height / _DPI), dpi=_DPI * _ZOOM, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.set_axis_off()
    for order, shape in enumerate(drawing.shapes):
        if isinstance(shape, Area):
            axes.add_patch(Polygon(list(shape.points), closed=True, facecolor=shape.fill, linewidth=0, zorder=order))
        elif isinstance(shape, Line):
            width = shape.width * _POINTS / _DPI
            # Matplotlib counts strokes in widths of the line.
            dash = (0, (shape.dash / shape.width, shape.dash * 0.6 / shape.width)) if shape.dash else "-"
            x, y = zip(*shape.points, strict=True)
            axes.plot(x, y, color=shape.colour, linewidth=width, linestyle=dash, zorder=order)
        else:
            axes.text(
                *shape.at,
                # A dollar sign would begin a formula.
                shape.text.replace("$", r"\$"),
                fontsize=FONT_SIZE * _POINTS / _DPI,
                fontfamily=fonts,
                fontweight="bold" if shape.is_bold else "normal",
                horizontalalignment={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
                verticalalignment="baseline",
                zorder=order,
            )
    found = BytesIO()
    figure.savefig(found, format="png", dpi=_DPI * _ZOOM)
    return found.getvalue()


def _fonts(drawing: Drawing) -> list[str]:
    from matplotlib.font_manager import fontManager

    there = set(fontManager.get_font_names())
    chinese = [name for name in _CHINESE if name in there][:1]
    texts = "".join(shape.text for shape in drawing.shapes if isinstance(shape, Label))
    if not chinese and any(letter >= _FIRST_CHINESE for letter in texts):
        raise NoChineseFont("no font of this machine holds Chinese; write .svg, or install Noto Sans CJK")
    return ["DejaVu Sans", *chinese]
