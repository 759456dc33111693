"""Scores of entities, by id or as rows that come with the request: one route an entity, one way for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from serving import metrics
from serving.answers import AnswerRow, as_answer
from serving.auth import AccountScorer, AgreementScorer, InvoiceScorer, LeadScorer, OpportunityScorer
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import FieldError, MalformedRequest
from serving.prediction_log import Kept
from serving.roles import Principal
from serving.score_answers import (
    AccountAnswer,
    AgreementAnswer,
    InvoiceAnswer,
    LeadAnswer,
    OpportunityAnswer,
    own_fields,
)
from serving.score_requests import (
    EXAMPLE_IDS,
    EXAMPLE_RECORDS,
    AccountRequest,
    AgreementRequest,
    InvoiceRequest,
    LeadRequest,
    OpportunityRequest,
    ScoreRequest,
)
from serving.score_tasks import TASK_OF, scored_tasks
from serving.scoring import Asked, Scoring
from serving.service import Service, ServiceOf

T = TypeVar("T")
Route = TypeVar("Route", bound=Callable[..., Any])

router = APIRouter(prefix="/v1", tags=["scores"], route_class=GuardedRoute)

# More rows than this are answered in a thread, so that other requests do not wait for them.
_INLINE_ROWS = 4
Fresh = Annotated[bool, Query(description="Compute now instead of answering from the last refresh.")]


def _door(entity: str, answer: type, summary: str, chinese_summary: str) -> Callable[[Route], Route]:
    """The route of an entity; of a task that is not served there is none."""

    def add(route: Route) -> Route:
        if TASK_OF[entity] not in scored_tasks():
            return route
        add_route = router.post(
            f"/{entity}/score",
            summary=summary,
            openapi_extra=chinese(chinese_summary),
            response_model=answer,
            responses=problems(415),
        )
        return add_route(route)

    return add


def _examples(entity: str) -> Any:
    return {
        "ids": {"summary": "By id", "value": {"ids": EXAMPLE_IDS[entity]}},
        "records": {
            "summary": "A row that comes with the request",
            "value": {"records": [EXAMPLE_RECORDS[entity]]},
        },
    }


@_door("leads", LeadAnswer, "Score leads", "线索评分：概率、分数、等级、趋势与原因")
async def score_leads(
    request: Request,
    asked_for: Annotated[LeadRequest, Body(openapi_examples=_examples("leads"))],
    scorer: LeadScorer,
    service: ServiceOf,
    fresh: Fresh = False,
) -> Response:
    """Probability, score, grade, trend and reasons of leads, one row each, in the order of the request."""
    return await _answer("leads", request, asked_for, scorer, service, fresh=fresh)


@_door("opportunities", OpportunityAnswer, "Score opportunities", "商机评分：赢单概率、预计成交日、延期风险与原因")
async def score_opportunities(
    request: Request,
    asked_for: Annotated[OpportunityRequest, Body(openapi_examples=_examples("opportunities"))],
    scorer: OpportunityScorer,
    service: ServiceOf,
    fresh: Fresh = False,
) -> Response:
    """Whether and when open opportunities will be won, and why, one row each, in the order of the request."""
    return await _answer("opportunities", request, asked_for, scorer, service, fresh=fresh)


@_door("accounts", AccountAnswer, "Score accounts", "客户流失评分：概率、时间、风险金额与原因")
async def score_accounts(
    request: Request,
    asked_for: Annotated[AccountRequest, Body(openapi_examples=_examples("accounts"))],
    scorer: AccountScorer,
    service: ServiceOf,
    fresh: Fresh = False,
) -> Response:
    """Whether customers will leave, what is at risk, and why, one row each, in the order of the request."""
    return await _answer("accounts", request, asked_for, scorer, service, fresh=fresh)


@_door("agreements", AgreementAnswer, "Score agreements", "合同续签评分：流失或降额概率、风险金额与原因")
async def score_agreements(
    request: Request,
    asked_for: Annotated[AgreementRequest, Body(openapi_examples=_examples("agreements"))],
    scorer: AgreementScorer,
    service: ServiceOf,
    fresh: Fresh = False,
) -> Response:
    """Whether agreements up for renewal will be lost, and why, one row each, in the order of the request."""
    return await _answer("agreements", request, asked_for, scorer, service, fresh=fresh)


@_door("invoices", InvoiceAnswer, "Score invoices", "应收评分：按期、逾期、严重逾期概率，预计到账日与原因")
async def score_invoices(
    request: Request,
    asked_for: Annotated[InvoiceRequest, Body(openapi_examples=_examples("invoices"))],
    scorer: InvoiceScorer,
    service: ServiceOf,
    fresh: Fresh = False,
) -> Response:
    """When open invoices will be paid, and why, one row each, in the order of the request."""
    return await _answer("invoices", request, asked_for, scorer, service, fresh=fresh)


async def _answer(
    entity: str, request: Request, asked_for: ScoreRequest, scorer: Principal, service: Service, *, fresh: bool
) -> Response:
    now = service.clock()
    if asked_for.as_of is not None and asked_for.as_of > now:
        where = FieldError(location="body.as_of", message="expected a moment that is not in the future")
        raise MalformedRequest("Nothing is known of the future.", errors=[where])
    asked = Asked(principal=scorer, now=now, as_of=asked_for.as_of, fresh=fresh)
    task = TASK_OF[entity]
    scoring = service.scoring(task)
    if asked_for.ids is not None:
        inline = len(asked_for.ids) <= _INLINE_ROWS and scoring.holds(asked_for.ids, asked)
        rows = await _run(inline, scoring.score_ids, asked_for.ids, asked)
    else:
        records = asked_for.records or []
        rows = await _run(len(records) <= _INLINE_ROWS, scoring.score_records, records, asked)
    own = own_fields(entity)
    answers = [as_answer(row, own) for row in rows]
    await service.predictions.keep(_kept(task, rows, answers, scoring, asked, request.scope["request_id"]))
    for row in rows:
        metrics.ROWS.labels(task, row.status.value).inc()
    return json_answer({"task": task, "rows": answers})


async def _run(
    inline: bool,
    score: Callable[[Sequence[T], Asked], list[AnswerRow]],
    asked_for: Sequence[T],
    asked: Asked,
) -> list[AnswerRow]:
    return score(asked_for, asked) if inline else await run_in_threadpool(score, asked_for, asked)


def _kept(
    task: str,
    rows: Sequence[AnswerRow],
    answers: Sequence[dict[str, object]],
    scoring: Scoring,
    asked: Asked,
    request_id: str,
) -> list[Kept]:
    return [
        Kept(
            prediction_id=row.prediction_id,
            task=task,
            entity_id=row.entity_id or "",
            as_of=row.as_of,
            model_version=row.model_version or "",
            digest=scoring.digest_of(row),
            asked_by=asked.principal.user_id,
            request_id=request_id,
            created_at=asked.now,
            answer=answer,
        )
        for row, answer in zip(rows, answers, strict=True)
        if row.prediction_id is not None
    ]
