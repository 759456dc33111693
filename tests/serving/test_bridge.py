"""The bridge and the scenarios over HTTP: their form, who sees what, and no request that breaks them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from starlette.testclient import TestClient

from crm.app_database import open_database
from crm.config import Config, DatabaseSection, ServingSection, StoreSection
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Generation, Store
from serving.app import create_app
from serving.bridge_schemas import BridgeAnswer, ScenarioAnswer
from serving.hygiene_schemas import HygieneAnswer
from serving.keys import make_key, make_user
from serving.roles import Role, Sees

NOW = datetime(2026, 7, 1, 3, tzinfo=UTC)
BRIDGE = {"from": "2026-04-10", "to": "2026-06-20", "month": "2026-04-01"}


@dataclass
class House:
    client: TestClient
    keys: dict[str, str]
    reps: tuple[str, str]
    regions: tuple[str, str]
    deal: str

    def bridge(self, login: str = "director", **params: object):
        headers = {"Authorization": f"Bearer {self.keys[login]}"}
        return self.client.get("/v1/forecasts/bridge", headers=headers, params=BRIDGE | params)

    def headers(self, login: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[login]}"}

    def scenario(self, login: str = "director", **fields: object):
        body = {"opportunity_id": self.deal, "fate": "lost", **fields}
        headers = {"Authorization": f"Bearer {self.keys[login]}"}
        return self.client.post("/v1/forecasts/scenarios", json=body, headers=headers)


def open_deals(generation: Generation) -> list[dict[str, object]]:
    rows = generation.read("opportunities", ["opportunity_id", "rep_id", "closed_at", "net_amount"])
    signed = generation.read("agreements", ["opportunity_id"]).column(0)
    rows = rows.filter(pc.and_(pc.is_null(rows.column("closed_at")), pc.is_valid(rows.column("net_amount"))))
    free = rows.filter(pc.invert(pc.is_in(rows.column("opportunity_id"), value_set=signed.combine_chunks())))
    return free.to_pylist()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house") / "var"
    config = Config(
        store=StoreSection(folder=folder),
        database=DatabaseSection(url=f"sqlite:///{folder}/app.db"),
        serving=ServingSection(key_cache_seconds=0),
    )
    write_company(make_company("tiny", 7, months=30), Store(config.record_folder))
    generation = Store(config.record_folder).current()
    deal = max(open_deals(generation), key=lambda row: float(str(row["net_amount"])))
    region = {row["rep_id"]: row["region"] for row in generation.read("reps", ["rep_id", "region"]).to_pylist()}
    owner = str(deal["rep_id"])
    other = next(rep for rep in region if region[rep] != region[owner])
    engine = open_database(config.database.url)
    make_user(engine, "director", Role.DIRECTOR, sees=Sees.ALL, now=NOW)
    make_user(engine, "rep", Role.REP, sees=Sees.REP, rep_id=owner, now=NOW)
    make_user(engine, "other", Role.REP, sees=Sees.REP, rep_id=other, now=NOW)
    make_user(engine, "scientist", Role.DATA_SCIENTIST, sees=Sees.NONE, now=NOW)
    keys = {login: make_key(engine, login, now=NOW).text for login in ("director", "rep", "other", "scientist")}
    engine.dispose()
    with TestClient(create_app(config, clock=lambda: NOW, watch=False), raise_server_exceptions=False) as client:
        yield House(
            client=client,
            keys=keys,
            reps=(owner, other),
            regions=(region[owner], region[other]),
            deal=str(deal["opportunity_id"]),
        )


def test_the_bars_sum_to_the_difference_in_both_languages(house: House) -> None:
    answer = house.bridge()
    assert answer.status_code == 200, answer.text
    told = answer.json()
    BridgeAnswer.model_validate_json(answer.content)
    assert sum(bar["amount"] for bar in told["bars"]) == pytest.approx(told["after"] - told["before"], abs=0.001)
    assert all(bar["text_en"] and bar["text_zh"] for bar in told["bars"])
    assert any(bar["deals"] for bar in told["bars"])
    assert told["bars"][-1]["bar"] == "interaction"


def test_left_out_days_are_the_last_week_of_the_record(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.keys['director']}"}
    told = house.client.get("/v1/forecasts/bridge", headers=headers).json()
    assert (told["from_day"], told["to_day"], told["month"]) == ("2026-06-24", "2026-07-01", "2026-07-01")


def test_a_salesperson_sees_the_own_bridge_and_no_other_sum(house: House) -> None:
    own, other = house.reps
    mine = house.bridge("rep", node=f"rep:{own}")
    assert mine.status_code == 200
    assert {deal["rep_id"] for bar in mine.json()["bars"] for deal in bar["deals"]} <= {own}
    for node in ("company", f"rep:{other}", f"region:{house.regions[1]}", "rep:nobody", "line:none", "nonsense"):
        refused = house.bridge("rep", node=node)
        assert refused.status_code == 404
        assert refused.json()["detail"] == "There is no such node."
    assert house.bridge("scientist").status_code == 403


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2026-06-20", "to": "2026-04-10"},
        {"to": "2030-01-01"},
        {"from": "1066-01-01"},
        {"from": "yesterday"},
        {"from": "2026-04-10T00:00:00"},
        {"month": "2026-04-15"},
        {"month": "9999-12-01"},
        {"period": "decade"},
        {"deals": -1},
        {"node": "x" * 401},
        {"unknown": "1"},
    ],
)
def test_a_bridge_that_cannot_be_is_a_problem(house: House, params: dict[str, object]) -> None:
    answer = house.bridge(**params)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_early_days_and_far_periods_have_an_answer(house: House) -> None:
    before_all = house.bridge(**{"from": "1995-01-01", "to": "1995-02-01"}).json()
    assert (before_all["before"], before_all["after"]) == (0.0, 0.0)
    answer = house.bridge(month="2050-01-01")
    assert answer.status_code == 200, answer.text
    assert "NaN" not in answer.text


def test_a_lost_deal_lowers_the_chance_and_every_month(house: House) -> None:
    answer = house.scenario()
    assert answer.status_code == 200, answer.text
    ScenarioAnswer.model_validate_json(answer.content)
    told = answer.json()
    assert told["change"] < 0
    assert {node["node_id"] for node in told["nodes"]} >= {"company", f"rep:{house.reps[0]}"}
    for node in told["nodes"]:
        assert node["chance_after"] <= node["chance_before"]
        assert all(month["after"] <= month["before"] + 1e-6 for month in node["months"])
    assert told["receipts"] == []


def test_a_deal_can_be_won_slip_change_its_amount_and_be_paid_later(house: House) -> None:
    won = house.scenario(fate="won", on="2026-07-20", amount=1e9, month="2026-07-01", reach=1e9).json()
    company = next(node for node in won["nodes"] if node["node_id"] == "company")
    assert (company["reach"], company["chance_before"]) == (1e9, 0.0)
    assert company["chance_after"] == 1.0
    slipped = house.scenario(fate="slipped", on="2026-12-15").json()
    july = next(node for node in slipped["nodes"] if node["node_id"] == "company")["months"][1]
    assert july["after"] <= july["before"]
    paid = house.scenario(fate="as_it_stands", later_days=30).json()
    before, after = (np.cumsum([month[side] for month in paid["receipts"]]) for side in ("before", "after"))
    assert (after <= before + 0.01).all()


def test_a_salesperson_asks_of_own_deals_alone_and_sees_own_sums_alone(house: House) -> None:
    assert house.scenario("rep").status_code == 200
    assert {node["node_id"] for node in house.scenario("rep").json()["nodes"]} == {f"rep:{house.reps[0]}"}
    hidden, missing = house.scenario("other"), house.scenario("other", opportunity_id="nobody's")
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json()["detail"] == missing.json()["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"fate": "won"},
        {"fate": "slipped", "on": "2020-01-01"},
        {"fate": "slipped", "on": "2999-01-01"},
        {"fate": "stolen"},
        {"amount": -1},
        {"amount": 1e300},
        {"amount": "12"},
        {"reach": -5},
        {"on": "soon"},
        {"later_days": 5000},
        {"month": "2020-01-01"},
        {"month": "2029-01-01"},
        {"opportunity_id": ""},
        {"opportunity_id": 7},
        {"surprise": True},
    ],
)
def test_a_supposition_that_cannot_be_is_a_problem(house: House, fields: dict[str, object]) -> None:
    answer = house.scenario(**fields)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_node_that_is_none_is_not_found(house: House) -> None:
    assert house.scenario(node="nowhere", reach=5.0).status_code == 404


def test_words_of_deals_are_told_of_those_that_the_caller_sees(house: House) -> None:
    told = {login: house.client.get("/v1/forecasts/hygiene", headers=house.headers(login)) for login in house.keys}
    assert told["scientist"].status_code == 403
    every, own = (HygieneAnswer.model_validate_json(told[login].content) for login in ("director", "rep"))
    assert every.is_corrected
    assert every.total.corrected == pytest.approx(sum(deal.corrected for deal in every.deals))
    assert {deal.rep_id for deal in own.deals} == {rep.rep_id for rep in own.reps} == {house.reps[0]}
    assert own.n_deals < every.n_deals
    steps = own.total
    assert steps.words + steps.day + steps.outcome + steps.amount == pytest.approx(steps.corrected)
    bad = house.client.get("/v1/forecasts/hygiene", headers=house.headers("rep"), params={"month": "0001-01-01"})
    assert bad.status_code == 422


def test_without_a_record_all_say_so(tmp_path: Path) -> None:
    config = Config(
        store=StoreSection(folder=tmp_path),
        database=DatabaseSection(url=f"sqlite:///{tmp_path}/app.db"),
        serving=ServingSection(key_cache_seconds=0),
    )
    engine = open_database(config.database.url)
    make_user(engine, "director", Role.DIRECTOR, sees=Sees.ALL, now=NOW)
    key = make_key(engine, "director", now=NOW).text
    engine.dispose()
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(config, clock=lambda: NOW, watch=False), raise_server_exceptions=False) as client:
        asked = {"opportunity_id": "O-1"}
        for answer in (
            client.get("/v1/forecasts/bridge", headers=headers),
            client.post("/v1/forecasts/scenarios", headers=headers, json=asked),
            client.get("/v1/forecasts/hygiene", headers=headers),
        ):
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
