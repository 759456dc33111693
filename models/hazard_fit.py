"""Hazards fitted on timed rows: encoder and model together, and how far a record lets them reach."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.outcomes import Outcomes
from features.timed_set import TimedSet
from models.ahead import StepsAhead, steps_ahead, usable_columns
from models.encoding import Encoder, make_encoder
from models.hazard import HazardModel, fit_hazard
from models.hazard_task import HazardTask
from models.person_period import Durations, Grid, expand
from models.survival import Incidence

Floats: TypeAlias = npt.NDArray[np.float64]

SEASON = "season"
"""Business group of the fields that say where a day lies in the year."""
LEAST_AT_RISK = 30
"""A step is learned only when so many rows were open at its beginning and watched to its end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedHazard:
    """Hazards with the encoder they were fitted on."""

    encoder: Encoder
    model: HazardModel
    ahead_names: tuple[str, ...] = ()

    def incidence(self, rows: TimedSet) -> Incidence:
        """Cumulative incidence of rows before any calibration."""
        encoded = self.encoder.encode_table(rows.rows)
        return self.model.incidence(encoded, self._ahead(encoded, rows))

    def _ahead(self, encoded: Floats, rows: TimedSet) -> StepsAhead | None:
        return steps_ahead(self.ahead_names, self.encoder, encoded, rows.on, self.model.grid)

    def losses(self, rows: TimedSet) -> Floats:
        """Log loss of each row's person-periods summed, and how many there are; shape (2, n_rows)."""
        periods = expand(durations_of(rows.outcomes), self.model.grid)
        encoded = self.encoder.encode_table(rows.rows)
        hazards = self.model.hazards_at(encoded, periods.row, periods.step, self._ahead(encoded, rows))
        chance = np.column_stack([1.0 - hazards.sum(axis=1), hazards])[np.arange(len(periods.row)), periods.cause]
        loss = -np.log(np.clip(chance, 1e-12, 1.0))
        n_rows = len(rows.entity_id)
        return np.stack(
            [np.bincount(periods.row, loss, minlength=n_rows), np.bincount(periods.row, minlength=n_rows)]
        ).astype(np.float64)


def fit_rows(task: HazardTask, rows: TimedSet, learner: str, grid: Grid, *, seed: int) -> FittedHazard:
    """Hazards of a learner fitted on rows, open ones censored.

    Parameters
    ----------
    task : HazardTask
        What is known of the steps ahead, and how long a season takes to learn.
    rows : TimedSet
        The rows.
    learner : str
        One of `models.hazard.LEARNERS`.
    grid : Grid
        Steps in days.
    seed : int
        Random state.
    """
    has_season = bool((rows.on.max() - rows.on.min()) / np.timedelta64(1, "D") >= task.season_days)
    fields = tuple(field for field in rows.fields if has_season or field.group != SEASON)
    encoder = make_encoder(fields, rows.rows)
    encoded = encoder.encode_table(rows.rows)
    names = usable_columns(task.ahead, encoder, has_season=has_season)
    model = fit_hazard(
        learner,
        encoder,
        encoded,
        durations_of(rows.outcomes),
        grid=grid,
        causes=rows.outcomes.causes,
        seed=seed,
        ahead=steps_ahead(names, encoder, encoded, rows.on, grid),
        most_periods=task.most_periods,
    )
    return FittedHazard(encoder=encoder, model=model, ahead_names=names)


def durations_of(outcomes: Outcomes) -> Durations:
    """The outcomes as a hazard learns them, in days."""
    return Durations(duration=outcomes.duration_days, cause=outcomes.cause, follow_up=outcomes.follow_up_days)


def reachable_grid(grid: Grid, outcomes: Outcomes, *, least: int = LEAST_AT_RISK) -> Grid | None:
    """The steps that the record reaches past for at least `least` rows open at their beginning; None without any."""
    follow_up, duration = outcomes.follow_up_days, outcomes.duration_days
    at_risk = [int(((follow_up >= end) & (duration > start)).sum()) for start, end in pairwise(grid.edges)]
    enough = np.cumprod(np.array(at_risk) >= least).sum()
    return None if enough == 0 else Grid(edges=grid.edges[: int(enough) + 1], unit=grid.unit)
