"""The form of every request and answer. Requests are strict; answers have no defaults, so nothing is left unsaid."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

_FIRST_YEAR = 1990
_REASON: JsonDict = {
    "feature": "n_meetings_30d",
    "value": 3.0,
    "effect": 11.5,
    "text_en": "3 meetings in the last 30 days raise the score",
    "text_zh": "近30天有3次会议，提高了评分",
}
EXAMPLE_ROW: JsonDict = {
    "entity_id": "L-1042",
    "status": "scored",
    "probability": 0.6312,
    "score": 63,
    "grade": "B",
    "percentile": 88,
    "horizon_days": 90,
    "event": "opportunity won",
    "trend": "improving",
    "reasons": [_REASON],
    "prediction_id": "0198a1f0c3e47d5c9b0e8f6a7d21c4b5",
    "model_version": "3",
    "as_of": "2026-03-31T16:00:00Z",
    "evidence": {"n": 412, "realised": 0.617},
    "message": None,
}


def told(en: str, zh: str, **bounds: Any) -> Any:
    """A field with its meaning in both languages."""
    return Field(description=en, json_schema_extra={"x-description-zh": zh}, **bounds)


class Request(BaseModel):
    """What a caller sends: unknown fields and loose types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Answer(BaseModel):
    """What a caller gets: every field is always there."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def parse_moment(value: object) -> datetime:
    """A moment written as ISO 8601 with its offset from UTC.

    Examples
    --------
    >>> parse_moment("2026-03-31T08:00:00+08:00").isoformat()
    '2026-03-31T00:00:00+00:00'
    """
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("expected a moment as text, such as 2026-03-31T08:00:00+08:00")
    try:
        moment = datetime.fromisoformat(value)
        found = None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is not None and found.year < _FIRST_YEAR:
        raise ValueError(f"expected a moment of {_FIRST_YEAR} or later")
    if found is None:
        raise ValueError("expected an ISO 8601 moment with its offset, such as 2026-03-31T08:00:00+08:00")
    return found


Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-31T08:00:00+08:00"]}),
]
EntityId = Annotated[str, Field(min_length=1, max_length=200)]


class RowStatus(StrEnum):
    """How a row was answered."""

    SCORED = "scored"
    BASE_RATE = "base_rate"
    ABSTAINED = "abstained"
    INSUFFICIENT_DATA = "insufficient_data"
    REVIEW = "review"
    NOT_FOUND = "not_found"
    INVALID = "invalid"


class Trend(StrEnum):
    """The score against that of seven days before."""

    IMPROVING = "improving"
    STEADY = "steady"
    DECLINING = "declining"
    UNKNOWN = "unknown"


class ReasonAnswer(Answer):
    """One reason: score points that it adds or takes away."""

    feature: str = told("Name of the feature or column.", "特征或列的名称。")
    value: float | str | bool | None = told("Its value for this row; null when unknown.", "该行的取值；未知时为 null。")
    effect: float = told(
        "Percentage points of probability that the value adds (above 0) or takes away (below 0).",
        "该取值使概率增加（正）或减少（负）的百分点。",
    )
    text_en: str = told("The reason as an English sentence.", "英文说明。")
    text_zh: str = told("The reason as a Chinese sentence.", "中文说明。")


class Evidence(Answer):
    """What happened to past rows of about this probability that the model had not seen."""

    n: int = told("How many such rows there were; few mean weak evidence.", "此类历史行的数量；越少证据越弱。", ge=0)
    realised: float = told("The share of them that had the event, 0 to 1.", "其中实际发生的比例（0–1）。", ge=0, le=1)


class ScoreRow(Answer):
    """One answered row; rows stand in the order of the request."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ROW]})

    entity_id: str | None = told(
        "The id as it was asked for, or that of the record; null for a record without one.",
        "请求或记录中的编号；记录没有编号时为 null。",
    )
    status: RowStatus = told(
        "scored; base_rate: the model found no signal, so the probability is how often the event comes to entities of "
        "this kind, without grade, rank and reasons; abstained: nothing is open at `as_of`, `message` says why; "
        "insufficient_data: no model was promoted; review: a person has to look; not_found: unknown, or not for this "
        "key; invalid: `message` says what to mend. Other rows of the same request are not touched.",
        "scored 已评分；base_rate 模型未发现信号，仅有基准概率；abstained 当时无可评分对象，原因见 message；"
        "insufficient_data 尚无上线模型；review 需人工处理；not_found 不存在或无权查看；"
        "invalid 输入有误，见 message。",
    )
    probability: float | None = told(
        "Calibrated probability, 0 to 1, that `event` comes within `horizon_days` after `as_of`: of 100 rows with 0.3 "
        "about 30 have it.",
        "校准后的概率（0–1）：在 as_of 之后 horizon_days 天内发生 event 的可能性。",
        ge=0,
        le=1,
    )
    score: int | None = told(
        "The probability in percent, rounded, 1 to 100; high means that `event` is likely.",
        "百分制评分（1–100）；越高越可能发生。",
        ge=1,
        le=100,
    )
    grade: str | None = told(
        "A, B, C or D by fixed score cut-offs (75, 50, 25 unless the settings say otherwise); a retraining never "
        "moves them. A means that `event` is likely: good for a lead, a warning for a risk.",
        "等级 A–D，按固定分数线（默认 75、50、25），重新训练不会改变分数线。A 表示 event 很可能发生："
        "对线索是好事，对风险是警示。",
    )
    percentile: int | None = told(
        "Share in percent, 0 to 100, of the open entities of the last refresh that score no higher; null before one.",
        "在上次刷新的未关闭对象中的百分位（0–100）。",
        ge=0,
        le=100,
    )
    horizon_days: int | None = told(
        "Days within which the event counts; null for a flat table without dates.",
        "事件计入的天数；平表为 null。",
    )
    event: str | None = told("What the probability is of.", "概率所指的事件。")
    trend: Trend = told(
        "The score against that of seven days before; improving is a higher score, whatever the event; unknown when "
        "there was none.",
        "与七天前评分相比：improving 评分上升（不论事件好坏）、steady 平稳、declining 下降、unknown 未知。",
    )
    reasons: list[ReasonAnswer] = told("The strongest reasons, largest effect first.", "主要原因，按影响从大到小。")
    prediction_id: str | None = told(
        "Under this id the row is kept; `GET /v1/predictions/{prediction_id}` gives it again.", "该答案的留存编号。"
    )
    model_version: str | None = told("The version of the model that answered.", "作答模型的版本。")
    as_of: datetime | None = told(
        "The moment of the answer, UTC: nothing that was recorded later went into it.",
        "答案的时点（UTC）：之后记录的信息未被使用。",
    )
    evidence: Evidence | None = told(
        "What became of past rows of about this probability.", "历史上概率相近的行的实际结果。"
    )
    message: str | None = told("Why a row has no score, or what to mend in it.", "没有评分的原因，或需要修正之处。")
