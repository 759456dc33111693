"""The form of requests and answers about why a forecast moved, and about what one deal would move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from features.periods import Period
from serving.ledger_schemas import FirstOfMonth
from serving.schemas import Answer, Request, told


def parse_day(value: object) -> date:
    """A day, written as ISO 8601.

    Examples
    --------
    >>> parse_day("2026-08-15")
    datetime.date(2026, 8, 15)
    """
    try:
        if isinstance(value, str) and len(value) == len("2026-08-15"):
            return date.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a day such as 2026-08-15") from None
    raise ValueError("expected a day such as 2026-08-15")


Day = Annotated[
    date, BeforeValidator(parse_day), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-08-15"]})
]
_DEAL: JsonDict = {"opportunity_id": "O-204", "rep_id": "R7", "effect": -1250000.0}
_BAR: JsonDict = {
    "bar": "pushed",
    "text_en": "Promised dates moved later",
    "text_zh": "预计成交日推迟",
    "amount": -2310000.0,
    "n_deals": 14,
    "deals": [_DEAL],
}
_MONTH: JsonDict = {"month": "2026-08-01", "before": 8810347.0, "after": 8120000.0}
_NODE: JsonDict = {
    "node_id": "region:East",
    "reach": 26000000.0,
    "chance_before": 0.61,
    "chance_after": 0.48,
    "months": [_MONTH],
}


class BridgeDeal(Answer):
    """An opportunity in a bar."""

    opportunity_id: str = told("The opportunity.", "商机编号。")
    rep_id: str | None = told("Whose it is.", "负责人。")
    effect: float = told("What it moved, in units of the currency.", "该商机带来的变化（货币单位）。")


class BridgeBarAnswer(Answer):
    """One cause."""

    bar: str = told("Its name; `interaction` is what no cause alone explains.", "因素名称；interaction 为交互项。")
    text_en: str = told("The cause in English.", "英文说明。")
    text_zh: str = told("The cause in Chinese.", "中文说明。")
    amount: float = told("What it moved, in units of the currency.", "该因素带来的变化（货币单位）。")
    n_deals: int = told("Opportunities in it.", "涉及的商机数量。")
    deals: list[BridgeDeal] = told("The greatest of those that the caller may see.", "其中影响最大且有权查看的商机。")


class BridgeAnswer(Answer):
    """Why the expected bookings of a period moved; the bars sum to the difference."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "node_id": "company",
                    "from_day": "2026-08-01",
                    "to_day": "2026-08-08",
                    "period": "quarter",
                    "month": "2026-07-01",
                    "currency": "CNY",
                    "before": 26400000.0,
                    "after": 24090000.0,
                    "bars": [_BAR],
                }
            ]
        },
    )

    node_id: str = told("The node.", "节点。")
    from_day: date = told("As known on the morning of this day.", "以该日清晨所知为准。")
    to_day: date = told("As known on the morning of this day.", "以该日清晨所知为准。")
    period: str = told("month, quarter or year.", "月、季或年。")
    month: date = told("Its first month.", "期间首月。")
    currency: str = told("Of all amounts.", "金额币种。")
    before: float = told("Expected bookings as seen first, from the rows of the record.", "期初预期合同额。")
    after: float = told("Expected bookings as seen last.", "期末预期合同额。")
    bars: list[BridgeBarAnswer] = told(
        "Every cause that moved something, the interaction last.", "各变动因素，交互项列于最后。"
    )


class ScenarioRequest(Request):
    """What is supposed of one open deal."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"opportunity_id": "O-204", "fate": "slipped", "on": "2026-10-15"}]},
    )

    opportunity_id: str = told("An open opportunity.", "在途商机编号。", min_length=1, max_length=200)
    fate: Literal["as_it_stands", "lost", "slipped", "won"] = told(
        "`slipped`: still open on the day `on` and promised for it; `won`: signed on that day.",
        "丢单、推迟至某日或于某日赢单。",
        default="as_it_stands",
    )
    on: Day | None = told("The day, for `slipped` and `won`.", "日期（推迟或赢单时必填）。", default=None)
    amount: float | None = told(
        "The amount at which it stands, without tax.", "假设的不含税金额。", default=None, gt=0, le=1e15
    )
    later_days: int = told(
        "Days by which its invoices are paid later: 30 for terms of 90 in place of 60.",
        "付款延后天数（如账期由60天改为90天填30）。",
        default=0,
        ge=-365,
        le=365,
    )
    period: Literal["month", "quarter", "year"] = told("What is to be reached.", "目标期间。", default="quarter")
    month: FirstOfMonth | None = told(
        "Its first month; left out, the running period.", "期间首月；缺省为当前期间。", default=None
    )
    node: str = told("The node whose amount is to be reached.", "目标节点。", default="company", max_length=400)
    reach: float | None = told(
        "The amount to reach at the node; left out, the middle of the forecast.",
        "该节点的目标金额；缺省取预测中位数。",
        default=None,
        ge=0,
        le=1e15,
    )


class ScenarioMonth(Answer):
    """A month."""

    month: date = told("First day of the month.", "月份首日。")
    before: float | None = told("Expected as the deal stands.", "现状下的预期值。")
    after: float | None = told("Expected under the supposition.", "假设下的预期值。")


class ScenarioNode(Answer):
    """What changes at one node."""

    node_id: str = told("The node.", "节点。")
    reach: float = told("The amount asked for in the period.", "期间目标金额。")
    chance_before: float = told("Chance to book at least so much.", "达成概率（现状）。", ge=0, le=1)
    chance_after: float = told("The same under the supposition.", "达成概率（假设）。", ge=0, le=1)
    months: list[ScenarioMonth] = told("Every month of the horizon.", "预测期内各月。")


class ScenarioAnswer(Answer):
    """What one deal would move."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "opportunity_id": "O-204",
                    "as_of": "2026-08-08",
                    "currency": "CNY",
                    "change": -690347.0,
                    "nodes": [_NODE],
                    "receipts": [],
                }
            ]
        },
    )

    opportunity_id: str = told("The opportunity.", "商机编号。")
    as_of: date = told("As known on the morning of this day.", "以该日清晨所知为准。")
    currency: str = told("Of all amounts.", "金额币种。")
    change: float = Field(description="Change of expected bookings within the horizon, all months together.")
    nodes: list[ScenarioNode] = told("The nodes of the deal that the caller sees whole.", "有权查看的相关节点。")
    receipts: list[ScenarioMonth] = told(
        "Expected cash of the deal by month, where later payment was asked for.", "该商机的预期回款（按月）。"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeAsked:
    """Which bridge; None takes the last seven days of the record, and the period that ran at their end.

    Parameters
    ----------
    from_day, to_day : date or None
        As known on the mornings of these days.
    period : Period
        What is summed over in time.
    month : date or None
        Its first month.
    node : str
        A node by its `node_id`.
    most_deals : int
        Most opportunities named in a bar.
    """

    from_day: date | None
    to_day: date | None
    period: Period
    month: date | None
    node: str
    most_deals: int
