"""What each door answers without a model, with one that found no signal, and for a company that keeps a part."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from crm.store import Store
from crm.tables import table
from models.hazard_task import HazardTask
from serving.refresh import refresh_scores
from serving.score_answers import own_fields
from serving.score_tasks import scored_tasks

TASKS = scored_tasks()
INVOICE_TABLES = ("invoices", "receipts", "receipt_allocations")


def ask(client: TestClient, firm, entity: str, content: dict[str, object]) -> list[dict[str, object]]:
    answer = client.post(f"/v1/{entity}/score", json=content, headers=firm.headers())
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, object]] = answer.json()["rows"]
    return rows


def first_id(firm, entity: str) -> str:
    key = table(entity).key[0]
    return str(firm.generation().read(entity, [key]).column(key)[0].as_py())


def test_without_champions_every_door_says_the_base_rate_and_what_is_missing(own_firm) -> None:
    for name in TASKS:
        (own_firm.config.champions_folder / name / "current.json").unlink()
    with own_firm.client() as client:
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        for name, task in TASKS.items():
            known, unknown = ask(client, own_firm, task.entity, {"ids": [first_id(own_firm, task.entity), "nobody"]})
            key = table(task.entity).key[0]
            (record,) = ask(client, own_firm, task.entity, {"records": [{key: "N-1"}]})
            assert record["entity_id"] == "N-1"
            assert unknown["status"] == "not_found"
            for row in (known, record):
                assert row["status"] == "insufficient_data"
                assert 0 < float(str(row["probability"])) < 1
                assert (row["score"], row["grade"], row["reasons"]) == (None, None, [])
                assert row["event"]
                assert set(own_fields(task.entity)) <= set(row)
            assert ready.json()["parts"][f"{name}.champion"].startswith("no model was promoted yet")


@pytest.mark.parametrize("name", ["churn_risk", "win_probability"])
def test_a_model_without_signal_says_so_and_another_task_is_not_touched(own_firm, fit_one, name: str) -> None:
    task = TASKS[name]
    with own_firm.client() as client:
        service = client.app.state.service
        others = {other: service.scoring(other) for other in TASKS if other != name}
        learner = "hazard_rate" if isinstance(task, HazardTask) else "base_rate"
        own_firm.publish(task, fit_one(task, own_firm.generation(), own_firm.config, learner), "2")
        refresh_scores(own_firm.config, task)
        service.reload()
        assert all(service.scoring(other) is scoring for other, scoring in others.items())
        inputs = service.scoring(name)._ready.inputs
        ids = inputs.open_entities(service.live.record.watermark)[0][:3]
        rows = ask(client, own_firm, task.entity, {"ids": ids})
        for row in rows:
            assert (row["status"], row["model_version"]) == ("base_rate", "2")
            assert (row["grade"], row["percentile"], row["reasons"]) == (None, None, [])
            assert "No signal was found" in str(row["message"])
        fresh = client.post(f"/v1/{task.entity}/score?fresh=true", json={"ids": ids}, headers=own_firm.headers())
        assert [row["probability"] for row in fresh.json()["rows"]] == [row["probability"] for row in rows]


@pytest.mark.skipif("collection_risk" not in TASKS, reason="the collection risk is not served")
def test_a_company_with_invoices_alone_is_ready_with_the_collection_risk(own_firm, fit_one) -> None:
    store = Store(own_firm.config.record_folder)
    generation = store.current()
    kept = {name: generation.read(name) for name in INVOICE_TABLES}
    own_firm.config = own_firm.config.model_copy(
        update={"store": own_firm.config.store.model_copy(update={"folder": own_firm.config.store.folder / "small"})}
    )
    with Store(own_firm.config.record_folder).writing() as writer:
        for name, rows in kept.items():
            writer.replace(name, rows)
    task = TASKS["collection_risk"]
    own_firm.publish(task, fit_one(task, own_firm.generation(), own_firm.config))
    refresh_scores(own_firm.config, task)
    with own_firm.client() as client:
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert ready.json()["parts"]["lead_score"] == "not possible: the record has no leads"
        rows = ask(
            client, own_firm, "invoices", {"ids": [str(one) for one in kept["invoices"]["invoice_id"].to_pylist()]}
        )
        scored = [row for row in rows if row["status"] == "scored"]
        assert scored
        assert scored[0]["expected_cash_by_week"]
        (row,) = ask(client, own_firm, "leads", {"records": [{}]})
        assert row["status"] == "insufficient_data"
        (row,) = ask(client, own_firm, "invoices", {"records": [{"gross_amount": 100, "account_id": "new"}]})
        assert row["status"] == "scored"


@pytest.mark.skipif("collection_risk" not in TASKS, reason="the collection risk is not served")
def test_an_invoice_issued_today_is_asked_as_of_the_midnight_from_which_it_counts(client: TestClient, firm) -> None:
    today = firm.now.astimezone(firm.config.company.zone).date().isoformat()
    rows = ask(
        client,
        firm,
        "invoices",
        {
            "records": [
                {"gross_amount": 5000, "issued_on": today},
                {"gross_amount": 5000, "issued_on": "2099-01-01"},
                {"gross_amount": -5000},
                {},
            ]
        },
    )
    assert [row["status"] for row in rows] == ["scored", "abstained", "abstained", "abstained"]
    assert "did not exist" in str(rows[1]["message"])
    assert "credit note" in str(rows[2]["message"])
    assert "gross_amount" in str(rows[3]["message"])
