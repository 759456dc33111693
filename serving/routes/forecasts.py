"""What is forecast, and how good forecasts were."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from crm.app_database import ForecastOverride
from models.tasks.sales_forecast import TASK
from serving.access import NOBODY, VisibleReps
from serving.auth import ForecastCaller, ForecastReader
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import UnknownThing
from serving.forecast_accuracy import Seen
from serving.forecast_answers import (
    Wanted,
    answer_forecast,
    answer_nothing,
    backtest_figures,
    ledger_answer,
    seen_nodes,
    visible,
)
from serving.forecast_overrides import Call, list_overrides, write_override
from serving.forecast_schemas import ForecastAnswer
from serving.ledger_schemas import AccuracyAnswer, OverrideAnswer, OverrideRequest, OverridesAnswer
from serving.roles import Principal
from serving.service import Service, ServiceOf

router = APIRouter(prefix="/v1", tags=["forecasts"], route_class=GuardedRoute)

Measure = Annotated[
    str | None,
    Query(pattern=r"^[a-z][a-z0-9_]{0,79}$", description="bookings, receipts, revenue ...", examples=["bookings"]),
]
LevelName = Annotated[
    str | None, Query(pattern=r"^[a-z_]{1,20}$", description="company, region, team ...", examples=["region"])
]
NodeName = Annotated[
    str | None, Query(max_length=400, description="A node by its `node_id`.", examples=["region:East"])
]
Ahead = Annotated[int, Query(ge=1, le=TASK.horizon_months, description="Months ahead.")]
Closed = Annotated[int, Query(ge=0, le=36, description="Closed months beside them.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Most series of one answer.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Series to leave out from the front.")]


@router.get(
    "/forecasts",
    summary="The published forecast",
    openapi_extra=chinese("已发布的销售预测：分位数、近期实际、基线与实测命中率"),
    response_model=ForecastAnswer,
    responses=problems(404),
)
async def read_forecasts(
    reader: ForecastReader,
    service: ServiceOf,
    measure: Measure = None,
    level: LevelName = None,
    node: NodeName = None,
    months: Ahead = TASK.horizon_months,
    actuals: Closed = 12,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Every series that the caller may see: a sum is shown to whoever sees every salesperson in it."""
    wanted = Wanted(measure=measure, level=level, node=node, months=months, actuals=actuals, limit=limit, offset=offset)
    return json_answer(await run_in_threadpool(_forecast, service, reader, wanted))


@router.get(
    "/forecasts/accuracy",
    summary="How good forecasts were",
    openapi_extra=chinese("预测准确度：历史重放，以及已发布预测与实际的对照"),
    response_model=AccuracyAnswer,
    responses=problems(),
)
async def read_accuracy(
    reader: ForecastReader,
    service: ServiceOf,
    measure: Measure = None,
    level: LevelName = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """The replayed past beside seasonal naive, what was published against what came, and what people's calls added."""
    wanted = Wanted(measure=measure, level=level, limit=limit, offset=offset)
    return json_answer(await run_in_threadpool(_accuracy, service, reader, wanted))


@router.get(
    "/forecasts/overrides",
    summary="People's own calls",
    openapi_extra=chinese("人工调整记录：谁、何时、为何、改成多少"),
    response_model=OverridesAnswer,
    responses=problems(),
)
async def read_overrides(
    reader: ForecastReader,
    service: ServiceOf,
    measure: Measure = None,
    level: LevelName = None,
    node: NodeName = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Every call on nodes that the caller sees whole, the newest first; none is ever changed or removed."""
    wanted = Wanted(measure=measure, level=level, node=node, limit=limit, offset=offset)
    return json_answer(await run_in_threadpool(_overrides, service, reader, wanted))


@router.post(
    "/forecasts/overrides",
    summary="Call a node yourself",
    openapi_extra=chinese("提交人工调整值（须写明原因）"),
    response_model=OverrideAnswer,
    responses=problems(404, 415),
)
async def call_forecast(request: OverrideRequest, caller: ForecastCaller, service: ServiceOf) -> Response:
    """Keep a person's own call in place of the newest forecast; the same call sent again changes nothing."""
    return json_answer(await run_in_threadpool(_call, service, caller, request))


def _seen(service: Service, reader: Principal) -> VisibleReps:
    record = service.live.record
    return record.reps_seen_by(reader, service.clock()) if record is not None else NOBODY


def _forecast(service: Service, reader: Principal, wanted: Wanted) -> dict[str, object]:
    table = service.forecasts.current()
    if table is None:
        return answer_nothing()
    answer = answer_forecast(table, _seen(service, reader), wanted)
    if wanted.node is not None and not answer["total"]:
        raise UnknownThing("There is no such series.")
    return answer


def _accuracy(service: Service, reader: Principal, wanted: Wanted) -> dict[str, object]:
    table = service.forecasts.current()
    if table is None:
        return {"run_id": None, "backtest": [], "ledger_total": 0, "ledger": [], "overrides": []}
    return {
        "run_id": table.about.run_id,
        "backtest": backtest_figures(table, wanted),
        **ledger_answer(
            service.engine, service.ledger, table, _seen(service, reader), wanted, seed=service.config.seed
        ),
    }


def _overrides(service: Service, reader: Principal, wanted: Wanted) -> dict[str, object]:
    table = service.forecasts.current()
    if table is None:
        return {"total": 0, "overrides": []}
    seen = Seen(measure=wanted.measure, level=wanted.level, node_ids=seen_nodes(table, _seen(service, reader)))
    total, found = list_overrides(service.engine, seen, node_id=wanted.node, limit=wanted.limit, offset=wanted.offset)
    return {"total": total, "overrides": [_told(one) for one in found]}


def _call(service: Service, caller: Principal, request: OverrideRequest) -> dict[str, object]:
    table = service.forecasts.current()
    if table is None:
        raise UnknownThing("No forecast was published yet.")
    # What may not be seen is answered like what does not exist.
    seen = {one.node_id for one in visible(table, _seen(service, caller))}
    said = None
    if request.node_id in seen:
        call = Call(**request.model_dump())
        said = write_override(service.engine, table.about.run_id, call, author=caller.login, now=service.clock())
    if said is None:
        raise UnknownThing("The newest forecast has no such measure, node and period.")
    return _told(said)


def _told(one: ForecastOverride) -> dict[str, object]:
    return {name: getattr(one, name) for name in OverrideAnswer.model_fields}
