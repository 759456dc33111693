"""How much each field says about the outcome, alone and beside the others, measured out of fold.

Rows of one group (an account, an entity) stay in one fold, so that nothing is learned from the row itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.matrix import Kind, TrainingSet

Floats = npt.NDArray[np.float64]
# fit(x of shape (n, k), y of shape (n,), numbers of the category columns, seed) -> predict(x) -> probabilities
Fit = Callable[[Floats, Floats, Sequence[int], int], Callable[[Floats], Floats]]

N_FOLDS = 3
MOST_ROWS = 12_000
N_BINS = 30
_PRIOR_ROWS = 10.0
_ROUNDS = 60


def fit_small_booster(x: Floats, y: Floats, categories: Sequence[int], seed: int) -> Callable[[Floats], Floats]:
    """A small gradient boosting model: enough to see what columns know, quick enough to fit a hundred times."""
    import lightgbm

    parameters = {
        "objective": "binary",
        "verbose": -1,
        "num_threads": 1,
        "learning_rate": 0.1,
        "num_leaves": 15,
        "min_data_in_leaf": 20,
        "deterministic": True,
        "seed": seed,
    }
    data = lightgbm.Dataset(x, y, categorical_feature=list(categories) or "auto", free_raw_data=True)
    booster = lightgbm.train(parameters, data, _ROUNDS)

    def predict(rows: Floats) -> Floats:
        return np.asarray(booster.predict(rows, num_threads=1), dtype=np.float64)

    return predict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Single:
    """What one field says alone.

    Attributes
    ----------
    value_auc : float
        AUC of its values among the rows where it is filled; NaN when too few are.
    flag_auc : float
        AUC of whether it is filled, at least .5.
    n_filled : int
        Rows where it is filled.
    share_filled : float
        Their share.
    signal : ndarray, shape (n_rows,)
        Out-of-fold event rate of its value.
    """

    value_auc: float
    flag_auc: float
    n_filled: int
    share_filled: float
    signal: Floats


class Screen:
    """A training set made ready for measuring.

    Parameters
    ----------
    training_set : TrainingSet
        Rows with unknown outcome are left out; more than 12,000 are thinned by whole groups.
    seed : int
        Decides folds and thinning.
    fit : callable
        The learner.
    ending : ndarray, shape (n_rows,), or None
        Whether the event ever happened, NaN while open; None takes the labels.
    """

    def __init__(self, training_set: TrainingSet, *, seed: int, fit: Fit, ending: Floats | None = None) -> None:
        chosen = thinned(training_set, seed)
        rows = training_set.take(chosen)
        self.ending = (training_set.label if ending is None else ending)[chosen]
        self.fields = rows.fields
        self.y = rows.label
        self.rows = rows
        self.fold = _folds(rows.group, seed)
        self.order = np.argsort(rows.position, kind="stable") if rows.has_time else None
        self._seed = seed
        self._fit = fit
        self.codes = np.column_stack([_codes(rows, name.name, name.kind) for name in rows.fields])
        self.filled = ~np.isnan(self.codes)
        self.place = {field.name: at for at, field in enumerate(rows.fields)}
        self._single: dict[str, Single] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(field.name for field in self.fields)

    def single(self, name: str) -> Single:
        """What a field says alone."""
        if name not in self._single:
            self._single[name] = self._measure(name)
        return self._single[name]

    def predict(self, names: Collection[str]) -> Floats:
        """Out-of-fold probabilities of a model of the named fields; the base rate when there are none."""
        chosen = [at for at, field in enumerate(self.fields) if field.name in set(names)]
        categories = [n for n, at in enumerate(chosen) if self.fields[at].kind is Kind.CATEGORY]
        x, found = self.codes[:, chosen], np.empty(len(self.y))
        for fold in range(N_FOLDS):
            test = self.fold == fold
            if not chosen:
                found[test] = self.y[~test].mean()
                continue
            found[test] = self._fit(x[~test], self.y[~test], categories, self._seed)(x[test])
        return found

    def fill_by_time(self, name: str, n_parts: int) -> Floats:
        """Share of rows where a field is filled, from the oldest to the newest part; empty without time."""
        if self.order is None:
            return np.empty(0)
        parts = np.array_split(self.filled[self.order, self.place[name]], n_parts)
        return np.array([part.mean() for part in parts])

    def _measure(self, name: str) -> Single:
        at = self.place[name]
        filled, codes = self.filled[:, at], self.codes[:, at]
        signal = np.full(len(self.y), float(self.y.mean()))
        for fold in range(N_FOLDS):
            train, test = filled & (self.fold != fold), filled & (self.fold == fold)
            if train.any() and test.any():
                signal[test] = _rates(codes[train], self.y[train], codes[test], self.fields[at].kind)
        flag = area(self.y, filled.astype(np.float64))
        value = _folded_area(self.y, signal, self.fold, filled)
        return Single(
            value_auc=value,
            flag_auc=max(flag, 1 - flag),
            n_filled=int(filled.sum()),
            share_filled=float(filled.mean()),
            signal=signal,
        )


def thinned(training_set: TrainingSet, seed: int) -> npt.NDArray[np.intp]:
    """Numbers of the rows with a known outcome, whole groups of them, at most about 12,000."""
    known = np.isfinite(training_set.label)
    if known.sum() > MOST_ROWS:
        groups, place = np.unique(training_set.group, return_inverse=True)
        known &= np.random.default_rng(seed).random(len(groups))[place] < MOST_ROWS / known.sum()
    return np.flatnonzero(known)


def area(y: Floats, score: Floats) -> float:
    """Area under the ROC curve, ties counted half; .5 when there is one class only.

    Examples
    --------
    >>> area(np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.4, 0.4]))
    0.75
    """
    n_events = float(y.sum())
    n_rest = len(y) - n_events
    if n_events == 0 or n_rest == 0:
        return 0.5
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    return float((rank[place][y == 1].sum() - n_events * (n_events + 1) / 2) / (n_events * n_rest))


def log_loss(y: Floats, p: Floats) -> float:
    """Mean negative log likelihood."""
    safe = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-(y * np.log(safe) + (1 - y) * np.log(1 - safe)).mean())


def _folds(group: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.intp]:
    groups, place = np.unique(group, return_inverse=True)
    return np.random.default_rng(seed).permutation(np.arange(len(groups)) % N_FOLDS)[place]


def _codes(rows: TrainingSet, name: str, kind: Kind) -> Floats:
    column = rows.rows.column(name)
    if kind is not Kind.CATEGORY:
        return np.asarray(column.to_numpy(), dtype=np.float64)
    encoded = column.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.float64)


def _rates(train: Floats, y: Floats, test: Floats, kind: Kind) -> Floats:
    """Event rate of each test value as the training rows show it, drawn towards the mean where they are few."""
    if kind is Kind.NUMBER:
        edges = np.unique(np.quantile(train, np.linspace(0, 1, N_BINS + 1)[1:-1]))
        known, asked = np.searchsorted(edges, train), np.searchsorted(edges, test)
    else:
        known, asked = train.astype(np.intp), test.astype(np.intp)
    size = int(max(known.max(), asked.max())) + 1
    count = np.bincount(known, minlength=size)
    events = np.bincount(known, weights=y, minlength=size)
    rate = (events + _PRIOR_ROWS * y.mean()) / (count + _PRIOR_ROWS)
    return np.asarray(rate[asked])


def _folded_area(y: Floats, score: Floats, fold: npt.NDArray[np.intp], rows: npt.NDArray[np.bool_]) -> float:
    """Mean of the folds' areas: pooling them would compare scores of different models."""
    areas = [
        area(y[rows & (fold == k)], score[rows & (fold == k)]) for k in range(N_FOLDS) if (rows & (fold == k)).any()
    ]
    return float(np.mean(areas)) if areas else float("nan")
