"""Thousands of damaged requests: none fails the service, none is repeated, every refusal has the one form."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

As = Callable[[str], dict[str, str]]
SEEDS = 200
NASTY: list[object] = [
    None, True, False, 0, -1, 1.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**63, 2**64, "", " ", "0", "1", "true", "null",
    "NaN", "\u0000", "\u202e", "\uff11", "\u0661", "e\u0301" * 50, "\U00020000", "a" * 3000, "'; DROP TABLE leads; --",
    "' OR '1'='1", "../../etc/passwd", "%2e%2e", "=1+1", "<script>", "2026-02-30", "2026-03-01", "2026-03-01T00:00:00Z",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T12:00:00+14:00", "L0", "R1", "C1", "won",
    [], {}, [[]], [None], {"a": {}}, [1, 2, 3], ["L0"], {"activities": [{}]}, {"changes": [{}]},
]  # fmt: skip
COLUMNS = [
    "lead_id", "created_at", "channel", "campaign", "region", "industry", "title", "employees", "rep_id", "account_id",
    "converted_at", "disqualified_at", "opportunity_id", "referrer_account_id", "budget", "hot", "events",
]  # fmt: skip
EVENT_COLUMNS = {
    "activities": ["activity_id", "occurred_at", "kind", "lead_id", "rep_id", "direction", "minutes", "outcome"],
    "changes": ["change_id", "entity", "entity_id", "occurred_at", "field", "old_value", "new_value"],
}
GOOD_CELLS = {
    "occurred_at": "2026-03-01T00:00:00Z", "created_at": "2026-02-01T00:00:00Z", "kind": "call", "entity": "leads",
    "field": "rep_id", "direction": "inbound", "minutes": 5, "employees": 12, "channel": "web", "rep_id": "R2",
}  # fmt: skip


def cell(rng: random.Random, name: str) -> object:
    return GOOD_CELLS.get(name, "x") if rng.random() < 0.7 else rng.choice(NASTY)


def event(rng: random.Random, columns: list[str]) -> dict[str, object]:
    return {name: cell(rng, name) for name in rng.sample(columns, rng.randint(1, len(columns)))}


def record(rng: random.Random) -> object:
    if rng.random() < 0.05:
        return rng.choice(NASTY)
    row = {name: cell(rng, name) for name in rng.sample(COLUMNS, rng.randint(0, 8)) if name != "events"}
    if rng.random() < 0.6:
        row["events"] = {
            name: [
                {c: cell(rng, c) for c in rng.sample(columns, rng.randint(1, len(columns)))}
                for _ in range(rng.randint(0, 4))
            ]
            for name, columns in EVENT_COLUMNS.items()
            if rng.random() < 0.7
        }
    if rng.random() < 0.1:
        row[str(rng.choice(NASTY))] = rng.choice(NASTY)
    return row


def body(rng: random.Random) -> bytes:
    content: dict[str, object] = {}
    if rng.random() < 0.7:
        content["records"] = [record(rng) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.3:
        content["ids"] = [rng.choice(["L0", "L19", "x", rng.choice(NASTY)]) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.3:
        content["as_of"] = rng.choice([*NASTY, "2026-03-10T08:00:00+08:00"])
    text = json.dumps(content, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        damaged = bytearray(text)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        text = bytes(damaged)
    return text


def fuzz(client: TestClient, headers: dict[str, str], seeds: range) -> dict[int, int]:
    statuses: dict[int, int] = {}
    for seed in seeds:
        rng = random.Random(seed)
        sent = body(rng)
        query = rng.choice(["", "", "", "?fresh=true", "?fresh=x", "?fresh="])
        answer = client.post(
            f"/v1/leads/score{query}", content=sent, headers={**headers, "Content-Type": "application/json"}
        )
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code in {200, 400, 422}, (seed, sent, answer.text[:300])
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json", seed
        if answer.status_code == 200:
            asked = json.loads(sent)
            assert len(answer.json()["rows"]) == len(asked.get("ids") or asked.get("records")), seed
    return statuses


@pytest.mark.parametrize("login", ["director", "rep"])
def test_damaged_requests_never_fail_the_service(client: TestClient, as_role: As, login: str) -> None:
    statuses = fuzz(client, as_role(login), range(SEEDS))
    assert statuses[200] > SEEDS / 20


@pytest.mark.slow
@pytest.mark.parametrize("login", ["director", "manager", "rep", "service"])
def test_many_more_damaged_requests_never_fail_the_service(client: TestClient, as_role: As, login: str) -> None:
    assert sum(fuzz(client, as_role(login), range(SEEDS, SEEDS + 5000)).values()) == 5000
