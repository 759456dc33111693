"""Which models answer, and how good they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from models.champions import history
from models.task import EntityTask
from models.tasks.sales_forecast import TASK as FORECAST
from serving.auth import ModelReader
from serving.champion import Champion
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import UnknownThing
from serving.forecast_model import figures_of, read_forecast_model, versions_of
from serving.model_schemas import ModelCard, ModelList
from serving.service import Service, ServiceOf

router = APIRouter(prefix="/v1", tags=["models"], route_class=GuardedRoute)

TaskName = Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", examples=["lead_score"])]


@router.get(
    "/models",
    summary="What answers",
    openapi_extra=chinese("各任务及其作答模型"),
    response_model=ModelList,
    responses=problems(),
)
async def list_models(_reader: ModelReader, service: ServiceOf) -> Response:
    """All tasks and the model that answers for each."""
    scored = [_summary(task, _champion(service, task)) for task in service.every_task.values()]
    forecast = await run_in_threadpool(read_forecast_model, service.config.champions_folder)
    return json_answer({"models": [*scored, forecast["model"]]})


@router.get(
    "/models/{task}",
    summary="A model's card, figures and history",
    openapi_extra=chinese("模型卡、指标与历史"),
    response_model=ModelCard,
    responses=problems(404),
)
async def read_model(task: TaskName, _reader: ModelReader, service: ServiceOf) -> Response:
    """The champion of one task: its card, its history, its figures."""
    if task == FORECAST.name:
        return json_answer(await run_in_threadpool(read_forecast_model, service.config.champions_folder))
    stated = service.every_task.get(task)
    if stated is None:
        raise UnknownThing(f"There is no such task; there are {', '.join((*service.every_task, FORECAST.name))}.")
    champion = _champion(service, stated)
    entries = history(service.config.champions_folder, stated.name)
    return json_answer(
        {
            "model": _summary(stated, champion),
            "card_en": champion.cards["en"] if champion else None,
            "card_zh": champion.cards["zh"] if champion else None,
            "inputs": [field.name for field in champion.predictor.encoder.fields] if champion else [],
            "figures": figures_of(champion.report) if champion else {},
            "versions": versions_of(entries),
        }
    )


def _champion(service: Service, task: EntityTask) -> Champion | None:
    return service.live.states[task.name].champion


def _summary(task: EntityTask, champion: Champion | None) -> dict[str, object]:
    about = champion.predictor.about if champion else None
    return {
        "task": task.name,
        "question_en": task.question_en,
        "question_zh": task.question_zh,
        "model_version": champion.version if champion else None,
        "digest": champion.published.digest if champion else None,
        "kind": about.kind if about else None,
        "event": about.event if about else None,
        "horizon_days": about.horizon_days if about else None,
        "base_rate": about.base_rate if about else None,
        "fitted_until": about.fitted_until if about else None,
    }
