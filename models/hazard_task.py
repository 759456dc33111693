"""What a task states that asks when something ends and by which cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from crm.config import TaskSection
from features.question import BadQuestion, Question
from features.timed_set import TimedSet
from models.person_period import Grid
from models.task import BaseTask


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardTask(BaseTask):
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
    """

    event: str
    grid: Grid
    headline_days: int
    learn_extras: Callable[[TimedSet], dict[str, object]] | None = None

    def as_configured(self, tasks: Mapping[str, TaskSection]) -> HazardTask:
        """The task with the horizon that the configuration asks for.

        Raises
        ------
        BadQuestion
            The horizon is no edge of the grid.
        """
        days = self.question.as_configured(tasks).horizon_days
        if days not in self.grid.edges:
            known = ", ".join(f"{edge:g}" for edge in self.grid.edges[1:])
            raise BadQuestion(f"{self.name}: horizon_days {days} is no step of its grid; there are {known}")
        return replace(self, headline_days=days)

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
