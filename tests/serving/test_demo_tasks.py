"""The demo's tasks trained side by side."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.config import Config, DatabaseSection, MlflowSection, StoreSection
from crm.demo.company import make_company
from crm.demo.export import export_company
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Store
from models.registry import CHALLENGER, CHAMPION, Registry
from models.task_files import entity_task
from serving.demo_tasks import train_tasks

TASKS = tuple(entity_task(name) for name in ("next_product", "lead_score"))


def record_below(folder: Path) -> Config:
    config = Config(
        store=StoreSection(folder=folder / "var"),
        database=DatabaseSection(url=f"sqlite:///{folder / 'salescast.db'}"),
        mlflow=MlflowSection(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=folder / "artifacts"),
    )
    mapping = export_company(make_company("tiny", 5), folder / "files")
    now = datetime(2027, 1, 1, tzinfo=UTC)
    ingest(Store(config.record_folder), read_mapping(mapping), folder / "files", config=config, now=now)
    return config


@pytest.mark.slow
def test_tasks_trained_side_by_side_give_the_models_of_one_after_the_other_and_are_all_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = []
    for n_processors in (1, 2):
        monkeypatch.setattr(os, "cpu_count", lambda n=n_processors: n)
        config = record_below(tmp_path / str(n_processors))
        told: list[str] = []
        outcomes = train_tasks(config, TASKS, is_new=True, tell=told.append)
        assert ("2 tasks, 2 at a time" in told) == (n_processors == 2)
        assert [outcome.task for outcome in outcomes] == [task.name for task in TASKS]
        assert [line for line in told if line.startswith("train ")] == [f"train {task.name}" for task in TASKS]
        registry = Registry(config)
        versions = [registry.versions(task.name) for task in TASKS]
        assert [len(found) for found in versions] == [1, 1]
        digests.append([found[0].digest for found in versions])
        # A tiny company may be too small for a gate; what is published is what was registered.
        for outcome, (version,) in zip(outcomes, versions, strict=True):
            assert version.alias == (CHALLENGER if outcome.champion is None else CHAMPION)
            assert outcome.champion is None or outcome.champion.digest == version.digest
    assert digests[0] == digests[1]
