"""A small simulated company with a model for every entity, and the application over all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from crm.app_database import open_database
from crm.config import Config, DatabaseSection, ServingSection, StoreSection
from crm.demo.company import make_company
from crm.demo.export import export_company
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Generation, Store
from features.timed_set import TimedSet
from features.training_set import build_training_set
from models.bundle import save_bundle
from models.calibrator import IDENTITY
from models.candidates import LEARNERS
from models.champions import publish
from models.encoding import make_encoder
from models.golden import make_golden
from models.hazard_bundle import HazardPredictor, save_hazard
from models.hazard_fit import fit_rows
from models.hazard_task import HazardTask
from models.person_period import even_grid
from models.predictor import About, Predictor
from models.scorer import Scorer
from models.task import BaseTask, Task
from serving.app import create_app
from serving.keys import make_key, make_user
from serving.refresh import refresh_scores
from serving.roles import SCORE_SCOPES, Role, Scope, Sees
from serving.score_tasks import scored_tasks
from serving.training import RowSource, read_rows

SEED = 11
REPORT = (
    '{"metrics": {"test": {"auc": 0.7}, "baseline": {"auc": 0.6}}, '
    '"calibration": [{"mean_probability": 0.5, "n": 40, "event_rate": 0.4}]}'
)


@dataclass
class Firm:
    """One company on disk with its keys and the moment at which it is asked."""

    config: Config
    keys: dict[str, str]
    now: datetime

    def headers(self, login: str = "director") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[login]}"}

    def generation(self) -> Generation:
        return Store(self.config.record_folder).current()

    @contextmanager
    def client(self) -> Iterator[TestClient]:
        app = create_app(self.config, clock=lambda: self.now, watch=False)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client

    def publish(self, task: BaseTask, scorer: Scorer, version: str = "1") -> None:
        folder = self.config.store.folder / f"bundle-{task.name}-{version}"
        save = save_hazard if isinstance(scorer, HazardPredictor) else save_bundle
        save(scorer, folder, cards={"en": "# Card", "zh": "# 卡"}, report=REPORT, golden=make_golden(scorer))
        publish(self.config.champions_folder, task.name, folder, version=version)


def fit_task(task: BaseTask, generation: Generation, config: Config, learner: str = "") -> Scorer:
    """A model of a task, fitted without judging it."""
    if isinstance(task, HazardTask):
        return fit_hazards(task, generation, config, learner or "hazard_logistic")
    assert isinstance(task, Task)
    return fit_label(task, generation, config, learner or "logistic")


def fit_label(task: Task, generation: Generation, config: Config, learner: str) -> Predictor:
    rows = build_training_set(generation, task.question, config=config)
    known = np.isfinite(rows.label)
    encoder = make_encoder(rows.fields, rows.rows)
    fitted = LEARNERS[learner](encoder, encoder.encode_table(rows.rows)[known], rows.label[known], 1)
    about = About(
        task=task.name,
        kind=fitted.kind,
        learner=learner,
        event=rows.event,
        horizon_days=rows.horizon_days,
        gap_days=rows.gap_days,
        base_rate=float(rows.label[known].mean()),
        n_rows=int(known.sum()),
        n_positives=int(rows.label[known].sum()),
    )
    return Predictor(
        about=about,
        encoder=encoder,
        calibrator=IDENTITY,
        additive=fitted.additive,
        booster_text=fitted.booster_text,
        weight=fitted.weight,
    )


def fit_hazards(task: HazardTask, generation: Generation, config: Config, learner: str) -> HazardPredictor:
    rows = read_rows(generation, task, RowSource.RECORD, config=config)
    assert isinstance(rows, TimedSet)
    fitted = fit_rows(task, rows, learner, even_grid(13, 7.0), seed=1)
    place = rows.outcomes.causes.index(task.event) + 1
    about = About(
        task=task.name,
        kind="hazard",
        learner=learner,
        event=task.event if task.lines is None else task.asked_event,
        horizon_days=task.headline_days,
        gap_days=0,
        base_rate=float((rows.outcomes.cause == place).mean()),
        n_rows=len(rows.entity_id),
        n_positives=int((rows.outcomes.cause == place).sum()),
    )
    return HazardPredictor(
        about=about, encoder=fitted.encoder, model=fitted.model, ahead_names=fitted.ahead_names, lines=task.lines
    )


def config_below(folder: Path) -> Config:
    return Config(
        store=StoreSection(folder=folder),
        database=DatabaseSection(url=f"sqlite:///{folder}/app.db"),
        serving=ServingSection(key_cache_seconds=0),
    )


def make_keys(config: Config, generation: Generation) -> dict[str, str]:
    """A director's key and those of two salespeople who own something of every kind."""
    now = generation.recorded_to
    engine = open_database(config.database.url)
    reps = sorted(set(generation.read("accounts", ["rep_id"]).column("rep_id").drop_null().to_pylist()))
    make_user(engine, "director", Role.DIRECTOR, sees=Sees.ALL, now=now)
    for place, rep in enumerate(reps[:2]):
        make_user(engine, f"rep-{place}", Role.REP, sees=Sees.REP, rep_id=rep, now=now)
    everything = (*SCORE_SCOPES, Scope.PREDICTIONS_READ)
    make_user(engine, "stranger", Role.SERVICE, sees=Sees.NONE, scopes=everything, now=now)
    make_user(engine, "leads-only", Role.SERVICE, sees=Sees.ALL, scopes=(Scope.LEADS_SCORE,), now=now)
    logins = ("director", "rep-0", "rep-1", "stranger", "leads-only")
    keys = {login: make_key(engine, login, now=now).text for login in logins}
    engine.dispose()
    return keys


@pytest.fixture(scope="session")
def built_firm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """The company once, never served itself; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("firm")
    config = config_below(folder)
    mapping = export_company(make_company("tiny", SEED), folder / "files")
    store = Store(config.record_folder)
    ingest(store, read_mapping(mapping), folder / "files", config=config, now=datetime(2027, 1, 1, tzinfo=UTC))
    generation = store.current()
    firm = Firm(config=config, keys=make_keys(config, generation), now=generation.recorded_to + timedelta(hours=1))
    for task in scored_tasks().values():
        firm.publish(task, fit_task(task, generation, config))
        refresh_scores(config, task)
    return folder, firm.keys


@pytest.fixture(scope="session")
def firm(built_firm: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Firm:
    """The company that reading tests share."""
    folder = tmp_path_factory.mktemp("shared-firm") / "var"
    return copy_of(built_firm, folder)


@pytest.fixture
def own_firm(built_firm: tuple[Path, dict[str, str]], tmp_path: Path) -> Firm:
    """A copy of the company that a test may change."""
    return copy_of(built_firm, tmp_path / "var")


def copy_of(built: tuple[Path, dict[str, str]], folder: Path) -> Firm:
    shutil.copytree(built[0], folder)
    config = config_below(folder)
    return Firm(
        config=config, keys=dict(built[1]), now=Store(config.record_folder).current().recorded_to + timedelta(hours=1)
    )


@pytest.fixture(scope="session")
def client(firm: Firm) -> Iterator[TestClient]:
    """A client of the shared company."""
    with firm.client() as client:
        yield client


@pytest.fixture(scope="session")
def fit_one() -> Callable[..., Scorer]:
    """The maker of models, for tests that publish another one."""
    return fit_task
