"""One answered row inside the service: what `serving.schemas.ScoreRow` states, in a form that is cheap to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
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
    """One answered row; `details` are the task's own fields, which an answer shows beside the others."""

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
    details: Mapping[str, object] = field(default_factory=dict)


_COMMON = tuple(one.name for one in fields(AnswerRow) if one.name != "details")


def as_answer(row: AnswerRow, own_fields: Sequence[str]) -> dict[str, object]:
    """The row as it is answered and kept: the task's own fields beside those of every task, null where unknown.

    Examples
    --------
    >>> row = AnswerRow(entity_id="O-1", status=RowStatus.SCORED, details={"slip_risk": 0.2})
    >>> answer = as_answer(row, ("slip_risk", "amount_ratio"))
    >>> answer["entity_id"], answer["slip_risk"], answer["amount_ratio"]
    ('O-1', 0.2, None)
    """
    answer: dict[str, object] = {name: getattr(row, name) for name in _COMMON}
    for name in own_fields:
        answer[name] = row.details.get(name)
    return answer


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
