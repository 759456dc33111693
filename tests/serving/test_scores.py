"""Scores by id and by record."""

from __future__ import annotations

from collections.abc import Callable

from starlette.testclient import TestClient

As = Callable[[str], dict[str, str]]


def score(client: TestClient, headers: dict[str, str], content: dict[str, object], query: str = "") -> list[dict]:
    answer = client.post(f"/v1/leads/score{query}", json=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_an_open_lead_is_scored_with_the_whole_row(client: TestClient, as_role: As) -> None:
    (row,) = score(client, as_role("director"), {"ids": ["L0"]})
    assert row["status"] == "scored"
    assert row["evidence"]["n"] in (30, 40)
    assert row["reasons"]
    assert row["as_of"] == "2026-03-30T00:00:00Z"
    assert row["trend"] in {"improving", "steady", "declining"}
