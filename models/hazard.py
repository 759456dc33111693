"""Learners of competing risks in discrete time: which cause ends it, and in which step.

Three compete, simplest first: `hazard_rate` (the rate of each step, the same for everyone), `hazard_logistic`
(pooled multinomial logistic regression) and `hazard_booster` (LightGBM, multiclass). Class 0 is "nothing happens
in this step"; hazards are the softmax of the scores of a person-period. The design of a person-period is the
encoded row, then what is known ahead of each step (a pay day, a month's end), then the number of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import Kind
from models.additive import Additive, Term
from models.basis import Basis
from models.booster import Booster
from models.calibrate import METHODS, MIN_POINTS, MIN_POINTS_ISOTONIC, MIN_POSITIVES
from models.calibrator import IDENTITY, Calibrator, logit
from models.encoding import Encoder
from models.person_period import Durations, Grid, PersonPeriods, expand
from models.survival import Incidence, incidence_of

Floats: TypeAlias = npt.NDArray[np.float64]

N_THREADS = 2
N_ROUNDS = 150
_MAX_KNOTS = 9
_CHUNK = 200_000
_NEVER = -30.0
"""Log-odds of a cause that training never saw."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HazardModel:
    """Fitted hazards of every cause in every step.

    Parameters
    ----------
    learner : str
        Its name.
    grid : Grid
        The steps.
    causes : tuple of str
        Names of the causes 1, 2 and so on.
    n_fields, n_ahead : int
        Columns of an encoded row, and columns that are known ahead of each step.
    additives : tuple of Additive
        One a cause, log-odds against "nothing happens"; empty for a booster.
    booster_text : str or None
        LightGBM's text of a multiclass booster.
    """

    learner: str
    grid: Grid
    causes: tuple[str, ...]
    n_fields: int
    n_ahead: int = 0
    additives: tuple[Additive, ...] = ()
    booster_text: str | None = None

    def __post_init__(self) -> None:
        if (self.booster_text is None) == (len(self.additives) == 0):
            raise ValueError("hazards: expected a booster or one additive model a cause")
        if self.additives and len(self.additives) != len(self.causes):
            raise ValueError(f"hazards: {len(self.additives)} additive models for {len(self.causes)} causes")

    def hazards(self, rows: Floats, ahead: Floats | None = None) -> Floats:
        """Hazards of encoded rows, shape (n_rows, n_steps, n_causes).

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_fields)
            Encoded rows.
        ahead : ndarray of float64, shape (n_rows, n_steps, n_ahead), or None
            What is known ahead of each step.
        """
        _require_ahead(ahead, (len(rows), self.grid.n_steps, self.n_ahead))
        n_steps = self.grid.n_steps
        result = np.empty((len(rows), n_steps, len(self.causes)))
        size = max(1, _CHUNK // n_steps)
        for start in range(0, len(rows), size):
            part = np.arange(start, min(start + size, len(rows)))
            row, step = np.repeat(part, n_steps), np.tile(np.arange(n_steps), len(part))
            design = design_of(rows, ahead, row, step)
            result[part] = softmax(self.scores(design))[:, 1:].reshape(len(part), n_steps, -1)
        return result

    def scores(self, design: Floats) -> Floats:
        """Scores of person-periods, "nothing happens" first, shape (n_periods, n_causes + 1)."""
        if self.booster_text is not None:
            return self._booster(self.booster_text).scores(design)
        return np.column_stack([np.zeros(len(design)), *(each.log_odds(design) for each in self.additives)])

    def score_parts(self, design: Floats) -> Floats:
        """What each column of the design adds to the score of each cause, shape (n_periods, n_columns, n_causes)."""
        if self.booster_text is None:
            return np.stack([each.contributions(design)[:, :-1] for each in self.additives], axis=2)
        found = self._booster(self.booster_text).contributions(design)
        classes = found.reshape(len(design), len(self.causes) + 1, -1)[:, :, :-1]
        return np.ascontiguousarray((classes[:, 1:] - classes[:, :1]).transpose(0, 2, 1))

    def _booster(self, text: str) -> Booster:
        booster = _loaded(text)
        if booster.n_classes != len(self.causes) + 1:
            raise ValueError(f"booster of {booster.n_classes} classes for {len(self.causes)} causes")
        return booster

    def incidence(self, rows: Floats, ahead: Floats | None = None) -> Incidence:
        """Cumulative incidence of encoded rows, before any calibration."""
        return incidence_of(self.hazards(rows, ahead), self.grid, self.causes)


@lru_cache(maxsize=16)
def _loaded(text: str) -> Booster:
    """Boosters are read-only: reading the text once serves every request."""
    return Booster(text)


def softmax(scores: Floats) -> Floats:
    """Shares of each row that sum to 1, in proportion to the exponentials of its scores."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _require_ahead(ahead: Floats | None, expected: tuple[int, int, int]) -> None:
    found = (expected[0], expected[1], 0) if ahead is None else ahead.shape
    if found != expected:
        raise ValueError(f"known ahead: expected shape {expected}, got {found}")


def design_of(rows: Floats, ahead: Floats | None, row: npt.NDArray[np.intp], step: npt.NDArray[np.intp]) -> Floats:
    """The columns of person-periods: the encoded row, what is known ahead of the step, the step's number."""
    parts = [rows[row], step.astype(np.float64)[:, None]]
    if ahead is not None:
        parts.insert(1, ahead[row, step])
    return np.column_stack(parts)


# Encoder, design of the person-periods, the person-periods, the model's facts, random state.
Fit: TypeAlias = Callable[[Encoder, Floats, PersonPeriods, "Facts", int], HazardModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What every hazard model of a fit shares."""

    grid: Grid
    causes: tuple[str, ...]
    n_fields: int
    n_ahead: int


def fit_hazard(
    learner: str,
    encoder: Encoder,
    rows: Floats,
    durations: Durations,
    *,
    grid: Grid,
    causes: tuple[str, ...],
    seed: int,
    ahead: Floats | None = None,
    weight: Floats | None = None,
) -> HazardModel:
    """Hazards fitted on rows and what became of them.

    Parameters
    ----------
    learner : str
        One of `LEARNERS`.
    encoder : Encoder
        Says which columns of `rows` are categories.
    rows : ndarray of float64, shape (n_rows, n_fields)
        Encoded rows.
    durations : Durations
        Time and cause of each row; open ones censored.
    grid : Grid
        The steps.
    causes : tuple of str
        Names of the causes 1, 2 and so on.
    seed : int
        Random state.
    ahead : ndarray of float64, shape (n_rows, n_steps, n_ahead), or None
        What is known ahead of each step, for instance whether a pay day lies in it.
    weight : ndarray of float64, shape (n_rows,), or None
        How much each row counts, bounded.

    Raises
    ------
    ValueError
        No step of any row was watched, or a cause has no name.
    """
    if len(durations.cause) and int(durations.cause.max()) > len(causes):
        raise ValueError(f"cause {int(durations.cause.max())} has no name; there are {', '.join(causes)}")
    n_ahead = 0 if ahead is None else ahead.shape[2]
    _require_ahead(ahead, (len(rows), grid.n_steps, n_ahead))
    periods = expand(durations, grid, weight=weight, seed=seed)
    if len(periods.row) == 0:
        raise ValueError("no step of any row was watched")
    design = design_of(rows, ahead, periods.row, periods.step)
    facts = Facts(grid=grid, causes=causes, n_fields=rows.shape[1], n_ahead=n_ahead)
    return LEARNERS[learner](encoder, design, periods, facts, seed)


def _model(learner: str, facts: Facts, *, additives: tuple[Additive, ...] = (), text: str | None = None) -> HazardModel:
    return HazardModel(
        learner=learner,
        grid=facts.grid,
        causes=facts.causes,
        n_fields=facts.n_fields,
        n_ahead=facts.n_ahead,
        additives=additives,
        booster_text=text,
    )


def fit_rate(encoder: Encoder, design: Floats, periods: PersonPeriods, facts: Facts, seed: int) -> HazardModel:
    """The rate of each cause in each step, the same for everyone, shrunk by one row's worth to the rate over all."""
    n_steps = facts.grid.n_steps
    counts = np.stack(
        [
            np.bincount(periods.step, weights=periods.weight * (periods.cause == cause), minlength=n_steps)
            for cause in range(len(facts.causes) + 1)
        ]
    )
    counts = counts + counts.sum(axis=1, keepdims=True) / counts.sum()
    log_odds = np.maximum(np.log(np.maximum(counts[1:], 1e-300)) - np.log(np.maximum(counts[0], 1e-300)), _NEVER)
    plain = [
        Term(places=(0.0,) * (len(coding.categories) + 1)) if coding.field.kind is Kind.CATEGORY else Term()
        for coding in encoder.codings
    ]
    plain += [Term()] * facts.n_ahead
    additives = tuple(Additive(0.0, [*plain, Term(places=tuple(each.tolist()))]) for each in log_odds)
    return _model("hazard_rate", facts, additives=additives)


def fit_logistic(encoder: Encoder, design: Floats, periods: PersonPeriods, facts: Facts, seed: int) -> HazardModel:
    """Pooled multinomial logistic regression: one-hot categories, straight lines, a curve over the steps."""
    from sklearn.linear_model import LogisticRegression

    present = np.unique(periods.cause)
    if len(present) == 1:
        return fit_rate(encoder, design, periods, facts, seed)
    codings = list(encoder.codings)
    bases = [
        Basis(design[:, place], len(coding.categories), coding.field.kind, n_knots=2, is_straight=True)
        for place, coding in enumerate(codings)
    ]
    for place in range(len(codings), design.shape[1] - 1):
        bases.append(Basis(design[:, place], 0, Kind.NUMBER, n_knots=2, is_straight=True))
    n_knots = min(facts.grid.n_steps, _MAX_KNOTS)
    bases.append(Basis(design[:, -1], 0, Kind.NUMBER, n_knots=n_knots, is_straight=False))
    columns = np.column_stack([basis.design(design[:, place]) for place, basis in enumerate(bases)])
    solver = LogisticRegression(C=1.0, max_iter=300, solver="lbfgs")
    solver.fit(columns, periods.cause, sample_weight=periods.weight)
    found = _class_weights(solver.coef_, solver.intercept_, present, len(facts.causes))
    additives = []
    for weights, intercept in found:
        ends = np.cumsum([basis.width for basis in bases])[:-1]
        terms = [basis.term(part) for basis, part in zip(bases, np.split(weights, ends), strict=True)]
        additives.append(Additive(intercept, terms).with_means(design))
    return _model("hazard_logistic", facts, additives=tuple(additives))


def _class_weights(
    coef: Floats, intercept: Floats, present: npt.NDArray[np.intp], n_causes: int
) -> list[tuple[Floats, float]]:
    """Weights of each cause against "nothing happens"; a cause that was never seen never happens."""
    if len(present) == 2:
        # Two classes have one set of weights, that of the second.
        coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([[0.0], intercept])
    place = {int(each): at for at, each in enumerate(present)}
    if 0 not in place:
        raise ValueError("every watched step ended in an event; there is nothing to compare with")
    base = place[0]
    return [
        (coef[place[cause]] - coef[base], float(intercept[place[cause]] - intercept[base]))
        if cause in place
        else (np.zeros(coef.shape[1]), _NEVER)
        for cause in range(1, n_causes + 1)
    ]


def fit_booster(encoder: Encoder, design: Floats, periods: PersonPeriods, facts: Facts, seed: int) -> HazardModel:
    """LightGBM on the person-periods: small trees, slow steps, strong shrinkage."""
    import lightgbm

    parameters = {
        "objective": "multiclass",
        "num_class": len(facts.causes) + 1,
        "num_threads": N_THREADS,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "learning_rate": 0.05,
        "num_leaves": 12,
        "min_data_in_leaf": max(20, len(design) // 200),
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "cat_smooth": 20.0,
        "cat_l2": 20.0,
    }
    data = lightgbm.Dataset(
        design,
        label=periods.cause,
        weight=periods.weight,
        feature_name=[f"f{place}" for place in range(design.shape[1])],
        categorical_feature=encoder.category_columns,
        params={"verbosity": -1},
        free_raw_data=True,
    )
    text = lightgbm.train(parameters, data, num_boost_round=N_ROUNDS).model_to_string()
    return _model("hazard_booster", facts, text=text)


LEARNERS: dict[str, Fit] = {
    "hazard_rate": fit_rate,
    "hazard_logistic": fit_logistic,
    "hazard_booster": fit_booster,
}
"""Every learner of hazards by name, simplest first."""


def fit_calibrators(
    incidence: Incidence, durations: Durations, horizon: float, *, method: str = "beta"
) -> tuple[Calibrator, ...]:
    """One calibrator a cause for its chance within a horizon, learned from rows whose window has passed.

    Parameters
    ----------
    incidence : Incidence
        Predictions made on rows that the model was not fitted on.
    durations : Durations
        What became of those rows; a row whose outcome within the horizon is unknown is left out.
    horizon : float
        An edge of the grid.
    method : str
        One of `models.calibrate.METHODS`.

    Returns
    -------
    tuple of Calibrator
        For `models.survival.recalibrate`; the identity where outcomes are too few.
    """
    found = []
    for place, cause in enumerate(incidence.causes, start=1):
        y = durations.known_by(horizon, place)
        known = np.isfinite(y)
        y, log_odds = y[known], logit(incidence.by(horizon, cause)[known])
        least = MIN_POINTS_ISOTONIC if method == "isotonic" else MIN_POINTS
        is_enough = len(y) >= least and min(y.sum(), (1 - y).sum()) >= MIN_POSITIVES
        found.append(METHODS[method](log_odds, y) if is_enough else IDENTITY)
    return tuple(found)
