"""The only door to MLflow: runs, versions, aliases. MLflow is the record, never the runtime.

Importing MLflow takes seconds, so it happens inside `Registry`. Telemetry is off and pickles are refused before
the import. No row of a customer is logged: figures, cards and the bundle, whose golden rows are synthetic.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crm.config import Config
from models.log_items import Figure, Files, LogItem, Param, Tag, items_of
from models.report import TrainReport

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CHALLENGER = "challenger"
CHAMPION = "champion"
_SQLITE = "sqlite:///"
# MLflow takes no more settings or labels in one call.
_MOST_AT_ONCE = 100


class RegistryAway(Exception):
    """MLflow cannot be reached; training and serving go on without it."""


class UnknownVersion(LookupError):
    """The registry holds no such version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A version in the registry."""

    version: str
    run_id: str
    digest: str
    alias: str = ""


def model_name(task: str) -> str:
    """Name of the registered model of a task."""
    return f"salescast_{task}"


class Registry:
    """Runs and versions of one MLflow.

    Parameters
    ----------
    config : Config
        Tracking address, artifacts folder and experiment.

    Raises
    ------
    RegistryAway
        MLflow cannot be opened.
    """

    def __init__(self, config: Config) -> None:
        self._experiment = config.mlflow.experiment
        self._artifacts = config.mlflow.artifacts.resolve().as_uri()
        self._address = config.mlflow.tracking_uri
        with self._reaching():
            self._client = _open_client(self._address)

    def register(self, report: TrainReport, bundle: Path) -> Registered:
        """Record a training as a run and its bundle as the task's challenger.

        Parameters
        ----------
        report : TrainReport
            The training.
        bundle : Path
            Its bundle.
        """
        client, name = self._client, model_name(report.task)
        with self._reaching():
            run = client.create_run(self._experiment_id(report.task), run_name=f"{report.task} {report.digest[:8]}")
            run_id = str(run.info.run_id)
            _log(client, run_id, tuple(items_of(report, bundle)))
            client.set_terminated(run_id)
            self._ensure_model(name)
            source = f"{run.info.artifact_uri}/bundle"
            tags = {"digest": report.digest, "status": report.status}
            version = client.create_model_version(name, source=source, run_id=run_id, tags=tags)
            client.set_registered_model_alias(name, CHALLENGER, version.version)
        return Registered(version=str(version.version), run_id=run_id, digest=report.digest, alias=CHALLENGER)

    def versions(self, task: str) -> tuple[Registered, ...]:
        """Every version of a task, newest first."""
        name = model_name(task)
        with self._reaching():
            found = self._client.search_model_versions(f"name = '{name}'")
            aliases = {alias: str(number) for alias, number in self._aliases(name).items()}
        rows = [
            Registered(
                version=str(version.version),
                run_id=str(version.run_id or ""),
                digest=str(version.tags.get("digest", "")),
                alias=", ".join(alias for alias, number in sorted(aliases.items()) if number == str(version.version)),
            )
            for version in found
        ]
        return tuple(sorted(rows, key=lambda row: -int(row.version)))

    def fetch(self, task: str, version: str, folder: Path) -> Path:
        """Download the bundle of a version into a folder and return where it lies.

        Raises
        ------
        UnknownVersion
            There is no such version.
        """
        chosen = next((row for row in self.versions(task) if row.version == version), None)
        if chosen is None:
            raise UnknownVersion(f"{task}: the registry holds no version {version!r}")
        with self._reaching():
            return Path(self._client.download_artifacts(chosen.run_id, "bundle", str(folder)))

    def move_champion(self, task: str, version: str) -> None:
        """Let the alias `champion` name a version; a challenger that is promoted is a challenger no more."""
        name = model_name(task)
        with self._reaching():
            self._client.set_registered_model_alias(name, CHAMPION, version)
            if str(self._aliases(name).get(CHALLENGER, "")) == version:
                self._client.delete_registered_model_alias(name, CHALLENGER)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """MLflow's and its database's own exceptions as one of ours; their deprecations are not ours to act on."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with _one_at_a_time(self._address):
                    yield
            except (UnknownVersion, RegistryAway):
                raise
            except Exception as error:
                # MLflow raises its own, SQLAlchemy's, requests' and operating system errors without a common base.
                raise RegistryAway(f"MLflow cannot be used: {type(error).__name__}") from error

    def _aliases(self, name: str) -> dict[str, object]:
        found = self._client.search_registered_models(f"name = '{name}'")
        return dict(found[0].aliases) if found else {}

    def _experiment_id(self, task: str) -> str:
        name = f"{self._experiment}/{task}"
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=f"{self._artifacts}/{task}"))

    def _ensure_model(self, name: str) -> None:
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)


def _log(client: MlflowClient, run_id: str, items: Sequence[LogItem]) -> None:
    """Record the items of a run, many in one transaction: one each takes seconds, and others may wait for the turn."""
    from mlflow import entities

    now = int(time.time() * 1000)
    for first in range(0, len(items), _MOST_AT_ONCE):
        part = items[first : first + _MOST_AT_ONCE]
        client.log_batch(
            run_id,
            metrics=[entities.Metric(one.name, one.value, now, 0) for one in part if isinstance(one, Figure)],
            params=[entities.Param(one.name, one.value) for one in part if isinstance(one, Param)],
            tags=[entities.RunTag(one.name, one.value) for one in part if isinstance(one, Tag)],
        )
    for one in items:
        if isinstance(one, Files):
            client.log_artifacts(run_id, str(one.folder), one.place)


def _open_client(address: str) -> MlflowClient:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    if address.startswith(_SQLITE):
        path = Path(address.removeprefix(_SQLITE)).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        address = f"{_SQLITE}{path}"
    from mlflow.tracking import MlflowClient

    # After the import, which sets its own levels, and before and after the first contact, which migrates.
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    client.search_experiments(max_results=1)
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return client


@contextmanager
def _one_at_a_time(address: str) -> Iterator[None]:
    """Let trainings that end together take turns: SQLite refuses the second writer, and both would make the tables."""
    if not address.startswith(_SQLITE):
        yield
        return
    path = Path(f"{address.removeprefix(_SQLITE)}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
