"""Which product line an account buys next, by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Body, Request, Response
from starlette.concurrency import run_in_threadpool

from models.tasks.next_product import TASK
from serving import metrics
from serving.auth import AccountScorer
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import FieldError, MalformedRequest
from serving.next_lines import LinesOut, NextLines, not_found
from serving.next_product_schemas import NextProductAnswer, NextProductRequest
from serving.prediction_log import Kept
from serving.roles import Principal
from serving.schemas import RowStatus
from serving.service import ServiceOf

router = APIRouter(prefix="/v1", tags=["scores"], route_class=GuardedRoute)


@router.post(
    "/accounts/next-product",
    summary="Rank product lines for accounts",
    openapi_extra=chinese("下一产品推荐：各产品线的购买概率与原因"),
    response_model=NextProductAnswer,
    responses=problems(415),
)
async def rank_lines(
    request: Request,
    asked_for: Annotated[NextProductRequest, Body()],
    scorer: AccountScorer,
    service: ServiceOf,
) -> Response:
    """Every product line with the probability that the account buys it, one row an account, same order."""
    now = service.clock()
    if asked_for.as_of is not None and asked_for.as_of > now:
        where = FieldError(location="body.as_of", message="expected a moment that is not in the future")
        raise MalformedRequest("Nothing is known of the future.", errors=[where])
    ranking = service.next_lines()
    if ranking is None:
        rows = [not_found(name) for name in asked_for.ids]
    else:
        rows = await run_in_threadpool(_rank, ranking, asked_for.ids, scorer, now, asked_for.as_of)
    digest = "" if ranking is None else ranking.digest
    await service.predictions.keep(_kept(rows, digest, scorer, now, request.scope["request_id"]))
    for row in rows:
        metrics.ROWS.labels(TASK.name, row.status.value).inc()
    return json_answer({"task": TASK.name, "rows": [asdict(row) for row in rows]})


def _rank(
    ranking: NextLines, ids: Sequence[str], scorer: Principal, now: datetime, as_of: datetime | None
) -> list[LinesOut]:
    rows = ranking.rank(ids, principal=scorer, now=now, as_of=as_of)
    return [row if row.status is RowStatus.NOT_FOUND else replace(row, prediction_id=uuid4().hex) for row in rows]


def _kept(rows: Sequence[LinesOut], digest: str, scorer: Principal, now: datetime, request_id: str) -> list[Kept]:
    return [
        Kept(
            prediction_id=row.prediction_id,
            task=TASK.name,
            entity_id=row.entity_id,
            as_of=row.as_of,
            model_version=row.model_version or "",
            digest=digest,
            asked_by=scorer.user_id,
            request_id=request_id,
            created_at=now,
            answer=asdict(row),
        )
        for row in rows
        if row.prediction_id is not None
    ]
