"""The demo company's tasks trained, promoted and refreshed, as many at a time as there are processors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from crm.config import Config
from models.champions import Published, current
from models.promote import Refused, promote
from models.task import EntityTask
from serving.refresh import refresh_scores
from serving.score_table import read_scores
from serving.score_tasks import TASK_OF
from serving.training import train_task

_SHOWN = 2
# A training holds its rows several times over; four of them fit into what a small machine has.
_MOST_PROCESSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a task.

    Parameters
    ----------
    task : str
        Its name.
    champion : Published or None
        What answers; None where every model was refused, and the base rate is said.
    likeliest : tuple of str
        The open entities whose event is likeliest, a few; empty for a task that scores none.
    said : tuple of str
        What there is to tell, line by line.
    """

    task: str
    champion: Published | None
    likeliest: tuple[str, ...] = ()
    said: tuple[str, ...]


def train_tasks(
    config: Config, tasks: Sequence[EntityTask], *, is_new: bool, tell: Callable[[str], None]
) -> tuple[Outcome, ...]:
    """Train, promote and refresh every task, in the order given; the models do not depend on how many run at a time.

    Parameters
    ----------
    config : Config
        From `demo_config`.
    tasks : sequence of EntityTask
        Those that the record can serve.
    is_new : bool
        Whether the record changed since the last call; otherwise a champion that stands is kept.
    tell : callable
        Told what became of each task, in their order.

    Notes
    -----
    Where several processes run, they begin as new interpreters: a script that calls this must guard its main part.
    """
    n_processes = min(len(tasks), os.cpu_count() or 1, _MOST_PROCESSES)
    if n_processes > 1:
        tell(f"{len(tasks)} tasks, {n_processes} at a time")
    outcomes = []
    for outcome in _each(partial(train_one, config, is_new=is_new), tasks, n_processes):
        for line in outcome.said:
            tell(line)
        outcomes.append(outcome)
    return tuple(outcomes)


def _each(work: Callable[[EntityTask], Outcome], tasks: Sequence[EntityTask], n_processes: int) -> Iterator[Outcome]:
    if n_processes < 2:
        yield from map(work, tasks)
        return
    # Forking a process that has started threads may lock up, and LightGBM and Arrow have.
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, tasks)


def train_one(config: Config, task: EntityTask, *, is_new: bool) -> Outcome:
    """What answers for a task: the champion that stands, or the one of a training.

    Parameters
    ----------
    config : Config
        From `demo_config`.
    task : EntityTask
        The task.
    is_new : bool
        Whether the record changed, so that it is trained though a champion stands.
    """
    said: list[str] = []
    champion = current(config.champions_folder, task.name)
    if champion is None or is_new:
        champion = _train(config, task, champion, said.append)
    if champion is None:
        said.append("  no model answers; every row is answered with the base rate")
        return Outcome(task=task.name, champion=None, said=tuple(said))
    if TASK_OF.get(task.entity) != task.name:
        return Outcome(task=task.name, champion=champion, said=tuple(said))
    said.append(f"  {refresh_scores(config, task).n_scored:,} open {task.entity} scored")
    scores = read_scores(config.scores_folder, task.name)
    likeliest = () if scores is None else scores.likeliest(_SHOWN)
    return Outcome(task=task.name, champion=champion, likeliest=likeliest, said=tuple(said))


def _train(
    config: Config, task: EntityTask, champion: Published | None, tell: Callable[[str], None]
) -> Published | None:
    """The champion after a training: the one before where a gate refuses."""
    tell(f"train {task.name}")
    trained = train_task(config, task)
    if trained.status == "refused":
        tell(f"  refused: {trained.reason}")
        return champion
    test = trained.metrics.get("test", {})
    tell(f"  {trained.status}: AUC {test.get('auc', float('nan')):.3f} on {trained.n_test:,} newer rows")
    try:
        return promote(task, config=config, by="demo").published
    except Refused as refused:
        # A company too small for a model is a company like any other: it is served, with the base rate.
        tell(f"  refused: {refused}")
        return champion
