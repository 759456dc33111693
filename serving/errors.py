"""The one table from an exception to its HTTP status and problem document (RFC 9457).

A problem names what was expected and where; it never repeats what the caller sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from crm.app_database import BadDatabase
from crm.store import BrokenStore, NoRecord, StoreIsBusy
from models.champions import NoChampion
from models.encoding import BadValue
from models.predictor import BadBundle

MOST_ERRORS = 20
MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger("serving.errors")


class Refusal(Exception):
    """A request that is refused for a reason that may be told; `detail` holds no input of the caller."""

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class Unauthenticated(Refusal):
    """No key, or none that is valid."""


class NotAllowed(Refusal):
    """The key is valid, and its owner may not do this."""


class UnknownThing(Refusal):
    """Nothing of that name that the caller may see."""


class BadBody(Refusal):
    """The body is no JSON that this service reads."""


class MalformedRequest(Refusal):
    """The body is JSON of another shape than the route states."""


class BodyTooLarge(Refusal):
    """The body is larger than allowed."""


class WrongContentType(Refusal):
    """The body is no plain JSON."""


class TooManyHeaders(Refusal):
    """More headers than any client of ours sends."""


class SlowRequest(Refusal):
    """The body took too long to arrive."""


class TooManyRequests(Refusal):
    """More requests than may be in work at once."""


class TooManyConnections(Refusal):
    """More connections than the server keeps open."""


class NotReady(Refusal):
    """A part of the service that this answer needs is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """Where in the request something is wrong, and what was expected."""

    location: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """How one class of exceptions is answered.

    `detail` stands for exceptions whose own text is not for callers; None passes the text of a `Refusal` on.
    """

    status: HTTPStatus
    name: str
    detail: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


_RETRY = {"Retry-After": "5"}

TABLE: dict[type[Exception], Problem] = {
    BadBody: Problem(status=HTTPStatus.BAD_REQUEST, name="bad-body"),
    Unauthenticated: Problem(
        status=HTTPStatus.UNAUTHORIZED, name="unauthenticated", headers={"WWW-Authenticate": 'Bearer realm="salescast"'}
    ),
    NotAllowed: Problem(status=HTTPStatus.FORBIDDEN, name="not-allowed"),
    UnknownThing: Problem(status=HTTPStatus.NOT_FOUND, name="not-found"),
    SlowRequest: Problem(status=HTTPStatus.REQUEST_TIMEOUT, name="slow-request", headers={"Connection": "close"}),
    BodyTooLarge: Problem(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, name="body-too-large", headers={"Connection": "close"}
    ),
    WrongContentType: Problem(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, name="wrong-content-type"),
    MalformedRequest: Problem(status=HTTPStatus.UNPROCESSABLE_ENTITY, name="malformed-request"),
    RequestValidationError: Problem(
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        name="malformed-request",
        detail="The request does not fit the form that the documentation of this route states.",
    ),
    TooManyRequests: Problem(status=HTTPStatus.TOO_MANY_REQUESTS, name="too-many-requests", headers=_RETRY),
    TooManyConnections: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE, name="overloaded", headers={**_RETRY, "Connection": "close"}
    ),
    TooManyHeaders: Problem(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, name="too-many-headers"),
    NotReady: Problem(status=HTTPStatus.SERVICE_UNAVAILABLE, name="not-ready", headers=_RETRY),
    StoreIsBusy: Problem(
        status=HTTPStatus.CONFLICT,
        name="record-is-busy",
        detail="Another ingest is running; try again when it has ended.",
        headers=_RETRY,
    ),
    NoRecord: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        name="no-record",
        detail="No company record has been taken in yet.",
        headers=_RETRY,
    ),
    BrokenStore: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        name="record-unreadable",
        detail="The company record cannot be read; the server's log names the file.",
        headers=_RETRY,
    ),
    BadBundle: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        name="model-damaged",
        detail="The files of a model are damaged; the one before goes on answering.",
    ),
    NoChampion: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        name="no-champion",
        detail="No model was promoted yet.",
        headers=_RETRY,
    ),
    BadValue: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        name="model-does-not-fit",
        detail="The model does not fit the columns of the present record; train it again.",
    ),
    BadDatabase: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        name="database-away",
        detail="The application database cannot be reached.",
        headers=_RETRY,
    ),
    SQLAlchemyError: Problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        name="database-away",
        detail="The application database cannot be reached.",
        headers=_RETRY,
    ),
    Exception: Problem(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        name="internal-error",
        detail="The service failed; its log holds the reason under the request id.",
    ),
}

