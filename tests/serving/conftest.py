"""A tiny company, a model fitted on it, keys for every role, and the application over all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from crm.app_database import open_database
from crm.config import Config, DatabaseSection, ServingSection, StoreSection
from crm.schema import DType, arrow_type
from crm.store import Store
from crm.tables import empty_table
from features.build import build_features
from features.matrix import Field
from models.bundle import save_bundle
from models.calibrator import Calibrator
from models.candidates import LEARNERS
from models.champions import publish
from models.encoding import make_encoder
from models.golden import make_golden
from models.predictor import About, Predictor
from models.tasks.lead_score import TASK
from serving.app import create_app
from serving.keys import make_key, make_user
from serving.refresh import refresh_scores
from serving.roles import Role, Scope, Sees

START = datetime(2026, 1, 5, tzinfo=UTC)
WATERMARK = datetime(2026, 3, 30, tzinfo=UTC)
NOW = datetime(2026, 4, 1, 3, tzinfo=UTC)
CHANNELS = ("web", "fair", "partner")
TEAM_OF = {"R1": "east-1", "R2": "east-2", "R3": "west-1", "R4": "west-1"}
N_LEADS = 80


@dataclass
class Clock:
    """A clock that tests can move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class House:
    """One company on disk with its keys."""

    config: Config
    keys: dict[str, str]
    clock: Clock = field(default_factory=Clock)

    def promote(self, version: str, *, learner: str = "logistic") -> None:
        """Publish another model than the present one."""
        predictor = lead_predictor(self.config, learner)
        promote(self.config, predictor, self.config.store.folder / f"bundle-{version}", version)

    def refresh(self) -> bool:
        """Refresh the scores; whether anything had to be done."""
        return refresh_scores(self.config, TASK).changed

    def headers(self, login: str = "director") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[login]}"}

    @contextmanager
    def client(self, config: Config | None = None) -> Iterator[TestClient]:
        app = create_app(config or self.config, clock=self.clock, watch=False)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


def rows_of(name: str, rows: Sequence[Mapping[str, object]], custom: Mapping[str, DType] | None = None) -> pa.Table:
    schema = empty_table(name).schema
    for column, dtype in (custom or {}).items():
        schema = schema.append(pa.field(column, arrow_type(dtype)))
    return pa.Table.from_pylist([{"backfilled": False, "source": "test", **row} for row in rows], schema=schema)


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def owner_of(number: int) -> str | None:
    return None if number % 16 == 15 else ("R1", "R2", "R3", "R4")[number % 4]


def _leads() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number in range(N_LEADS):
        created = naive(START + timedelta(days=number % 60, hours=number % 9))
        rows.append(
            {
                "lead_id": f"L{number}",
                "created_at": created,
                "recorded_at": created,
                "channel": CHANNELS[number % 3],
                "region": "East" if number % 4 < 2 else "West",
                "industry": ("Retail", "Steel")[number % 2],
                "employees": 10 + 7 * number,
                "rep_id": owner_of(number),
                "disqualified_at": naive(WATERMARK - timedelta(days=1)) if number % 20 == 19 else None,
                "budget": 1000_00 + number * 100,
                "hot": number % 5 == 0,
            }
        )
    rows[-1]["recorded_at"] = naive(WATERMARK)
    return rows


def _activities() -> list[dict[str, object]]:
    rows = []
    for number in range(N_LEADS):
        for k in range(number % 5):
            at = naive(START + timedelta(days=number % 60 + 2 + 3 * k))
            rows.append(
                {
                    "activity_id": f"A{number}-{k}",
                    "occurred_at": at,
                    "recorded_at": at,
                    "kind": ("call", "email", "meeting")[k % 3],
                    "lead_id": f"L{number}",
                    "rep_id": owner_of(number),
                    "direction": "inbound" if k % 2 else "outbound",
                    "minutes": 5.0 * k,
                }
            )
    return [row for row in rows if row["occurred_at"] <= naive(WATERMARK)]


def write_record(folder: Path) -> None:
    old, early = date(2020, 1, 1), naive(datetime(2020, 1, 1, tzinfo=UTC))
    units = [("company", "company", None), ("east", "region", "company"), ("west", "region", "company")]
    units += [("east-1", "team", "east"), ("east-2", "team", "east"), ("west-1", "team", "west")]
    custom = {"budget": DType.MONEY, "hot": DType.FLAG}
    with Store(folder).writing() as writer:
        writer.replace(
            "org_units",
            rows_of(
                "org_units",
                [
                    {"unit_id": u, "valid_from": old, "kind": k, "name": u, "parent_id": p, "recorded_at": early}
                    for u, k, p in units
                ],
            ),
        )
        reps = [
            {"rep_id": r, "name": f"Canary {r}", "team_id": t, "hired_on": old, "recorded_at": early}
            for r, t in TEAM_OF.items()
        ]
        writer.replace("reps", rows_of("reps", reps))
        accounts = [
            {
                "account_id": f"C{n}",
                "name": f"Canary C{n}",
                "rep_id": f"R{n}",
                "created_at": early,
                "recorded_at": early,
            }
            for n in (1, 2, 3, 4)
        ]
        writer.replace("accounts", rows_of("accounts", accounts))
        writer.replace("leads", rows_of("leads", _leads(), custom), custom)
        opportunity = {
            "opportunity_id": "O1",
            "created_at": naive(START),
            "recorded_at": naive(START),
            "outcome": "open",
        }
        writer.replace("opportunities", rows_of("opportunities", [opportunity]))
        writer.replace("activities", rows_of("activities", _activities()))


