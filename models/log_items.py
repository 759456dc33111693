"""What of a training goes into the registry: plain values first, one loop later; never a row of a customer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

from models.report import TrainReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A setting of the run."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured number of the run."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A label of the run."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A folder of files."""

    folder: Path
    place: str


LogItem: TypeAlias = Param | Figure | Tag | Files


def items_of(report: TrainReport, bundle: Path) -> Iterator[LogItem]:
    """Everything that is recorded of a training.

    Parameters
    ----------
    report : TrainReport
        The training.
    bundle : Path
        Its bundle; the cards and the report lie in it.
    """
    settings = ("task", "event", "seed", "horizon_days", "gap_days", "learner", "calibrator", "baseline_learner")
    for name in (*settings, "train_from", "test_from", "test_to"):
        yield Param(name=name, value=str(getattr(report, name)))
    for name in ("n_train", "n_test", "n_censored", "base_rate"):
        if math.isfinite(getattr(report, name)):
            yield Figure(name=name, value=float(getattr(report, name)))
    for kind, figures in report.metrics.items():
        for name, value in figures.items():
            if math.isfinite(value):
                yield Figure(name=f"{kind}_{name}", value=value)
    for name, (low, high) in report.intervals.items():
        if math.isfinite(low) and math.isfinite(high):
            yield Figure(name=f"{name}_low", value=low)
            yield Figure(name=f"{name}_high", value=high)
    for candidate in report.candidates:
        if math.isfinite(candidate.log_loss):
            yield Figure(name=f"origins_{candidate.learner}_log_loss", value=candidate.log_loss)
    if report.random_split_gap is not None:
        yield Figure(name="random_split_gap", value=report.random_split_gap.gap)
    for measure in report.leakage_measures:
        if math.isfinite(measure.value):
            yield Figure(name=f"leakage_{measure.name}", value=measure.value)
    yield Tag(name="status", value=report.status)
    yield Tag(name="reason", value=report.reason)
    yield Tag(name="digest", value=report.digest)
    yield Tag(name="data_digest", value=report.data_digest)
    yield Tag(name="salescast_version", value=_version())
    yield Tag(name="left_out", value=", ".join(finding.column for finding in report.leakage)[:500])
    yield Files(folder=bundle, place="bundle")


def _version() -> str:
    """The installed version of the program; `source` when it runs from a folder that was never installed."""
    try:
        return metadata.version("salescast")
    except metadata.PackageNotFoundError:
        return "source"
