"""One answered row inside the service: what `serving.schemas.ScoreRow` states, in a form that is cheap to write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serving.schemas import RowStatus, Trend


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonOut:
    """One reason of a score."""

    feature: str
    value: float | str | bool | None
    effect: float
    text_en: str
    text_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceOut:
    """What happened to past rows of about this probability."""

    n: int
    realised: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One answered row."""

    entity_id: str | None
    status: RowStatus
    probability: float | None = None
    score: int | None = None
    grade: str | None = None
    percentile: int | None = None
    horizon_days: int | None = None
    event: str | None = None
    trend: Trend = Trend.UNKNOWN
    reasons: tuple[ReasonOut, ...] = ()
    prediction_id: str | None = None
    model_version: str | None = None
    as_of: datetime | None = None
    evidence: EvidenceOut | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOut:
    """The answer to a scoring request."""

    task: str
    rows: list[AnswerRow]


def not_found(entity_id: str) -> AnswerRow:
    """The answer for what does not exist, and for what the caller may not see: the same to the last byte.

    Examples
    --------
    >>> not_found("L-1").status.value
    'not_found'
    """
    return AnswerRow(entity_id=entity_id, status=RowStatus.NOT_FOUND, message="There is no such entity.")


def invalid(entity_id: str | None, message: str) -> AnswerRow:
    """The answer for a record that cannot be read; the message names the column, never its value."""
    return AnswerRow(entity_id=entity_id, status=RowStatus.INVALID, message=message)
