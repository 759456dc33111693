"""What a task states that asks when something ends and by which cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.config import CollectionSection, TaskSection
from features.matrix import TrainingSet
from features.question import BadQuestion, Question
from features.timed_set import TimedSet
from models.headline import UNPAID, NextLine, age_and_due
from models.person_period import MAX_PERIODS, Grid
from models.splits import hash_shares
from models.survival import Incidence
from models.task import EntityTask

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardTask(EntityTask):
    """A question of competing risks: which of several ends comes to an open entity, and when.

    Parameters
    ----------
    event : str
        The cause whose chance is the answer; `entity` is a key of `features.outcomes.CAUSES`.
    grid : Grid
        Steps in days; a record too young for the last ones shortens it.
    headline_days : int
        An edge of the grid: the horizon of the published figures and of calibration.
    learn_extras : callable or None
        What `details` needs beside the hazards, learned from the same rows; JSON values by name, kept in the bundle.
    lines : NextLine or None
        Lines that a row may cross without the event: each row is asked whether the event stays away until its own
        next one, and `headline_days` is the horizon of the search for leaks alone. None asks for the event.
    ahead : tuple of str
        What is known of every step ahead, names in `models.ahead.COLUMNS`.
    season_days : int
        Rows must span so many days before anything of the season is learned: one year cannot tell a season from a
        drift.
    most_periods : int
        Person-periods that a fit is given; beyond it quiet ones are thinned and weigh more.
    parts_of_event : frozenset of str
        Fields that rightly come before the event, like a payment in part: the search for leaks passes them by.
    """

    event: str
    grid: Grid
    headline_days: int
    learn_extras: Callable[[TimedSet], dict[str, object]] | None = None
    lines: NextLine | None = None
    ahead: tuple[str, ...] = ()
    season_days: int = 0
    most_periods: int = MAX_PERIODS
    parts_of_event: frozenset[str] = frozenset()

    @property
    def asked_event(self) -> str:
        """What the probability speaks of."""
        return self.event if self.lines is None else UNPAID

    def windows(self, rows: TimedSet) -> Floats:
        """Days within which the event counts, shape (n_rows,)."""
        if self.lines is None:
            return np.full(len(rows.entity_id), float(self.headline_days))
        return self.lines.horizons(*age_and_due(rows.rows))

    def asked_of(self, rows: TimedSet) -> TrainingSet:
        """The rows with the answer to the task's question; unknown while it is."""
        absent = "" if self.lines is None else UNPAID
        return rows.within(self.headline_days, self.event, windows=self.windows(rows), absent=absent)

    def searched(self, asked: TrainingSet) -> TrainingSet:
        """The rows that a search for leaks looks at: one of each entity where its rows tell nearly the same."""
        if self.lines is None:
            return asked
        # By the hash of its name an entity is looked at early, late or in between, the same way in every run.
        names, first, size = np.unique(asked.entity_id, return_index=True, return_counts=True)
        chosen = first + np.floor(hash_shares(names) * size).astype(np.intp)
        return asked.take(np.sort(chosen)).without(self.parts_of_event)

    def answer(self, incidence: Incidence, windows: Floats) -> Floats:
        """The probability that the task speaks of, shape (n_rows,)."""
        found = incidence.by(windows, self.event)
        return found if self.lines is None else 1.0 - found

    def as_configured(
        self, tasks: Mapping[str, TaskSection], collection: CollectionSection | None = None
    ) -> HazardTask:
        """The task with the horizon, and the days from which an invoice is late, that the configuration asks for.

        Raises
        ------
        BadQuestion
            The horizon is no edge of the grid.
        """
        days = self.question.as_configured(tasks).horizon_days
        if days not in self.grid.edges:
            known = ", ".join(f"{edge:g}" for edge in self.grid.edges[1:])
            raise BadQuestion(f"{self.name}: horizon_days {days} is no step of its grid; there are {known}")
        lines = self.lines
        if lines is not None and collection is not None:
            lines = replace(lines, late_days=collection.late_days, very_late_days=collection.very_late_days)
        return replace(self, headline_days=days, lines=lines)

    @property
    def question(self) -> Question:
        """What rows are built from."""
        return Question(
            task=self.name,
            entity=self.entity,
            event=self.event,
            horizon_days=self.headline_days,
            gap_days=0,
            groups=self.feature_groups,
        )
