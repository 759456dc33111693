"""What competes for hazards: a rate, pooled logistic regression, LightGBM, and the mean of the last two.

Each gives log-odds against "nothing happens": one additive model a cause, a multiclass booster, or both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import Kind
from models.additive import Additive, Term
from models.ahead import Ahead
from models.basis import Basis
from models.encoding import Encoder
from models.person_period import CENSORED, PersonPeriods, thinned
from models.pooled_logistic import Periods, fit_pooled

Floats: TypeAlias = npt.NDArray[np.float64]

N_THREADS = 2
LEAST_ROUNDS, MOST_ROUNDS = 100, 250
EVENTS_PER_ROUND = 100
"""A tree for each so many events, between the least and the most: a small record learns no more from more trees."""
LEAST_BOOSTED = 30_000
QUIET_PER_EVENT = 2
"""Beyond `LEAST_BOOSTED` person-periods, trees learn from so many quiet ones for each in which something happened,
drawn by the random state; those kept weigh more, so that the level stays. On earlier windows nothing was lost by it."""
STRENGTH = 0.01
"""scikit-learn's C of the pooled regression. The periods of an entity are far from independent: its weekly rows look at
one and the same end, and a C of 1 follows each of them; this one ranked best on earlier windows."""
MAX_BIN = 63
_MAX_KNOTS = 9
_AHEAD_KNOTS = 5
"""People pay around lines that lie ahead: a straight line could not tell before from behind."""
NEVER = -30.0
"""Log-odds of a cause that training never saw."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """What hazards are learned from.

    Parameters
    ----------
    encoder : Encoder
        Says which columns of `rows` are categories.
    rows : ndarray of float64, shape (n_rows, n_fields)
        Encoded rows.
    ahead : Ahead, shape (n_rows, n_steps, n_ahead), or None
        What is known ahead of each step.
    periods : PersonPeriods
        The steps in which the rows were watched.
    n_steps, n_causes : int
        Steps of the grid and causes.
    """

    encoder: Encoder
    rows: Floats
    ahead: Ahead | None
    periods: PersonPeriods
    n_steps: int
    n_causes: int

    @property
    def n_ahead(self) -> int:
        """Columns that are known ahead of each step."""
        return 0 if self.ahead is None else self.ahead.shape[2]

    @property
    def varying(self) -> Floats:
        """The columns in which the periods of a row differ, the step last, shape (n_periods, n_ahead + 1)."""
        return period_columns(self.ahead, self.periods.row, self.periods.step)

    @property
    def present(self) -> npt.NDArray[np.intp]:
        """What happened in any period, 0 for nothing, rising."""
        return np.unique(self.periods.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """One additive model a cause, a booster's text, or both; log-odds against "nothing happens"."""

    additives: tuple[Additive, ...] = ()
    booster_text: str | None = None


def period_columns(ahead: Ahead | None, row: npt.NDArray[np.intp], step: npt.NDArray[np.intp]) -> Floats:
    """What is known ahead of each period, then the number of its step, shape (n_periods, n_ahead + 1)."""
    number = step.astype(np.float64)[:, None]
    return number if ahead is None else np.column_stack([ahead[row, step], number])


def fit_rate(design: Design, seed: int) -> Learned:
    """The rate of each cause in each step, the same for everyone, shrunk by one row's worth to the rate over all."""
    periods = design.periods
    counts = np.stack(
        [
            np.bincount(periods.step, weights=periods.weight * (periods.cause == cause), minlength=design.n_steps)
            for cause in range(design.n_causes + 1)
        ]
    )
    counts = counts + counts.sum(axis=1, keepdims=True) / counts.sum()
    log_odds = np.maximum(np.log(np.maximum(counts[1:], 1e-300)) - np.log(np.maximum(counts[0], 1e-300)), NEVER)
    plain = [
        Term(places=(0.0,) * (len(coding.categories) + 1)) if coding.field.kind is Kind.CATEGORY else Term()
        for coding in design.encoder.codings
    ]
    plain += [Term()] * design.n_ahead
    return Learned(additives=tuple(Additive(0.0, [*plain, Term(places=tuple(each.tolist()))]) for each in log_odds))


