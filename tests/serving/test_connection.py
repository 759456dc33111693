"""A connection's bounds before the web framework: time, size and form of a request's head."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvicorn

from serving.connection import BoundedConnection


class Impatient(BoundedConnection):
    head_seconds = 0.3


async def app(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def talk(
    say: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]],
    http: type[BoundedConnection] = Impatient,
) -> bytes:
    async def run() -> bytes:
        config = uvicorn.Config(app, port=0, http=http, ws="none", lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await asyncio.wait_for(say(reader, writer), 10)
        finally:
            writer.close()
            server.should_exit = True
            await serving

    return asyncio.run(run())


async def read_all(reader: asyncio.StreamReader) -> bytes:
    found = b""
    try:
        while part := await reader.read(1000):
            found += part
    except ConnectionError:
        return found  # cut while we were still writing: what arrived before counts
    return found


async def write_slowly(writer: asyncio.StreamWriter, reading: asyncio.Task[bytes], parts: list[bytes]) -> bytes:
    for part in parts:
        if reading.done():
            break
        writer.write(part)
        await asyncio.sleep(0.02)
    return await reading


DRIPS = {"header": b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: " + b"a" * 40, "line ends": b"\r\n" * 40, "nothing": b""}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_head_that_drips_in_is_cut(drip: str) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        return await write_slowly(writer, asyncio.create_task(read_all(reader)), [bytes([b]) for b in DRIPS[drip]])

    answer = talk(say)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("name", [b"x-long: ", b"cookie: a="])
def test_an_endless_head_is_cut(name: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        parts = [b"GET / HTTP/1.1\r\nhost: x\r\n" + name, b"a" * 60_000, b"a" * 10_000]
        return await write_slowly(writer, asyncio.create_task(read_all(reader)), parts)

    assert talk(say).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("words", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"{}\r\n\r\n"])
def test_what_is_no_http_gets_a_problem(words: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(words)
        return await reader.read()

    answer = talk(say)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


def test_requests_in_time_are_answered_one_after_another() -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            found = await reader.readuntil(b"ok")
            await asyncio.sleep(0.2)
        return found

    assert talk(say).startswith(b"HTTP/1.1 200 ")


class Crowded(BoundedConnection):
    most_connections = 0


def test_above_the_most_connections_a_problem_says_when_to_come_again() -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        return await read_all(reader)

    answer = talk(say, Crowded)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"application/problem+json" in answer
    assert b"retry-after: 5" in answer.lower()
    assert b"urn:salescast:problem:overloaded" in answer
