"""Competing risks in discrete time: which cause ends it, and in which step.

Class 0 is "nothing happens in this step"; hazards are the softmax of the scores of a person-period, which an additive
model a cause, a multiclass booster or the mean of both give (`models.hazard_learners`). The columns of a person-period
are the encoded row, then what is known ahead of each step (a pay day, a month's end), then the number of the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.additive import Additive
from models.ahead import Ahead
from models.booster import Booster
from models.calibrate import METHODS, MIN_POINTS, MIN_POINTS_ISOTONIC, MIN_POSITIVES
from models.calibrator import IDENTITY, Calibrator, logit
from models.encoding import Encoder
from models.hazard_learners import LEARNERS, Design, period_columns
from models.person_period import MAX_PERIODS, Durations, Grid, expand
from models.survival import Incidence, incidence_of

Floats: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.intp]

_CHUNK = 200_000


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
        One a cause, log-odds against "nothing happens"; empty for a booster alone.
    booster_text : str or None
        LightGBM's text of a multiclass booster; beside additive models the mean of both scores counts.
    """

    learner: str
    grid: Grid
    causes: tuple[str, ...]
    n_fields: int
    n_ahead: int = 0
    additives: tuple[Additive, ...] = ()
    booster_text: str | None = None

    def __post_init__(self) -> None:
        if self.booster_text is None and not self.additives:
            raise ValueError("hazards: expected a booster or one additive model a cause, or both")
        if self.additives and len(self.additives) != len(self.causes):
            raise ValueError(f"hazards: {len(self.additives)} additive models for {len(self.causes)} causes")

    def hazards(self, rows: Floats, ahead: Ahead | None = None) -> Floats:
        """Hazards of encoded rows, shape (n_rows, n_steps, n_causes).

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_fields)
            Encoded rows.
        ahead : Ahead, shape (n_rows, n_steps, n_ahead), or None
            What is known ahead of each step.
        """
        _require_ahead(ahead, (len(rows), self.grid.n_steps, self.n_ahead))
        n_steps = self.grid.n_steps
        row, step = np.repeat(np.arange(len(rows)), n_steps), np.tile(np.arange(n_steps), len(rows))
        return self.hazards_at(rows, row, step, ahead).reshape(len(rows), n_steps, len(self.causes))

    def hazards_at(self, rows: Floats, row: Places, step: Places, ahead: Ahead | None = None) -> Floats:
        """Hazards of chosen person-periods of encoded rows, shape (n_periods, n_causes).

        Parameters
        ----------
        rows : ndarray of float64, shape (n_rows, n_fields)
            Encoded rows.
        row, step : ndarray of intp, shape (n_periods,)
            Which row, and which step of the grid.
        ahead : Ahead, shape (n_rows, n_steps, n_ahead), or None
            What is known ahead of each step.
        """
        _require_ahead(ahead, (len(rows), self.grid.n_steps, self.n_ahead))
        result = np.empty((len(row), len(self.causes)))
        for start in range(0, len(row), _CHUNK):
            part = slice(start, start + _CHUNK)
            result[part] = softmax(self._scores_at(rows, row[part], step[part], ahead))[:, 1:]
        return result

    def _scores_at(self, rows: Floats, row: Places, step: Places, ahead: Ahead | None) -> Floats:
        if self.booster_text is not None:
            return self.scores(design_of(rows, ahead, row, step))
        # The periods of a row share the terms of its fields: they are summed once a row.
        asked, place = np.unique(row, return_inverse=True)
        own = [Additive(each.intercept, each.terms[: self.n_fields]).log_odds(rows[asked]) for each in self.additives]
        varying = period_columns(ahead, row, step)
        moving = [Additive(0.0, each.terms[self.n_fields :]).log_odds(varying) for each in self.additives]
        return np.column_stack([np.zeros(len(row)), np.column_stack(own)[place] + np.column_stack(moving)])

    def scores(self, design: Floats) -> Floats:
        """Scores of person-periods, "nothing happens" first, shape (n_periods, n_causes + 1)."""
        lines = [np.zeros(len(design)), *(each.log_odds(design) for each in self.additives)]
        if self.booster_text is None:
            return np.column_stack(lines)
        trees = self._booster(self.booster_text).scores(design)
        return (trees - trees[:, :1] + np.column_stack(lines)) / 2 if self.additives else trees

    def score_parts(self, design: Floats) -> Floats:
        """What each column of the design adds to the score of each cause, shape (n_periods, n_columns, n_causes)."""
        found = []
        if self.additives:
            found.append(np.stack([each.contributions(design)[:, :-1] for each in self.additives], axis=2))
        if self.booster_text is not None:
            trees = self._booster(self.booster_text).contributions(design)
            classes = trees.reshape(len(design), len(self.causes) + 1, -1)[:, :, :-1]
            found.append((classes[:, 1:] - classes[:, :1]).transpose(0, 2, 1))
        return np.ascontiguousarray(sum(found) / len(found))

    def _booster(self, text: str) -> Booster:
        booster = _loaded(text)
        if booster.n_classes != len(self.causes) + 1:
            raise ValueError(f"booster of {booster.n_classes} classes for {len(self.causes)} causes")
        return booster

    def incidence(self, rows: Floats, ahead: Ahead | None = None) -> Incidence:
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


def _require_ahead(ahead: Ahead | None, expected: tuple[int, int, int]) -> None:
    found = (expected[0], expected[1], 0) if ahead is None else ahead.shape
    if found != expected:
        raise ValueError(f"known ahead: expected shape {expected}, got {found}")


def design_of(rows: Floats, ahead: Ahead | None, row: Places, step: Places) -> Floats:
    """The columns of person-periods: the encoded row, what is known ahead of the step, the step's number."""
    return np.column_stack([rows[row], period_columns(ahead, row, step)])


def fit_hazard(
    learner: str,
    encoder: Encoder,
    rows: Floats,
    durations: Durations,
    *,
    grid: Grid,
    causes: tuple[str, ...],
    seed: int,
    ahead: Ahead | None = None,
    weight: Floats | None = None,
    most_periods: int = MAX_PERIODS,
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
    ahead : Ahead, shape (n_rows, n_steps, n_ahead), or None
        What is known ahead of each step, for instance whether a pay day lies in it.
    weight : ndarray of float64, shape (n_rows,), or None
        How much each row counts, bounded.
    most_periods : int
        Beyond so many person-periods quiet ones are thinned and weigh more.

    Raises
    ------
    ValueError
        No step of any row was watched, or a cause has no name.
    """
    if len(durations.cause) and int(durations.cause.max()) > len(causes):
        raise ValueError(f"cause {int(durations.cause.max())} has no name; there are {', '.join(causes)}")
    n_ahead = 0 if ahead is None else ahead.shape[2]
    _require_ahead(ahead, (len(rows), grid.n_steps, n_ahead))
    periods = expand(durations, grid, weight=weight, max_periods=most_periods, seed=seed)
    if len(periods.row) == 0:
        raise ValueError("no step of any row was watched")
    design = Design(
        encoder=encoder, rows=rows, ahead=ahead, periods=periods, n_steps=grid.n_steps, n_causes=len(causes)
    )
    learned = LEARNERS[learner](design, seed)
    return HazardModel(
        learner=learner,
        grid=grid,
        causes=causes,
        n_fields=rows.shape[1],
        n_ahead=n_ahead,
        additives=learned.additives,
        booster_text=learned.booster_text,
    )


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
