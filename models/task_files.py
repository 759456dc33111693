"""The tasks of the house: one file each below `models/tasks`, found by name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import models.tasks
from models.task import BaseTask


class UnknownTask(LookupError):
    """No file below `models/tasks` states that task."""


def task_names() -> tuple[str, ...]:
    """The names of the tasks that are served, in the order of the alphabet.

    Examples
    --------
    >>> "lead_score" in task_names()
    True
    """
    return tuple(name for name in _files() if _read(name).is_served)


def task_named(name: str) -> BaseTask:
    """The task of that name, served or not.

    Raises
    ------
    UnknownTask
        There is none; the message lists those that are served.
    """
    if name not in _files():
        raise UnknownTask(f"no task {name!r}; there are {', '.join(task_names())}")
    return _read(name)


def _files() -> tuple[str, ...]:
    names = sorted(module.name for module in iter_modules(models.tasks.__path__))
    return tuple(name for name in names if isinstance(import_module(f"models.tasks.{name}").TASK, BaseTask))


def _read(name: str) -> BaseTask:
    task = import_module(f"models.tasks.{name}").TASK
    assert isinstance(task, BaseTask)
    return task
