"""Trained models that wait for promotion: folders under `<store>/models/<task>/`, readable without MLflow.

Each folder holds the bundle and `training.json`, the whole report with the registry's version and run.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from models.bundle import save_bundle
from models.card import write_cards
from models.card_plot import write_plot
from models.golden import make_golden
from models.hazard_bundle import HazardPredictor, save_hazard
from models.predictor import Predictor
from models.report import TrainReport
from models.task import BaseTask

TRAINING = "training.json"
BUNDLE = "bundle"


class NoChallenger(LookupError):
    """No trained model of the task, or none of that version, waits here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenger:
    """A trained model.

    Parameters
    ----------
    bundle : Path
        Its folder.
    digest, version, run_id : str
        The bundle's digest; the registry's version and run, empty when MLflow was away.
    report : mapping
        The training's report as plain values.
    """

    bundle: Path
    digest: str
    version: str
    run_id: str
    report: Mapping[str, object]


def keep_bundle(
    task: BaseTask, report: TrainReport, predictor: Predictor | HazardPredictor, folder: Path
) -> TrainReport:
    """Save a model and return the report with its place and digest."""
    place = new_place(folder)
    cards = write_cards(task, report, predictor)
    golden = make_golden(predictor)
    plots = {language: write_plot(report.calibration, language=language) for language in cards}
    told = report.to_json()
    digest = (
        save_hazard(predictor, place, cards=cards, report=told, golden=golden, plots=plots)
        if isinstance(predictor, HazardPredictor)
        else save_bundle(predictor, place, cards=cards, report=told, golden=golden, plots=plots)
    )
    return replace(report, bundle=str(place), digest=digest)


def new_place(folder: Path) -> Path:
    """Where the next bundle of a task's folder goes; it sorts after all that came before."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return Path(tempfile.mkdtemp(prefix=f"{stamp}-", dir=folder)) / BUNDLE


def keep_training(report: TrainReport) -> None:
    """Write the whole report beside the bundle it names; from now on the model can be promoted."""
    home = Path(report.bundle).parent
    temporary = home / f"{TRAINING}.new"
    temporary.write_text(report.to_json(), encoding="utf-8")
    temporary.replace(home / TRAINING)


def challengers(folder: Path) -> tuple[Challenger, ...]:
    """Every trained model of a task's folder, newest first."""
    found = sorted(folder.glob(f"*/{TRAINING}"), reverse=True)
    return tuple(_read(path) for path in found)


def find_challenger(folder: Path, version: str | None) -> Challenger:
    """The model of a version (or the start of a digest); the newest when None is asked for.

    Raises
    ------
    NoChallenger
        There is none.
    """
    for challenger in challengers(folder):
        is_asked = version is not None and (
            challenger.version == version or (len(version) >= 8 and challenger.digest.startswith(version))
        )
        if version is None or is_asked:
            return challenger
    asked = "" if version is None else f" of version {version!r}"
    raise NoChallenger(f"{folder.name}: no trained model{asked}; run `salescast train {folder.name}` first")


def _read(path: Path) -> Challenger:
    report = json.loads(path.read_text(encoding="utf-8"))
    return Challenger(
        bundle=path.parent / BUNDLE,
        digest=str(report["digest"]),
        version=str(report["model_version"]),
        run_id=str(report["run_id"]),
        report=report,
    )
