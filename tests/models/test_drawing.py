"""Drawings as SVG and PNG, and the plots of the forecast: what they say, in both languages, also of odd amounts."""

from __future__ import annotations

import re
from datetime import date
from xml.etree import ElementTree

import numpy as np
import pytest

from features.nodes import Level, Node
from models.accuracy_plot import Judged, Span, draw_accuracy
from models.bridge_plot import Step, draw_bridge
from models.drawing import Area, Drawing, Label, Line, axis_over, short_amount, to_svg
from models.drawing_png import NoChineseFont, to_png
from models.parts_plot import PART_LOOKS, StretchParts, draw_parts, year_before
from models.series_forecast import FORECAST, NodeForecast
from models.series_plot import draw_fan
from models.series_task import QUANTILES
from models.signings import Component

LANGUAGES = ("en", "zh")


def texts(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, Label)]


def fan(language: str = "en", **changes: object) -> Drawing:
    n = 3
    spread = np.linspace(-0.5, 0.5, len(QUANTILES))
    said = {
        "measure": "bookings",
        "node": Node(level=Level.REGION, region="East <& Co>"),
        "status": FORECAST,
        "note": "",
        "months": np.datetime64("2026-06", "M") + np.arange(1, n + 1),
        "expected": np.full(n, 100.0),
        "baseline": np.full(n, 90.0),
        "quantiles": 100.0 + 100 * np.tile(spread, (n, 1)),
    }
    past = np.datetime64("2026-06", "M") - np.arange(11, -1, -1)
    return draw_fan(NodeForecast(**(said | changes)), past, np.arange(12.0), language=language)  # type: ignore[arg-type]


def parts(language: str = "en", **changes: float) -> Drawing:
    told = dict.fromkeys(PART_LOOKS, 10.0) | changes
    one = StretchParts(first_month=date(2026, 7, 1), parts=told, low=20.0, high=90.0, before=55.0)
    return draw_parts([one], measure="bookings", node="East", period="quarter", language=language)


def judged(language: str = "en", gain: Span | None = None) -> Drawing:
    rows = [Judged(bucket="all", n=1234, wape=0.1, baseline_wape=0.2, gain=gain, inside=None)]
    return draw_accuracy(rows, measure="bookings", level="region", source="ledger", language=language)


def bridge(language: str = "en") -> Drawing:
    steps = [Step(name="new", amount=30.0), Step(name="lost", amount=-80.0)]
    days = ("2026-06-01", "2026-06-30")
    return draw_bridge(40.0, steps, measure="x", node="y", stretch="z", days=days, language=language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plot_is_well_formed_and_says_its_title(language: str) -> None:
    for drawing in (fan(language), parts(language), judged(language), bridge(language)):
        root = ElementTree.fromstring(to_svg(drawing))
        assert root.attrib["aria-label"] == drawing.title
        assert drawing.title in texts(drawing)
        assert all(0 <= x <= drawing.width for shape in drawing.shapes for x, _ in points(shape))
        assert all(0 <= y <= drawing.height for shape in drawing.shapes for _, y in points(shape))


def points(shape: Area | Line | Label) -> list[tuple[float, float]]:
    return [shape.at] if isinstance(shape, Label) else list(shape.points)


def test_names_cannot_break_out_of_the_svg() -> None:
    assert "<& Co>" not in to_svg(fan())
    assert "East &lt;&amp; Co" in to_svg(fan())


def test_chinese_plots_hold_no_english_words_but_names() -> None:
    for drawing in (parts("zh"), judged("zh", Span(value=-0.1, low=-0.2, high=0.1))):
        words = re.findall("[A-Za-z]+", " ".join(texts(drawing)))
        assert set(words) <= {"bookings", "East", "region", "WAPE"}


def test_the_parts_that_are_drawn_are_those_of_the_joint_sample() -> None:
    assert list(PART_LOOKS) == ["to_date", *(one.name.lower() for one in Component)]


def test_bars_of_parts_stack_up_to_what_is_expected_and_credits_hang_below_nothing() -> None:
    drawing = parts(run_rate=-20.0)
    colour_of = {colour: name for name, (colour, _, _) in PART_LOOKS.items()}
    # The first of each colour is its place in the legend.
    boxes = [shape for shape in drawing.shapes if isinstance(shape, Area)][len(PART_LOOKS) :]
    heights = {colour_of[one.fill]: one.points[2][1] - one.points[0][1] for one in boxes}
    assert heights["run_rate"] == pytest.approx(2 * heights["signed"], abs=0.3)
    tops = {colour_of[one.fill]: one.points[0][1] for one in boxes}
    assert tops["run_rate"] == max(tops.values())
    assert "30" in texts(drawing)


def test_the_waterfall_begins_each_bar_where_the_one_before_ended() -> None:
    bars = [shape for shape in bridge().shapes if isinstance(shape, Area)]
    edges = [(one.points[0][0], one.points[1][0]) for one in bars]
    first, up, down, last = edges
    assert first[1] == up[0]
    assert up[1] == down[1]
    # What is expected at last is below nothing here: it hangs from nothing to where the last cause ended.
    assert down[0] == last[0]
    assert last[1] == first[0]
    assert "-80" in texts(bridge())
    assert "-10" in texts(bridge())


def test_a_difference_without_an_interval_is_told_alone() -> None:
    assert "-5.0%" in texts(judged(gain=Span(value=-0.05, low=None, high=None)))
    assert "-7.0% – +1.0%" in texts(judged(gain=Span(value=-0.05, low=-0.07, high=0.01)))


def test_a_fan_without_ranges_draws_what_it_has() -> None:
    gaps = np.full((3, len(QUANTILES)), np.nan)
    assert not [shape for shape in fan(quantiles=gaps).shapes if isinstance(shape, Area)]
    assert "nan" not in to_svg(fan(quantiles=gaps, baseline=np.full(3, np.nan)))


@pytest.mark.parametrize("values", [[0.0], [-3.0, -1.0], [1e12, 5.0], [0.004], [7.0, 7.0], [-1.0, 1e6]])
def test_axes_hold_every_value_and_nothing_with_few_round_ticks(values: list[float]) -> None:
    axis = axis_over(values, floor=100.0, ceiling=0.0)
    assert axis.low <= min(0.0, *values)
    assert axis.high >= max(0.0, *values)
    assert 0.0 in axis.ticks
    assert 2 <= len(axis.ticks) <= 8
    assert all(-0.1 <= axis.y(value) <= 100.1 for value in values)


def test_amounts_are_short_in_both_languages() -> None:
    assert [short_amount(value, "en") for value in (0.0, 999.0, 12_345.0, 2e9)] == ["0", "999", "12.35 k", "2 bn"]
    assert [short_amount(value, "zh") for value in (0.0, 9_999.0, 123_400_000.0)] == ["0", "9,999", "1.234 亿"]


def test_the_year_before_is_told_only_where_all_of_it_is_known() -> None:
    months = np.arange("2026-07", "2026-10", dtype="datetime64[M]")
    past = {"2025-07": 1.0, "2025-08": 2.0, "2025-09": 4.0}
    assert year_before(months, past) == 7.0
    assert year_before(months + 1, past) is None


def test_a_drawing_becomes_a_png_of_twice_its_size() -> None:
    content = to_png(bridge())
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20]) == 2 * bridge().width


def test_without_a_chinese_font_a_png_is_refused_and_not_drawn_as_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.drawing_png._CHINESE", ())
    with pytest.raises(NoChineseFont, match=r"write \.svg"):
        to_png(bridge("zh"))
