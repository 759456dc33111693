"""The form of answers about how good forecasts were, and of people's own calls."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from serving.schemas import Answer, Request, told


def parse_first(value: object) -> date:
    """The first day of a month, written as ISO 8601.

    Examples
    --------
    >>> parse_first("2026-08-01")
    datetime.date(2026, 8, 1)
    """
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2026-08-01") else None
    except ValueError:
        found = None
    if found is None or found.day != 1:
        raise ValueError("expected the first day of a month, such as 2026-08-01")
    return found


FirstOfMonth = Annotated[
    date,
    BeforeValidator(parse_first),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-08-01"]}),
]
_BACKTEST: JsonDict = {
    "measure": "bookings",
    "level": "company",
    "bucket": "1-3",
    "n": 18,
    "n_months": 18,
    "wape": 0.249,
    "baseline_wape": 0.363,
    "gain": -0.114,
    "gain_low": -0.217,
    "gain_high": -0.011,
    "mase": 0.63,
    "baseline_mase": 0.89,
    "bias": -0.05,
    "coverage_80": 0.84,
    "coverage_80_low": 0.7,
    "coverage_80_high": 0.93,
    "verdict": "better",
}
_BESIDE: JsonDict = {
    "name": "stage_weighted",
    "n": 21,
    "wape": 0.34,
    "forecast_wape": 0.31,
    "gain": -0.03,
    "gain_low": -0.08,
    "gain_high": 0.02,
}
_LEDGER: JsonDict = {
    "measure": "bookings",
    "level": "region",
    "period": "month",
    "bucket": "all",
    "n_runs": 3,
    "n": 21,
    "n_months": 3,
    "n_gone": 0,
    "n_revised": 1,
    "wape": 0.31,
    "baseline_wape": 0.36,
    "bias": -0.04,
    "coverage_80": 0.81,
    "coverage_80_low": 0.62,
    "coverage_80_high": 0.92,
    "beside": [_BESIDE],
}
_VALUE_ADDED: JsonDict = {
    "author": "wang",
    "measure": "bookings",
    "level": "region",
    "period": "month",
    "n": 12,
    "n_months": 6,
    "wape": 0.27,
    "forecast_wape": 0.29,
    "naive_wape": 0.36,
    "value_added": 0.02,
    "value_added_low": -0.03,
    "value_added_high": 0.07,
    "value_added_over_naive": 0.09,
    "value_added_over_naive_low": 0.01,
    "value_added_over_naive_high": 0.17,
}


class BacktestFigures(Answer):
    """How good forecasts of the past were, on the newest replayed moments."""

    measure: str = Field(description="What was forecast.")
    level: str = Field(description="What it was summed over.")
    bucket: str = Field(description="Months ahead, or all.")
    n: int = Field(description="Judged points.")
    n_months: int = Field(description="Different months among them.")
    wape: float = Field(description="Sum of absolute errors over the sum of amounts.")
    baseline_wape: float = Field(description="The same of seasonal naive.")
    gain: float = Field(description="wape less baseline_wape: negative is better.")
    gain_low: float = Field(description="Lower end of its 95 % interval, paired block bootstrap.")
    gain_high: float = Field(description="Upper end of its 95 % interval.")
    mase: float = Field(description="Mean absolute error over the usual change from year to year.")
    baseline_mase: float = Field(description="The same of seasonal naive.")
    bias: float = Field(description="Sum of forecast less outcome over the sum of amounts; positive is too high.")
    coverage_80: float = Field(description="Share of outcomes inside p10 to p90.")
    coverage_80_low: float = Field(description="Lower end of its 95 % interval.")
    coverage_80_high: float = Field(description="Upper end of its 95 % interval.")
    verdict: str = Field(description="better, no_better or worse than seasonal naive.")


class BesideFigures(Answer):
    """The forecast beside something else that was known when it was made, on the rows that have both."""

    name: str = told(
        "last_year; stage_weighted: signed, and open deals at their stage's share won; committed: signed, and deals "
        "called commit; best_case: those called best case too; override: a person's own call.",
        "last_year 去年同期；stage_weighted 已签加按阶段赢率加权的商机；committed 已签加承诺商机；"
        "best_case 再加最佳情形商机；override 人工调整值。",
    )
    n: int = told("Rows that have both.", "两者都有的行数。")
    wape: float | None = told("Its sum of absolute errors over the sum of amounts.", "其绝对误差之和除以实际金额之和。")
    forecast_wape: float | None = told("The same of the forecast on the same rows.", "同样行上预测的对应误差。")
    gain: float | None = told(
        "forecast_wape less wape: negative, the forecast is better.", "两者之差；负值表示预测更好。"
    )
    gain_low: float | None = told(
        "Lower end of its 95 % interval, paired by blocks of months; null below three months.",
        "95%区间下限（按月成块配对自助法）；不足三个月时为 null。",
    )
    gain_high: float | None = told("Upper end of its 95 % interval.", "95%区间上限。")


class LedgerFigures(Answer):
    """How good published forecasts were, of months, quarters and years that have closed since."""

    measure: str = Field(description="What was forecast.")
    level: str = Field(description="What it was summed over.")
    period: str = told("month, quarter or year (fiscal).", "month 月、quarter 财季或 year 财年。")
    bucket: str = told(
        "Months ahead; of quarters and years how many ahead, 1 is the one that was running; or all.",
        "提前的月数；季、年为提前期数，1为当期；all 为合计。",
    )
    n_runs: int = Field(description="Published forecasts.")
    n: int = Field(description="Their rows whose period has closed, of nodes that the caller may see.")
    n_months: int = Field(description="Different periods among them.")
    n_gone: int = told(
        "Rows whose node has no series any more, such as a salesperson who left; they count in no figure.",
        "节点已不存在（如人员离职）的行，不计入任何指标。",
    )
    n_revised: int = told(
        "Outcomes that the record has corrected since they were scored; the figures keep what was known then.",
        "评分之后被修正过的实际值个数；指标仍按当时所知计算。",
    )
    wape: float | None = Field(description="Sum of absolute errors over the sum of amounts.")
    baseline_wape: float | None = Field(description="The same of seasonal naive, as published then.")
    bias: float | None = Field(description="Sum of forecast less outcome over the sum of amounts.")
    coverage_80: float | None = Field(description="Share of outcomes inside the published 80 % range.")
    coverage_80_low: float | None = Field(description="Lower end of its 95 % interval.")
    coverage_80_high: float | None = Field(description="Upper end of its 95 % interval.")
    beside: list[BesideFigures] = told("What was known without a model.", "与无模型方法的对照。")


class ValueAdded(Answer):
    """What a person's own calls added to the forecast (forecast value added, Fildes et al. 2009)."""

    author: str = told("Who called.", "调整人。")
    measure: str = told("What was called.", "指标。")
    level: str = told("What it was summed over.", "层级。")
    period: str = told("month, quarter or year.", "月、季或年。")
    n: int = told(
        "Calls whose period has closed, the last of each row of the ledger.", "已到期的调整数（每行取最后一次）。"
    )
    n_months: int = told("Different periods among them.", "其中不同期间数。")
    wape: float | None = told(
        "Their sum of absolute errors over the sum of amounts.", "调整值的绝对误差之和除以实际之和。"
    )
    forecast_wape: float | None = told("The same of the forecasts that they replaced.", "被替换预测的对应误差。")
    naive_wape: float | None = told("The same of last year's same period.", "去年同期的对应误差。")
    value_added: float | None = told(
        "forecast_wape less wape: above 0, the calls were better.", "预测误差减调整误差；大于0表示调整更准。"
    )
    value_added_low: float | None = told(
        "Lower end of its 95 % interval; null below three periods.", "95%区间下限；不足三期时为 null。"
    )
    value_added_high: float | None = told("Upper end of its 95 % interval.", "95%区间上限。")
    value_added_over_naive: float | None = told("naive_wape less wape.", "去年同期误差减调整误差。")
    value_added_over_naive_low: float | None = told("Lower end of its 95 % interval.", "95%区间下限。")
    value_added_over_naive_high: float | None = told("Upper end of its 95 % interval.", "95%区间上限。")


