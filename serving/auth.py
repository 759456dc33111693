"""Who asks, and whether the route may answer: keys, scopes, and the policy that lists every route."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute

from serving.door import GuardedRoute
from serving.errors import NotAllowed, Unauthenticated
from serving.keys import Recognised, note_use, recognise
from serving.roles import Principal, Scope

log = structlog.get_logger("serving.auth")

# While the database is away, keys that it confirmed within this time still open what they opened.
_GRACE = timedelta(minutes=5)
_NOTE_EVERY = timedelta(minutes=1)
_MOST_CACHED = 10_000

# Open to everyone, each with its reason.
PUBLIC: dict[str, str] = {
    "/health/live": "a supervisor has no key; the answer holds nothing but that the process runs",
    "/health/ready": "a load balancer has no key; the answer names parts of the service, no data",
    "/docs": "the form of the API, no data; served on a loopback address only",
    "/openapi.json": "the form of the API, no data; served on a loopback address only",
}

bearer = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key `sc_<prefix>_<secret>` made by `salescast keys create`."
)


class RouteWithoutScope(RuntimeError):
    """A route neither demands a scope nor stands in `PUBLIC`; the application does not start."""


@dataclass(slots=True)
class _Seen:
    found: Recognised
    checked_at: datetime
    noted_at: datetime


class Keyring:
    """Recognises keys, asking the database at most once every `seconds` for each.

    Parameters
    ----------
    engine : Engine
        The application database.
    clock : callable
        Gives the time, UTC.
    seconds : float
        How long a revoked key may still open: 0 asks every time.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime], seconds: float) -> None:
        self._engine = engine
        self._clock = clock
        self._fresh = timedelta(seconds=seconds)
        self._seen: dict[bytes, _Seen] = {}

    async def principal(self, token: str) -> Principal | None:
        """The owner of a key, None when the key opens nothing."""
        now = self._clock()
        name = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        seen = self._seen.get(name)
        if seen is not None and now - seen.checked_at < self._fresh:
            return seen.found.principal if now < seen.found.expires_at else None
        try:
            found = await run_in_threadpool(self._ask, token, seen, now)
        except SQLAlchemyError:
            if seen is not None and now - seen.checked_at < _GRACE and now < seen.found.expires_at:
                log.warning("database away, key taken from memory", prefix=seen.found.prefix)
                return seen.found.principal
            raise
        if found is None:
            self._seen.pop(name, None)
            return None
        if len(self._seen) >= _MOST_CACHED:
            self._seen.clear()
        self._seen[name] = found
        return found.found.principal

    def _ask(self, token: str, seen: _Seen | None, now: datetime) -> _Seen | None:
        found = recognise(self._engine, token, now=now)
        if found is None:
            return None
        noted = seen.noted_at if seen else None
        if noted is None or now - noted >= _NOTE_EVERY:
            note_use(self._engine, found.prefix, now=now)
            noted = now
        return _Seen(found=found, checked_at=now, noted_at=noted)


class Requires:
    """A dependency that demands a scope and gives the principal.

    Parameters
    ----------
    scope : Scope
        What the caller must hold.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, _documented: Annotated[object, Depends(bearer)]) -> Principal:
        """The principal of the request.

        Raises
        ------
        Unauthenticated
            There is no valid key.
        NotAllowed
            The key's owner does not hold the scope.
        MalformedRequest
            The request has a query parameter that the route does not state.
        """
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        keyring: Keyring = request.app.state.service.keyring
        principal = await keyring.principal(token) if kind.lower() == "bearer" and token else None
        if principal is None:
            raise Unauthenticated("Send a valid key as `Authorization: Bearer sc_...`.")
        if self.scope not in principal.scopes:
            raise NotAllowed(f"This needs the scope {self.scope.value}, which this key does not hold.")
        route = request.scope["route"]
        # Whoever has no key learns nothing of a route's form; scrapers add parameters of their own to /metrics.
        if isinstance(route, GuardedRoute) and route.path.startswith("/v1/") and request.scope["query_string"]:
            route.require_stated_query(request)
        request.scope["principal"] = principal
        return principal


LeadScorer = Annotated[Principal, Depends(Requires(Scope.LEADS_SCORE))]
OpportunityScorer = Annotated[Principal, Depends(Requires(Scope.OPPORTUNITIES_SCORE))]
AccountScorer = Annotated[Principal, Depends(Requires(Scope.ACCOUNTS_SCORE))]
AgreementScorer = Annotated[Principal, Depends(Requires(Scope.AGREEMENTS_SCORE))]
InvoiceScorer = Annotated[Principal, Depends(Requires(Scope.INVOICES_SCORE))]
ForecastReader = Annotated[Principal, Depends(Requires(Scope.FORECASTS_READ))]
ForecastCaller = Annotated[Principal, Depends(Requires(Scope.FORECASTS_CALL))]
PredictionReader = Annotated[Principal, Depends(Requires(Scope.PREDICTIONS_READ))]
ModelReader = Annotated[Principal, Depends(Requires(Scope.MODELS_READ))]
MetricsReader = Annotated[Principal, Depends(Requires(Scope.METRICS_READ))]


def declared_scope(route: BaseRoute) -> Scope | None:
    """The scope that a route demands through one of its dependencies."""
    return _scope_in(route.dependant) if isinstance(route, APIRoute) else None


def _scope_in(dependant: Dependant) -> Scope | None:
    if isinstance(dependant.call, Requires):
        return dependant.call.scope
    for below in dependant.dependencies:
        found = _scope_in(below)
        if found is not None:
            return found
    return None


def require_scopes(app: FastAPI) -> None:
    """Refuse to start with a route that is neither scoped nor listed as public.

    Raises
    ------
    RouteWithoutScope
        Names the routes.
    """
    open_routes = [name for name in _unscoped(app.routes) if name not in PUBLIC]
    if open_routes:
        raise RouteWithoutScope(
            f"routes without a scope: {', '.join(open_routes[:3])}; let each take a principal from serving.auth "
            "or list it in serving.auth.PUBLIC with a reason"
        )


def _unscoped(routes: Iterable[BaseRoute]) -> list[str]:
    # A mount or an included router has no path or scope of its own and is refused whole.
    return [str(getattr(r, "path", None) or type(r).__name__) for r in routes if declared_scope(r) is None]
