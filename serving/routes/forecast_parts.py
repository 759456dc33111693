"""What a forecast is made of, by month, quarter or year, and the chance to reach an amount."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from serving.access import NOBODY
from serving.auth import ForecastReader
from serving.door import GuardedRoute, chinese, json_answer, problems
from serving.errors import UnknownThing
from serving.joint_table import PARTS, JointTable
from serving.parts_schemas import ComponentsAnswer
from serving.roles import Principal
from serving.service import Service, ServiceOf

router = APIRouter(prefix="/v1", tags=["forecasts"], route_class=GuardedRoute)

NO_JOINT = "no joint sample was published: the record tells no deals and no agreements, or no forecast was made yet"

MeasureName = Annotated[
    str, Query(pattern=r"^[a-z][a-z0-9_]{0,79}$", description="bookings, receipts, revenue ...", examples=["bookings"])
]
NodeName = Annotated[str, Query(max_length=400, description="A node by its `node_id`.", examples=["region:East"])]
PeriodName = Annotated[Literal["month", "quarter", "year"], Query(description="What is summed over in time.")]
Amount = Annotated[
    float | None,
    Query(ge=-1e15, le=1e15, allow_inf_nan=False, description="An amount, a target for instance, to be reached."),
]


@router.get(
    "/forecasts/components",
    summary="What the forecast is made of",
    openapi_extra=chinese("预测构成：已签、续约、在谈、未来新增与常规流入，及达到某金额的概率"),
    response_model=ComponentsAnswer,
    responses=problems(404),
)
async def read_components(
    reader: ForecastReader,
    service: ServiceOf,
    measure: MeasureName = "bookings",
    node: NodeName = "company",
    period: PeriodName = "quarter",
    reach: Amount = None,
) -> Response:
    """The parts of every stretch of months; they share no sale, and add up to what is expected."""
    return json_answer(await run_in_threadpool(_components, service, reader, measure, node, period, reach))


def _components(
    service: Service, reader: Principal, measure: str, node: str, period: str, reach: float | None
) -> dict[str, object]:
    table, joint, record = service.forecasts.current(), service.joint.current(), service.live.record
    asked: dict[str, object] = {"measure": measure, "node_id": node, "period": period}
    if table is None or joint is None or joint.run_id != table.about.run_id or not joint.rows.num_rows:
        empty = dict.fromkeys(("run_id", "as_of", "currency"))
        return {**empty, **asked, "reason": NO_JOINT, "stretches": []}
    seen = record.reps_seen_by(reader, service.clock()) if record is not None else NOBODY
    rows = joint.stretches(measure, node, period)
    # Who may not see a node hears what somebody hears who asks for one that is not there.
    if not rows or not seen.may_see_sum(table.about.summed.get(node)):
        raise UnknownThing("There is no such series.")
    return {
        **asked,
        "run_id": table.about.run_id,
        "as_of": datetime.fromisoformat(table.about.as_of),
        "currency": table.about.currency,
        "reason": None,
        "stretches": [_stretch(joint, measure, node, period, row, reach) for row in rows],
    }


def _stretch(
    joint: JointTable, measure: str, node: str, period: str, row: dict[str, object], reach: float | None
) -> dict[str, object]:
    told = {name: row[name] for name in ("first_month", "expected", *PARTS, "p10", "p50", "p90")}
    if reach is None:
        return {**told, "chance": None}
    first = row["first_month"]
    draws = joint.draws(measure, node, period, first)  # type: ignore[arg-type]
    return {**told, "chance": None if draws is None else round(float((draws >= reach).mean()), 4)}
