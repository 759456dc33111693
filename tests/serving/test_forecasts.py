"""Forecasts over HTTP: what a caller may see of them, their form, and the ledger that nobody can change."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from starlette.testclient import TestClient
from typer.testing import CliRunner

from crm.app_database import ForecastRow, ForecastRun, ForecastScore, open_database
from crm.config import Config, DatabaseSection, ServingSection, StoreSection
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Store
from crm.tables import table
from models.champions import NoChampion, publish
from models.series_bundle import SeriesModel, save_series
from models.series_combine import Radii, Rule
from models.series_task import QUANTILES
from models.tasks.sales_forecast import TASK
from serving.access import EVERYONE
from serving.app import create_app
from serving.background import due, refresh_aside
from serving.cli import app
from serving.cli_errors import NotPossible
from serving.forecast_answers import Wanted, answer_forecast
from serving.forecast_due import forecast_state
from serving.forecast_schemas import ForecastAnswer
from serving.forecast_table import read_forecast
from serving.forecasting import Forecasted, publish_forecast
from serving.joint_table import write_joint
from serving.keys import make_key, make_user
from serving.ledger_schemas import AccuracyAnswer, OverrideAnswer, OverridesAnswer
from serving.model_schemas import ModelCard
from serving.published import POINTER
from serving.roles import Role, Sees

NOW = datetime(2026, 4, 1, 3, tzinfo=UTC)
LEVELS = ("company", "region", "team", "line", "region_line", "industry", "buyer_type", "rep")
REGION_OF = {"R1": "East", "R2": "East", "R3": "West"}
TEAM_OF = {"R1": "east-1", "R2": "east-1", "R3": "west-1"}
REPORT = """{"accuracy": [{"measure": "bookings", "level": "company", "bucket": "all", "n": 36, "n_months": 18,
"wape": 0.3, "mase": 0.8, "bias": -0.1, "baseline_wape": 0.4, "baseline_mase": 1.0, "baseline_bias": -0.2,
"gain": {"value": -0.1, "low": -0.2, "high": 0.01}, "verdict": "no_better",
"coverage": {"50": {"value": 0.5, "low": 0.4, "high": 0.6}, "80": {"value": 0.8, "low": 0.7, "high": 0.9},
"90": {"value": 0.9, "low": 0.8, "high": 0.95}}}]}"""


@dataclass
class House:
    config: Config
    engine: Engine
    keys: dict[str, str]
    client: TestClient

    def get(self, path: str = "/v1/forecasts", login: str = "director", **params: object):
        headers = {"Authorization": f"Bearer {self.keys[login]}"}
        return self.client.get(path, headers=headers, params=params)

    def call(self, login: str = "director", **fields: object):
        said = {"measure": "bookings", "node_id": "region:East", "period": "month", "month": "2026-04-01"}
        body = {**said, "value": 450.0, "reason": "a tender was won", **fields}
        headers = {"Authorization": f"Bearer {self.keys[login]}"}
        return self.client.post("/v1/forecasts/overrides", json=body, headers=headers)

    def forecast(self) -> Forecasted:
        return publish_forecast(self.config, TASK, self.engine, now=NOW, by="test")


def as_table(name: str, rows: list[dict[str, object]]) -> pa.Table:
    schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in (*table(name).columns, *SYSTEM_COLUMNS)])
    return pa.Table.from_pylist([{"backfilled": False, "source": "test", **row} for row in rows], schema=schema)


def write_record(folder: Path, until: date) -> None:
    """Each salesperson signs one agreement a month, of 100, 200 and 300; without invoices they are revenue as well."""
    old = date(2020, 1, 1)
    early = datetime(2020, 1, 1)  # noqa: DTZ001 - the record's timestamps are naive UTC
    units = [("company", "company", None), ("east", "region", "company"), ("west", "region", "company")]
    units += [("east-1", "team", "east"), ("west-1", "team", "west")]
    signed, day = [], date(2023, 1, 10)
    while day < until:
        for number, rep in enumerate(REGION_OF, start=1):
            at = datetime(day.year, day.month, day.day, 5)  # noqa: DTZ001 - as above
            row = {"agreement_id": f"{rep}-{day:%Y%m}", "rep_id": rep, "signed_on": day, "recorded_at": at}
            sold = {"account_id": "A1", "product": "Alpha", "kind": "licence", "net_amount": number * 100_00}
            signed.append(row | sold)
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=10)
    shared = {"recorded_at": early}
    with Store(folder).writing() as writer:
        writer.replace(
            "org_units",
            as_table(
                "org_units",
                [
                    {"unit_id": u, "kind": k, "name": u, "parent_id": p, "valid_from": old, **shared}
                    for u, k, p in units
                ],
            ),
        )
        staff = [
            {"rep_id": r, "team_id": TEAM_OF[r], "region": REGION_OF[r], "role": "rep", "hired_on": old, **shared}
            for r in REGION_OF
        ]
        writer.replace("reps", as_table("reps", staff))
        customer = {"account_id": "A1", "industry": "Steel", "buyer_type": "enterprise", **shared}
        writer.replace("accounts", as_table("accounts", [customer]))
        writer.replace("products", as_table("products", [{"product": "Alpha", "line": "Cloud", **shared}]))
        writer.replace("agreements", as_table("agreements", signed))


def promote_model(config: Config, folder: Path) -> None:
    rule = Rule(weights={"seasonal_naive": 0.5, "recent_mean": 0.5}, radii=Radii(n=40, at=(-2, -1.5, -1, 0, 1, 2, 3)))
    cells = [("bookings", level, bucket) for level in LEVELS for bucket in range(4)]
    model = SeriesModel(
        task=TASK.name,
        fitted_until="2026-02",
        quantiles=QUANTILES,
        bucket_ends=(3, 6, 12, 18),
        candidates=("seasonal_naive", "recent_mean"),
        country="CN",
        seed=1,
        rules=dict.fromkeys(cells, rule),
        baseline_rules=dict.fromkeys(cells, rule),
        answers={("bookings", level): "forecast" for level in LEVELS},
    )
    save_series(model, folder, cards={"en": "# C", "zh": "# 卡"}, report=REPORT, plots={})
    publish(config.champions_folder, TASK.name, folder, version="1")


def make_keys(engine: Engine) -> dict[str, str]:
    make_user(engine, "director", Role.DIRECTOR, sees=Sees.ALL, now=NOW)
    make_user(engine, "manager", Role.MANAGER, sees=Sees.UNIT, unit_id="east", now=NOW)
    make_user(engine, "rep", Role.REP, sees=Sees.REP, rep_id="R1", now=NOW)
    return {login: make_key(engine, login, now=NOW).text for login in ("director", "manager", "rep")}


def config_below(folder: Path) -> Config:
    return Config(
        store=StoreSection(folder=folder),
        database=DatabaseSection(url=f"sqlite:///{folder}/app.db"),
        serving=ServingSection(key_cache_seconds=0),
    )


@contextmanager
def opened(folder: Path, keys: dict[str, str]) -> Iterator[House]:
    config = config_below(folder)
    engine = open_database(config.database.url)
    with TestClient(create_app(config, clock=lambda: NOW, watch=False), raise_server_exceptions=False) as client:
        yield House(config=config, engine=engine, keys=keys, client=client)
    engine.dispose()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A company with a record and a champion, and nothing forecast yet."""
    folder = tmp_path_factory.mktemp("house") / "var"
    config = config_below(folder)
    write_record(config.record_folder, date(2026, 3, 15))
    promote_model(config, folder.parent / "bundle")
    engine = open_database(config.database.url)
    keys = make_keys(engine)
    engine.dispose()
    return folder, keys


