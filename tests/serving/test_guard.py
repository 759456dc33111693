"""Bodies that no client should send: refused with a problem document, never a 5xx, never repeated."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from serving.errors import BadBody, MalformedRequest
from serving.guard import Guard, Limits, parse_json

As = Callable[[str], dict[str, str]]
CANARY = "CanaryValue7731"
JSON = "application/json"


def nested(depth: int, inner: str = "1") -> bytes:
    return (b'{"ids":' + b"[" * depth + inner.encode() + b"]" * depth) + b"}"


def in_record(value: str) -> bytes:
    return b'{"records":[{"lead_id":"X","employees":' + value.encode() + b"}]}"


# name -> body, all sent as application/json
REFUSED: dict[str, bytes] = {
    "empty": b"",
    "space": b"   ",
    "NUL": b"\x00",
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "text": b'"%s"' % CANARY.encode(),
    "list": b"[]",
    "empty object": b"{}",
    "NaN": in_record("NaN"),
    "Infinity": in_record("Infinity"),
    "-Infinity": in_record("-Infinity"),
    "1e400": in_record("1e400"),
    "-1e400": in_record("-1e400"),
    "5,000 digits": in_record("9" * 5000),
    "hexadecimal": in_record("0x1F"),
    "leading zero": in_record("007"),
    "lone surrogate": b'{"ids":["\\ud800"]}',
    "low surrogate": b'{"ids":["\\udc00%s"]}' % CANARY.encode(),
    "raw surrogate": b'{"ids":["\xed\xa0\x80"]}',
    "surrogate key": b'{"\\ud83d":1}',
    "BOM": b'\xef\xbb\xbf{"ids":["L0"]}',
    "UTF-16": '{"ids":["L0"]}'.encode("utf-16"),
    "UTF-32": '{"ids":["L0"]}'.encode("utf-32"),
    "Latin-1": '{"ids":["\u00e9"]}'.encode("latin-1"),
    "overlong UTF-8": b'{"ids":["\xc0\xaf"]}',
    "truncated": b'{"ids":["L0"',
    "doubled": b'{"ids":["L0"]}{"ids":["L0"]}',
    "trailing comma": b'{"ids":["L0",]}',
    "comment": b'{"ids":["L0"] /* x */}',
    "single quotes": b"{'ids':['L0']}",
    "unquoted key": b'{ids:["L0"]}',
    "control character": b'{"ids":["a\x01b"]}',
    "bad escape": b'{"ids":["\\x41"]}',
    "short unicode escape": b'{"ids":["\\u12"]}',
    "depth 40": nested(40),
    "depth 1,000": nested(1000),
    "depth 100,000": nested(100_000),
    "100,000 unknown keys": json.dumps({f"k{n}{CANARY}": n for n in range(100_000)}).encode(),
    "900 unknown keys": json.dumps({f"k{n}{CANARY}": n for n in range(900)}).encode(),
    "unknown key": b'{"ids":["L0"],"%s":1}' % CANARY.encode(),
    "repeated key": b'{"ids":["L0"],"ids":["%s"]}' % CANARY.encode(),
    "repeated key of a record": b'{"records":[{"employees":1,"employees":2}]}',
    "key repeated by an escape": b'{"ids":["L0"],"\\u0069ds":["L1"]}',
    "both forms": b'{"ids":["L0"],"records":[{}]}',
    "ids null": b'{"ids":null}',
    "ids text": b'{"ids":"%s"}' % CANARY.encode(),
    "ids object": b'{"ids":{"a":"%s"}}' % CANARY.encode(),
    "ids empty": b'{"ids":[]}',
    "ids numbers": b'{"ids":[1,2]}',
    "ids true": b'{"ids":[true]}',
    "ids null entry": b'{"ids":[null]}',
    "ids nested": b'{"ids":[["%s"]]}' % CANARY.encode(),
    "id empty": b'{"ids":[""]}',
    "id 100 KB": b'{"ids":["%s"]}' % (CANARY.encode() * 7000),
    "1,001 ids": json.dumps({"ids": [f"{CANARY}{n}" for n in range(1001)]}).encode(),
    "1,001 records": json.dumps({"records": [{}] * 1001}).encode(),
    "1 million numbers": b'{"ids":[' + b",".join([b"1"] * 1_000_000) + b"]}",
    "records text": b'{"records":"%s"}' % CANARY.encode(),
    "records empty": b'{"records":[]}',
    "records object": b'{"records":{"0":{}}}',
    "as_of number": b'{"ids":["L0"],"as_of":1767225600}',
    "as_of true": b'{"ids":["L0"],"as_of":true}',
    "as_of text": b'{"ids":["L0"],"as_of":"%s"}' % CANARY.encode(),
    "as_of without offset": b'{"ids":["L0"],"as_of":"2026-03-01T00:00:00"}',
    "as_of future": b'{"ids":["L0"],"as_of":"2126-03-01T00:00:00Z"}',
    "as_of 31 Feb": b'{"ids":["L0"],"as_of":"2026-02-31T00:00:00Z"}',
    "as_of year 1": b'{"ids":["L0"],"as_of":"0001-01-01T00:00:00+14:00"}',
    "as_of year 1 UTC": b'{"ids":["L0"],"as_of":"0001-01-01T00:00:00Z"}',
    "as_of year 1500": b'{"ids":["L0"],"as_of":"1500-01-01T00:00:00Z"}',
    "as_of year 9999": b'{"ids":["L0"],"as_of":"9999-12-31T23:59:59-14:00"}',
    "as_of object": b'{"ids":["L0"],"as_of":{}}',
    "as_of 100 KB": b'{"ids":["L0"],"as_of":"%s"}' % (b"2" * 100_000),
}

# name -> one value of a record; each row is answered, alone, as invalid or scored, and never repeated
VALUES: dict[str, str] = {
    "true for 1": '{"lead_id":"X","employees":true}',
    "text for 1": '{"lead_id":"X","employees":"CanaryValue7731"}',
    "1.5 employees": '{"lead_id":"X","employees":1.5}',
    "2^53+1": '{"lead_id":"X","employees":9007199254740993}',
    "2^63": '{"lead_id":"X","employees":9223372036854775808}',
    "2^64": '{"lead_id":"X","employees":18446744073709551616}',
    "1e308": '{"lead_id":"X","employees":1e308}',
    "list for 1": '{"lead_id":"X","employees":[1]}',
    "object for text": '{"lead_id":"X","channel":{"a":"CanaryValue7731"}}',
    "number for text": '{"lead_id":"X","channel":7}',
    "100 KB text": '{"lead_id":"X","channel":"' + "CanaryValue7731" * 7000 + '"}',
    "NUL in text": '{"lead_id":"X","channel":"a\\u0000CanaryValue7731"}',
    "text for moment": '{"lead_id":"X","created_at":"CanaryValue7731"}',
    "moment without offset": '{"lead_id":"X","created_at":"2026-03-01T00:00:00"}',
    "moment of year 1": '{"lead_id":"X","created_at":"0001-01-01T00:00:00+14:00"}',
    "number for moment": '{"lead_id":"X","created_at":20260301}',
    "amount as text": '{"lead_id":"X","budget":"1,000.00"}',
    "amount of 1e16": '{"lead_id":"X","budget":1e16}',
    "flag as 1": '{"lead_id":"X","hot":1}',
    "flag as text": '{"lead_id":"X","hot":"yes"}',
    "unknown column": '{"lead_id":"X","CanaryValue7731 x":1}',
    "number as id": '{"lead_id":7}',
    "long id": '{"lead_id":"' + "X" * 300 + '", "employees":"a"}',
    "row is null": "null",
    "row is text": '"CanaryValue7731"',
    "row is a list": '["CanaryValue7731"]',
    "row is a number": "7",
    "events as a list": '{"lead_id":"X","events":[]}',
    "events of an unknown table": '{"lead_id":"X","events":{"CanaryValue7731 x":[]}}',
    "events that are no list": '{"lead_id":"X","events":{"activities":{}}}',
    "event that is no row": '{"lead_id":"X","events":{"activities":["CanaryValue7731"]}}',
    "event with an unknown kind": '{"lead_id":"X","events":{"activities":[{"kind":"CanaryValue7731"}]}}',
    "event with an unknown column": '{"lead_id":"X","events":{"activities":[{"CanaryValue7731 x":1}]}}',
    "event without a moment": '{"lead_id":"X","events":{"activities":[{"kind":"call"}]}}',
    "change without a moment": '{"lead_id":"X","events":{"changes":[{"field":"rep_id"}]}}',
    "event with a bad moment": '{"lead_id":"X","events":{"activities":[{"occurred_at":"x"}]}}',
}
# Odd, and still good rows.
GOOD: dict[str, str] = {
    "empty row": "{}",
    "all null": '{"lead_id":"X","channel":null,"employees":null,"created_at":null}',
    "-0.0": '{"lead_id":"X","employees":-0.0}',
    "colons in text": '{"lead_id":"a:b:c","channel":"\\"employees\\":1"}',
    "unseen category": '{"lead_id":"X","channel":"never seen"}',
    "combining characters": '{"lead_id":"X","channel":"' + "e\u0301" * 500 + '"}',
    "bidi and zero width": '{"lead_id":"X\u202e\u200b","channel":"\u202e\u200b"}',
    "CJK extension B and emoji": '{"lead_id":"\U00020000","channel":"\U0001f469\u200d\U0001f4bb"}',
    "blank text": '{"lead_id":"X","channel":"   "}',
    "future creation": '{"lead_id":"X","created_at":"2090-01-01T00:00:00Z"}',
    "events of nothing": '{"lead_id":"X","events":{"activities":[]}}',
    "change without an id": '{"lead_id":"X","events":{"changes":[{"field":"rep_id",'
    '"occurred_at":"2026-01-01T00:00:00Z"}]}}',
    "events of one moment": '{"lead_id":"X","events":{"activities":[{"occurred_at":"2026-01-01T00:00:00Z"},'
    '{"occurred_at":"2026-01-01T00:00:00Z","activity_id":"A"},{"occurred_at":"2026-01-01T00:00:00Z"}]}}',
    "rep of nobody": '{"lead_id":"X","rep_id":"R\'; DROP TABLE leads; --"}',
    "account of nobody": '{"lead_id":"X","account_id":"C404"}',
}


def send(client: TestClient, headers: dict[str, str], body: bytes, content_type: str = JSON, **more: str):
    return client.post("/v1/leads/score", content=body, headers={**headers, "Content-Type": content_type, **more})


def assert_refused(answer) -> None:
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["request_id"] == answer.headers["x-request-id"]
    assert len(content["errors"]) <= 20
    assert CANARY not in answer.text
    assert len(answer.content) < 8000


@pytest.mark.parametrize("name", REFUSED)
def test_body_is_refused_without_an_echo(client: TestClient, as_role: As, name: str) -> None:
    assert_refused(send(client, as_role("director"), REFUSED[name]))


@pytest.mark.parametrize("name", VALUES)
def test_a_bad_row_is_invalid_by_itself(client: TestClient, as_role: As, name: str) -> None:
    good = '{"lead_id":"G","channel":"web","employees":20}'
    body = f'{{"records":[{good},{VALUES[name]},{good}]}}'.encode()
    answer = send(client, as_role("director"), body)
    assert answer.status_code == 200, answer.text[:300]
    rows = answer.json()["rows"]
    assert [row["status"] for row in rows] == ["scored", "invalid", "scored"]
    assert rows[0]["probability"] == rows[2]["probability"]
    assert rows[1]["message"]
    assert CANARY not in answer.text


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_row_is_scored(client: TestClient, as_role: As, name: str) -> None:
    answer = send(client, as_role("director"), f'{{"records":[{GOOD[name]}]}}'.encode())
    assert answer.status_code == 200, answer.text[:300]
    assert [row["status"] for row in answer.json()["rows"]] == ["scored"]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/json; charset=gbk", "multipart/form-data", "application/jsonx"],
)
def test_other_content_types_are_refused(client: TestClient, as_role: As, content_type: str) -> None:
    answer = send(client, as_role("director"), b'{"ids":["L0"]}', content_type)
    assert answer.status_code == 415
    assert_refused(answer)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, gzip", "unknown"])
def test_compressed_bodies_are_refused(client: TestClient, as_role: As, encoding: str) -> None:
    body = gzip.compress(b" " * 10_000_000)
    answer = send(client, as_role("director"), body, **{"Content-Encoding": encoding})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_content_types_are_taken(client: TestClient, as_role: As, content_type: str) -> None:
    assert send(client, as_role("director"), b'{"ids":["L0"]}', content_type).status_code == 200


def test_many_headers_are_refused(client: TestClient) -> None:
    answer = client.get("/health/live", headers={f"x-{n}": "1" for n in range(100)})
    assert answer.status_code == 431
    assert_refused(answer)


def test_a_large_cookie_is_refused(client: TestClient) -> None:
    assert client.get("/health/live", headers={"Cookie": "a" * 60_000}).status_code == 431


@pytest.mark.parametrize("fresh", ["maybe", "2", "%ED%A0%80", "true&fresh=x"])
def test_bad_query_parameters_are_refused(client: TestClient, as_role: As, fresh: str) -> None:
    answer = client.post(f"/v1/leads/score?fresh={fresh}", json={"ids": ["L0"]}, headers=as_role("director"))
    assert_refused(answer)


def test_a_body_on_get_is_refused(client: TestClient, as_role: As) -> None:
    answer = client.request("GET", "/v1/models", content=b'{"a":1}', headers=as_role("director"))
    assert_refused(answer)


def test_body_limit_holds_at_the_byte(house, as_role: As) -> None:
    limit = 4096
    config = house.config.model_copy(
        update={"serving": house.config.serving.model_copy(update={"most_body_bytes": limit})}
    )
    with house.client(config) as client:
        for size, status in ((limit - 1, 200), (limit, 200), (limit + 1, 413)):
            body = b'{"ids":["L0"]}'.ljust(size)
            assert send(client, as_role("director"), body).status_code == status
        chunks = client.post(
            "/v1/leads/score",
            content=iter([b" " * 3000, b" " * 3000]),
            headers={**as_role("director"), "Content-Type": JSON},
        )
        assert chunks.status_code == 413


def test_depth_limit_holds_at_the_level() -> None:
    limits = Limits(depth=5)
    assert parse_json(b"[[[[[1]]]]]", limits) == [[[[[1]]]]]
    with pytest.raises(BadBody):
        parse_json(b"[[[[[[1]]]]]]", limits)


def test_key_limit_holds_at_the_key() -> None:
    limits = Limits(keys=3)
    parse_json(b'{"a":1,"b":1,"c":1}', limits)
    with pytest.raises(MalformedRequest):
        parse_json(b'{"a":1,"b":1,"c":1,"d":1}', limits)


def test_a_slow_body_is_cut() -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await asyncio.sleep(5)
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send_message(message: dict[str, object]) -> None:
        sent.append(message)

    async def app(scope: object, receive: object, send: object) -> None:
        raise AssertionError("the application was reached")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", b"application/json")]}
    asyncio.run(Guard(app, Limits(body_seconds=0.05))(scope, receive, send_message))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


def test_too_many_requests_at_once_are_shed() -> None:
    statuses: list[int] = []
    release = asyncio.Event()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def app(scope: object, receive: object, send: Callable) -> None:
        await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send_message(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(int(str(message["status"])))

    async def run() -> None:
        guard = Guard(app, Limits(in_work=2))  # type: ignore[arg-type]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        calls = [asyncio.create_task(guard(dict(scope), receive, send_message)) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*calls)

    asyncio.run(run())
    assert sorted(statuses) == [200, 200, 429, 429, 429]


def test_a_web_socket_is_closed(client: TestClient) -> None:
    with pytest.raises(Exception, match=r".*"), client.websocket_connect("/v1/models"):
        pass
