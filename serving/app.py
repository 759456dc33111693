"""The HTTP application, made from a configuration; nothing happens at import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypedDict

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp

from crm.app_database import open_database
from crm.config import Config
from models.tasks.next_product import TASK as NEXT_PRODUCT
from models.tasks.sales_forecast import TASK as FORECAST
from serving.api_page import POLICY, render_api
from serving.auth import Keyring, declared_scope, require_scopes
from serving.background import follow
from serving.door import Documented
from serving.errors import add_error_handlers
from serving.flow_views import FlowViews
from serving.forecast_accuracy import SummedLedger
from serving.forecast_answers import follow_forecast
from serving.guard import Guard, Limits
from serving.joint_table import follow_joint
from serving.live import Live
from serving.prediction_log import PredictionLog
from serving.routes import bridge, forecast_parts, forecasts, health, models, next_product, predictions, scores
from serving.score_tasks import scored_tasks
from serving.service import Service

log = structlog.get_logger("serving.app")

ROUTERS = (
    health.router,
    scores.router,
    next_product.router,
    forecasts.router,
    forecast_parts.router,
    bridge.router,
    models.router,
    predictions.router,
)


class Lifespan(TypedDict):
    """What lives as long as the application."""

    service: Service


def utc_now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def create_app(config: Config, *, clock: Callable[[], datetime] = utc_now, watch: bool = True) -> FastAPI:
    """The application.

    Parameters
    ----------
    config : Config
        The settings.
    clock : callable
        Gives the time, UTC.
    watch : bool
        Follow changes of the record, the champion and the scores on disk, and refresh scores out of date.

    Raises
    ------
    RouteWithoutScope
        A route neither demands a scope nor is listed as public.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Lifespan]:
        service = await asyncio.to_thread(_make_service, config, clock)
        app.state.service = service
        service.predictions.start()
        watching = asyncio.create_task(follow(service)) if watch else None
        log.info("ready", champions=[task for task, state in service.live.states.items() if state.champion is not None])
        try:
            yield {"service": service}
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            await asyncio.to_thread(service.predictions.stop)
            service.engine.dispose()

    app = Documented(
        title="salescast",
        summary="Scores of leads, opportunities, customers, agreements and invoices, with reasons.",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if config.serving.is_local else None,
        redirect_slashes=False,
    )
    if config.serving.is_local:
        app.add_route("/docs", _docs, include_in_schema=False)
    for router in ROUTERS:
        # Added one by one, not included: every route stays visible to `require_scopes`.
        app.router.routes.extend(router.routes)
    add_error_handlers(app)
    app.add_middleware(_guard, limits=Limits(body_bytes=config.serving.most_body_bytes))
    require_scopes(app)
    _state_scopes(app)
    return app


def _guard(app: ASGIApp, limits: Limits) -> Guard:
    return Guard(app, limits)


async def _docs(request: Request) -> HTMLResponse:
    return HTMLResponse(render_api(request.app.openapi()), headers={"Content-Security-Policy": POLICY})


def _state_scopes(app: FastAPI) -> None:
    for route in app.routes:
        if isinstance(route, APIRoute):
            scope = declared_scope(route)
            stated = {} if scope is None else {"x-scope": scope.value}
            route.openapi_extra = {**(route.openapi_extra or {}), **stated}


def _make_service(config: Config, clock: Callable[[], datetime]) -> Service:
    engine = open_database(config.database.url)
    tasks = scored_tasks()
    live = Live(config, (*tasks, NEXT_PRODUCT.name))
    service = Service(
        config=config,
        tasks=tasks,
        engine=engine,
        keyring=Keyring(engine, clock, config.serving.key_cache_seconds),
        predictions=PredictionLog(engine, config.spool_folder),
        live=live,
        forecasts=follow_forecast(config.forecasts_folder),
        ledger=SummedLedger(engine),
        joint=follow_joint(config.forecasts_folder, FORECAST.name),
        flows=FlowViews(config),
        clock=clock,
    )
    service.reload()
    return service
