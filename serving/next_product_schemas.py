"""The form of the request and the answer of the next product."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from serving.schemas import Answer, EntityId, Moment, ReasonAnswer, Request, RowStatus, told

MOST_ACCOUNTS = 1000
_EXAMPLE: JsonDict = {
    "entity_id": "C-77",
    "status": "scored",
    "lines": [
        {
            "line": "Service",
            "probability": 0.42,
            "is_new": False,
            "days_since": 131.0,
            "reasons": [
                {
                    "feature": "share_of_segment_buying",
                    "value": 0.38,
                    "effect": 9.5,
                    "text_en": "share of customers of the same industry, region and size who lately bought the line: "
                    "38 % (+9.5 points)",
                    "text_zh": "同行业、地区、规模客户近期购买该产品线占比：38%（+9.5 分）",
                }
            ],
        },
        {"line": "Licences", "probability": 0.07, "is_new": True, "days_since": None, "reasons": []},
    ],
    "next_line": "Service",
    "next_new_line": "Licences",
    "horizon_days": 180,
    "event": "product line bought",
    "prediction_id": "0198a1f0c3e47d5c9b0e8f6a7d21c4b5",
    "model_version": "1",
    "as_of": "2026-03-31T16:00:00Z",
    "message": None,
}


class NextProductRequest(Request):
    """Rank the product lines for accounts of the record."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["C-77", "C-78"]}]})

    ids: Annotated[list[EntityId], Field(min_length=1, max_length=MOST_ACCOUNTS)] = Field(
        description=f"Accounts, 1 to {MOST_ACCOUNTS:,}; an id may stand twice.",
        json_schema_extra={"x-description-zh": "客户编号。"},
    )
    as_of: Moment | None = Field(
        default=None,
        description="The moment of the answer, with its offset and not in the future; by default how far the record "
        "reaches.",
        json_schema_extra={"x-description-zh": "答案的时点，须带时区偏移且不晚于现在。"},
    )


class LineAnswer(Answer):
    """One product line."""

    line: str = told("The product line.", "产品线。")
    probability: float | None = told(
        "Calibrated probability, 0 to 1, that the account buys of it within `horizon_days`; without a model the share "
        "of customers who lately did; null where nothing can be compared yet.",
        "期限内购买该产品线的校准概率（0–1）；没有模型时为近期购买客户占比；无可比数据时为 null。",
        ge=0,
        le=1,
    )
    is_new: bool = told("The account bought nothing of it within a year.", "该客户近一年未购买该产品线。")
    days_since: float | None = told(
        "Days since the account last bought of it; null when it never did.",
        "距上次购买该产品线的天数；从未购买时为 null。",
    )
    reasons: list[ReasonAnswer] = told("The strongest reasons, largest effect first.", "主要原因，按影响从大到小。")


class NextProductRow(Answer):
    """One answered account; rows stand in the order of the request."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    entity_id: str = told("The account as it was asked for.", "请求中的客户编号。")
    status: RowStatus = told(
        "scored; base_rate: popularity, because the model found no more or the account has bought nothing yet; "
        "insufficient_data: no model was promoted, or no purchase is on record; not_found: unknown, or not for this "
        "key.",
        "scored 已评分；base_rate 按热门程度；insufficient_data 尚无模型或无购买记录；not_found 不存在或无权查看。",
    )
    lines: list[LineAnswer] = told("Every line on offer, the likeliest first.", "全部产品线，按可能性从高到低。")
    next_line: str | None = told("The likeliest line.", "最可能购买的产品线。")
    next_new_line: str | None = told(
        "The likeliest line of those not bought within a year; null when there is none.",
        "近一年未购买的产品线中最可能的一条；没有时为 null。",
    )
    horizon_days: int | None = told("Days within which a purchase counts.", "购买计入的天数。")
    event: str | None = told("What the probabilities are of.", "概率所指的事件。")
    prediction_id: str | None = told(
        "Under this id the row is kept; `GET /v1/predictions/{prediction_id}` gives it again.", "该答案的留存编号。"
    )
    model_version: str | None = told("The version of the model that answered.", "作答模型的版本。")
    as_of: datetime | None = told(
        "The moment of the answer, UTC: nothing that was recorded later went into it.",
        "答案的时点（UTC）：之后记录的信息未被使用。",
    )
    message: str | None = told("Why there is no more to say.", "补充说明。")


class NextProductAnswer(Answer):
    """The answer of the next product."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "next_product", "rows": [_EXAMPLE]}]})

    task: str = Field(description="The task that answered.")
    rows: list[NextProductRow] = Field(description="One row an id, in the order of the request.")
