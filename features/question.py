"""What is asked of an entity: which event, within which window, from which features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from crm.config import TaskSection


class BadQuestion(ValueError):
    """An event or entity that labels cannot be built for; the message lists those that can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The facts of a task that rows and labels are built from.

    Parameters
    ----------
    task : str
        For instance `lead_score`.
    entity : str
        Table of the entity, `leads` or `opportunities`.
    event : str
        Name of the outcome in `features.labels.EVENTS`.
    horizon_days, gap_days : int
        The label looks at (as_of + gap, as_of + gap + horizon].
    groups : tuple of str
        Feature groups of `features.catalogue`.
    since : date or None
        Rows before this day are not used.
    """

    task: str
    entity: str
    event: str
    horizon_days: int
    gap_days: int
    groups: tuple[str, ...]
    since: date | None = None

    def as_configured(self, tasks: Mapping[str, TaskSection]) -> Question:
        """The question with what the configuration says of its task."""
        section = tasks.get(self.task)
        if section is None:
            return self
        return replace(
            self,
            event=self.event if section.event is None else section.event,
            horizon_days=self.horizon_days if section.horizon_days is None else section.horizon_days,
            gap_days=self.gap_days if section.gap_days is None else section.gap_days,
        )
