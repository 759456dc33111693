"""What a task states that asks when something ends and by which cause."""

from __future__ import annotations

from dataclasses import dataclass

from features.question import Question
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
    """

    event: str
    grid: Grid
    headline_days: int

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
