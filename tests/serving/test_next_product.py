"""The next product is asked by id: ranked lines with reasons, popularity before there is more, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from crm.store import Store
from features.line_fields import LINE_FIELDS
from features.next_product import line_rows
from features.purchases import read_purchases
from models.bundle import save_bundle
from models.champions import publish
from models.golden import make_golden
from models.tasks.next_product import TASK

FIELDS = ("line", "days_since_line", "share_of_accounts_buying")


def orders(make: SimpleNamespace) -> list[dict[str, object]]:
    """C1 to C3 bought; C4 never did. Valves are bought by most, pumps by C1 alone."""
    bought = [("C1", "v1", 300), ("C2", "v1", 20), ("C3", "v1", 30), ("C1", "p1", 40), ("C2", "v1", 400)]
    bought += [("C3", "v1", 500), ("C1", "p1", 450)]
    rows: list[dict[str, object]] = []
    for account, product, days in bought:
        at = make.naive(make.watermark - timedelta(days=days))
        name = f"S-{account}-{days}"
        rows.append({"order_id": name, "line": "1", "account_id": account, "product": product, "ordered_at": at})
        rows[-1]["recorded_at"] = at
    return rows


@pytest.fixture
def shop(own_house: Any, make: SimpleNamespace) -> Any:
    early = make.naive(make.watermark - timedelta(days=900))
    products = [{"product": p, "line": line, "recorded_at": early} for p, line in (("v1", "valves"), ("p1", "pumps"))]
    with Store(own_house.config.record_folder).writing() as writer:
        writer.replace("orders", make.rows_of("orders", orders(make)))
        writer.replace("products", make.rows_of("products", products))
    return own_house


@pytest.fixture
def client(shop: Any) -> Iterator[TestClient]:
    with shop.client() as client:
        yield client


def promote_model(shop: Any, make: SimpleNamespace, folder: Path, learner: str) -> None:
    generation = Store(shop.config.record_folder).current()
    zone = shop.config.company.zone
    moment = np.array([make.naive(generation.recorded_to)], dtype="datetime64[us]")
    rows, _, _ = line_rows(generation, read_purchases(generation, zone=zone), TASK.question, moment, zone=zone)
    fields = [field for field in LINE_FIELDS if field.name in FIELDS]
    predictor = make.fit(fields, rows.select(list(FIELDS)), horizon_days=180, learner=learner)
    predictor.about = replace(predictor.about, task=TASK.name)
    save_bundle(predictor, folder, cards={"en": "# Card", "zh": "# 卡"}, report="{}", golden=make_golden(predictor))
    publish(shop.config.champions_folder, TASK.name, folder, version="1")


def ask(client: TestClient, headers: dict[str, str], *ids: str, **more: object) -> list[dict[str, Any]]:
    answer = client.post("/v1/accounts/next-product", json={"ids": list(ids), **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["task"] == "next_product"
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def test_without_a_model_the_lines_stand_in_the_order_of_popularity(client: TestClient, shop: Any) -> None:
    one, four = ask(client, shop.headers(), "C1", "C4")
    assert (one["status"], four["status"]) == ("insufficient_data", "base_rate")
    assert [line["line"] for line in four["lines"]] == ["valves", "pumps"]
    assert all(line["is_new"] and line["days_since"] is None for line in four["lines"])
    assert one["model_version"] is None
    assert one["message"]


@pytest.mark.parametrize(("learner", "status"), [("logistic", "scored"), ("base_rate", "base_rate")])
def test_a_model_ranks_every_line_with_reasons_and_a_base_rate_says_so(
    shop: Any, make: SimpleNamespace, tmp_path: Path, learner: str, status: str
) -> None:
    promote_model(shop, make, tmp_path / "bundle", learner)
    with shop.client() as client:
        (row,) = ask(client, shop.headers(), "C1")
        assert row["status"] == status
        assert row["model_version"] == "1"
        chances = [line["probability"] for line in row["lines"]]
        assert chances == sorted(chances, reverse=True)
        assert row["next_line"] == row["lines"][0]["line"]
        assert {line["line"]: line["is_new"] for line in row["lines"]} == {"valves": False, "pumps": False}
        assert row["next_new_line"] is None
        reasons = [reason for line in row["lines"] for reason in line["reasons"]]
        assert bool(reasons) == (status == "scored")
        assert all(reason["text_en"] and reason["text_zh"] for reason in reasons)
        kept = client.get(f"/v1/predictions/{row['prediction_id']}", headers=shop.headers())
        assert kept.json()["answer"]["lines"] == row["lines"]
        assert client.get("/v1/models/next_product", headers=shop.headers()).json()["model"]["model_version"] == "1"


def test_an_earlier_moment_knows_only_what_was_bought_by_then(
    client: TestClient, shop: Any, make: SimpleNamespace
) -> None:
    moment = make.watermark - timedelta(days=350)
    one, two = ask(client, shop.headers(), "C1", "C2", as_of=moment.isoformat())
    assert {line["line"]: line["is_new"] for line in one["lines"]} == {"valves": True, "pumps": False}
    assert {line["line"]: line["days_since"] for line in two["lines"]} == {"valves": 50.0, "pumps": None}


def test_accounts_of_others_are_answered_like_those_that_do_not_exist(client: TestClient, shop: Any) -> None:
    own, other, none = ask(client, shop.headers("rep"), "C1", "C2", "C9")
    assert own["status"] != "not_found"
    assert {**other, "entity_id": ""} == {**none, "entity_id": ""}
    assert none["status"] == "not_found"


def test_who_may_not_score_accounts_is_refused_and_the_future_is_not_asked(client: TestClient, shop: Any) -> None:
    path, body = "/v1/accounts/next-product", {"ids": ["C1"]}
    assert client.post(path, json=body, headers=shop.headers("service")).status_code == 403
    later = client.post(path, json={**body, "as_of": "2099-01-01T00:00:00Z"}, headers=shop.headers())
    assert later.status_code == 422
