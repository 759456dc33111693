"""Learners that compete for a task; each ends as text: an additive model, a booster, or both.

Names are what a task lists under `candidates`. `logistic` and `booster` are left untuned: they are the baselines
every figure stands beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import Kind
from models.additive import Additive, Term
from models.basis import Basis
from models.booster import Booster
from models.encoding import Encoder
from models.shrunk import fit_with_prior, shrink

Floats: TypeAlias = npt.NDArray[np.float64]

N_THREADS = 2
# Share of the rows, in time order, over which a row's weight halves.
HALF_LIFE = 0.3
BASELINES = ("logistic", "booster")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A fitted learner, ready for a bundle.

    Parameters
    ----------
    learner : str
        Its name.
    kind : str
        Kind of the bundle: `booster`, `linear`, `base_rate`, `blend`.
    additive, booster_text : Additive or None, str or None
        The parts.
    weight : float
        Share of the booster's log-odds in a blend.
    """

    learner: str
    kind: str
    additive: Additive | None = None
    booster_text: str | None = None
    weight: float = 0.5

    def log_odds(self, rows: Floats) -> Floats:
        """Log-odds of encoded rows, before any calibration."""
        trees = None if self.booster_text is None else Booster(self.booster_text).log_odds(rows)
        terms = None if self.additive is None else self.additive.log_odds(rows)
        if trees is None or terms is None:
            return _given(trees if terms is None else terms)
        return np.asarray(self.weight * trees + (1.0 - self.weight) * terms)


def _given(values: Floats | None) -> Floats:
    if values is None:
        raise ValueError("a fitted learner holds an additive part, a booster or both")
    return values


# Encoder, encoded rows in time order, labels, random state.
Fit: TypeAlias = Callable[[Encoder, Floats, Floats, int], Fitted]


