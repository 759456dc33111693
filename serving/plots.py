"""Plots of what is published: the fan, the parts, the bridge and the accuracy, as drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from sqlalchemy import Engine

from crm.config import Config
from crm.store import Store
from features.nodes import Level, Node
from features.periods import Period
from models.accuracy_plot import Judged, Span, draw_accuracy
from models.bridge_plot import Step, draw_bridge
from models.drawing import Drawing
from models.parts_plot import PART_LOOKS, StretchParts, draw_parts, year_before
from models.series_forecast import FORECAST, QUARTER, NodeForecast
from models.series_plot import PAST_MONTHS, draw_fan
from models.series_words import LEVELS, measure_words, node_words
from serving.access import EVERYONE
from serving.bridge_answers import answer_bridge
from serving.bridge_schemas import BridgeAsked
from serving.cli_errors import NotPossible
from serving.flow_views import FlowViews
from serving.forecast_accuracy import Seen, ledger_figures
from serving.forecast_answers import Wanted, backtest_figures
from serving.forecast_table import NODE_PARTS, QUANTILE_COLUMNS, ForecastTable, Series
from serving.joint_table import JointTable

_PERIODS = {"en": "{period} from {first:%Y-%m}", "zh": "{first:%Y-%m} 起的{period}"}
_PERIOD_NAMES = {
    "en": {"month": "month", "quarter": "quarter", "year": "year"},
    "zh": {"month": "月", "quarter": "季度", "year": "年度"},
}
_MEASURED = {
    "en": "the 80 % ranges of this level held {inside} of {n:,} outcomes",
    "zh": "该层级80%区间命中 {inside}，共 {n:,} 个结果",
}


def plot_fan(table: ForecastTable, measure: str, node_id: str, language: str) -> Drawing:
    """The fan of a published series, with the measured coverage of its level.

    Raises
    ------
    NotPossible
        There is no such series.
    """
    one = _series(table, measure, node_id)
    months = np.array(sorted(one.actuals), "datetime64[M]")
    # A month without an amount on record leaves a gap in the line.
    every = np.arange(months[0], months[-1] + 1)[-PAST_MONTHS:]
    actual = np.array([one.actuals.get(month.astype("datetime64[D]").item(), np.nan) for month in every])
    figures = backtest_figures(table, Wanted(measure=measure, level=one.level))
    whole = next((row for row in figures if row["bucket"] == "all"), None)
    measured = ""
    if whole is not None and one.status == FORECAST:
        inside = _span(whole, "coverage_80")
        measured = _MEASURED[language].format(inside=inside.text(".0%") if inside else "–", n=whole["n"])
    return draw_fan(_forecast(one), every, actual, language=language, measured=measured)


def plot_parts(
    table: ForecastTable, joint: JointTable, measure: str, node_id: str, period: str, language: str
) -> Drawing:
    """The parts of every month, quarter or year of a published node.

    Raises
    ------
    NotPossible
        There is no such node, or nothing is told of it.
    """
    rows = joint.stretches(measure, node_id, period)
    one = _series(table, measure, node_id)
    if not rows:
        raise NotPossible(f"the joint sample tells no {measure} of {node_id} by {period}")
    past = {f"{month:%Y-%m}": amount for month, amount in one.actuals.items()}
    found = [_stretch(row, Period(period), past) for row in rows]
    return draw_parts(
        found,
        measure=measure_words(measure, language),
        node=node_words(_node(one), language),
        period=period,
        language=language,
    )


def plot_bridge(config: Config, asked: BridgeAsked, language: str) -> Drawing:
    """The waterfall between what was expected on two days, from the present record.

    Raises
    ------
    MalformedRequest, UnknownThing, NotReady
        As `answer_bridge`.
    """
    found = answer_bridge(config, FlowViews(config), Store(config.record_folder).current(), EVERYONE, asked)
    bars, first = found["bars"], found["month"]
    assert isinstance(bars, list)
    text = "text_zh" if language == "zh" else "text_en"
    period = _PERIOD_NAMES[language][asked.period.value]
    return draw_bridge(
        _number(found["before"]),
        [Step(name=bar[text], amount=bar["amount"]) for bar in bars],
        measure=measure_words("bookings", language),
        node=LEVELS[language]["company"] if asked.node == "company" else asked.node,
        stretch=_PERIODS[language].format(period=period, first=first),
        days=(str(found["from_day"]), str(found["to_day"])),
        language=language,
    )


def plot_backtest(table: ForecastTable, measure: str, level: str, language: str) -> Drawing:
    """The error of the replayed past by months ahead beside seasonal naive.

    Raises
    ------
    NotPossible
        The measure and level were not judged.
    """
    return _accuracy(
        backtest_figures(table, Wanted(measure=measure, level=level)), measure, level, "backtest", language
    )


def plot_ledger(engine: Engine, measure: str, level: str, language: str, *, seed: int) -> Drawing:
    """The error of published forecasts of months that closed, by months ahead beside last year's.

    Raises
    ------
    NotPossible
        No month of such a forecast has closed yet.
    """
    figures = ledger_figures(engine, Seen(measure=measure, level=level), seed=seed)
    rows = []
    for row in figures:
        if row["period"] == Period.MONTH.value:
            sides = row["beside"]
            assert isinstance(sides, list)
            naive: Mapping[str, object] = next((side for side in sides if side["name"] == "last_year"), {})
            rows.append({**row, **{name: naive.get(name) for name in ("gain", "gain_low", "gain_high")}})
    return _accuracy(rows, measure, level, "ledger", language)


def _accuracy(rows: Sequence[Mapping[str, object]], measure: str, level: str, source: str, language: str) -> Drawing:
    if not rows:
        raise NotPossible(f"no {source} of {measure} at the level {level}")
    judged = [
        Judged(
            bucket=str(row["bucket"]),
            n=int(_number(row["n"])),
            wape=_known(row["wape"]),
            baseline_wape=_known(row["baseline_wape"]),
            gain=_span(row, "gain"),
            inside=_span(row, "coverage_80"),
        )
        for row in rows
    ]
    return draw_accuracy(
        judged,
        measure=measure_words(measure, language),
        level=LEVELS[language].get(level, level),
        source=source,
        language=language,
    )


def _series(table: ForecastTable, measure: str, node_id: str) -> Series:
    found = table.get(measure, node_id)
    if found is None or not found.actuals:
        raise NotPossible(f"the published forecast has no series {measure} of {node_id}")
    return found


def _node(one: Series) -> Node:
    return Node(level=Level(one.level), **{name: getattr(one, name) for name in NODE_PARTS})


def _forecast(one: Series) -> NodeForecast:
    def column(name: str) -> list[float]:
        return [float("nan") if (value := _known(month[name])) is None else value for month in one.ahead]

    return NodeForecast(
        measure=one.measure,
        node=_node(one),
        status=one.status,
        note=one.note,
        months=np.array([month["month"] for month in one.ahead], "datetime64[M]"),
        expected=np.array(column("expected")),
        baseline=np.array(column("baseline")),
        quantiles=np.array([column(name) for name in QUANTILE_COLUMNS]).T,
        period=Period.QUARTER.n_months if one.note.startswith(QUARTER) else 1,
    )


def _stretch(row: Mapping[str, object], period: Period, past: Mapping[str, float]) -> StretchParts:
    first = row["first_month"]
    assert isinstance(first, date)
    months = np.datetime64(first, "M") + np.arange(period.n_months)
    return StretchParts(
        first_month=first,
        parts={name: _number(row[name]) for name in PART_LOOKS},
        low=_number(row["p10"]),
        high=_number(row["p90"]),
        before=year_before(months, past),
    )


def _span(row: Mapping[str, object], name: str) -> Span | None:
    value = _known(row[name])
    return (
        None if value is None else Span(value=value, low=_known(row[f"{name}_low"]), high=_known(row[f"{name}_high"]))
    )


def _known(value: object) -> float | None:
    return None if value is None else _number(value)


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
