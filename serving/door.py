"""How routes are declared: a scope, a form of the answer, the errors they may give, and a body parsed once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from serving.errors import MEDIA_TYPE, TABLE, FieldError, MalformedRequest
from serving.service_schemas import ProblemAnswer

Responses = dict[int | str, dict[str, Any]]

# What any route behind a key may answer.
_ALWAYS = (400, 401, 403, 408, 413, 422, 429, 431, 500, 503)
_JSON = "application/json"


def problems(*statuses: int, always: bool = True) -> Responses:
    """The error answers of a route for the documentation: its own and those that every scoped route has.

    Examples
    --------
    >>> sorted(problems(404, always=False))
    [404]
    """
    return {status: _problem(status) for status in sorted({*statuses, *(_ALWAYS if always else ())})}


def _problem(status: int) -> dict[str, Any]:
    rows = [row for row in TABLE.values() if row.status == status]
    names = sorted({row.name for row in rows})
    document: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(names)}.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}},
    }
    if any("Retry-After" in row.headers for row in rows):
        seconds = {"type": "integer", "description": "Seconds after which to try again."}
        document["headers"] = {"Retry-After": {"schema": seconds}}
    return document


def chinese(summary: str) -> dict[str, Any]:
    """A route's summary in Chinese, for the OpenAPI document."""
    return {"x-summary-zh": summary}


class Documented(FastAPI):
    """An application whose document holds the form of a problem, which no route names as its answer."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        form = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(form.pop("$defs", {}))
        schemas["ProblemAnswer"] = form
        return document


class ParsedRequest(Request):
    """A request whose JSON was parsed by the guard."""

    async def json(self) -> object:
        """The parsed body."""
        return self.scope["json"]


class GuardedRoute(APIRoute):
    """A route that takes the guard's parsed body, and refuses query parameters that it does not state."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the route."""
        handle = super().get_route_handler()

        async def handle_parsed(request: Request) -> Response:
            return await handle(ParsedRequest(request.scope, request.receive))

        return handle_parsed

    def require_stated_query(self, request: Request) -> None:
        """Refuse query parameters that the route does not state.

        Raises
        ------
        MalformedRequest
            There is one; it names the parameters that the route knows.
        """
        known = {param.alias for param in self.dependant.query_params}
        if not known.issuperset(request.query_params):
            where = FieldError(location="query", message=f"known are: {', '.join(sorted(known)) or 'none'}")
            raise MalformedRequest("There is no such query parameter here.", errors=[where])


def json_answer(content: object, status: int = 200) -> Response:
    """An answer whose content is known to have the stated form; written by orjson, not validated a second time."""
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)
    return Response(body, status, media_type=_JSON)