def fit_base_rate(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """The base rate, moved by one segment as far as the evidence goes.

    Notes
    -----
    The segment is the category field whose shrunken rates explain most (binomial deviance over its degrees of
    freedom). Rate of a place: (events + m * base rate) / (rows + m), m by the method of moments of the
    beta-binomial. Without such a field: the plain rate.
    """
    rate = float(np.clip(y.mean(), 0.5 / len(y), 1 - 0.5 / len(y)))
    intercept = float(np.log(rate / (1 - rate)))
    best, gain = -1, 0.0
    for column in encoder.category_columns:
        found = _segment_gain(rows[:, column], y, rate, len(encoder.codings[column].categories) + 1)
        if found > gain:
            best, gain = column, found
    terms = []
    for column, coding in enumerate(encoder.codings):
        n_places = len(coding.categories) + 1
        if column == best:
            terms.append(_segment_term(rows[:, column], y, rate, n_places))
        elif coding.field.kind is Kind.CATEGORY:
            terms.append(Term(places=(0.0,) * n_places))
        else:
            terms.append(Term())
    return Fitted(learner="base_rate", kind="base_rate", additive=Additive(intercept, terms).with_means(rows))


def _counts(values: Floats, y: Floats, n_places: int) -> tuple[Floats, Floats]:
    places = np.where(np.isnan(values), n_places, values).astype(np.intp)
    n = np.bincount(places, minlength=n_places + 1).astype(np.float64)
    return n, np.bincount(places, weights=y, minlength=n_places + 1).astype(np.float64)


def _shrunken_rates(n: Floats, hits: Floats, rate: float) -> Floats:
    present = n > 0
    spread = float(np.sum(n[present] * (hits[present] / n[present] - rate) ** 2))
    freedom = max(int(present.sum()) - 1, 1)
    within = rate * (1 - rate)
    mean_n = float(n.sum() - (n**2).sum() / n.sum()) / freedom
    between = max(0.0, (spread / freedom - within) / max(mean_n, 1e-9))
    pseudo = within / between - 1 if between > 0 else np.inf
    if not np.isfinite(pseudo):
        return np.full(len(n), rate)
    pseudo = max(pseudo, 1.0)
    return np.asarray((hits + pseudo * rate) / (n + pseudo))


def _segment_gain(values: Floats, y: Floats, rate: float, n_places: int) -> float:
    n, hits = _counts(values, y, n_places)
    rates = _shrunken_rates(n, hits, rate)
    gain = np.sum(hits * np.log(rates / rate) + (n - hits) * np.log((1 - rates) / (1 - rate)))
    return float(gain) - float((n > 0).sum() - 1)


def _segment_term(values: Floats, y: Floats, rate: float, n_places: int) -> Term:
    rates = _shrunken_rates(*_counts(values, y, n_places), rate)
    moves = np.log(rates / (1 - rates)) - np.log(rate / (1 - rate))
    # A category never seen has no evidence of its own.
    return Term(places=tuple(moves[:-1].tolist()), missing=float(moves[-1]))


def fit_shrunk(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """Logistic regression shrunk to the base rate; the base rate itself when the evidence is thin."""
    additive = shrink(encoder, rows, y, seed) if 0 < y.sum() < len(y) else None
    if additive is None:
        return plain_rate("shrunk", encoder, rows, y)
    return Fitted(learner="shrunk", kind="linear", additive=additive)


def fit_ridge(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """Logistic regression with a normal prior on standardised columns: for few rows, several of one customer."""
    return Fitted(learner="ridge", kind="linear", additive=fit_with_prior(encoder, rows, y))


def plain_rate(learner: str, encoder: Encoder, rows: Floats, y: Floats) -> Fitted:
    """The base rate for everyone."""
    rate = (float(y.sum()) + 0.5) / (len(y) + 1.0)
    terms = [
        Term(places=(0.0,) * (len(coding.categories) + 1)) if coding.field.kind is Kind.CATEGORY else Term()
        for coding in encoder.codings
    ]
    return Fitted(learner=learner, kind="base_rate", additive=Additive(float(np.log(rate / (1 - rate))), terms))


def fit_logistic(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """Logistic regression as scikit-learn fits it by default: one-hot, missing flags, scaling, C = 1."""
    return _fit_additive("logistic", encoder, rows, y, n_knots=2, strength=1.0)


def fit_curves(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """Logistic regression on piecewise linear curves with knots at quantiles; a smooth additive model."""
    return _fit_additive("curves", encoder, rows, y, n_knots=7, strength=0.3)


def _fit_additive(learner: str, encoder: Encoder, rows: Floats, y: Floats, *, n_knots: int, strength: float) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    bases = [
        Basis(rows[:, place], len(coding.categories), coding.field.kind, n_knots=n_knots, is_straight=n_knots == 2)
        for place, coding in enumerate(encoder.codings)
    ]
    design = np.column_stack([basis.design(rows[:, place]) for place, basis in enumerate(bases)])
    model = LogisticRegression(C=strength, max_iter=200, solver="newton-cholesky")
    model.fit(design, y)
    weights, intercept = model.coef_[0], float(model.intercept_[0])
    terms, start = [], 0
    for basis in bases:
        terms.append(basis.term(weights[start : start + basis.width]))
        start += basis.width
    return Fitted(learner=learner, kind="linear", additive=Additive(intercept, terms).with_means(rows))


def fit_booster(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """LightGBM as it comes, categories native."""
    return _boost("booster", encoder, rows, y, seed, n_rounds=100, settings={})


def fit_booster_small(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """LightGBM with small trees, slow steps and strong shrinkage: for few or noisy rows."""
    return _boost("booster_small", encoder, rows, y, seed, n_rounds=200, settings=_small_settings(len(y)))


def fit_booster_recent(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """`booster_small` with rows that weigh half as much every `HALF_LIFE` of the way back, for a market that moves."""
    age = np.arange(len(y))[::-1] / len(y)
    weight = 0.5 ** (age / HALF_LIFE)
    settings = _small_settings(len(y))
    return _boost("booster_recent", encoder, rows, y, seed, n_rounds=200, settings=settings, weight=weight)


def _small_settings(n_rows: int) -> dict[str, float]:
    return {
        "learning_rate": 0.04,
        "num_leaves": 12,
        "min_data_in_leaf": max(20, n_rows // 200),
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "cat_smooth": 20.0,
        "cat_l2": 20.0,
    }


def _boost(
    learner: str,
    encoder: Encoder,
    rows: Floats,
    y: Floats,
    seed: int,
    *,
    n_rounds: int,
    settings: dict[str, float],
    weight: Floats | None = None,
) -> Fitted:
    import lightgbm

    parameters = {
        "objective": "binary",
        "num_threads": N_THREADS,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        **settings,
    }
    names = [f"f{place}" for place in range(len(encoder.codings))]
    data = lightgbm.Dataset(
        rows,
        label=y,
        weight=weight,
        feature_name=names,
        categorical_feature=encoder.category_columns,
        params={"verbosity": -1},
        free_raw_data=True,
    )
    model = lightgbm.train(parameters, data, num_boost_round=n_rounds)
    return Fitted(learner=learner, kind="booster", booster_text=model.model_to_string())


def fit_blend(encoder: Encoder, rows: Floats, y: Floats, seed: int) -> Fitted:
    """The mean log-odds of `curves` and `booster_small`: their errors differ, and neither drifts alone."""
    curves, trees = fit_curves(encoder, rows, y, seed), fit_booster_small(encoder, rows, y, seed)
    return Fitted(learner="blend", kind="blend", additive=curves.additive, booster_text=trees.booster_text, weight=0.5)


LEARNERS: dict[str, Fit] = {
    "base_rate": fit_base_rate,
    "shrunk": fit_shrunk,
    "ridge": fit_ridge,
    "logistic": fit_logistic,
    "curves": fit_curves,
    "booster": fit_booster,
    "booster_small": fit_booster_small,
    "booster_recent": fit_booster_recent,
    "blend": fit_blend,
}
"""Every learner by name."""
