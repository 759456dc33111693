"""At every scoring door: whose rows a caller sees; what it may not see is answered like what is not there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from crm.store import Generation
from crm.tables import table
from serving.score_tasks import TASK_OF, scored_tasks

ENTITIES = [task.entity for task in scored_tasks().values()]


def owners_of(generation: Generation, entity: str) -> dict[str, str | None]:
    """The owner of every entity: its own, else that of its agreement, else that of its account."""
    own = {name: table(name).key[0] for name in ("agreements", "accounts")}
    of = {
        name: {row[key]: row["rep_id"] for row in generation.read(name, [key, "rep_id"]).to_pylist()}
        for name, key in own.items()
    }
    found: dict[str, str | None] = {}
    for row in generation.read(entity).to_pylist():
        owner = row.get("rep_id")
        if entity in {"agreements", "invoices"}:
            owner = owner or (entity == "invoices" and of["agreements"].get(row["agreement_id"])) or None
            owner = owner or of["accounts"].get(row["account_id"])
        found[row[table(entity).key[0]]] = owner
    return found


def ask(client: TestClient, firm, entity: str, login: str, content: dict[str, object], query: str = ""):
    answer = client.post(f"/v1/{entity}/score{query}", json=content, headers=firm.headers(login))
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture(scope="module")
def reps(firm) -> dict[str, str]:
    ids = sorted(set(firm.generation().read("accounts", ["rep_id"]).column("rep_id").drop_null().to_pylist()))
    return {"rep-0": ids[0], "rep-1": ids[1]}


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("query", ["", "?fresh=true"])
def test_a_rep_sees_the_own_rows_and_nothing_of_another(client, firm, reps, entity: str, query: str) -> None:
    owners = owners_of(firm.generation(), entity)
    ids = sorted(owners)[:600]
    for login, rep in reps.items():
        rows = ask(client, firm, entity, login, {"ids": ids}, query).json()["rows"]
        seen = {row["entity_id"] for row in rows if row["status"] != "not_found"}
        assert seen == {one for one in ids if owners[one] == rep}
    assert {r["status"] for r in ask(client, firm, entity, "stranger", {"ids": ids}).json()["rows"]} == {"not_found"}


@pytest.mark.parametrize("entity", ENTITIES)
def test_what_a_caller_may_not_see_answers_like_what_does_not_exist_to_the_last_byte(
    client, firm, reps, entity: str
) -> None:
    owners = owners_of(firm.generation(), entity)
    foreign = [one for one, owner in sorted(owners.items()) if owner == reps["rep-1"]][:5]
    assert foreign
    for one in foreign:
        unknown = "?" * len(one)
        there = ask(client, firm, entity, "rep-0", {"ids": [one]}).content.replace(one.encode(), unknown.encode())
        assert there == ask(client, firm, entity, "rep-0", {"ids": [unknown]}).content


@pytest.mark.parametrize("entity", ENTITIES)
def test_nothing_is_computed_of_what_a_caller_may_not_see(
    client, firm, reps, monkeypatch: pytest.MonkeyPatch, entity: str
) -> None:
    inputs = client.app.state.service.scoring(TASK_OF[entity])._ready.inputs
    asked: list[str] = []
    closed = inputs._openness.closed

    def listen(ids, at):
        asked.extend(ids)
        return closed(ids, at)

    monkeypatch.setattr(inputs._openness, "closed", listen)
    owners = owners_of(firm.generation(), entity)
    ids = [next(one for one, owner in sorted(owners.items()) if owner == reps[login]) for login in ("rep-1", "rep-0")]
    ask(client, firm, entity, "rep-0", {"ids": ids}, "?fresh=true")
    assert asked == ids[1:]


def test_a_record_learns_nothing_of_the_entity_whose_id_it_names(client, firm, reps) -> None:
    owners = owners_of(firm.generation(), "leads")
    rows = ask(client, firm, "leads", "director", {"ids": sorted(owners)[:1000]}).json()["rows"]
    moved = [row["entity_id"] for row in rows if row["trend"] != "unknown"]
    trends: dict[str, set[str]] = {}
    for login in ("rep-0", "director"):
        of_others = [one for one in moved if owners[one] != reps["rep-0"]][:50]
        answer = ask(client, firm, "leads", login, {"records": [{"lead_id": one} for one in of_others]})
        trends[login] = {row["trend"] for row in answer.json()["rows"]}
    assert trends["rep-0"] == {"unknown"}
    assert "unknown" not in trends["director"]


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_answer_of_an_earlier_moment_has_no_trend(client, firm, entity: str) -> None:
    held = client.app.state.service.live.states[TASK_OF[entity]].scores
    at = (held.as_of - timedelta(days=30)).isoformat()
    rows = ask(
        client, firm, entity, "director", {"ids": sorted(owners_of(firm.generation(), entity))[-300:], "as_of": at}
    )
    assert {row["trend"] for row in rows.json()["rows"]} == {"unknown"}


@pytest.mark.parametrize("entity", ENTITIES)
def test_predictions_are_shown_to_those_who_may_see_their_entity(client, firm, reps, entity: str) -> None:
    owners = owners_of(firm.generation(), entity)
    mine = [one for one, owner in sorted(owners.items()) if owner == reps["rep-0"]][:200]
    rows = ask(client, firm, entity, "director", {"ids": mine}).json()["rows"]
    row = next(row for row in rows if row["prediction_id"])
    address = f"/v1/predictions/{row['prediction_id']}"
    assert client.get(address, headers=firm.headers("rep-0")).json()["answer"] == row
    foreign = client.get(address, headers=firm.headers("rep-1"))
    unknown = client.get(f"/v1/predictions/{'0' * 32}", headers=firm.headers("rep-1"))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["detail"] == unknown.json()["detail"]


@pytest.mark.parametrize("entity", sorted(set(ENTITIES) - {"leads"}))
def test_a_key_made_for_leads_opens_no_other_door(client, firm, entity: str) -> None:
    answer = client.post(f"/v1/{entity}/score", json={"ids": ["x"]}, headers=firm.headers("leads-only"))
    assert answer.status_code == 403
    assert client.post("/v1/leads/score", json={"ids": ["x"]}, headers=firm.headers("leads-only")).status_code == 200


@pytest.mark.parametrize("entity", sorted(set(ENTITIES) & {"opportunities", "agreements", "invoices"}))
def test_a_record_learns_nothing_of_an_account_that_its_sender_may_not_see(client, firm, reps, entity: str) -> None:
    owners = owners_of(firm.generation(), "accounts")
    foreign = next(one for one, owner in sorted(owners.items()) if owner == reps["rep-1"])
    on = firm.now.date()
    record: dict[str, object] = {
        "opportunities": {"net_amount": 5000},
        "agreements": {"kind": "subscription", "starts_on": "2025-01-01", "ends_on": on.replace(month=9).isoformat()},
        "invoices": {"gross_amount": 5000},
    }[entity]

    def probability(account: str) -> dict[str, object]:
        row = ask(client, firm, entity, "rep-0", {"records": [{**record, "account_id": account}]}).json()["rows"][0]
        assert row["status"] == "scored", row["message"]
        return {name: value for name, value in row.items() if name != "prediction_id"}

    assert probability(foreign) == probability("nobody's account")
