"""What a task states that asks when something ends and by which cause."""

from __future__ import annotations

from dataclasses import dataclass

from features.question import Question
from models.person_period import Grid
from models.task import Folds, Gates


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardTask:
    """One task of competing risks, read from one file.

    Parameters
    ----------
    name : str
        For instance `win_probability`.
    question_en, question_zh : str
        What it answers, as a director would ask.
    entity : str
        Table of the entity, a key of `features.outcomes.CAUSES`.
    needs, uses : tuple of str
        Tables without which it cannot run, and tables that add features when present.
    event : str
        The cause whose chance is the answer.
    grid : Grid
        Steps in days; a record too young for the last ones shortens it.
    headline_days : int
        An edge of the grid: the horizon of the published figures and of calibration.
    feature_groups : tuple of str
        Names of feature groups of `features.catalogue`.
    candidates : tuple of str
        Learners that compete, by name in `models.hazard`, simplest first.
    folds : Folds
        Splits.
    gates : Gates
        Conditions of training and promotion.
    """

    name: str
    question_en: str
    question_zh: str
    entity: str
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    event: str
    grid: Grid
    headline_days: int
    feature_groups: tuple[str, ...]
    candidates: tuple[str, ...]
    folds: Folds
    gates: Gates

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
