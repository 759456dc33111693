"""Scores of leads, by id or as rows that come with the request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import APIRouter, Body, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from models.tasks.lead_score import TASK
from serving import metrics
from serving.answers import AnswerRow, ScoreOut
from serving.auth import LeadScorer
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import FieldError, MalformedRequest
from serving.prediction_log import Kept
from serving.schemas import ScoreAnswer, ScoreRequest
from serving.scoring import Asked, Scoring
from serving.service import ServiceOf

T = TypeVar("T")

router = APIRouter(prefix="/v1", tags=["scores"], route_class=GuardedRoute)

# More rows than this are answered in a thread, so that other requests do not wait for them.
_INLINE_ROWS = 4
_EXAMPLES = {
    "ids": {"summary": "By id", "value": {"ids": ["L-1042", "L-1043"]}},
    "records": {
        "summary": "A row that comes with the request",
        "value": {"records": [{"lead_id": "L-new", "created_at": "2026-03-02T09:30:00+08:00", "channel": "web"}]},
    },
}


@router.post(
    "/leads/score",
    summary="Score leads",
    openapi_extra=chinese("线索评分：概率、分数、等级、趋势与原因"),
    response_model=ScoreAnswer,
    responses=problems(415),
)
async def score_leads(
    request: Request,
    asked_for: Annotated[ScoreRequest, Body(openapi_examples=_EXAMPLES)],
    scorer: LeadScorer,
    service: ServiceOf,
    fresh: Annotated[bool, Query(description="Compute now instead of answering from the last refresh.")] = False,
) -> Response:
    """Probability, score, grade, trend and reasons of leads, one row each, in the order of the request."""
    now = service.clock()
    if asked_for.as_of is not None and asked_for.as_of > now:
        where = FieldError(location="body.as_of", message="expected a moment that is not in the future")
        raise MalformedRequest("Nothing is known of the future.", errors=[where])
    asked = Asked(principal=scorer, now=now, as_of=asked_for.as_of, fresh=fresh)
    scoring = service.scoring()
    if asked_for.ids is not None:
        inline = len(asked_for.ids) <= _INLINE_ROWS and scoring.holds(asked_for.ids, asked)
        rows = await _run(inline, scoring.score_ids, asked_for.ids, asked)
    else:
        records = asked_for.records or []
        rows = await _run(len(records) <= _INLINE_ROWS, scoring.score_records, records, asked)
    await service.predictions.keep(_kept(rows, scoring, asked, request.scope["request_id"]))
    for row in rows:
        metrics.ROWS.labels(TASK.name, row.status.value).inc()
    return json_answer(ScoreOut(task=TASK.name, rows=rows))


async def _run(
    inline: bool,
    score: Callable[[Sequence[T], Asked], list[AnswerRow]],
    asked_for: Sequence[T],
    asked: Asked,
) -> list[AnswerRow]:
    return score(asked_for, asked) if inline else await run_in_threadpool(score, asked_for, asked)


def _kept(rows: Sequence[AnswerRow], scoring: Scoring, asked: Asked, request_id: str) -> list[Kept]:
    return [
        Kept(
            prediction_id=row.prediction_id,
            task=TASK.name,
            entity_id=row.entity_id or "",
            as_of=row.as_of,
            model_version=row.model_version or "",
            digest=scoring.digest_of(row),
            asked_by=asked.principal.user_id,
            request_id=request_id,
            created_at=asked.now,
            answer=row,
        )
        for row in rows
        if row.prediction_id is not None
    ]
