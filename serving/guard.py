"""What a request must survive before the web framework sees it: size, time, headers, content type, JSON.

The body is read and parsed once, here; the routes get the parsed value. Plain FastAPI answers some of these
bodies with 500 and repeats their content; see `serving.errors` for the form of every refusal.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metrics
from serving.errors import (
    BadBody,
    BodyTooLarge,
    MalformedRequest,
    Refusal,
    SlowRequest,
    TooManyHeaders,
    TooManyRequests,
    WrongContentType,
    answer_of,
    log_failure,
)

log = structlog.get_logger("serving.request")

_JSON_TYPE = re.compile(rb'application/json(\s*;\s*charset="?utf-?8"?)?\s*\Z', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may hold.

    Attributes
    ----------
    body_bytes : int
        Largest body.
    depth : int
        Deepest nesting of lists and objects.
    keys : int
        Most keys of one object.
    headers, header_bytes : int
        Most headers, and their size altogether.
    body_seconds : float
        Time within which the body must have arrived.
    in_work : int
        Requests that may be in work at once; more are answered 429.
    """

    body_bytes: int = 8 * 1024 * 1024
    depth: int = 32
    keys: int = 1000
    headers: int = 64
    header_bytes: int = 32 * 1024
    body_seconds: float = 20.0
    in_work: int = 200


class Guard:
    """An ASGI application around another one; it gives every request an id and logs every answer.

    Parameters
    ----------
    app : ASGIApp
        What answers requests that pass.
    limits : Limits
        How much a request may hold.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it with a problem document."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope["request_id"] = request_id
        started = time.perf_counter()
        answered = _Answer(send, request_id)
        self._in_work += 1
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._answer(scope, receive, answered)
        finally:
            self._in_work -= 1
            _note(scope, answered.status, time.perf_counter() - started)
            structlog.contextvars.clear_contextvars()

    async def _answer(self, scope: Scope, receive: Receive, send: _Answer) -> None:
        try:
            if self._in_work > self._limits.in_work:
                raise TooManyRequests("Too many requests are in work; try again in a few seconds.")
            require_few_headers(scope["headers"], self._limits)
            if scope["method"] in {"POST", "PUT", "PATCH"}:
                body = await self._body(scope["headers"], receive)
                scope["json"] = parse_json(body, self._limits)
                receive = _replay(body, receive)
            elif _header(scope["headers"], b"transfer-encoding") or _stated_length(scope["headers"]) > 0:
                raise BadBody("This method takes no body.")
        except Refusal as refusal:
            await answer_of(refusal, scope["request_id"])(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            response = answer_of(error, scope["request_id"])
            log_failure(error, response.status_code)
            # Once an answer has begun there is nothing to mend.
            if send.status == 0:
                await response(scope, receive, send)

    async def _body(self, headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> bytes:
        require_plain_json(headers)
        limit = self._limits.body_bytes
        too_large = f"The body may hold at most {limit} bytes; send fewer records a call."
        if _stated_length(headers) > limit:
            raise BodyTooLarge(too_large)
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise BadBody("The client left before the body was whole.")
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise BodyTooLarge(too_large)
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise SlowRequest("The body took too long to arrive.") from None


class _Answer:
    """Passes an answer on, adds its request id and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self._request_id),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
            ]
        await self._send(message)


def require_few_headers(headers: Sequence[tuple[bytes, bytes]], limits: Limits) -> None:
    """Refuse a request with too many or too large headers, or with two lengths or hosts."""
    if len(headers) > limits.headers or sum(len(n) + len(v) for n, v in headers) > limits.header_bytes:
        raise TooManyHeaders(f"At most {limits.headers} headers of {limits.header_bytes} bytes altogether.")
    for name in (b"host", b"content-length", b"content-type", b"authorization"):
        if sum(1 for found, _ in headers if found == name) > 1:
            raise BadBody(f"The header {name.decode()} may stand once.")


def require_plain_json(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a body that is stated to be anything but uncompressed UTF-8 JSON."""
    if not _JSON_TYPE.match(_header(headers, b"content-type").strip()):
        raise WrongContentType("Send the body as application/json in UTF-8.")
    if _header(headers, b"content-encoding").strip().lower() not in {b"", b"identity"}:
        raise WrongContentType("Send the body without Content-Encoding.")


def parse_json(body: bytes, limits: Limits) -> object:
    """The value of a JSON body.

    Raises
    ------
    BadBody
        It is no JSON (`NaN`, numbers beyond float64 and lone surrogates included), nested too deeply, or an object
        has a key twice.
    MalformedRequest
        An object has more keys than allowed.

    Examples
    --------
    >>> parse_json(b'{"ids": ["a"]}', Limits())
    {'ids': ['a']}
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The position helps to find the place; the text around it would repeat the input.
        raise BadBody(f"The body is no valid JSON at character {error.pos}.") from None
    n_keys = require_shallow(value, limits)
    # Every key has its colon: with as many colons as keys none can stand twice, and nothing is read again.
    if body.count(b":") != n_keys:
        require_unique_keys(body)
    return value


def require_unique_keys(body: bytes) -> None:
    """Refuse valid JSON in which an object has a key twice: which of the two was meant is not ours to guess."""
    json.loads(body, object_pairs_hook=_unique, parse_int=str, parse_float=str)


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadBody("An object of the body has the same key twice.")


def require_shallow(value: object, limits: Limits) -> int:
    """Refuse a value that is nested too deeply or has an object with too many keys; the number of all keys."""
    n_keys = 0
    level: list[object] = [value] if isinstance(value, dict | list) else []
    for _ in range(limits.depth):
        following: list[object] = []
        for container in level:
            if isinstance(container, dict):
                if len(container) > limits.keys:
                    raise MalformedRequest(f"An object may have at most {limits.keys} keys.")
                n_keys += len(container)
                following.extend(v for v in container.values() if type(v) in _CONTAINERS)
            elif isinstance(container, list):
                following.extend(v for v in container if type(v) in _CONTAINERS)
        if not following:
            return n_keys
        level = following
    raise BadBody(f"The body may be nested at most {limits.depth} deep.")


_CONTAINERS = frozenset({dict, list})
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def _header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes:
    for found, value in headers:
        if found == name:
            return value
    return b""


def _stated_length(headers: Sequence[tuple[bytes, bytes]]) -> int:
    stated = _header(headers, b"content-length")
    return int(stated) if stated.isdigit() and len(stated) < 20 else 0


def _replay(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _note(scope: Scope, status: int, seconds: float) -> None:
    # The template and not the path: a path may hold an id, and unbounded label values would fill memory.
    route = scope.get("route")
    template = getattr(route, "path", "unknown") if route is not None else "unknown"
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.REQUESTS.labels(template, method, str(status)).inc()
    metrics.SECONDS.labels(template).observe(seconds)
    log.info("answered", route=template, method=method, status=status, ms=round(seconds * 1000, 2))
