"""Promotion only through gates, rollback in one step; the registry's aliases follow when it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crm.config import Config
from models import champions
from models.challengers import Challenger, find_challenger
from models.champions import Published
from models.checks import Check, Verdict
from models.load import load_scorer
from models.registry import Registry, RegistryAway
from models.series_gates import check_series_gates
from models.series_task import SeriesTask
from models.task import BaseTask


class Refused(Exception):
    """A gate refused the challenger; `verdict` says which and why."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__("; ".join(check.evidence for check in verdict.checks if not check.passed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A promotion that took place.

    Parameters
    ----------
    published : Published
        The new champion.
    verdict : Verdict
        What the gates said.
    forced : bool
        A person overrode a closed gate.
    registry : str
        Empty, or why the registry's alias could not follow.
    """

    published: Published
    verdict: Verdict
    forced: bool = False
    registry: str = ""


def check_gates(task: BaseTask, challenger: Challenger, champion: Published | None) -> Verdict:
    """The verdict on a challenger, from the figures of its training.

    Parameters
    ----------
    task : BaseTask
        States the bound of the calibration error.
    challenger : Challenger
        The model and its report.
    champion : Published or None
        What answers now.
    """
    if isinstance(task, SeriesTask):
        return check_series_gates(challenger, champion)
    report = challenger.report
    intervals = _mapping(report["intervals"])
    checks = [
        _check_leakage(challenger),
        _check_calibration(task, intervals),
        _check_not_worse("baseline", intervals, "log_loss_minus_baseline"),
        _check_not_worse("constant", intervals, "log_loss_minus_constant"),
    ]
    if champion is not None and champion.digest != challenger.digest:
        checks.append(_check_champion(report, champion))
    return Verdict(checks=tuple(checks))


def _check_leakage(challenger: Challenger) -> Check:
    findings = challenger.report["leakage"]
    suspected = {str(entry["column"]) for entry in findings} if isinstance(findings, list) else set()
    used = {field.name for field in load_scorer(challenger.bundle, challenger.digest).encoder.fields}
    kept = sorted(suspected & used)
    evidence = f"the model uses suspected columns: {', '.join(kept)}" if kept else f"{len(suspected)} columns left out"
    return Check(name="leakage", passed=not kept, evidence=evidence)


def _check_calibration(task: BaseTask, intervals: Mapping[str, object]) -> Check:
    bounds = _bounds(intervals, "ece")
    if bounds is None:
        return Check(name="calibration", passed=True, evidence="too few outcomes to judge the calibration")
    low, high = bounds
    return Check(
        name="calibration",
        passed=low <= task.gates.max_ece,
        evidence=f"calibration error {low:.3f} to {high:.3f}, bound {task.gates.max_ece:g}",
    )


def _check_not_worse(opponent: str, intervals: Mapping[str, object], name: str) -> Check:
    bounds = _bounds(intervals, name)
    if bounds is None:
        return Check(name=opponent, passed=True, evidence=f"too few outcomes to compare with the {opponent}")
    low, high = bounds
    return Check(
        name=opponent,
        passed=low <= 0,
        evidence=f"log loss against the {opponent} {low:+.4f} to {high:+.4f}, must not be worse",
    )


def _check_champion(report: Mapping[str, object], champion: Published) -> Check:
    versus = report["versus_champion"]
    if not isinstance(versus, dict) or versus["champion"] != champion.digest:
        evidence = "not compared with the present champion; train again"
        return Check(name="champion", passed=False, evidence=evidence)
    low, high = float(versus["log_loss"]["low"]), float(versus["log_loss"]["high"])
    compared = f"log loss against the champion {low:+.4f} to {high:+.4f} on {versus['n']} rows ({versus['basis']})"
    if low > 0:
        return Check(name="champion", passed=False, evidence=f"{compared}: worse")
    if high < 0 or versus["is_newer"]:
        return Check(name="champion", passed=True, evidence=compared)
    return Check(name="champion", passed=False, evidence=f"{compared}: no better, and it knows nothing newer")


def promote(
    task: BaseTask, version: str | None = None, *, config: Config, by: str = "", is_forced: bool = False
) -> Promotion:
    """Publish a trained model as the champion of its task.

    Parameters
    ----------
    task : BaseTask
        The task.
    version : str or None
        Registry version or start of a digest; None takes the newest training.
    config : Config
        Folders and the address of MLflow.
    by : str
        Who promotes, for the history.
    is_forced : bool
        Publish although a gate is closed; damaged bundles are refused all the same.

    Raises
    ------
    Refused
        A gate is closed.
    NoChallenger
        There is no such model.
    BadBundle
        Its files are damaged; the champion stays.
    """
    challenger = find_challenger(models_folder(config, task.name), version)
    champion = champions.current(config.champions_folder, task.name)
    verdict = check_gates(task, challenger, champion)
    if not verdict.passed and not is_forced:
        raise Refused(verdict)
    published = champions.publish(
        config.champions_folder, task.name, challenger.bundle, version=challenger.version, by=by
    )
    return Promotion(
        published=published,
        verdict=verdict,
        forced=not verdict.passed,
        registry=_move_alias(config, task.name, published.version),
    )


def rollback(task: BaseTask, *, config: Config, by: str = "") -> tuple[Published, str]:
    """Let the champion before the present one answer again; also why the registry's alias did not follow, if so.

    Raises
    ------
    NoChampion
        There is none before.
    """
    published = champions.rollback(config.champions_folder, task.name, by=by)
    return published, _move_alias(config, task.name, published.version)


def models_folder(config: Config, task: str) -> Path:
    """Where the trained models of a task lie."""
    return config.store.folder / "models" / task


def _move_alias(config: Config, task: str, version: str) -> str:
    if not version:
        return "the model was trained while the registry was away"
    try:
        Registry(config).move_champion(task, version)
    except RegistryAway as error:
        return str(error)
    return ""


def _bounds(intervals: Mapping[str, object], name: str) -> tuple[float, float] | None:
    found = intervals.get(name)
    if not isinstance(found, (list, tuple)) or found[0] is None or found[1] is None:
        return None
    return float(found[0]), float(found[1])


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError("report: expected a mapping")
    return value
