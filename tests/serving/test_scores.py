"""Scores by id and by record: the whole row, in order, batch like single, and only what the caller may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from crm.store import Store
from models.tasks.lead_score import TASK
from serving.access import EVERYONE, VisibleReps
from serving.history_inputs import HistoryInputs
from serving.inputs import make_inputs
from serving.record_view import EntityState
from serving.score_answers import LeadAnswer

As = Callable[[str], dict[str, str]]
Row = dict[str, object]
GOOD = {"lead_id": "N1", "channel": "web", "region": "East", "employees": 40, "created_at": "2026-03-01T00:00:00Z"}
EAST = {f"L{n}" for n in range(80) if n % 4 < 2}


def score(client: TestClient, headers: dict[str, str], content: dict[str, object], query: str = "") -> list[Row]:
    answer = client.post(f"/v1/leads/score{query}", json=content, headers=headers)
    assert answer.status_code == 200, answer.text
    LeadAnswer.model_validate_json(answer.text)
    rows: list[Row] = answer.json()["rows"]
    return rows


def same(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in {"prediction_id", "as_of"}}


def test_an_open_lead_is_scored_with_the_whole_row(client: TestClient, as_role: As) -> None:
    (row,) = score(client, as_role("director"), {"ids": ["L0"]})
    assert row["status"] == "scored"
    probability = row["probability"]
    assert isinstance(probability, float)
    assert row["score"] == round(100 * probability)
    assert row["grade"] == (
        "A" if probability >= 0.745 else "B" if probability >= 0.495 else "C" if probability >= 0.245 else "D"
    )
    assert row["evidence"] == ({"n": 40, "realised": 0.2} if probability <= 0.5 else {"n": 30, "realised": 0.7})
    assert row["reasons"]
    assert row["as_of"] == "2026-03-30T00:00:00Z"
    assert row["horizon_days"] == 90
    assert row["event"] == "won"
    assert row["trend"] in {"improving", "steady", "declining"}
    assert row["model_version"] == "1"


def test_percentiles_rank_the_open_leads(client: TestClient, as_role: As) -> None:
    rows = [r for r in score(client, as_role("director"), {"ids": [f"L{n}" for n in range(80)]}) if r["score"]]
    ordered = sorted(rows, key=lambda r: float(str(r["probability"])))
    assert [r["percentile"] for r in ordered] == sorted(int(str(r["percentile"])) for r in rows)
    assert ordered[-1]["percentile"] == 100


def test_a_closed_lead_is_not_scored(client: TestClient, as_role: As) -> None:
    (row,) = score(client, as_role("director"), {"ids": ["L19"]})
    assert (row["status"], row["probability"]) == ("abstained", None)


def test_a_lead_that_did_not_exist_yet_is_not_scored(client: TestClient, as_role: As) -> None:
    (row,) = score(client, as_role("director"), {"ids": ["L59"], "as_of": "2026-01-06T00:00:00Z"})
    assert row["status"] == "abstained"


def test_fresh_scores_at_the_watermark_equal_those_of_the_refresh(client: TestClient, as_role: As) -> None:
    ids = [f"L{n}" for n in range(20)]
    held = score(client, as_role("director"), {"ids": ids})
    computed = score(client, as_role("director"), {"ids": ids, "as_of": "2026-03-30T00:00:00.000001Z"})
    assert [r["probability"] for r in held] == [r["probability"] for r in computed]
    assert [r["reasons"] for r in held] == [r["reasons"] for r in computed]
    assert [r["trend"] for r in held] == [r["trend"] for r in computed]


def test_fresh_answers_reach_as_far_as_the_record(client: TestClient, as_role: As) -> None:
    (held,) = score(client, as_role("director"), {"ids": ["L0"]})
    (row,) = score(client, as_role("director"), {"ids": ["L0"]}, "?fresh=true")
    assert row["as_of"] == "2026-03-30T00:00:00Z"
    assert row["probability"] == held["probability"]
    (later,) = score(client, as_role("director"), {"ids": ["L0"], "as_of": "2026-04-01T03:00:00Z"})
    assert later["as_of"] == "2026-04-01T03:00:00Z"


def test_what_a_record_names_is_ready_and_equals_what_a_query_finds(client: TestClient, house) -> None:
    state = client.app.state.service.live.states[TASK.name]
    cold = make_inputs(house.config, state.record, state.champion, TASK)
    warm = make_inputs(house.config, state.record, state.champion, TASK)
    warm.warm_up()
    moment = state.record.watermark
    rows = [{**GOOD, "channel": c, "rep_id": r} for c in ("web", "fair", "never seen") for r in ("R1", "R4", "R9")]
    read = [warm.form.read(row) for row in rows]
    assert warm.values(read, moment, moment, EVERYONE) == cold.values(read, moment, moment, EVERYONE)


def test_a_stored_lead_sent_as_a_record_with_its_events_scores_the_same(client: TestClient, house, as_role: As) -> None:
    generation = Store(house.config.record_folder).current()
    at = "2026-03-15T00:00:00Z"
    leads = {row["lead_id"]: row for row in generation.read("leads").to_pylist()}
    chosen = [f"L{n}" for n in (0, 1, 2, 3, 4, 8, 12, 13)]
    records = []
    for lead_id in chosen:
        lead = leads[lead_id]
        events = [
            {
                "activity_id": a["activity_id"],
                "occurred_at": a["occurred_at"].replace(tzinfo=UTC).isoformat(),
                "kind": a["kind"],
                "lead_id": a["lead_id"],
                "direction": a["direction"],
                "minutes": a["minutes"],
            }
            for a in generation.read("activities").to_pylist()
            if a["lead_id"] == lead_id
        ]
        record = {name: lead[name] for name in ("lead_id", "channel", "region", "industry", "employees", "rep_id")}
        record["created_at"] = lead["created_at"].replace(tzinfo=UTC).isoformat()
        record["budget"] = lead["budget"] / 100
        record["hot"] = lead["hot"]
        records.append({**record, "events": {"activities": events, "changes": []}})
    by_id = score(client, as_role("director"), {"ids": chosen, "as_of": at})
    by_record = score(client, as_role("director"), {"records": records, "as_of": at})
    for one, other in zip(by_id, by_record, strict=True):
        assert other["probability"] == pytest.approx(one["probability"], rel=1e-9)
        assert [r["feature"] for r in other["reasons"]] == [r["feature"] for r in one["reasons"]]


def test_a_new_lead_came_to_be_at_the_moment_of_the_answer_and_nothing_has_happened_yet(
    client: TestClient, as_role: As
) -> None:
    at = "2026-03-15T00:00:00Z"
    bare = {name: value for name, value in GOOD.items() if name not in {"created_at", "events"}}
    told = {**bare, "created_at": at, "events": {"activities": [], "changes": []}}
    silent, nulls, full = score(
        client, as_role("director"), {"records": [bare, {**bare, "created_at": None}, told], "as_of": at}
    )
    for one in (silent, nulls):
        assert (one["probability"], one["reasons"]) == (full["probability"], full["reasons"])
    assert [reason for reason in silent["reasons"] if reason["feature"] == "lead_age_days" and reason["value"]] == []


def test_a_batch_equals_its_rows_one_by_one_in_any_order(client: TestClient, as_role: As) -> None:
    records = [
        {**GOOD, "lead_id": f"N{n}", "employees": 3 * n, "channel": ("web", "fair", None)[n % 3]} for n in range(40)
    ]
    together = score(client, as_role("director"), {"records": records})
    alone = [score(client, as_role("director"), {"records": [record]})[0] for record in records]
    backwards = score(client, as_role("director"), {"records": records[::-1]})
    assert [same(r) for r in together] == [same(r) for r in alone]
    assert [same(r) for r in together] == [same(r) for r in backwards[::-1]]
    assert [r["entity_id"] for r in together] == [r["lead_id"] for r in records]


def test_ids_keep_their_order_and_repetitions(client: TestClient, as_role: As) -> None:
    ids = ["L5", "nobody", "L1", "L5", "L19", "L2"]
    rows = score(client, as_role("director"), {"ids": ids})
    assert [r["entity_id"] for r in rows] == ids
    assert same(rows[0]) == same(rows[3])
    assert [r["status"] for r in rows] == ["scored", "not_found", "scored", "scored", "abstained", "scored"]


def test_every_second_bad_record_leaves_the_others_alone(client: TestClient, as_role: As) -> None:
    good = [{**GOOD, "lead_id": f"N{n}", "employees": n} for n in range(50)]
    mixed: list[object] = []
    for n, record in enumerate(good):
        mixed += [record, {**GOOD, "lead_id": f"B{n}", "employes": n}]
    rows = score(client, as_role("director"), {"records": mixed})
    assert [r["status"] for r in rows] == ["scored", "invalid"] * 50
    assert [same(r) for r in rows[::2]] == [same(r) for r in score(client, as_role("director"), {"records": good})]
    assert "column employes" in str(rows[1]["message"])
    assert "did you mean employees?" in str(rows[1]["message"])
    assert rows[1]["entity_id"] == "B0"


@pytest.mark.parametrize("count", [1, 1000])
def test_up_to_a_thousand_rows_are_answered(client: TestClient, as_role: As, count: int) -> None:
    rows = score(client, as_role("director"), {"ids": [f"L{n % 80}" for n in range(count)]})
    assert len(rows) == count
    assert len(score(client, as_role("director"), {"records": [{}] * count})) == count


def test_what_a_record_names_is_joined_only_when_the_caller_may_see_it(client: TestClient, house) -> None:
    state = client.app.state.service.live.states[TASK.name]
    inputs = make_inputs(house.config, state.record, state.champion, TASK)
    read = inputs.form.read({**GOOD, "rep_id": "R3"})
    moment = datetime(2026, 3, 29, tzinfo=UTC)
    others = VisibleReps(everyone=False, rep_ids=frozenset({"R1"}))
    (all_values,) = inputs.values([read], moment, moment, EVERYONE)
    (own_values,) = inputs.values([read], moment, moment, others)
    names = [name for name in all_values if name.startswith("rep_") and name != "rep_id"]
    assert names
    assert any(all_values[name] is not None for name in names)
    assert all(own_values[name] is None for name in names)


@pytest.mark.parametrize(
    ("login", "visible"),
    [
        ("director", {f"L{n}" for n in range(80)}),
        ("service", {f"L{n}" for n in range(80)}),
        ("manager", EAST),
        ("rep", {f"L{n}" for n in range(0, 80, 4)}),
    ],
)
@pytest.mark.parametrize("query", ["", "?fresh=true"])
def test_callers_see_their_own_part_of_the_organisation(
    client: TestClient, as_role: As, login: str, visible: set[str], query: str
) -> None:
    ids = [f"L{n}" for n in range(80)]
    rows = score(client, as_role(login), {"ids": ids}, query)
    assert {r["entity_id"] for r in rows if r["status"] != "not_found"} == visible


def test_rows_of_others_answer_like_rows_that_do_not_exist(client: TestClient, as_role: As) -> None:
    foreign, unknown = score(client, as_role("rep"), {"ids": ["L2", "X2"]})
    assert {**foreign, "entity_id": ""} == {**unknown, "entity_id": ""}


def test_rows_of_others_cost_the_same_work_as_rows_that_do_not_exist(
    client: TestClient, as_role: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[list[str]] = []
    asked = HistoryInputs.states

    def states(self: HistoryInputs, ids: Sequence[str], at: datetime, seen: VisibleReps) -> dict[str, EntityState]:
        looked_up.append(list(ids))
        return asked(self, ids, at, seen)

    monkeypatch.setattr(HistoryInputs, "states", states)
    for entity_id in ("L2", "X2"):
        score(client, as_role("rep"), {"ids": [entity_id]})
    score(client, as_role("rep"), {"ids": ["L0"]})
    assert looked_up == [["L2"], ["X2"]]


@pytest.mark.parametrize("query", ["?frsh=true", "?fresh=maybe", "?fresh=true&x=1"])
def test_a_query_parameter_that_is_not_stated_is_refused(client: TestClient, as_role: As, query: str) -> None:
    answer = client.post(f"/v1/leads/score{query}", json={"ids": ["L0"]}, headers=as_role("director"))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_predictions_of_others_answer_like_predictions_that_do_not_exist(client: TestClient, as_role: As) -> None:
    (row,) = score(client, as_role("director"), {"ids": ["L2"]})
    address = f"/v1/predictions/{row['prediction_id']}"
    kept = client.get(address, headers=as_role("director"))
    assert kept.status_code == 200
    assert kept.json()["answer"] == row
    assert client.get(address, headers=as_role("service")).status_code == 200
    foreign = client.get(address, headers=as_role("rep"))
    unknown = client.get(f"/v1/predictions/{'0' * 32}", headers=as_role("rep"))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["detail"] == unknown.json()["detail"]


def test_a_row_that_came_with_a_request_is_shown_to_who_asked(client: TestClient, as_role: As) -> None:
    (row,) = score(client, as_role("rep"), {"records": [GOOD]})
    address = f"/v1/predictions/{row['prediction_id']}"
    assert client.get(address, headers=as_role("rep")).status_code == 200
    assert client.get(address, headers=as_role("director")).status_code == 200
    assert client.get(address, headers=as_role("manager")).status_code == 404


def test_a_kept_row_does_not_tell_whether_the_id_that_it_names_exists(client: TestClient, as_role: As) -> None:
    # L2 is another's lead, X2 nobody's.
    rows = score(client, as_role("rep"), {"records": [{**GOOD, "lead_id": one} for one in ("L2", "X2")]})
    kept = [client.get(f"/v1/predictions/{row['prediction_id']}", headers=as_role("rep")) for row in rows]
    assert [answer.status_code for answer in kept] == [200, 200]


def test_no_answer_names_a_person(client: TestClient, as_role: As) -> None:
    for login in ("director", "manager", "rep", "service"):
        answer = client.post("/v1/leads/score", json={"ids": [f"L{n}" for n in range(80)]}, headers=as_role(login))
        assert "Canary" not in answer.text


def test_a_small_integer_sweep_never_fails(client: TestClient, as_role: As) -> None:
    values = [*range(-5, 130), 255, 256, 365, 366, 999, 1000, 1001, 32767, 65536, 2**31 - 1, 2**31, 2**53]
    for name in ("employees", "budget"):
        rows = score(client, as_role("director"), {"records": [{**GOOD, name: v} for v in values]})
        assert {r["status"] for r in rows} <= {"scored", "invalid"}
    for days in range(0, 400, 13):
        at = datetime(2025, 12, 1, tzinfo=UTC).timestamp() + 86400 * days
        moment = datetime.fromtimestamp(min(at, datetime(2026, 4, 1, tzinfo=UTC).timestamp()), UTC).isoformat()
        assert score(client, as_role("director"), {"records": [GOOD], "as_of": moment})[0]["status"] == "scored"


@pytest.mark.slow
def test_many_threads_get_the_same_answers_as_one(own_house) -> None:
    own_house.promote("2", learner="booster")
    own_house.refresh()
    with own_house.client() as client:
        records = [{**GOOD, "employees": 5 * n} for n in range(20)]

        def ask(_: int) -> list[Row]:
            rows = score(client, own_house.headers(), {"records": records}) + score(
                client, own_house.headers(), {"ids": [f"L{n}" for n in range(20)]}
            )
            return [same(row) for row in rows]

        alone = ask(0)
        with ThreadPoolExecutor(16) as pool:
            assert all(answer == alone for answer in pool.map(ask, range(64)))
