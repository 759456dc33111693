"""The forecast replayed: what would have been published after each origin, held against what came; nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from crm.config import Config
from crm.store import Generation
from models.metrics import Interval
from models.series_bundle import SeriesModel
from models.series_candidates import PIPELINE
from models.series_judge import Accuracy, level_coverage
from models.series_past import read_past
from models.series_task import SeriesTask
from models.train_series import learn_series

Progress: TypeAlias = Callable[[str, float], None] | None


class TooShort(ValueError):
    """The record has too few closed months to replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsShare:
    """How much the rows of the record say of a stretch of months ahead, the rest being said by past months.

    Parameters
    ----------
    measure, bucket : str
        What, and the months ahead, for instance `1-3`.
    share : float
        From 0 to 1, learned from all origins.
    """

    measure: str
    bucket: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What a replay found.

    Parameters
    ----------
    task : str
        The task.
    origins : tuple of str
        Months after which the past was forecast.
    n_series, n_points : int
        Series, and replayed forecasts of a month.
    accuracy : tuple of Accuracy
        By measure, level and months ahead, on the newest origins, beside seasonal naive.
    level_coverage : mapping of str to Interval
        Share of outcomes inside the 80 % range at each level, all measures together.
    rows_shares : tuple of RowsShare
        By measure and months ahead; empty where the record tells no single sales.
    """

    task: str
    origins: tuple[str, ...]
    n_series: int
    n_points: int
    accuracy: tuple[Accuracy, ...]
    level_coverage: Mapping[str, Interval]
    rows_shares: tuple[RowsShare, ...]


def backtest_series(
    task: SeriesTask, generation: Generation, *, config: Config, seed: int, on_progress: Progress = None
) -> Backtest:
    """The replay of a forecast from the record as it was known at each origin.

    Parameters
    ----------
    task : SeriesTask
        Measures, levels, horizon, origins.
    generation : Generation
        The record.
    config : Config
        Time zone, currency, holidays.
    seed : int
        Random state.
    on_progress : callable or None
        Called with what is being done and the share done.

    Raises
    ------
    TooShort
        There is no origin with enough closed months before it.

    Notes
    -----
    Each origin is forecast by what the origins before it taught (prequential, Dawid 1984); only the newest ones are
    judged. The shares are those that would be used from now on.
    """
    past = read_past(task, generation, config=config, seed=seed, on_progress=on_progress)
    if past is None or not past.batches:
        n = 0 if past is None else len(past.present.months)
        raise TooShort(f"{task.name}: {n} closed months are too few to replay, {task.gates.min_closed} are needed")
    learned = learn_series(task, past, country=config.company.holidays, seed=seed, on_progress=on_progress)
    points = learned.points
    return Backtest(
        task=task.name,
        origins=tuple(str(month) for month in points.origins),
        n_series=len(past.present.keys),
        n_points=len(points.cell),
        accuracy=learned.accuracy,
        level_coverage=level_coverage(points, learned.replayed, task, seed=seed),
        rows_shares=rows_shares(learned.model, task),
    )


def rows_shares(model: SeriesModel, task: SeriesTask) -> tuple[RowsShare, ...]:
    """How much the rows of the record count, by measure and months ahead; one share holds for all levels.

    Parameters
    ----------
    model : SeriesModel
        What was learned.
    task : SeriesTask
        Names of the stretches of months ahead.
    """
    found: dict[tuple[str, int], float] = {}
    for (measure, _, bucket), rule in model.rules.items():
        if PIPELINE in rule.weights:
            found.setdefault((measure, bucket), rule.weights[PIPELINE])
    return tuple(
        RowsShare(measure=measure, bucket=task.buckets[bucket].name, share=share)
        for (measure, bucket), share in sorted(found.items())
    )