_BY_STATUS = {
    HTTPStatus.NOT_FOUND: ("not-found", "There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method-not-allowed", "This address does not answer that method."),
}


def problem_of(error: Exception) -> Problem:
    """The row of the table for an exception: that of its own class, or of the nearest class above it.

    Examples
    --------
    >>> problem_of(NoRecord("no record yet")).status.value
    503
    """
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return TABLE[Exception]


def problem_bytes(problem: Problem, *, detail: str, request_id: str, errors: Sequence[FieldError] = ()) -> bytes:
    """The problem document as JSON bytes; at most `MOST_ERRORS` errors are listed."""
    listed = [{"location": _clean(e.location), "message": _clean(e.message)} for e in errors[:MOST_ERRORS]]
    return orjson.dumps(
        {
            "type": f"urn:salescast:problem:{problem.name}",
            "title": problem.status.phrase,
            "status": problem.status.value,
            "detail": _clean(detail),
            "instance": f"urn:salescast:request:{request_id}",
            "request_id": request_id,
            "errors": listed,
        }
    )


def answer_of(error: Exception, request_id: str) -> Response:
    """The response that an exception is answered with."""
    problem, detail, errors, headers = _explain(error)
    body = problem_bytes(problem, detail=detail, request_id=request_id, errors=errors)
    return Response(body, problem.status.value, {**problem.headers, **headers}, MEDIA_TYPE)


def _explain(error: Exception) -> tuple[Problem, str, Sequence[FieldError], Mapping[str, str]]:
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        name, detail = _BY_STATUS.get(status, (status.phrase.lower().replace(" ", "-"), status.phrase))
        return Problem(status=status, name=name), detail, (), error.headers or {}
    problem = problem_of(error)
    if isinstance(error, RequestValidationError):
        return problem, problem.detail or "", _field_errors(error), {}
    if isinstance(error, Refusal):
        return problem, problem.detail or error.detail, error.errors, error.headers
    return problem, problem.detail or problem.status.phrase, (), {}


_SAFE_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")
_MESSAGES = {
    "missing": "required",
    "extra_forbidden": "not a field of this request",
    "json_invalid": "no valid JSON",
}


def _field_errors(error: RequestValidationError) -> list[FieldError]:
    found = []
    for item in error.errors()[:MOST_ERRORS]:
        kind, location = str(item["type"]), item["loc"]
        # A name that the caller made up is input and is not repeated.
        parts = location[:-1] if kind == "extra_forbidden" else location
        where = ".".join(str(p) for p in parts if isinstance(p, int) or _SAFE_NAME.match(str(p)))
        message = _MESSAGES.get(kind) or (str(item["msg"]) if kind != "value_error" else _own_message(item))
        found.append(FieldError(location=where or "body", message=message))
    return found


def _own_message(item: Mapping[str, object]) -> str:
    # Raised by our own validators, whose messages hold no input.
    return str(item["msg"]).removeprefix("Value error, ")


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")[:2000]


def add_error_handlers(app: FastAPI) -> None:
    """Answer every exception of the table, 404, 405 and everything unforeseen with a problem document."""

    async def answer(request: Request, error: Exception) -> Response:
        request_id = str(request.scope.get("request_id", "unknown"))
        response = answer_of(error, request_id)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log_failure(error, response.status_code)
        return response

    for kind in (*TABLE, HTTPException):
        app.add_exception_handler(kind, answer)


def log_failure(error: BaseException, status: int) -> None:
    """Log what failed and where; not the text of the exception, which may hold personal values."""
    log.error("request failed", error=type(error).__name__, place=_place(error), status=status)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    place = "unknown"
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