@pytest.fixture(scope="module")
def house(built: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The same, forecast; for tests that only read."""
    folder = tmp_path_factory.mktemp("shared") / "var"
    shutil.copytree(built[0], folder)
    with opened(folder, built[1]) as found:
        found.forecast()
        yield found


@pytest.fixture
def empty(built: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[House]:
    """A company of its own, nothing forecast yet."""
    shutil.copytree(built[0], tmp_path / "var")
    with opened(tmp_path / "var", built[1]) as found:
        yield found


def nodes(answer) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {series["node_id"] for series in answer.json()["series"]}


def test_before_the_first_forecast_the_answer_says_why_it_is_empty(empty: House) -> None:
    answer = empty.get()

    assert answer.status_code == 200
    ForecastAnswer.model_validate(answer.json())
    assert answer.json()["series"] == []
    assert "salescast" in answer.json()["reason"]
    assert empty.get("/v1/forecasts/accuracy").json() == {
        "run_id": None,
        "backtest": [],
        "ledger_total": 0,
        "ledger": [],
        "overrides": [],
    }


def test_a_forecast_is_answered_in_the_form_that_is_documented(house: House) -> None:
    answer = house.get(measure="bookings", node="company", months=4, actuals=2).json()
    ForecastAnswer.model_validate(answer)
    (series,) = answer["series"]

    assert answer["currency"] == "CNY"
    assert [month["month"] for month in series["actuals"]] == ["2026-01-01", "2026-02-01"]
    assert [month["step"] for month in series["months"]] == [1, 2, 3, 4]
    # A level of 600 a month and nothing else is repeated.
    assert {month["expected"] for month in series["months"]} == {600.0}
    assert {month["baseline"] for month in series["months"]} == {600.0}
    assert series["coverage_80"] == 0.8
    assert series["verdict"] == "no_better"
    for month in series["months"]:
        quantiles = [month[name] for name in ("p05", "p10", "p25", "p50", "p75", "p90", "p95")]
        assert quantiles == sorted(quantiles)


def test_everyone_sees_the_sums_of_the_people_they_see(house: House) -> None:
    everything = {"company", "line:Cloud", "region:East", "region:West", "rep:R1", "rep:R2", "rep:R3"}
    everything |= {"region_line:East|Cloud", "region_line:West|Cloud", "team:east-1", "team:west-1"}
    everything |= {"industry:Steel", "buyer_type:enterprise"}

    assert nodes(house.get()) == everything
    own = {"region:East", "region_line:East|Cloud", "team:east-1", "rep:R1", "rep:R2"}
    assert nodes(house.get(login="manager")) == own
    assert nodes(house.get(login="rep")) == {"rep:R1"}


def test_what_may_not_be_seen_is_answered_like_what_does_not_exist(house: House) -> None:
    hidden, unknown = house.get(login="rep", node="rep:R2"), house.get(login="rep", node="rep:R99")

    assert hidden.status_code == unknown.status_code == 404
    assert hidden.json()["detail"] == unknown.json()["detail"]


def test_filters_and_pages_narrow_the_answer(house: House) -> None:
    assert nodes(house.get(level="rep")) == {"rep:R1", "rep:R2", "rep:R3"}
    assert house.get(measure="receipts").json()["total"] == 0
    first, rest = house.get(measure="bookings", limit=2), house.get(measure="bookings", offset=2)
    assert len(first.json()["series"]) == 2
    assert first.json()["total"] == 13
    assert not nodes(first) & nodes(rest)


@pytest.mark.parametrize(
    "params",
    [
        {"months": 0},
        {"months": 19},
        {"months": "x"},
        {"limit": 0},
        {"offset": -1},
        {"actuals": 99},
        {"measure": "DROP TABLE"},
        {"level": "1"},
        {"node": "x" * 500},
        {"unknown": 1},
    ],
)
def test_bad_parameters_are_problems_and_never_repeated(house: House, params: dict[str, object]) -> None:
    answer = house.get(**params)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "DROP" not in answer.text


def test_odd_characters_of_a_node_find_nothing(house: House) -> None:
    for node in ("\x00", "' OR 1=1 --", "\u202e", "区域", "%2e%2e/"):
        assert house.get(node=node).status_code == 404


def test_the_model_behind_the_forecast_is_told_like_the_others(house: House) -> None:
    answer = house.get("/v1/models/sales_forecast").json()
    listed = house.get("/v1/models").json()["models"]

    ModelCard.model_validate(answer)
    assert answer["model"]["kind"] == "series"
    assert answer["model"]["fitted_until"] == "2026-02"
    assert answer["card_zh"] == "# 卡"
    assert [entry["action"] for entry in answer["versions"]] == ["promote"]
    assert answer["model"] in listed


def test_the_ledger_holds_every_row_that_was_published(house: House) -> None:
    with Session(house.engine) as session:
        run = session.scalars(select(ForecastRun)).one()
        n_rows = session.scalars(select(func.count()).select_from(ForecastRow)).one()
        row = session.get(ForecastRow, (run.run_id, "bookings", "company", date(2026, 3, 1), "month"))

    # Six whole quarters and a year end within the months ahead.
    # Bookings and revenue of every node; the one customer bought in the record's first year and may not be new.
    assert n_rows == run.n_rows == (13 + 13) * (TASK.horizon_months + 6 + 1)
    assert row is not None
    assert (row.step, row.expected, row.status) == (1, 600.0, "forecast")
    assert sorted(row.quantiles, key=float) == ["0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95"]
    assert run.made_by == "test"


@pytest.mark.parametrize("kind", [ForecastRow, ForecastRun])
def test_the_database_refuses_to_change_what_was_said(house: House, kind: type) -> None:
    column = "expected" if kind is ForecastRow else "n_rows"
    for statement in (update(kind).values({column: 1}), delete(kind)):
        with Session(house.engine) as session, pytest.raises(DatabaseError, match="never changed"):
            session.execute(statement)


def test_the_same_record_and_model_are_published_once(house: House) -> None:
    again = house.forecast()

    assert not again.changed
    with Session(house.engine) as session:
        assert session.scalars(select(func.count()).select_from(ForecastRun)).one() == 1


def test_a_forecast_is_held_against_what_came_as_far_as_the_caller_sees(empty: House) -> None:
    house = empty
    house.forecast()
    write_record(house.config.record_folder, date(2026, 6, 15))
    house.forecast()
    answer = house.get("/v1/forecasts/accuracy", measure="bookings", level="company").json()
    AccuracyAnswer.model_validate(answer)
    figures, *others = (row for row in answer["ledger"] if row["bucket"] == "all")

    assert [row["period"] for row in others] == ["quarter"]
    # March, April and May closed after the first run, and after the second one nothing has.
    assert (figures["n"], figures["n_months"], figures["n_runs"]) == (3, 3, 1)
    assert figures["wape"] == 0.0
    assert figures["coverage_80"] == 1.0
    assert [row["verdict"] for row in answer["backtest"]] == ["no_better"]
    own = house.get("/v1/forecasts/accuracy", login="rep", measure="bookings").json()["ledger"]
    assert {row["level"]: row["n"] for row in own if (row["period"], row["bucket"]) == ("month", "all")} == {"rep": 3}


def test_coverage_is_told_only_of_what_was_measured(house: House) -> None:
    table = read_forecast(house.config.forecasts_folder, TASK.name)
    assert table is not None
    instead = replace(table.get("bookings", "company"), status="base_rate")
    table.series = (instead, *(one for one in table.series if one.node_id != "company"))
    (series,) = answer_forecast(table, EVERYONE, Wanted(measure="bookings", node="company"))["series"]
    assert (series["coverage_80"], series["coverage_n"], series["verdict"]) == (None, None, "no_better")


def test_a_pointer_that_is_no_text_leaves_the_forecast_before_it_in_place(empty: House) -> None:
    published = empty.forecast().run_id
    assert empty.get().json()["run_id"] == published
    (empty.config.forecasts_folder / TASK.name / POINTER).write_bytes(b"\xff\xfe")
    assert empty.get().json()["run_id"] == published


def test_a_damaged_file_leaves_the_forecast_before_it_in_place(empty: House) -> None:
    house = empty
    house.forecast()
    before = house.get().json()
    home = house.config.forecasts_folder / TASK.name
    (home / "broken.parquet").write_bytes(b"no parquet")
    (home / POINTER).write_text("broken.parquet", encoding="ascii")

    assert house.get().json() == before


def test_without_a_champion_nothing_is_forecast(empty: House, tmp_path: Path) -> None:
    config = empty.config.model_copy(update={"store": StoreSection(folder=tmp_path / "other")})
    write_record(config.record_folder, date(2026, 3, 15))

    with pytest.raises(NoChampion, match="salescast promote"):
        publish_forecast(config, TASK, empty.engine, now=NOW)


def test_moments_of_a_forecast_end_in_z(house: House) -> None:
    answer = house.get(node="company").json()
    assert answer["as_of"].endswith("Z")
    assert answer["made_at"] == "2026-04-01T03:00:00Z"


def test_the_ledger_says_what_was_known_without_a_model(house: House) -> None:
    with Session(house.engine) as session:
        row = session.get(
            ForecastRow, (house.get().json()["run_id"], "bookings", "company", date(2026, 1, 1), "quarter")
        )
    assert row is not None
    # January and February closed at 600 each, and March is said to be like them and like last year.
    assert (row.expected, row.baseline, row.step) == (1800.0, 1800.0, 1)
    # There are no deals, so that nobody could weigh or call them.
    assert (row.stage_weighted, row.committed, row.best_case) == (None, None, None)


def test_whoever_sees_a_node_whole_may_call_it(empty: House) -> None:
    house = empty
    assert house.call().status_code == 404
    house.forecast()
    said = house.call("manager")
    OverrideAnswer.model_validate(said.json())
    again = house.call("manager")

    assert said.status_code == again.status_code == 200
    assert said.json() == again.json()
    assert (said.json()["author"], said.json()["expected"], said.json()["level"]) == ("manager", 300.0, "region")
    assert said.json()["made_at"].endswith("Z")
    for login, node in (("manager", "company"), ("rep", "region:East"), ("rep", "rep:R2"), ("manager", "region:Gone")):
        hidden = house.call(login, node_id=node)
        assert hidden.status_code == 404, (login, node)
        assert node not in hidden.text
    assert house.call("rep", node_id="rep:R1", period="quarter").json()["period"] == "quarter"

    def listed(login: str) -> set[str]:
        answer = house.get("/v1/forecasts/overrides", login=login)
        OverridesAnswer.model_validate(answer.json())
        return {one["node_id"] for one in answer.json()["overrides"]}

    assert listed("director") == {"rep:R1", "region:East"}
    assert listed("manager") == {"rep:R1", "region:East"}
    assert listed("rep") == {"rep:R1"}
    assert house.get("/v1/forecasts/overrides", node="rep:R1").json()["total"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": ""},
        {"value": 1e99},
        {"value": "450"},
        {"month": "2026-04-02"},
        {"month": "soon"},
        {"period": "week"},
        {"measure": "A; DROP"},
        {"node_id": ""},
        {"author": "somebody"},
    ],
)
def test_a_call_of_another_form_is_refused(house: House, fields: dict[str, object]) -> None:
    answer = house.call(**fields)
    assert answer.status_code == 422
    assert "DROP" not in answer.text


def test_a_call_of_a_month_that_is_not_ahead_finds_nothing(house: House) -> None:
    assert house.call(month="2026-02-01").status_code == 404
    assert house.call(month="2026-02-01", period="quarter").status_code == 404


def test_calls_are_held_against_what_came(empty: House) -> None:
    house = empty
    house.forecast()
    house.call("manager", value=330.0)
    write_record(house.config.record_folder, date(2026, 6, 15))
    house.forecast()
    answer = house.get("/v1/forecasts/accuracy", login="manager").json()
    AccuracyAnswer.model_validate(answer)
    (added,) = answer["overrides"]

    # East signs 300 a month, which was forecast to the cent.
    assert (added["author"], added["n"], added["wape"], added["value_added"]) == ("manager", 1, 0.1, -0.1)
    assert house.get("/v1/forecasts/accuracy", login="rep").json()["overrides"] == []
    page = house.get("/v1/forecasts/accuracy", limit=1, offset=1).json()
    assert len(page["ledger"]) == 1
    assert page["ledger_total"] > 2


def test_a_running_service_publishes_after_an_ingest_and_a_promotion(empty: House) -> None:
    house, service = empty, empty.client.app.state.service
    part = lambda: house.client.get("/health/ready").json()["parts"]["forecast"]  # noqa: E731

    assert part() == "none was published yet: salescast forecast"
    house.forecast()
    assert (part(), due(service, TASK.name)) == ("ready", None)
    before = house.get().json()["run_id"]
    write_record(house.config.record_folder, date(2026, 6, 15))
    service.reload()
    assert part().startswith("older than the record")
    generation, _ = due(service, TASK.name) or (0, "")
    assert generation == service.live.record.generation.number
    assert asyncio.run(refresh_aside(house.config, TASK.name))
    assert (part(), due(service, TASK.name)) == ("ready", None)
    assert house.get().json()["run_id"] != before
    with Session(house.engine) as session:
        assert session.scalars(select(ForecastRun.made_by)).all() == ["test", "service"]
        assert session.scalars(select(func.count()).select_from(ForecastScore)).one() > 0


def test_without_a_champion_no_forecast_is_waited_for(empty: House) -> None:
    shutil.rmtree(empty.config.champions_folder / TASK.name)
    service = empty.client.app.state.service
    assert forecast_state(service).startswith("not in use")
    assert due(service, TASK.name) is None
    folder = empty.config.champions_folder / TASK.name
    folder.mkdir()
    (folder / "current.json").write_text("[]")
    assert forecast_state(service).startswith("its model cannot be read")
    assert due(service, TASK.name) is None


def test_the_command_line_publishes_calls_and_tells_accuracy(empty: House, tmp_path: Path) -> None:
    house, runner = empty, CliRunner()
    settings = {"store": {"folder": str(house.config.store.folder)}, "database": {"url": house.config.database.url}}
    (tmp_path / "salescast.yaml").write_text(yaml.safe_dump(settings))

    def run(*words: str):
        return runner.invoke(app, ["--config", str(tmp_path / "salescast.yaml"), *words])

    assert "no forecast was published" in str(
        run("call", "company", "bookings", "2026-03", "1", "--reason", "x").exception
    )
    (published,) = json.loads(run("refresh", "--json").stdout)
    assert (published["task"], published["changed"]) == (TASK.name, True)
    called = json.loads(run("call", "company", "bookings", "2026-03", "660", "--reason", "a tender", "--json").stdout)
    assert (called["value"], called["expected"], called["reason"]) == (660.0, 600.0, "a tender")
    for words in (
        ("nobody", "bookings", "2026-03"),
        ("company", "bookings", "soon"),
        ("company", "bookings", "2031-01"),
    ):
        assert isinstance(run("call", *words, "1", "--reason", "x").exception, NotPossible), words
    assert "no month" in run("accuracy").stderr
    write_record(house.config.record_folder, date(2026, 6, 15))
    assert "were held against what came" in run("forecast").stderr
    told, counted = (json.loads(run("accuracy", "--json", *more).stdout) for more in ((), ("--recount",)))
    assert told == counted
    assert told["overrides"][0]["value_added"] == -0.1
    assert "bookings" in run("accuracy").stdout


def test_what_is_published_is_drawn_from_the_command_line(empty: House, tmp_path: Path) -> None:
    house, runner = empty, CliRunner()
    settings = {"store": {"folder": str(house.config.store.folder)}, "database": {"url": house.config.database.url}}
    (tmp_path / "salescast.yaml").write_text(yaml.safe_dump(settings))
    out = tmp_path / "plot.svg"

    def run(*words: str):
        return runner.invoke(app, ["--config", str(tmp_path / "salescast.yaml"), "plot", *words, "--out", str(out)])

    run_id = house.forecast().run_id
    assert isinstance(run("components").exception, NotPossible)
    parts = {"to_date": 0.0, "signed": 0.0, "renewals": 100.0, "open_deals": 300.0, "new_deals": 0.0, "run_rate": 0.0}
    ranges = dict.fromkeys(("p05", "p10", "p25", "p50", "p75", "p90", "p95"), 400.0)
    shared = {"measure": "bookings", "node_id": "company", "period": "quarter", "expected": 400.0, "draws": [400.0]}
    row = {**shared, **parts, **ranges, "first_month": date(2026, 4, 1)}
    write_joint(house.config.forecasts_folder, TASK.name, run_id, [row])
    for words, told in (
        (("fan", "--node", "rep:R1"), "salesperson: R1, monthly"),
        (("fan", "--lang", "zh"), "该层级80%区间命中 80% (70% – 90%)，共 36 个结果"),
        (("components",), ">400</text>"),
        (("accuracy",), "-20.0% – +1.0%"),
        (("accuracy", "--lang", "zh"), "80%区间命中"),
    ):
        assert run(*words).exit_code == 0, words
        assert told in out.read_text(encoding="utf-8"), words
    for words in (("fan", "--node", "rep:R9"), ("fan", "--measure", "hope"), ("accuracy", "--level", "team")):
        assert isinstance(run(*words).exception, NotPossible), words
    assert isinstance(run("components", "--period", "year").exception, NotPossible)
