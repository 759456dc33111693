"""The tasks of the house: one file each below `models/tasks`, found by name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import models.tasks
from models.task import Task


class UnknownTask(LookupError):
    """No file below `models/tasks` states that task."""


def task_names() -> tuple[str, ...]:
    """The names of all tasks, in the order of the alphabet.

    Examples
    --------
    >>> "lead_score" in task_names()
    True
    """
    return tuple(sorted(module.name for module in iter_modules(models.tasks.__path__)))


def task_named(name: str) -> Task:
    """The task of that name.

    Raises
    ------
    UnknownTask
        There is none; the message lists those that exist.
    """
    if name not in task_names():
        raise UnknownTask(f"no task {name!r}; there are {', '.join(task_names())}")
    task = import_module(f"models.tasks.{name}").TASK
    assert isinstance(task, Task)
    return task
