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
from models.champions import Published, current
from models.promote import Refused, promote
from models.readiness import Readiness, read_readiness
from models.task import EntityTask
from serving.demo_forecast import forecast_demo
from serving.demo_keys import make_demo_keys
from serving.keys import MadeKey
from serving.refresh import refresh_scores
from serving.score_table import read_scores
from serving.score_tasks import TASK_OF, lacking_tables
from serving.training import train_task

SETTINGS = "salescast.yaml"
# Another seed than those used while the models were built.
SEED = 20260101
_SHOWN = 2


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
    champions: dict[str, Published] = {}
    likeliest: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        lacking = lacking_tables(generation, task, config)
        if lacking:
            tell(f"{task.name}: not possible, the record has no {', '.join(lacking)}")
            continue
        champion = current(config.champions_folder, task.name)
        if champion is None or report.generation != before:
            champion = _train(config, task, champion, tell)
        if champion is None:
            tell("  no model answers; every row is answered with the base rate")
            continue
        champions[task.name] = champion
        if task.entity in TASK_OF and TASK_OF[task.entity] == task.name:
            tell(f"  {refresh_scores(config, task).n_scored:,} open {task.entity} scored")
            scores = read_scores(config.scores_folder, task.name)
            likeliest[task.name] = scores.likeliest(_SHOWN) if scores is not None else ()
    tell("keys")
    engine = open_database(config.database.url)
    forecast_demo(config, engine, is_new=report.generation != before, tell=tell)
    keys = make_demo_keys(engine, generation, now=datetime.now(UTC))
    engine.dispose()
    return DemoReady(
        config=config,
        readiness=read_readiness(generation, config),
        champions=champions,
        likeliest=likeliest,
        keys=keys,
    )


def _train(
    config: Config, task: EntityTask, champion: Published | None, tell: Callable[[str], None]
) -> Published | None:
    """The champion after a training: the one before where a gate refuses."""
    tell(f"train {task.name}")
    trained = train_task(config, task)
    if trained.status == "refused":
        tell(f"  refused: {trained.reason}")
        return champion
    test = trained.metrics.get("test", {})
    tell(f"  {trained.status}: AUC {test.get('auc', float('nan')):.3f} on {trained.n_test:,} newer rows")
    try:
        return promote(task, config=config, by="demo").published
    except Refused as refused:
        # A company too small for a model is a company like any other: it is served, with the base rate.
        tell(f"  refused: {refused}")
        return champion
