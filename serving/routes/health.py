"""Whether the service runs, whether it can answer, and what it counts."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from serving import metrics
from serving.auth import MetricsReader
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.forecast_due import NOT_IN_USE, forecast_state
from serving.service import Service, ServiceOf
from serving.service_schemas import Live, Ready

router = APIRouter(tags=["health"], route_class=GuardedRoute)


@router.get(
    "/health/live",
    summary="Is the process alive?",
    response_model=Live,
    responses=problems(429, 431, 500, always=False),
    openapi_extra=chinese("进程是否在运行"),
)
async def is_live() -> Response:
    """Say that the process runs."""
    return json_answer({"status": "live"})


@router.get(
    "/health/ready",
    summary="Can it answer?",
    openapi_extra=chinese("服务各部分是否就绪"),
    response_model=Ready,
    responses={503: {"description": "A part is missing.", "model": Ready}, **problems(429, 431, 500, always=False)},
)
async def is_ready(service: ServiceOf) -> Response:
    """Say which parts are there: 503 until the record is readable and a champion is loaded."""
    parts = {"record": "ready" if service.live.record is not None else "nothing was taken in yet: salescast ingest"}
    for task in service.tasks:
        parts |= _parts_of(service, task)
    if service.not_followed is not None:
        parts["changes"] = service.not_followed
    parts["forecast"] = await run_in_threadpool(forecast_state, service)
    parts["database"] = "ready" if await run_in_threadpool(_database_answers, service) else "away"
    can_answer = any(service.scoring(task).is_ready for task in service.tasks)
    whole = all(value == "ready" or value.startswith(_NOT_WAITED_FOR) for value in parts.values())
    status = "not ready" if not can_answer else "ready" if whole else "degraded"
    return json_answer({"status": status, "parts": parts}, 200 if can_answer else 503)


_NOT_POSSIBLE = "not possible"
# What the record cannot serve, and what nobody has taken into use.
_NOT_WAITED_FOR = (_NOT_POSSIBLE, NOT_IN_USE)


def _parts_of(service: Service, task: str) -> dict[str, str]:
    """What a task has and lacks; what the record cannot serve at all is not waited for."""
    state = service.live.states[task]
    if not service.is_possible(task):
        return {task: f"{_NOT_POSSIBLE}: the record has no {', '.join(service.lacking[task])}"}
    parts = {f"{task}.{part}": state.missing.get(part, "ready") for part in ("champion", "scores")}
    if task in service.unprepared:
        parts[f"{task}.answers"] = service.unprepared[task]
    return parts


def _database_answers(service: Service) -> bool:
    try:
        with service.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    openapi_extra=chinese("Prometheus 指标"),
    response_class=PlainTextResponse,
    responses=problems(),
)
async def read_metrics(_reader: MetricsReader) -> Response:
    """The service's own figures as Prometheus reads them."""
    return PlainTextResponse(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
