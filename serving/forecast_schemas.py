"""The form of answers about forecasts."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from serving.schemas import Answer

_MONTH: JsonDict = {
    "month": "2026-07-01",
    "step": 1,
    "expected": 8810347.0,
    "baseline": 9610000.0,
    "p05": 3120000.0,
    "p10": 4591473.0,
    "p25": 7240000.0,
    "p50": 9020000.0,
    "p75": 12150000.0,
    "p90": 16279183.0,
    "p95": 18000000.0,
}
_ACTUAL: JsonDict = {"month": "2026-05-01", "amount": 10720000.0}
_SERIES: JsonDict = {
    "measure": "bookings",
    "level": "company",
    "node_id": "company",
    "region": None,
    "team": None,
    "line": None,
    "industry": None,
    "buyer_type": None,
    "rep_id": None,
    "status": "forecast",
    "note_en": None,
    "note_zh": None,
    "verdict": "better",
    "coverage_80": 0.84,
    "coverage_80_low": 0.7,
    "coverage_80_high": 0.93,
    "coverage_n": 108,
    "actuals": [_ACTUAL],
    "months": [_MONTH],
}


class ForecastMonth(Answer):
    """What is said of one month."""

    month: date = Field(description="First day of the month.")
    step: int = Field(description="Months ahead; 1 is the month that was running at `as_of`.")
    expected: float | None = Field(description="The forecast, in units of the currency; a count for new_customers.")
    baseline: float | None = Field(description="Seasonal naive: the same month of the year before.")
    p05: float | None = Field(description="5 % of outcomes are expected below.")
    p10: float | None = Field(description="10 % of outcomes are expected below; lower end of the 80 % range.")
    p25: float | None = Field(description="25 % of outcomes are expected below.")
    p50: float | None = Field(description="Half of the outcomes are expected below.")
    p75: float | None = Field(description="75 % of outcomes are expected below.")
    p90: float | None = Field(description="90 % of outcomes are expected below; upper end of the 80 % range.")
    p95: float | None = Field(description="95 % of outcomes are expected below.")


class ActualMonth(Answer):
    """What came in one closed month."""

    month: date = Field(description="First day of the month.")
    amount: float = Field(description="In units of the currency or a count, as on record at `as_of`.")


class ForecastSeries(Answer):
    """One measure of one node."""

    measure: str = Field(
        description="bookings (合同额), receipts (回款额), revenue (收入), gross_margin (毛利), "
        "new_customers (新客户数), or a panel of your own."
    )
    level: str = Field(
        description="company, region, team, line, region_line, industry, buyer_type, rep, or series for a panel of "
        "your own."
    )
    node_id: str = Field(description="Name of the node: its level, then its parts.")
    region: str | None = Field(description="The region; null where all are summed.")
    team: str | None = Field(description="The team, by the identifier of its unit; null where all are summed.")
    line: str | None = Field(description="The product line; null where all are summed.")
    industry: str | None = Field(description="The customers' industry; null where all are summed.")
    buyer_type: str | None = Field(description="The kind of buyer; null where all are summed.")
    rep_id: str | None = Field(description="The salesperson; null where all are summed.")
    status: str = Field(
        description="forecast; base_rate where seasonal naive answers; insufficient_data below a year of history."
    )
    note_en: str | None = Field(description="Why it is answered so, in English.")
    note_zh: str | None = Field(description="Why it is answered so, in Chinese.")
    verdict: str | None = Field(
        description="better, no_better or worse than seasonal naive on the newest months; null when never judged."
    )
    coverage_80: float | None = Field(
        description="Measured share of outcomes inside p10 to p90 at this level; null where seasonal naive answers "
        "instead of the forecast."
    )
    coverage_80_low: float | None = Field(description="Lower end of its 95 % interval.")
    coverage_80_high: float | None = Field(description="Upper end of its 95 % interval.")
    coverage_n: int | None = Field(description="Judged points behind it.")
    actuals: list[ActualMonth] = Field(description="The last closed months, the oldest first.")
    months: list[ForecastMonth] = Field(description="The months ahead.")


class ForecastAnswer(Answer):
    """The published forecast, as far as the caller may see it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "run_id": "f07b893bb41d4c0c9a6e0d5b7c2f1a34",
                    "as_of": "2026-06-30T15:59:59Z",
                    "made_at": "2026-07-01T01:00:00Z",
                    "model_version": "3",
                    "currency": "CNY",
                    "reason": None,
                    "total": 1,
                    "series": [_SERIES],
                }
            ]
        }
    )

    run_id: str | None = Field(description="Its name in the ledger; null before the first forecast.")
    as_of: datetime | None = Field(description="The cutoff: nothing recorded later was used. UTC.")
    made_at: datetime | None = Field(description="When it was published, UTC.")
    model_version: str | None = Field(description="The model that said it.")
    currency: str | None = Field(description="Of all amounts, ISO 4217.")
    reason: str | None = Field(description="Why there is no forecast; null when there is one.")
    total: int = Field(description="Series that fit the filters and that the caller may see.")
    series: list[ForecastSeries] = Field(description="At most `limit` of them, from `offset` on.")
