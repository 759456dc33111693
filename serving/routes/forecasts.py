"""What is forecast, and how good forecasts were."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from models.tasks.sales_forecast import TASK
from serving.access import NOBODY, VisibleReps
from serving.auth import ForecastReader
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import UnknownThing
from serving.forecast_answers import (
    Wanted,
    answer_forecast,
    answer_nothing,
    backtest_figures,
    ledger_figures,
    visible,
)
from serving.forecast_schemas import AccuracyAnswer, ForecastAnswer
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
    reader: ForecastReader, service: ServiceOf, measure: Measure = None, level: LevelName = None
) -> Response:
    """The replayed past beside seasonal naive, and what was published against what came."""
    wanted = Wanted(measure=measure, level=level)
    return json_answer(await run_in_threadpool(_accuracy, service, reader, wanted))


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
        return {"run_id": None, "backtest": [], "ledger": []}
    return {
        "run_id": table.about.run_id,
        "backtest": backtest_figures(table, wanted),
        "ledger": ledger_figures(service.engine, table, visible(table, _seen(service, reader)), wanted),
    }