def fit_logistic(design: Design, seed: int) -> Learned:
    """Pooled multinomial logistic regression: one-hot categories, straight lines, a curve over the steps."""
    present = [int(cause) for cause in design.present if cause > 0]
    if not present:
        return fit_rate(design, seed)
    if len(present) == len(design.present):
        raise ValueError("every watched step ended in an event; there is nothing to compare with")
    codings, varying = design.encoder.codings, design.varying
    bases = [
        Basis(column, len(coding.categories), coding.field.kind, n_knots=2, is_straight=True)
        for coding, column in zip(codings, design.rows.T, strict=True)
    ]
    moving = [Basis(column, 0, Kind.NUMBER, n_knots=_AHEAD_KNOTS, is_straight=False) for column in varying[:, :-1].T]
    n_step_knots = min(design.n_steps, _MAX_KNOTS)
    moving.append(Basis(varying[:, -1], 0, Kind.NUMBER, n_knots=n_step_knots, is_straight=False))
    fixed = [np.zeros((len(design.rows), 0)), *(basis.design(c) for basis, c in zip(bases, design.rows.T, strict=True))]
    periods = Periods(
        np.column_stack(fixed),
        np.column_stack([basis.design(column) for basis, column in zip(moving, varying.T, strict=True)]),
        design.periods.row,
    )
    place = np.searchsorted(design.present, design.periods.cause)
    weights = fit_pooled(periods, place, design.periods.weight, len(present), strength=STRENGTH)
    ends = np.cumsum([1, *(basis.width for basis in (*bases, *moving))])[:-1]
    found: list[Additive] = [_never(design)] * design.n_causes
    for cause, column in zip(present, weights.T, strict=True):
        parts = np.split(column, ends)
        terms = [basis.term(part) for basis, part in zip((*bases, *moving), parts[1:], strict=True)]
        found[cause - 1] = _with_means(Additive(float(parts[0][0]), terms), design, varying)
    return Learned(additives=tuple(found))


def _never(design: Design) -> Additive:
    plain = [
        Term(places=(0.0,) * (len(coding.categories) + 1)) if coding.field.kind is Kind.CATEGORY else Term()
        for coding in design.encoder.codings
    ]
    return Additive(NEVER, [*plain, *[Term()] * (design.n_ahead + 1)])


def _with_means(model: Additive, design: Design, varying: Floats) -> Additive:
    """The model with the mean of each term over the person-periods, taken without writing them out."""
    n_periods = np.bincount(design.periods.row, minlength=len(design.rows))
    n_fields = design.rows.shape[1]
    own = Additive(0.0, model.terms[:n_fields]).columns(design.rows)
    means = np.concatenate(
        [n_periods @ own / n_periods.sum(), Additive(0.0, model.terms[n_fields:]).columns(varying).mean(axis=0)]
    )
    return model.with_term_means(means)


def n_rounds(n_events: int) -> int:
    """How many trees a cause is given.

    Examples
    --------
    >>> n_rounds(4_000), n_rounds(18_000), n_rounds(90_000)
    (100, 180, 250)
    """
    return min(max(LEAST_ROUNDS, n_events // EVENTS_PER_ROUND), MOST_ROUNDS)


def fit_booster(design: Design, seed: int) -> Learned:
    """LightGBM on the person-periods: small trees, slow steps, strong shrinkage."""
    import lightgbm

    n_events = int((design.periods.cause > CENSORED).sum())
    periods = thinned(design.periods, max(LEAST_BOOSTED, (QUIET_PER_EVENT + 1) * n_events), seed)
    table = np.column_stack([design.rows[periods.row], period_columns(design.ahead, periods.row, periods.step)])
    parameters = {
        "objective": "multiclass",
        "num_class": design.n_causes + 1,
        "num_threads": N_THREADS,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "max_bin": MAX_BIN,
        "learning_rate": 0.05,
        "num_leaves": 12,
        "min_data_in_leaf": max(20, len(table) // 200),
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "cat_smooth": 20.0,
        "cat_l2": 20.0,
    }
    data = lightgbm.Dataset(
        table,
        label=periods.cause,
        weight=periods.weight,
        feature_name=[f"f{place}" for place in range(table.shape[1])],
        categorical_feature=design.encoder.category_columns,
        params={"verbosity": -1, "max_bin": MAX_BIN},
        free_raw_data=True,
    )
    return Learned(booster_text=lightgbm.train(parameters, data, num_boost_round=n_rounds(n_events)).model_to_string())


BLEND, BLENDED = "hazard_blend", ("hazard_logistic", "hazard_booster")
"""The blend, and the learners whose scores it takes the mean of."""


def fit_blend(design: Design, seed: int) -> Learned:
    """The mean log-odds of `hazard_logistic` and `hazard_booster`: their errors differ, and neither drifts alone."""
    lines, trees = fit_logistic(design, seed), fit_booster(design, seed)
    return Learned(additives=lines.additives, booster_text=trees.booster_text)


LEARNERS: dict[str, Callable[[Design, int], Learned]] = {
    "hazard_rate": fit_rate,
    "hazard_logistic": fit_logistic,
    "hazard_booster": fit_booster,
    BLEND: fit_blend,
}
"""Every learner of hazards by name, simplest first; it takes a design and a random state."""
