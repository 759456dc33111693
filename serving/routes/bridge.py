"""Why the forecast moved, what one deal would move, and what words of deals are worth."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Response
from starlette.concurrency import run_in_threadpool

from crm.store import Generation
from features.periods import Period
from serving.access import VisibleReps
from serving.auth import ForecastReader
from serving.bridge_schemas import BridgeAnswer, BridgeAsked, Day, ScenarioAnswer, ScenarioRequest
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import NotReady
from serving.hygiene_schemas import HygieneAnswer
from serving.ledger_schemas import FirstOfMonth
from serving.roles import Principal
from serving.service import Service, ServiceOf

router = APIRouter(prefix="/v1", tags=["forecasts"], route_class=GuardedRoute)

FromDay = Annotated[Day | None, Query(alias="from", description="As known on the morning of this day.")]
ToDay = Annotated[Day | None, Query(alias="to", description="As known on the morning of this day.")]
PeriodName = Annotated[Literal["month", "quarter", "year"], Query(description="What is summed over in time.")]
Month = Annotated[FirstOfMonth | None, Query(description="The first month of the period; left out, the running one.")]
NodeName = Annotated[str, Query(max_length=400, description="A node by its `node_id`.", examples=["region:East"])]
MostDeals = Annotated[int, Query(ge=0, le=500, description="Most opportunities named in a bar.")]


@router.get(
    "/forecasts/bridge",
    summary="Why the forecast moved",
    openapi_extra=chinese("预测变动桥：两个时点之间为何变化，逐因素列示"),
    response_model=BridgeAnswer,
    responses=problems(404),
)
async def read_bridge(
    reader: ForecastReader,
    service: ServiceOf,
    from_day: FromDay = None,
    to_day: ToDay = None,
    period: PeriodName = "quarter",
    month: Month = None,
    node: NodeName = "company",
    deals: MostDeals = 20,
) -> Response:
    """One bar for each cause, each its own counterfactual, with the opportunities in it; the bars sum exactly."""
    asked = BridgeAsked(
        from_day=from_day, to_day=to_day, period=Period(period), month=month, node=node, most_deals=deals
    )
    return json_answer(await run_in_threadpool(_bridge, service, reader, asked))


@router.post(
    "/forecasts/scenarios",
    summary="What one deal would move",
    openapi_extra=chinese("单个商机的情景推演：丢单、推迟、赢单、改价或账期变化"),
    response_model=ScenarioAnswer,
    responses=problems(404, 415),
)
async def ask_scenario(
    request: Annotated[ScenarioRequest, Body()], reader: ForecastReader, service: ServiceOf
) -> Response:
    """The expected bookings and the chance to reach an amount, as the deal stands and under the supposition."""
    return json_answer(await run_in_threadpool(_scenario, service, reader, request))


@router.get(
    "/forecasts/hygiene",
    summary="What words of open deals are worth",
    openapi_extra=chinese("商机承诺的可信度：失效日期、个人赢单与金额习惯，折算为金额"),
    response_model=HygieneAnswer,
    responses=problems(),
)
async def read_hygiene(
    reader: ForecastReader,
    service: ServiceOf,
    period: PeriodName = "quarter",
    month: Month = None,
    limit: MostDeals = 50,
) -> Response:
    """From what is promised to what is expected, in money, by salesperson and deal that the caller may see."""
    found = await run_in_threadpool(_hygiene, service, reader, Period(period), month, limit)
    return json_answer(found)


def _hygiene(service: Service, reader: Principal, period: Period, month: date | None, limit: int) -> dict[str, object]:
    from serving.hygiene_answers import answer_hygiene

    generation, seen = _record(service, reader)
    return answer_hygiene(service.config, service.flows, generation, seen, period=period, month=month, limit=limit)


def _bridge(service: Service, reader: Principal, asked: BridgeAsked) -> dict[str, object]:
    from serving.bridge_answers import answer_bridge

    generation, seen = _record(service, reader)
    return answer_bridge(service.config, service.flows, generation, seen, asked)


def _scenario(service: Service, reader: Principal, asked: ScenarioRequest) -> dict[str, object]:
    from serving.bridge_answers import answer_scenario

    generation, seen = _record(service, reader)
    return answer_scenario(service.config, service.flows, generation, seen, asked)


def _record(service: Service, reader: Principal) -> tuple[Generation, VisibleReps]:
    record = service.live.record
    if record is None:
        raise NotReady("Nothing was taken in yet.")
    return record.generation, record.reps_seen_by(reader, service.clock())
