"""Predictions as they were answered."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from crm.app_database import PredictionRow
from serving.auth import PredictionReader
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import UnknownThing
from serving.model_schemas import StoredPrediction
from serving.roles import Principal
from serving.service import Service, ServiceOf

router = APIRouter(prefix="/v1", tags=["predictions"], route_class=GuardedRoute)

PredictionId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="As in the answer.", examples=["0198a1f0c3e47d5c9b0e8f6a7d21c4b5"])
]


@router.get(
    "/predictions/{prediction_id}",
    summary="An answer as it was kept",
    openapi_extra=chinese("查询留存的答案"),
    response_model=StoredPrediction,
    responses=problems(404),
)
async def read_prediction(prediction_id: PredictionId, reader: PredictionReader, service: ServiceOf) -> Response:
    """One answered row, for whoever asked and for callers who may see its entity."""
    row = await run_in_threadpool(_read, service, prediction_id)
    if row is None or not await run_in_threadpool(_may_see, service, reader, row):
        raise UnknownThing("There is no such prediction.")
    return json_answer(
        {
            "prediction_id": row.prediction_id,
            "task": row.task,
            "entity_id": row.entity_id,
            "as_of": row.as_of,
            "model_version": row.model_version,
            "digest": row.digest,
            "created_at": row.created_at.astimezone(UTC),
            "answer": row.answer,
        }
    )


def _read(service: Service, prediction_id: str) -> PredictionRow | None:
    with Session(service.engine) as session:
        return session.scalars(select(PredictionRow).where(PredictionRow.prediction_id == prediction_id)).one_or_none()


def _may_see(service: Service, reader: Principal, row: PredictionRow) -> bool:
    record, task = service.live.record, service.every_task.get(row.task)
    if record is None or task is None:
        return False
    now = service.clock()
    seen = record.reps_seen_by(reader, now)
    # Whoever asked was told already; whether the record has what a row of theirs named must not show here.
    if seen.everyone or row.asked_by == reader.user_id:
        return True
    owner, _ = record.existing(task.entity, [row.entity_id], now).get(row.entity_id, (None, False))
    return seen.may_see(owner)
