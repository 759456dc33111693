"""The form of every request and answer. Requests are strict; answers have no defaults, so nothing is left unsaid."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.config import JsonDict

MOST_ROWS = 1000
_FIRST_YEAR = 1990
_LEAD: JsonDict = {
    "lead_id": "L-1042",
    "created_at": "2026-03-02T09:30:00+08:00",
    "channel": "web",
    "region": "East",
    "industry": "Manufacturing",
    "employees": 240,
}
_REASON: JsonDict = {
    "feature": "n_meetings_30d",
    "value": 3.0,
    "effect": 11.5,
    "text_en": "3 meetings in the last 30 days raise the score",
    "text_zh": "近30天有3次会议，提高了评分",
}
_ROW: JsonDict = {
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
Record = Annotated[
    object,
    WithJsonSchema(
        {
            "type": "object",
            "description": "The entity's own columns under the record's names, custom columns too; amounts in "
            "currency units. `account_id` joins what is known of the account; `events` holds lists of rows by table.",
            "additionalProperties": True,
        }
    ),
]


class ScoreRequest(Request):
    """Score entities of the record by `ids`, or rows that come with the request as `records`; exactly one of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ids": ["L-1042", "L-1043"]},
                {"records": [_LEAD], "as_of": "2026-03-31T08:00:00+08:00"},
            ]
        }
    )

    ids: Annotated[list[EntityId], Field(min_length=1, max_length=MOST_ROWS)] | None = Field(
        default=None, description="Entities of the record."
    )
    records: Annotated[list[Record], Field(min_length=1, max_length=MOST_ROWS)] | None = Field(
        default=None,
        description="Rows to score as they come: a row speaks for itself, whatever id it has. Without `created_at` it "
        "counts as created at `as_of`; a list of `events` that is left out says that nothing has happened yet.",
    )
    as_of: Moment | None = Field(
        default=None, description="The moment of the answer; by default the record's last refresh, or now for records."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.ids is None) == (self.records is None):
            raise ValueError("expected either ids or records")
        return self


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

    feature: str
    value: float | str | bool | None
    effect: float
    text_en: str
    text_zh: str


class Evidence(Answer):
    """What happened to past rows of about this probability that the model had not seen."""

    n: int
    realised: float


class ScoreRow(Answer):
    """One answered row; rows stand in the order of the request."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ROW]})

    entity_id: str | None
    status: RowStatus
    probability: float | None
    score: int | None = Field(ge=1, le=100)
    grade: str | None
    percentile: int | None = Field(ge=0, le=100)
    horizon_days: int | None
    event: str | None
    trend: Trend
    reasons: list[ReasonAnswer]
    prediction_id: str | None
    model_version: str | None
    as_of: datetime | None
    evidence: Evidence | None
    message: str | None = Field(description="Why a row has no score, or what to mend in it.")


class ScoreAnswer(Answer):
    """The answer to a scoring request."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "lead_score", "rows": [_ROW]}]})

    task: str
    rows: list[ScoreRow]


class ModelVersion(Answer):
    """One publication of a model."""

    version: str
    digest: str
    published_at: str
    action: str


class ModelSummary(Answer):
    """What answers for one task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task": "lead_score",
                    "question_en": "Which open leads will we win?",
                    "question_zh": "哪些线索会成交？",
                    "model_version": "3",
                    "digest": "9f2c",
                    "kind": "booster",
                    "event": "opportunity won",
                    "horizon_days": 90,
                    "base_rate": 0.184,
                    "fitted_until": "2026-03-31T16:00:00",
                }
            ]
        }
    )

    task: str
    question_en: str
    question_zh: str
    model_version: str | None
    digest: str | None
    kind: str | None
    event: str | None
    horizon_days: int | None
    base_rate: float | None
    fitted_until: str | None


class ModelList(Answer):
    """All tasks."""

    models: list[ModelSummary]


class ModelCard(Answer):
    """One task's champion: its card, its history and its figures."""

    model: ModelSummary
    card_en: str | None
    card_zh: str | None
    inputs: list[str]
    figures: dict[str, float | None]
    versions: list[ModelVersion]


class StoredPrediction(Answer):
    """One answered row as it was kept."""

    prediction_id: str
    task: str
    entity_id: str
    as_of: datetime | None
    model_version: str
    digest: str
    created_at: datetime
    answer: ScoreRow


class Live(Answer):
    """The process runs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "live"}]})

    status: str


class Ready(Answer):
    """Which parts of the service are there; `status` is ready when all are."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "ready", "parts": {"record": "ready", "champion": "ready", "database": "ready"}}]
        }
    )

    status: str
    parts: dict[str, str]


class ProblemAnswer(Answer):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:salescast:problem:malformed-request",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "The request does not fit the form that the documentation of this route states.",
                    "instance": "urn:salescast:request:6f1e0c7e4be24f0f9a1b2c3d4e5f6a7b",
                    "request_id": "6f1e0c7e4be24f0f9a1b2c3d4e5f6a7b",
                    "errors": [{"location": "body.ids", "message": "required"}],
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[ProblemField]


class ProblemField(Answer):
    """Where in the request something is wrong."""

    location: str
    message: str


ProblemAnswer.model_rebuild()
