"""Who is learned from, who calibrates, who judges: folds that never look ahead.

With time: rolling origins inside the training part, then one test window that is opened once. A row may be
learned from at a moment only when its label's window (gap + horizon) had passed by then. Without any order folds
are drawn by a hash of the group, and the report says that this is optimistic.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import TrainingSet
from models.task import Folds

Rows: TypeAlias = npt.NDArray[np.intp]

# The oldest share of the training part that is never judged: every origin needs a past.
FIRST_ORIGIN = 0.4
_HASH_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Rows to fit on and rows to judge on; every fit row's outcome was known before the first judged row.

    Parameters
    ----------
    fit, judge : ndarray of intp
        Row numbers of the training set.
    origin : float
        Position of the first judged row; NaN without time.
    """

    fit: Rows
    judge: Rows
    origin: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """All splits of one training.

    Parameters
    ----------
    origins : tuple of Split
        For choosing the learner and for calibration, oldest first.
    test : Split
        Opened once.
    has_time : bool
        False: drawn by hash, figures are optimistic.
    embargo : float
        Units of position between the last fit row and the origin.
    in_time : bool
        False: the history before the test window is too short for one origin, so that learners are compared across
        groups there, not over time. The test window stays later.
    """

    origins: tuple[Split, ...]
    test: Split
    has_time: bool
    embargo: float
    in_time: bool = True


class TooFewRows(Exception):
    """No split leaves both outcomes on both sides."""


def embargo_of(training_set: TrainingSet, folds: Folds) -> float:
    """Days that must lie between a fit row and an origin: gap + horizon; 0 for given outcomes."""
    if not folds.embargo or training_set.horizon_days is None:
        return 0.0
    return float(training_set.horizon_days + (training_set.gap_days or 0))


def make_plan(training_set: TrainingSet, folds: Folds) -> Plan:
    """The splits of a training set whose labels are all known.

    Parameters
    ----------
    training_set : TrainingSet
        Without censored rows.
    folds : Folds
        Number of origins, share of the test window.

    Raises
    ------
    TooFewRows
        There is nothing to fit on or to judge.
    """
    plan = _by_time(training_set, folds) if training_set.has_time else _by_hash(training_set, folds)
    if len(plan.test.fit) == 0 or len(plan.test.judge) == 0:
        raise TooFewRows("no split of the rows leaves both a training part and a test window")
    return plan


def _by_time(training_set: TrainingSet, folds: Folds) -> Plan:
    position = training_set.position
    embargo = embargo_of(training_set, folds)
    order = np.argsort(position, kind="stable")
    start = position[order[_cut(len(order), 1.0 - folds.test_share)]]
    test = _split(position, start, np.inf, embargo)
    inside = np.sort(position[test.fit])
    origins: list[Split] = []
    if len(inside):
        edges = np.linspace(FIRST_ORIGIN, 1.0, folds.n_origins + 1)
        starts = [inside[_cut(len(inside), edge)] for edge in edges[:-1]]
        ends = [*starts[1:], np.nextafter(inside[-1], np.inf)]
        for begin, end in zip(starts, ends, strict=True):
            split = _split(position, begin, end, embargo)
            if len(split.fit) and len(split.judge):
                origins.append(split)
    if not origins and len(inside):
        across = _across_groups(training_set.group, test.fit)
        return Plan(origins=across, test=test, has_time=True, embargo=embargo, in_time=False)
    return Plan(origins=tuple(origins), test=test, has_time=True, embargo=embargo)


def _across_groups(group: npt.NDArray[np.str_], rows: Rows) -> tuple[Split, ...]:
    """Folds of groups among chosen rows."""
    fold = np.floor(hash_shares(group[rows]) * _HASH_FOLDS).astype(np.intp)
    splits = (Split(fit=rows[fold != n], judge=rows[fold == n], origin=float("nan")) for n in range(_HASH_FOLDS))
    return tuple(split for split in splits if len(split.fit) and len(split.judge))


def _cut(n_rows: int, share: float) -> int:
    return min(n_rows - 1, round(n_rows * share))


def _split(position: npt.NDArray[np.float64], start: float, end: float, embargo: float) -> Split:
    # A label's window ends at position + embargo; what ends at the origin itself is not yet known there.
    fit = position < start if embargo == 0 else position + embargo < start
    judge = (position >= start) & (position < end)
    return Split(fit=np.flatnonzero(fit), judge=np.flatnonzero(judge), origin=float(start))


def _by_hash(training_set: TrainingSet, folds: Folds) -> Plan:
    share = hash_shares(training_set.group)
    test_rows = share < folds.test_share
    inside = (share - folds.test_share) / (1.0 - folds.test_share)
    fold = np.floor(inside * _HASH_FOLDS).astype(np.intp)
    nan = float("nan")
    origins = [
        Split(fit=np.flatnonzero(~test_rows & (fold != number)), judge=np.flatnonzero(fold == number), origin=nan)
        for number in range(_HASH_FOLDS)
    ]
    test = Split(fit=np.flatnonzero(~test_rows), judge=np.flatnonzero(test_rows), origin=nan)
    kept = tuple(split for split in origins if len(split.fit) and len(split.judge))
    return Plan(origins=kept, test=test, has_time=False, embargo=0.0)


def hash_shares(group: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each row that depends on its group's name alone."""
    names, places = np.unique(group, return_inverse=True)
    shares = [int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:8], "big") / 2**64 for name in names]
    return np.asarray(shares)[places]


def random_split(training_set: TrainingSet, *, test_share: float, seed: int) -> Split:
    """A split that ignores time, to show how optimistic it would be; never used to choose anything."""
    order = np.random.default_rng(seed).permutation(len(training_set.label))
    cut = _cut(len(order), 1.0 - test_share)
    return Split(fit=np.sort(order[:cut]), judge=np.sort(order[cut:]), origin=float("nan"))
