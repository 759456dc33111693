"""What a training found, as the command line prints it and a bundle keeps it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Literal

from features.leakage import Finding
from features.leakage_figures import Figure
from models.metrics import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFigures:
    """How a learner did on the rolling origins, before the test window was opened.

    Parameters
    ----------
    learner : str
        Name in `models.candidates`.
    log_loss : float
        Mean over the origins of the log loss after the base rate of each origin is matched: the level is the
        calibrator's work.
    auc : float
        Mean over the origins.
    chosen : bool
        Whether it became the model.
    """

    learner: str
    log_loss: float
    auc: float
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFigures:
    """One origin: sizes and the chosen learner's figures there."""

    origin: str
    n_fit: int
    n_judged: int
    base_rate: float
    auc: float
    log_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The test window of one category: how it scores there."""

    field: str
    category: str
    n: int
    base_rate: float
    mean_probability: float
    auc: Interval
    calibration_gap: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """A tenth of the test window in order of score: what was said, what happened, its 95 % block-bootstrap interval."""

    n: int
    mean_probability: float
    event_rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSplitGap:
    """How much better the same learner looks when time is ignored."""

    auc_random: float
    auc_in_time: float
    gap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Of the test window's rows, what the top share by score held."""

    share: float
    events: Interval
    value: Interval | None
    from_position: str
    to_position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """The challenger against the champion on rows neither has learned from.

    Parameters
    ----------
    champion : str
        Digest of the champion.
    basis : str
        Rows the champion has not seen; or, when these are too few or the champion answers another event, both recipes
        fitted anew on the same rows.
    is_newer : bool
        The challenger knows later rows than the champion, or another event.
    """

    champion: str
    basis: str
    is_newer: bool
    n: int
    log_loss: Interval
    auc: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """The result of one training.

    Parameters
    ----------
    task, event : str
        What was asked.
    status : str
        `trained`, `fallback` (too few outcomes or no signal: a simpler model answers) or `refused` (none does).
    reason : str
        Why the status is what it is; empty when trained.
    n_train, n_test, n_censored : int
        Rows of the training part, of the test window, and rows left out because their outcome is not known yet.
    base_rate : float
        Share of events in the training part.
    metrics : dict
        `test` (the model), `baseline` (the better of two untuned learners), `constant` (the training base rate),
        each from metric name to figure on the same test window.
    intervals : dict
        Metric name, or `auc_minus_baseline` and the like, to [low, high], 95 % block bootstrap.
    leakage : tuple of Finding
        Columns that must not be learned from.
    data_digest : str
        Name of the rows that were learned from and judged on: equal for equal data, and nothing can be read from it.
    leakage_measures : tuple of Figure
        Figures beside the search: shuffled labels, noise, random against time, shared accounts, back-dating.
    """

    task: str
    event: str
    status: Literal["trained", "fallback", "refused"]
    reason: str
    n_train: int
    n_test: int
    n_censored: int
    base_rate: float
    seed: int
    horizon_days: int | None = None
    gap_days: int | None = None
    has_time: bool = True
    train_from: str = ""
    test_from: str = ""
    test_to: str = ""
    learner: str = ""
    baseline_learner: str = ""
    calibrator: str = ""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    leakage: tuple[Finding, ...] = ()
    leakage_measures: tuple[Figure, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    folds: tuple[FoldFigures, ...] = ()
    candidates: tuple[CandidateFigures, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    calibrators: dict[str, float] = field(default_factory=dict)
    random_split_gap: RandomSplitGap | None = None
    value_replay: tuple[Replay, ...] = ()
    versus_champion: Versus | None = None
    limits: tuple[str, ...] = ()
    data_digest: str = ""
    bundle: str = ""
    digest: str = ""
    model_version: str = ""
    run_id: str = ""
    alias: str = ""

    def to_dict(self) -> dict[str, object]:
        """Plain values; figures that do not exist are null."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value
