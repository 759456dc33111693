"""Damaged requests at every scoring door: none fails the service, every refusal has the one form."""

from __future__ import annotations

import json
import random

import pytest
from starlette.testclient import TestClient

from crm.schema import Column, DType
from crm.tables import table
from serving.score_answers import ROW_OF
from serving.score_tasks import scored_tasks

TASKS = scored_tasks()
SEEDS = 25
NASTY: list[object] = [
    None, True, -1, 1.5, 1e308, 2**53 + 1, 2**64, "", " ", "1", "\u0000", "\u202e", "a" * 3000, "=1+1", "2026-02-30",
    "2026-03-01", "0001-01-01", "9999-12-31", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", [], {}, [None], {"a": {}},
]  # fmt: skip
GOOD: dict[DType, list[object]] = {
    DType.TEXT: ["A000001", "won", "subscription", "call", "Steel"],
    DType.TEXTS: [["a"]],
    DType.INTEGER: [0, 3, -7],
    DType.NUMBER: [0.0, 0.25, -3, 1e6],
    DType.MONEY: [0, 1200.5, -40, 10**9],
    DType.FLAG: [True, False],
    DType.DATE: ["2026-06-30", "2026-06-01", "2026-08-15", "2025-01-01", "2031-12-31"],
    DType.TIMESTAMP: ["2026-06-30T15:00:00Z", "2026-05-01T08:00:00+08:00", "2024-02-29T00:00:00Z"],
}
# What makes a row one that is asked about.
ASKED: dict[str, dict[str, object]] = {
    "accounts": {"events": {"orders": [{"ordered_at": "2025-10-01T08:00:00+08:00", "quantity": 2}]}},
    "agreements": {
        "kind": "maintenance", "signed_on": "2025-01-01", "starts_on": "2025-01-01", "ends_on": "2026-08-15",
        "cancelled_at": None,
    },
    "invoices": {"gross_amount": 1200.5},
}  # fmt: skip


def cell(rng: random.Random, column: Column) -> object:
    if rng.random() < 0.15:
        return rng.choice(NASTY)
    return rng.choice([*column.values, *GOOD[column.dtype]]) if column.values else rng.choice(GOOD[column.dtype])


def row_of(rng: random.Random, columns: tuple[Column, ...]) -> dict[str, object]:
    return {one.name: cell(rng, one) for one in rng.sample(columns, rng.randint(0, len(columns)))}


def record(rng: random.Random, entity: str, lists: dict[str, tuple[Column, ...]]) -> object:
    if rng.random() < 0.05:
        return rng.choice(NASTY)
    found = row_of(rng, table(entity).columns)
    if rng.random() < 0.7:
        found["events"] = {
            name: [row_of(rng, columns) for _ in range(rng.randint(0, 3))]
            for name, columns in lists.items()
            if rng.random() < 0.6
        }
    return {**found, **ASKED.get(entity, {})} if rng.random() < 0.5 else found


def fuzz(client: TestClient, firm, name: str, login: str, seeds: range) -> set[str]:
    entity = TASKS[name].entity
    inputs = client.app.state.service.scoring(name)._ready.inputs
    lists = {each: stated.columns for each, stated in inputs.form.events.items()}
    statuses: set[str] = set()
    for seed in seeds:
        rng = random.Random(f"{entity}{seed}")
        content: dict[str, object] = {"records": [record(rng, entity, lists) for _ in range(rng.randint(1, 3))]}
        if rng.random() < 0.2:
            content = {"ids": [str(rng.choice(NASTY))[:50] for _ in range(rng.randint(1, 3))]}
        if rng.random() < 0.4:
            content["as_of"] = rng.choice(["2026-06-01T00:00:00Z", "2025-12-31T23:30:00+08:00", *NASTY])
        answer = client.post(f"/v1/{entity}/score", json=json.loads(json.dumps(content)), headers=firm.headers(login))
        assert answer.status_code in {200, 400, 422}, (seed, answer.text[:300])
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json", seed
            continue
        rows = answer.json()["rows"]
        assert len(rows) == len(content.get("ids") or content["records"]), seed
        for row in rows:
            ROW_OF[entity].model_validate_json(json.dumps(row))
            statuses.add(row["status"])
    return statuses


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("login", ["director", "rep-0"])
def test_damaged_requests_never_fail_a_door(client: TestClient, firm, name: str, login: str) -> None:
    assert {"invalid", "scored"} <= fuzz(client, firm, name, login, range(SEEDS))


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_many_more_damaged_requests_never_fail_a_door(client: TestClient, firm, name: str) -> None:
    assert {"invalid", "scored"} <= fuzz(client, firm, name, "director", range(SEEDS, SEEDS + 1000))