class AccuracyAnswer(Answer):
    """How good forecasts were: replayed before publication, and published ones held against what came."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "run_id": "f07b893bb41d4c0c9a6e0d5b7c2f1a34",
                    "backtest": [_BACKTEST],
                    "ledger_total": 1,
                    "ledger": [_LEDGER],
                    "overrides": [_VALUE_ADDED],
                }
            ]
        }
    )

    run_id: str | None = Field(description="The forecast whose model was replayed; null before the first one.")
    backtest: list[BacktestFigures] = Field(description="By measure, level and months ahead.")
    ledger_total: int = told("Figures that fit the filters.", "符合条件的指标条数。")
    ledger: list[LedgerFigures] = Field(
        description="By measure, level, period and months ahead, at most `limit` of them, of what closed in the last "
        "two years; empty until a forecast month has closed."
    )
    overrides: list[ValueAdded] = told(
        "What people's own calls added, by author and level.", "人工调整的增值，按人和层级。"
    )


_OVERRIDE: JsonDict = {
    "override_id": "5f0c9a6e0d5b7c2f1a34f07b893bb41d",
    "run_id": "f07b893bb41d4c0c9a6e0d5b7c2f1a34",
    "measure": "bookings",
    "level": "region",
    "node_id": "region:East",
    "period": "month",
    "month": "2026-08-01",
    "author": "wang",
    "made_at": "2026-07-03T02:10:00Z",
    "value": 4200000.0,
    "expected": 3810000.0,
    "reason": "two tenders were decided for us yesterday",
    "replaces": None,
}


class OverrideRequest(Request):
    """A person's own call in place of the forecast of one node, measure and period."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "measure": "bookings",
                    "node_id": "region:East",
                    "period": "month",
                    "month": "2026-08-01",
                    "value": 4200000.0,
                    "reason": "two tenders were decided for us yesterday",
                }
            ]
        }
    )

    measure: str = told("What is called.", "指标。", pattern=r"^[a-z][a-z0-9_]{0,79}$")
    node_id: str = told("The node, from `GET /v1/forecasts`.", "节点。", min_length=1, max_length=400)
    period: Literal["month", "quarter", "year"] = told("month, quarter or year (fiscal).", "月、财季或财年。")
    month: FirstOfMonth = told("First day of the period.", "期间的首日。")
    value: float = told("The amount, in units of the currency.", "金额。", ge=-1e15, le=1e15)
    reason: str = told("Why; kept for ever beside the call.", "原因，必填并永久保留。", min_length=3, max_length=2000)


class OverrideAnswer(Answer):
    """One call as it is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OVERRIDE]})

    override_id: str = told("Its name.", "编号。")
    run_id: str = told("The forecast that it replaces.", "被替换的预测。")
    measure: str = told("What is called.", "指标。")
    level: str = told("What it is summed over.", "层级。")
    node_id: str = told("The node.", "节点。")
    period: str = told("month, quarter or year.", "月、季或年。")
    month: date = told("First day of the period.", "期间首日。")
    author: str = told("Who called.", "调整人。")
    made_at: datetime = told("When, UTC.", "时间（UTC）。")
    value: float = told("The amount.", "金额。")
    expected: float = told("What the forecast said.", "原预测值。")
    reason: str = told("Why.", "原因。")
    replaces: str | None = told(
        "The author's call before it of the same row; null for the first.", "被其替换的上一次调整。"
    )


class OverridesAnswer(Answer):
    """The calls on nodes that the caller sees whole, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"total": 1, "overrides": [_OVERRIDE]}]})

    total: int = told("Calls that fit the filters.", "符合条件的调整数。")
    overrides: list[OverrideAnswer] = told("At most `limit` of them, from `offset` on.", "其中一页。")
