"""The tasks of the house: one file each below `models/tasks`, found by name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import models.tasks
from models.task import BaseTask, EntityTask


class UnknownTask(LookupError):
    """No file below `models/tasks` states that task."""


def task_names() -> tuple[str, ...]:
    """The names of the tasks that are asked of entities, in the order of the alphabet.

    Examples
    --------
    >>> "lead_score" in task_names()
    True
    >>> "sales_forecast" in task_names()
    False
    """
    return tuple(name for name in _modules() if isinstance(_read(name), EntityTask))


def task_named(name: str) -> BaseTask:
    """The task of that name, be it asked of entities or not.

    Raises
    ------
    UnknownTask
        There is none; the message lists those that are asked of entities.
    """
    task = _read(name) if name in _modules() else None
    if task is None:
        raise UnknownTask(f"no task {name!r}; there are {', '.join(task_names())}")
    return task


def entity_task(name: str) -> EntityTask:
    """The task of that name that is asked of entities.

    Raises
    ------
    UnknownTask
        There is none, or it forecasts.
    """
    task = task_named(name)
    if not isinstance(task, EntityTask):
        raise UnknownTask(f"{name} is not asked of entities; these are: {', '.join(task_names())}")
    return task


def _modules() -> tuple[str, ...]:
    return tuple(sorted(module.name for module in iter_modules(models.tasks.__path__)))


def _read(name: str) -> BaseTask | None:
    """The task of a file; None where it states something else than questions about entities."""
    task = import_module(f"models.tasks.{name}").TASK
    return task if isinstance(task, BaseTask) else None
