"""A model trained on a flat table: rows are asked as they are, ids are the table's own."""

from __future__ import annotations

import pytest

from crm.schema import DType
from crm.store import Store
from features.observations import read_observations
from models.tasks.lead_score import TASK

CUSTOM = {"Total Visits": DType.INTEGER, "Lead Source": DType.TEXT, "Free Copy": DType.FLAG, "Price": DType.MONEY}


@pytest.fixture
def flat_house(own_house, make):
    rows = [
        {
            "task": TASK.name,
            "entity_id": f"P{n}",
            "position": float(n),
            "label": n % 3 == 0,
            "Total Visits": n % 11 if n % 7 else None,
            "Lead Source": ("Google", "Direct", " ")[n % 3],
            "Free Copy": n % 2 == 0,
            "Price": 100 * (n % 13),
            "recorded_at": make.naive(make.watermark),
        }
        for n in range(200)
    ]
    with Store(own_house.config.record_folder).writing() as writer:
        writer.replace("observations", make.rows_of("observations", rows, CUSTOM), CUSTOM)
    training_set = read_observations(Store(own_house.config.record_folder).current(), TASK.name)
    predictor = make.fit(training_set.fields, training_set.rows, horizon_days=None)
    make.promote(own_house.config, predictor, own_house.config.store.folder / "flat", "flat")
    own_house.refresh()
    return own_house


def ask(client, house, content, login="director"):
    answer = client.post("/v1/leads/score", json=content, headers=house.headers(login))
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_rows_of_the_table_answer_by_id_and_as_records_alike(flat_house) -> None:
    rows = Store(flat_house.config.record_folder).current().read("observations").to_pylist()[:30]
    records = [
        {
            "entity_id": row["entity_id"],
            **{name: row[name] for name in CUSTOM if name != "Price"},
            "Price": row["Price"] / 100,
        }
        for row in rows
    ]
    with flat_house.client() as client:
        by_id = ask(client, flat_house, {"ids": [row["entity_id"] for row in rows]})
        by_record = ask(client, flat_house, {"records": records})
    assert {row["status"] for row in by_id} == {"scored"}
    for name in ("entity_id", "probability", "score", "percentile", "reasons", "horizon_days", "evidence"):
        assert [row[name] for row in by_record] == [row[name] for row in by_id], name


def test_a_column_with_a_space_in_its_name_is_found_by_its_neighbour(flat_house) -> None:
    with flat_house.client() as client:
        rows = ask(client, flat_house, {"records": [{"Total visits": 3}, {"Total Visits": 3}, {"Total Visits": "3"}]})
    assert [row["status"] for row in rows] == ["invalid", "scored", "invalid"]
    assert "did you mean Total Visits?" in rows[0]["message"]
    assert "Total Visits: expected a whole number" in rows[2]["message"]


def test_rows_without_an_owner_are_seen_by_who_sees_everything(flat_house) -> None:
    with flat_house.client() as client:
        assert ask(client, flat_house, {"ids": ["P1"]}, "rep")[0]["status"] == "not_found"
        assert ask(client, flat_house, {"ids": ["P1"]}, "manager")[0]["status"] == "not_found"
        assert ask(client, flat_house, {"ids": ["P1"]}, "service")[0]["status"] == "scored"
