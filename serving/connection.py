"""One HTTP connection with bounds that the server itself has not: time and size of what comes before the body.

uvicorn waits for ever for a request that arrives one byte a second, and keeps headers of any size; both are cut
here, and what it answers to broken HTTP takes the form of every other problem.
"""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.errors import (
    MEDIA_TYPE,
    TABLE,
    BadBody,
    Problem,
    SlowRequest,
    TooManyConnections,
    TooManyHeaders,
    answer_of,
    problem_bytes,
)

MOST_HEAD_BYTES = 64 * 1024
MOST_CONNECTIONS = 1000


class BoundedConnection(HttpToolsProtocol):
    """A connection on which a request's head must arrive in time and in bounds."""

    head_seconds = 15.0
    most_connections = MOST_CONNECTIONS

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request; those before the body are counted."""
        idle = self.cycle is None or self.cycle.response_complete
        if self._deadline is None and idle:
            self._wait_for_head()
        waiting = self._deadline is not None
        super().data_received(data)
        if waiting and self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(TABLE[TooManyHeaders], "The request's head is too large.")

    def on_headers_complete(self) -> None:
        """The head is whole; the guard watches over the body."""
        self._head_came()
        crowded = len(self.connections) > self.most_connections
        self.app = _overloaded if crowded else self.config.loaded_app
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(TABLE[BadBody], "This is no valid HTTP request.")

    def _wait_for_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(self.head_seconds, self._too_slow)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._refuse(TABLE[SlowRequest], "The request took too long to arrive.")

    def _refuse(self, problem: Problem, detail: str) -> None:
        self._head_came()
        if self.transport.is_closing():
            return
        request_id = uuid.uuid4().hex
        body = problem_bytes(problem, detail=detail, request_id=request_id)
        status = HTTPStatus(problem.status)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


async def _overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    request_id = uuid.uuid4().hex
    response = answer_of(TooManyConnections("Too many connections are open; try again in a few seconds."), request_id)
    response.headers["x-request-id"] = request_id
    await response(scope, receive, send)
