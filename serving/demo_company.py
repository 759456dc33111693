"""The demo company from nothing to a served model: the same steps a company takes with its own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from crm.app_database import open_database
from crm.config import Config, read_config
from crm.demo.company import make_company
from crm.demo.export import export_company
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Store
from models.champions import Published
from models.readiness import Readiness, read_readiness
from models.task import EntityTask
from serving.demo_forecast import forecast_demo
from serving.demo_keys import make_demo_keys
from serving.demo_tasks import train_tasks
from serving.keys import MadeKey
from serving.score_tasks import lacking_tables

SETTINGS = "salescast.yaml"
# Another seed than those used while the models were built.
SEED = 20260101


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReady:
    """A demo company that can be served.

    Parameters
    ----------
    config : Config
        Its settings.
    readiness : Readiness
        What its record is good for.
    champions : mapping of str to Published
        What answers, by task; a task whose model every gate refused is not among them, and the base rate is said.
    likeliest : mapping of str to tuple of str
        By task, the open entities whose event is likeliest, a few.
    keys : tuple of MadeKey
        One of every role.
    """

    config: Config
    readiness: Readiness
    champions: Mapping[str, Published]
    likeliest: Mapping[str, tuple[str, ...]]
    keys: tuple[MadeKey, ...]


def demo_config(folder: Path) -> Config:
    """The settings of a demo below a folder, written there once so that every other command can use them.

    Raises
    ------
    BadYaml
        Someone changed the settings and they are not valid.
    """
    path = folder / SETTINGS
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        values = {
            "store": {"folder": str(folder)},
            "database": {"url": f"sqlite:///{folder / 'salescast.db'}"},
            "mlflow": {
                "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
                "artifacts": str(folder / "mlflow-artifacts"),
            },
            "company": {"name": "Demo company"},
        }
        path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return read_config(path)


def build_demo(
    config: Config, tasks: Sequence[EntityTask], *, size: str, seed: int = SEED, tell: Callable[[str], None]
) -> DemoReady:
    """Make a demo company, take it in, train, promote, refresh and make keys; what stands already is kept.

    Parameters
    ----------
    config : Config
        From `demo_config`.
    tasks : sequence of EntityTask
        What to train.
    size : str
        `tiny`, `small`, `medium` or `large`.
    seed : int
        Seed of the company.
    tell : callable
        Told each step as it begins.

    Notes
    -----
    A model that a gate refuses is not published: what answered before goes on answering, or else the base rate.
    """
    folder = config.store.folder / f"files-{size}-{seed}"
    tell(f"demo company {size}: making its files in {folder}")
    mapping = export_company(make_company(size, seed), folder)
    tell("ingest")
    store = Store(config.record_folder)
    before = store.current_number()
    report = ingest(store, read_mapping(mapping), folder, config=config, now=datetime.now(UTC))
    rows = sum(source.read for source in report.sources)
    tell(f"  {rows:,} rows of {len(report.sources)} files, {len(report.rejects)} rejected")
    generation = store.current()
    possible = []
    for task in tasks:
        lacking = lacking_tables(generation, task, config)
        if lacking:
            tell(f"{task.name}: not possible, the record has no {', '.join(lacking)}")
        else:
            possible.append(task)
    outcomes = train_tasks(config, possible, is_new=report.generation != before, tell=tell)
    tell("keys")
    engine = open_database(config.database.url)
    forecast_demo(config, engine, is_new=report.generation != before, tell=tell)
    keys = make_demo_keys(engine, generation, now=datetime.now(UTC))
    engine.dispose()
    return DemoReady(
        config=config,
        readiness=read_readiness(generation, config),
        champions={one.task: one.champion for one in outcomes if one.champion is not None},
        likeliest={one.task: one.likeliest for one in outcomes if one.likeliest},
        keys=keys,
    )
