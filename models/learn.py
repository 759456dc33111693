"""Choosing a learner on rolling origins inside the training part; the test window is never touched here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import TrainingSet
from models.calibrator import sigmoid
from models.candidates import LEARNERS, Fitted
from models.encoding import Encoder, make_encoder
from models.metrics import auc, log_loss, log_losses
from models.report import CandidateFigures
from models.splits import Rows, Split

Floats: TypeAlias = npt.NDArray[np.float64]
Progress: TypeAlias = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Predictions of one learner on one origin's rows.

    Parameters
    ----------
    rows : ndarray of intp
        Row numbers in the training set, in time order.
    log_odds, y : ndarray of float64
        What was predicted before calibration, and the outcomes.
    """

    rows: Rows
    log_odds: Floats
    y: Floats
    n_fit: int
    origin: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The learner that did best on the origins, with its predictions there."""

    learner: str
    judged: tuple[Judged, ...]
    table: tuple[CandidateFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A fitted learner with the encoder it was fitted on."""

    encoder: Encoder
    fitted: Fitted

    def log_odds(self, training_set: TrainingSet, rows: Rows) -> Floats:
        """Log-odds of chosen rows before calibration."""
        return self.fitted.log_odds(self.encoder.encode_table(training_set.rows.take(rows)))


def fit_model(training_set: TrainingSet, rows: Rows, learner: str, *, seed: int) -> Model:
    """A learner fitted on chosen rows in time order; encoder included, nothing else is looked at."""
    if training_set.has_time:
        rows = rows[np.argsort(training_set.position[rows], kind="stable")]
    part = training_set.rows.take(rows)
    encoder = make_encoder(training_set.fields, part)
    return Model(
        encoder=encoder,
        fitted=LEARNERS[learner](encoder, encoder.encode_table(part), training_set.label[rows], seed),
    )


def choose_learner(
    training_set: TrainingSet,
    origins: Sequence[Split],
    learners: Sequence[str],
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> Choice:
    """The learner with the least mean log loss over the origins, the level of each origin matched.

    Notes
    -----
    Matching the level (one shift of the log-odds so that the mean probability equals the origin's event rate)
    keeps a moved base rate, which the calibrator treats, from deciding about the ranking. Learners are listed
    simplest first; a later one must beat the best before it by more than the standard error of the paired
    difference.
    """
    judged: dict[str, list[Judged]] = {learner: [] for learner in learners}
    done, work = 0, max(1, len(origins) * len(learners))
    for split in origins:
        y = training_set.label
        if y[split.fit].min() == y[split.fit].max():
            continue
        order = np.argsort(training_set.position[split.judge], kind="stable")
        rows = split.judge[order]
        for learner in learners:
            model = fit_model(training_set, split.fit, learner, seed=seed)
            judged[learner].append(
                Judged(
                    rows=rows,
                    log_odds=model.log_odds(training_set, rows),
                    y=y[rows],
                    n_fit=len(split.fit),
                    origin=split.origin,
                )
            )
            done += 1
            if on_progress is not None:
                on_progress(f"judging {learner}", done / work)
    losses = {learner: _matched_losses(parts) for learner, parts in judged.items()}
    best = _simplest_best(learners, losses)
    table = tuple(
        CandidateFigures(
            learner=learner,
            log_loss=float(losses[learner].mean()) if len(losses[learner]) else float("nan"),
            auc=mean_auc(judged[learner]),
            chosen=learner == best,
        )
        for learner in learners
    )
    return Choice(learner=best, judged=tuple(judged[best]), table=table)


def _simplest_best(learners: Sequence[str], losses: dict[str, Floats]) -> str:
    best = learners[0]
    for learner in learners[1:]:
        gain = losses[best] - losses[learner]
        if len(gain) and gain.mean() > gain.std() / np.sqrt(len(gain)):
            best = learner
    return best


def _matched_losses(parts: Sequence[Judged]) -> Floats:
    """Log loss of each judged row; every origin weighs alike."""
    if not parts:
        return np.zeros(0)
    size = np.mean([len(part.y) for part in parts])
    losses = []
    for part in parts:
        matched = match_level(part.log_odds, float(np.clip(part.y.mean(), 1e-4, 1 - 1e-4)))
        losses.append(log_losses(part.y, sigmoid(matched)) * size / len(part.y))
    return np.concatenate(losses)


def match_level(log_odds: Floats, rate: float) -> Floats:
    """Log-odds shifted so that the mean probability equals `rate`."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        if float(sigmoid(log_odds + middle).mean()) < rate:
            low = middle
        else:
            high = middle
    return log_odds + (low + high) / 2


def mean_auc(parts: Sequence[Judged]) -> float:
    """Mean AUC over the origins that hold both outcomes; NaN without any."""
    found = [auc(part.y, part.log_odds) for part in parts]
    found = [value for value in found if np.isfinite(value)]
    return float(np.mean(found)) if found else float("nan")


def mean_log_loss(parts: Sequence[Judged]) -> float:
    """Mean log loss over the origins, as predicted."""
    return float(np.mean([log_loss(part.y, sigmoid(part.log_odds)) for part in parts]))
