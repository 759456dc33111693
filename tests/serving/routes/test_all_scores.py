"""Every scoring door: whole rows, own fields, openness, order, and only what the caller may see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from crm.schema import Column, DType
from crm.tables import table
from features.catalogue import group_named
from features.online import source_of
from features.spec import Aggregate, Ratio, Source
from serving.access import EVERYONE
from serving.inputs import make_inputs
from serving.invoice_records import InvoiceRecords
from serving.record_view import RecordView
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


def cell(value: object, dtype: DType) -> object:
    """A stored value as a caller sends it."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value / 100 if dtype is DType.MONEY and isinstance(value, int) else value


def sent(row: Mapping[str, object], columns: Iterable[Column]) -> Row:
    return {one.name: cell(row[one.name], one.dtype) for one in columns if row.get(one.name) is not None}


def own_lists(entity: str) -> dict[str, Source]:
    """The lists of rows that belong to an entity itself, as a caller may send them."""
    found = {"changes": Source(name="changes", table="changes", key="entity_id")}
    for group in TASK_OF[entity].feature_groups:
        for feature in group_named(group).features:
            if isinstance(feature.primitive, Aggregate | Ratio) and not source_of(feature.primitive).reach:
                found[source_of(feature.primitive).name] = source_of(feature.primitive)
    return {name: source for name, source in found.items() if name not in {"promised", "purchases"}}


def record_of(view: RecordView, entity: str, entity_id: str) -> Row:
    """A stored entity as a caller would send it, with everything that belongs to it."""
    key = table(entity).key[0]
    (row,) = view.rows_where(entity, key, entity_id)
    events: dict[str, list[Row]] = {}
    for name, source in own_lists(entity).items():
        if view.has(source.table):
            rows = view.rows_where(source.table, source.key, entity_id)
            kept = [one for one in rows if all(one.get(c.column) in c.values for c in source.where if c.op == "in")]
            if name == "changes":
                kept = [one for one in kept if one["entity"] == entity]
            events[name] = [sent(one, table(source.table).columns) for one in kept]
    return {**sent(row, table(entity).columns), "events": events}


def same(one: object, other: object) -> bool:
    """Whether two answers are equal, numbers to a millionth."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return bool(other == pytest.approx(one, rel=1e-6, abs=1e-9))
    return one == other


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_stored_entity_sent_as_a_record_with_its_events_scores_the_same(
    client: TestClient, firm, entity: str
) -> None:
    state = client.app.state.service.live.states[TASK_OF[entity].name]
    ids = [
        r["entity_id"] for r in score(client, firm, entity, {"ids": ids_of(firm, entity)}) if r["status"] == "scored"
    ]
    ids = ids[:12]
    at = state.record.watermark.isoformat()
    by_id = score(client, firm, entity, {"ids": ids, "as_of": at})
    records = [record_of(state.record, entity, one) for one in ids]
    by_record = score(client, firm, entity, {"records": records, "as_of": at})
    assert [r["entity_id"] for r in by_record] == ids
    for one, other in zip(by_id, by_record, strict=True):
        assert other["status"] == "scored", other["message"]
        assert other["probability"] == pytest.approx(one["probability"], rel=1e-6)
        # Reasons of equal effect may change places.
        assert {r["feature"]: r["effect"] for r in other["reasons"]} == {
            r["feature"]: r["effect"] for r in one["reasons"]
        }
        for name in own_fields(entity):
            assert same(one[name], other[name]), name


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("days_ago", [0, 150])
def test_every_feature_of_a_record_is_that_of_the_stored_entity(
    client: TestClient, firm, entity: str, days_ago: int
) -> None:
    state = client.app.state.service.live.states[TASK_OF[entity].name]
    inputs = make_inputs(firm.config, state.record, state.champion, TASK_OF[entity])
    at = state.record.watermark - timedelta(days=days_ago)
    ids = inputs.open_entities(at)[0][:12]
    assert ids
    read = [inputs.form.read(record_of(state.record, entity, one)) for one in ids]
    of_records = inputs.values(read, at, at, EVERYONE)
    wrong: dict[str, object] = {}
    for stored, asked in zip(inputs.rows(ids, at).to_pylist(), of_records, strict=True):
        known = {name: None if value != value else value for name, value in stored.items()}
        wrong |= {name: (known[name], asked[name]) for name in known if not same(known[name], asked[name])}
    assert wrong == {}


def test_an_invoice_of_an_earlier_moment_learns_nothing_of_what_its_customer_did_later(
    client: TestClient, firm
) -> None:
    state = client.app.state.service.live.states["collection_risk"]
    record, at = state.record, state.record.watermark - timedelta(days=150)
    completes = InvoiceRecords(record)
    completes.warm_up()
    moved = 0
    for account in sorted(set(firm.generation().read("invoices", ["account_id"])["account_id"].to_pylist())):
        known = record.rows_where("settlements", "account_id", account)
        before = [one for one in known if one["known_at"] <= at.replace(tzinfo=None)]
        asked = {"account_id": account, "gross_amount": 100_000}
        _, found = completes.complete(asked, {}, known_to=at, may_join=True)
        (own,) = found["settlements"]
        assert len(found["customer_invoices"]) == len(before) + 1
        if before:
            latest = max(before, key=lambda one: (one["issued_on"], one["invoice_id"]))
            assert own["shrunk_days_to_pay"] == latest["shrunk_days_to_pay"]
            usual = sum(one["gross_amount"] for one in before) / len(before)
            assert own["amount_to_usual"] == pytest.approx(100_000 / usual)
            _, now = completes.complete(asked, {}, known_to=record.watermark, may_join=True)
            moved += now["settlements"][0]["shrunk_days_to_pay"] != own["shrunk_days_to_pay"]
    assert moved


def test_a_customer_that_bought_last_week_is_not_due_and_says_so(client: TestClient, firm) -> None:
    at = client.app.state.service.live.states[TASK_OF["accounts"].name].record.watermark
    bought = {"ordered_at": (at - timedelta(days=6)).isoformat(), "quantity": 30}
    rare = {"ordered_at": (at - timedelta(days=300)).isoformat(), "quantity": 30}
    records = [{"account_id": name, "events": {"orders": [one]}} for name, one in (("X1", bought), ("X2", rare))]
    fresh, silent = score(client, firm, "accounts", {"records": records, "as_of": at.isoformat()})
    assert fresh["status"] == "abstained"
    assert "No purchase is due within the window" in fresh["message"]
    assert silent["status"] == "scored"
