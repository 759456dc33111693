"""Every scoring door: whole rows, own fields, openness, order, and only what the caller may see."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from crm.tables import table
from serving.score_answers import ROW_OF, own_fields
from serving.score_tasks import scored_tasks

ENTITIES = [task.entity for task in scored_tasks().values()]
TASK_OF = {task.entity: task for task in scored_tasks().values()}
Row = dict[str, object]


def score(client: TestClient, firm, entity: str, content: Row, login: str = "director", query: str = "") -> list[Row]:
    answer = client.post(f"/v1/{entity}/score{query}", json=content, headers=firm.headers(login))
    assert answer.status_code == 200, answer.text
    rows: list[Row] = answer.json()["rows"]
    for row in rows:
        ROW_OF[entity].model_validate_json(json.dumps(row))
    return rows


def ids_of(firm, entity: str) -> list[str]:
    key = table(entity).key[0]
    ids: list[str] = firm.generation().read(entity, [key]).column(key).to_pylist()
    return ids[:1000]


@pytest.mark.parametrize("entity", ENTITIES)
def test_open_entities_are_scored_with_the_whole_row_and_closed_ones_say_why(
    client: TestClient, firm, entity: str
) -> None:
    rows = score(client, firm, entity, {"ids": ids_of(firm, entity)})
    scored = [row for row in rows if row["status"] == "scored"]
    closed = [row for row in rows if row["status"] == "abstained"]
    assert len(scored) + len(closed) == len(rows)
    assert len(scored) >= 5
    for row in scored:
        assert 0 <= float(str(row["probability"])) <= 1
        assert row["percentile"] is not None
        assert row["as_of"]
        assert row["message"] is None
    assert any(row["reasons"] for row in scored)
    assert all(row["message"] and row["probability"] is None for row in closed)


@pytest.mark.parametrize("entity", ENTITIES)
def test_own_fields_of_the_task_are_known_for_what_is_open(client: TestClient, firm, entity: str) -> None:
    if TASK_OF[entity].details is None:
        pytest.skip(f"{TASK_OF[entity].name} says nothing of its own")
    rows = [r for r in score(client, firm, entity, {"ids": ids_of(firm, entity)}) if r["status"] == "scored"]
    told = {name for name in own_fields(entity) if any(row[name] is not None for row in rows)}
    assert told