def fit(fields: Sequence[Field], rows: pa.Table, *, horizon_days: int | None, learner: str = "logistic") -> Predictor:
    encoder = make_encoder(fields, rows)
    encoded = encoder.encode_table(rows)
    label = (np.arange(rows.num_rows) % 3 == 0).astype(np.float64)
    fitted = LEARNERS[learner](encoder, encoded, label, 1)
    about = About(
        task=TASK.name,
        kind=fitted.kind,
        learner=learner,
        event="won",
        horizon_days=horizon_days,
        gap_days=None if horizon_days is None else 1,
        base_rate=float(label.mean()),
        n_rows=len(label),
        n_positives=int(label.sum()),
    )
    return Predictor(
        about=about,
        encoder=encoder,
        calibrator=Calibrator(method="beta", x=np.array([-2.0, 0.0, 3.0]), y=np.array([-1.5, 0.1, 2.0]), shift=0.05),
        additive=fitted.additive,
        booster_text=fitted.booster_text,
        weight=fitted.weight,
    )


REPORT = (
    '{"metrics": {"test": {"auc": 0.81}, "baseline": {"auc": 0.7}}, '
    '"calibration": [{"mean_probability": 0.25, "n": 40, "event_rate": 0.2}, '
    '{"mean_probability": 0.75, "n": 30, "event_rate": 0.7}]}'
)


def promote(config: Config, predictor: Predictor, folder: Path, version: str = "1") -> None:
    save_bundle(predictor, folder, cards={"en": "# Card", "zh": "# 卡"}, report=REPORT, golden=make_golden(predictor))
    publish(config.champions_folder, TASK.name, folder, version=version)


def lead_predictor(config: Config, learner: str = "logistic") -> Predictor:
    from features.catalogue import group_named

    generation = Store(config.record_folder).current()
    groups = [group_named(name) for name in TASK.feature_groups]
    ids = [f"L{n}" for n in range(N_LEADS)]
    moments = pa.array([naive(WATERMARK)] * N_LEADS, pa.timestamp("us"))
    rows = build_features(generation, groups, pa.table({"entity_id": ids, "as_of": moments}), zone=config.company.zone)
    chosen = ("channel", "region", "employees", "n_activities_30d", "n_calls_30d", "lead_age_days")
    fields = [f.field for g in groups for f in g.features if f.field.name in chosen]
    return fit(fields, rows.select([f.name for f in fields]), horizon_days=90, learner=learner)


def make_keys(config: Config) -> dict[str, str]:
    engine = open_database(config.database.url)
    everything = (Scope.LEADS_SCORE, Scope.PREDICTIONS_READ, Scope.MODELS_READ)
    make_user(engine, "director", Role.DIRECTOR, sees=Sees.ALL, now=NOW)
    make_user(engine, "manager", Role.MANAGER, sees=Sees.UNIT, unit_id="east", now=NOW)
    make_user(engine, "rep", Role.REP, sees=Sees.REP, rep_id="R1", now=NOW)
    make_user(engine, "service", Role.SERVICE, sees=Sees.ALL, scopes=everything, now=NOW)
    make_user(engine, "data_scientist", Role.DATA_SCIENTIST, sees=Sees.NONE, now=NOW)
    make_user(engine, "nothing", Role.SERVICE, sees=Sees.NONE, scopes=(), now=NOW)
    logins = ("director", "manager", "rep", "service", "data_scientist", "nothing")
    keys = {login: make_key(engine, login, now=NOW).text for login in logins}
    engine.dispose()
    return keys


def config_below(folder: Path) -> Config:
    return Config(
        store=StoreSection(folder=folder),
        database=DatabaseSection(url=f"sqlite:///{folder}/app.db"),
        serving=ServingSection(key_cache_seconds=0),
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The company once; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("house")
    config = config_below(folder)
    write_record(config.record_folder)
    promote(config, lead_predictor(config), folder / "bundle")
    refresh_scores(config, TASK)
    return folder, make_keys(config)


@pytest.fixture(scope="session")
def house(built: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> House:
    """The company that reading tests share; the one first built is never served, so that copies of it are whole."""
    folder = tmp_path_factory.mktemp("shared") / "var"
    shutil.copytree(built[0], folder)
    return House(config=config_below(folder), keys=built[1])


@pytest.fixture(scope="session")
def client(house: House) -> Iterator[TestClient]:
    """A client of the shared company; for tests that only read."""
    with house.client() as client:
        yield client


@pytest.fixture
def own_house(built: tuple[Path, dict[str, str]], tmp_path: Path) -> House:
    """A copy of the company that a test may change."""
    folder = tmp_path / "var"
    shutil.copytree(built[0], folder)
    return House(config=config_below(folder), keys=dict(built[1]))


@pytest.fixture(scope="session")
def as_role(house: House) -> Callable[[str], dict[str, str]]:
    def headers(login: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {house.keys[login]}"}

    return headers


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The makers of this file, for tests that build another company or model."""
    return SimpleNamespace(rows_of=rows_of, naive=naive, fit=fit, promote=promote, watermark=WATERMARK)
