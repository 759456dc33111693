"""Which task answers for which entity: the one registry that routes, refreshes, lists and documents read."""

from __future__ import annotations

from crm.config import Config
from crm.node_claims import is_on_record
from crm.store import Generation
from features.labels import EVENTS
from models.task import EntityTask
from models.task_files import entity_task

TASK_OF: dict[str, str] = {
    "leads": "lead_score",
    "opportunities": "win_probability",
    "accounts": "churn_risk",
    "agreements": "renewal_risk",
    "invoices": "collection_risk",
}
"""The task of each entity, by its table: `POST /v1/<entity>/score` answers by it."""


def scored_tasks() -> dict[str, EntityTask]:
    """The tasks that score entities, by name.

    Examples
    --------
    >>> scored_tasks()["lead_score"].entity
    'leads'
    """
    return {name: entity_task(name) for name in TASK_OF.values()}


def lacking_tables(generation: Generation, task: EntityTask, config: Config) -> tuple[str, ...]:
    """The tables without which the record cannot serve a task; empty when it can, from a flat table too."""
    question = task.question.as_configured(config.tasks)
    event = EVENTS.get((task.entity, question.event))
    needed = dict.fromkeys((*task.needs, *(event.needs if event else ())))
    held = [name for name in generation.tables if generation.rows(name)]
    lacking = tuple(name for name in needed if not is_on_record(name, held))
    return () if lacking and _is_observed(generation, task.name) else lacking


def _is_observed(generation: Generation, task: str) -> bool:
    """Whether a flat table has rows of a task."""
    return generation.has("observations") and task in generation.read("observations", ["task"])["task"].to_pylist()
