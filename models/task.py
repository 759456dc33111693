"""What a task states: its question, entity, label, horizon, features, folds, metrics and gates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from crm.config import Config
from crm.store import Generation
from features.matrix import TrainingSet
from features.question import Question
from models.details import Details


class BuildRows(Protocol):
    """How rows and labels are made of the record."""

    def __call__(self, generation: Generation, question: Question, /, *, config: Config) -> TrainingSet:
        """The rows of a question."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """When a row counts as an event.

    `event` names one of `events`; each event maps to the SQL-free address of the moment it happened,
    `(table, join column of that table, column that holds the moment)`.
    """

    event: str
    events: dict[str, tuple[str, str, str]]
    horizon_days: int
    gap_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """How a task is judged: rolling origins with an embargo, the last ones opened once."""

    n_origins: int
    test_share: float
    calibration_share: float
    embargo: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What a challenger must show before it may be promoted."""

    max_ece: float
    min_positives_for_boosting: int
    min_closed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTask:
    """What every prediction task states, read from one file.

    Parameters
    ----------
    name : str
        For instance `lead_score`.
    question_en, question_zh : str
        What it answers, as a director would ask.
    entity : str
        Table of the entity.
    needs, uses : tuple of str
        Tables without which it cannot run, and tables that add features when present.
    feature_groups : tuple of str
        Names of feature groups of `features.catalogue`.
    candidates : tuple of str
        Learners that compete, by name, simplest first.
    folds : Folds
        Splits.
    gates : Gates
        Conditions of training and promotion.
    details : callable or None
        The task's own fields of an answer, beside the probability.
    tells_of : str
        `gain` or `loss`: what the event is to the company, for the words of cards.
    """

    name: str
    question_en: str
    question_zh: str
    entity: str
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    feature_groups: tuple[str, ...]
    candidates: tuple[str, ...]
    folds: Folds
    gates: Gates
    details: Details | None = None
    tells_of: Literal["gain", "loss"] = "gain"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityTask(BaseTask, ABC):
    """A question that is asked of each entity and answered at a door of its own; a forecast is none."""

    @property
    @abstractmethod
    def question(self) -> Question:
        """What rows and labels are built from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(EntityTask):
    """A question with the answer yes or no: does the event happen within the horizon.

    Parameters
    ----------
    label : Label
        The outcome.
    metrics : tuple of str
        Names in `models.metrics`, the one that decides first.
    since : date or None
        Rows before this day are not used.
    build_rows : callable or None
        Rows of another form than one an entity and moment, from record, question and configuration.
    """

    label: Label
    metrics: tuple[str, ...]
    since: date | None = None
    build_rows: BuildRows | None = None

    @property
    def question(self) -> Question:
        """What rows and labels are built from."""
        return Question(
            task=self.name,
            entity=self.entity,
            event=self.label.event,
            horizon_days=self.label.horizon_days,
            gap_days=self.label.gap_days,
            groups=self.feature_groups,
            since=self.since,
        )
