"""The past replayed: what every candidate said at every origin, knowing only what was recorded by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.config import CompanySection
from crm.engine import DuckDBEngine
from crm.store import Generation
from features.market import Signals, read_signals
from features.nodes import Node
from features.panel import Panel, read_panels
from models.series_candidates import BASELINE, PIPELINE, begun, scale_of
from models.series_histories import SEASON
from models.series_say import say
from models.series_task import SeriesTask

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.intp]

# Months beyond which a series is not needed to learn its pattern; older ones cost time.
MOST_MONTHS = 120


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """All series of one cutoff, in one order, ready to be forecast.

    Attributes
    ----------
    keys : tuple of (str, Node)
        Measure and node of each series.
    month : numpy.datetime64
        The last closed month.
    values, raw : ndarray of float64, shape (n_series, n_months)
        From the first amount on; and as the panel has it.
    months : ndarray of datetime64[M], shape (n_months,)
        Ends with `month`. The amount of a quarter stands in its last month, the others are NaN.
    scale : ndarray of float64, shape (n_series,)
        Size of the series' surprises.
    is_positive : ndarray of bool, shape (n_series,)
        No month was ever below zero.
    periods : ndarray of intp, shape (n_series,)
        Months that one amount is of: 1, or 3 for quarters.
    signals : Signals or None
        Market signals as known at the cutoff.
    year_starts : int
        First month of the company's fiscal year.
    pipeline : ndarray of float64, shape (n_series, horizon), or None
        What the joint sample of the same cutoff expects; NaN where it says nothing.
    brought : ndarray of float64, shape (n_series,), or None
        What the running month has brought already; NaN where it is not known.
    elapsed : float
        How much of the running month's business time has passed.
    """

    keys: tuple[tuple[str, Node], ...]
    month: np.datetime64
    months: npt.NDArray[np.datetime64]
    raw: Floats
    values: Floats
    scale: Floats
    is_positive: npt.NDArray[np.bool_]
    periods: Ints
    signals: Signals | None = None
    year_starts: int = 1
    pipeline: Floats | None = None
    brought: Floats | None = None
    elapsed: float = 0.0

    def said(self, names: Sequence[str], *, country: str, horizon: int, seed: int) -> dict[str, Floats]:
        """What every candidate says of every series, by name; shape (n_series, horizon), NaN where it says nothing."""
        found = say(self, names, country=country, horizon=horizon, seed=seed)
        if self.brought is not None and self.elapsed > 0:
            # A forecaster of whole months is asked for the rest of the running one alone.
            known = np.isfinite(self.brought)
            for values in found.values():
                values[known, 0] = self.brought[known] + (1 - self.elapsed) * values[known, 0]
        silent = np.full((len(self.keys), horizon), np.nan)
        told = {PIPELINE: silent if self.pipeline is None else self.pipeline}
        return {name: found[name] if name in found else told[name] for name in names}


def read_task_panels(
    task: SeriesTask,
    generation: Generation,
    as_of: datetime,
    company: CompanySection,
    *,
    engine: DuckDBEngine | None = None,
) -> dict[str, Panel]:
    """The panels that a task forecasts, as known at a cutoff, by measure; counted as the company counts.

    Parameters
    ----------
    task : SeriesTask
        Measures and levels.
    generation : Generation
        The record.
    as_of : datetime
        The cutoff, with a time zone.
    company : CompanySection
        Time zone, currency, with or without tax.
    engine : DuckDBEngine or None
        An open engine over the same generation, for many cutoffs.
    """
    return read_panels(
        generation,
        task.measures,
        as_of,
        zone=company.zone,
        currency=company.currency,
        engine=engine,
        amounts=company.amounts,
        levels=task.levels,
    )


def read_batch(
    task: SeriesTask,
    generation: Generation,
    as_of: datetime,
    company: CompanySection,
    *,
    engine: DuckDBEngine | None = None,
) -> tuple[dict[str, Panel], Batch | None]:
    """The panels that a task forecasts and the same side by side, with market signals; as `read_task_panels`."""
    panels = read_task_panels(task, generation, as_of, company, engine=engine)
    batch = make_batch(panels)
    if batch is None:
        return panels, None
    signals = read_signals(generation, as_of, batch.month, company.zone, engine=engine)
    return panels, replace(batch, signals=signals, year_starts=company.fiscal_year_starts)


def make_batch(panels: Mapping[str, Panel]) -> Batch | None:
    """The series of all measures side by side, up to the newest month that any has; None when there are none.

    A panel of the company's own that ended over a year before the others is left out.
    """
    if not panels:
        return None
    last = max(panel.months[-1] for panel in panels.values())
    panels = {name: panel for name, panel in panels.items() if panel.months[-1] >= last - SEASON}
    first = max(min(panel.months[0] for panel in panels.values()), last - (MOST_MONTHS - 1))
    months = np.arange(first, last + 1)
    keys: list[tuple[str, Node]] = []
    raw, values, scale = [], [], []
    for measure, panel in panels.items():
        keys += [(measure, node) for node in panel.nodes]
        # The months in which a period ends; all of them but for quarters.
        ends = np.arange(int((panel.months[-1] - first).astype(int)) % panel.period, len(months), panel.period)
        told = np.full((len(panel.nodes), len(months)), np.nan)
        kept = panel.months >= first
        told[:, (panel.months[kept] - first).astype(np.intp)] = panel.values[:, kept]
        filled = np.full_like(told, np.nan)
        filled[:, ends] = begun(told[:, ends])
        raw.append(told)
        values.append(filled)
        scale.append(scale_of(filled[:, ends], SEASON // panel.period))
    return Batch(
        keys=tuple(keys),
        month=last,
        months=months,
        raw=np.concatenate(raw),
        values=np.concatenate(values),
        scale=np.concatenate(scale),
        is_positive=np.asarray(np.nan_to_num(np.concatenate(raw)).min(axis=1) >= 0),
        periods=np.array([panels[measure].period for measure, _ in keys], dtype=np.intp),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """One row a series, origin and month ahead.

    Attributes
    ----------
    cell : ndarray of intp, shape (n,)
        Place of the row's measure, level and bucket in `cells`.
    cells : tuple of (str, str, int)
        Measure, level, place of the bucket.
    series, origin, step : ndarray of intp, shape (n,)
        Place of the series in `keys`, number of the origin, months ahead.
    month : ndarray of datetime64[M], shape (n,)
        The month that is forecast.
    scale : ndarray of float64, shape (n,)
        As known at the origin.
    is_positive : ndarray of bool, shape (n,)
        As known at the origin.
    said : mapping of str to ndarray of float64, shape (n,)
        What each candidate said.
    known_by : ndarray of float64, shape (n_origins + 1, n)
        The outcome as it stood on record at each origin and, last, at present; NaN before the month was closed.
    origins : ndarray of datetime64[M], shape (n_origins,)
        Last closed month of each origin.
    """

    cells: tuple[tuple[str, str, int], ...]
    keys: tuple[tuple[str, Node], ...]
    origins: npt.NDArray[np.datetime64]
    cell: Ints
    series: Ints
    origin: Ints
    step: Ints
    month: npt.NDArray[np.datetime64]
    scale: Floats
    is_positive: npt.NDArray[np.bool_]
    said: Mapping[str, Floats]
    known_by: Floats

    @property
    def outcome(self) -> Floats:
        """What came, as the present record has it; NaN where it has not come yet."""
        return np.asarray(self.known_by[-1])


def choose_origins(months: npt.NDArray[np.datetime64], task: SeriesTask) -> npt.NDArray[np.datetime64]:
    """The last closed month of each origin, oldest first; none where the history is too short to replay.

    Notes
    -----
    Quarterly steps where the history is long enough for as many origins as the task asks for, else monthly ones; a
    history below two whole years before the first origin is replayed from its first year on.
    """
    enough, least = task.origins.min_months, 12
    earliest = enough if len(months) >= enough + 6 else least
    room = len(months) - earliest
    if room < 3:
        return months[:0]
    step = 3 if room > 2 * task.origins.n_origins else 2 if room > 1.5 * task.origins.n_origins else 1
    last = len(months) - 1 - step
    places = np.arange(last, earliest - 2, -step)[: task.origins.n_origins]
    return np.asarray(months[places[::-1]])


def replay(
    batches: Sequence[Batch],
    present: Batch,
    task: SeriesTask,
    *,
    country: str,
    seed: int,
    on_progress: Callable[[str, float], None] | None = None,
) -> Points:
    """What every candidate said at every origin of the months that came since.

    Parameters
    ----------
    batches : sequence of Batch
        One an origin, oldest first, each as known then.
    present : Batch
        As known now; its series are the ones that are judged.
    task : SeriesTask
        Candidates, horizon and buckets.
    country : str
        Holiday calendar.
    seed : int
        Random state.
    on_progress : callable or None
        Told what is done and the share done.
    """
    rows: list[dict[str, npt.NDArray[np.generic]]] = []
    places = {(measure, node.node_id): place for place, (measure, node) in enumerate(present.keys)}
    for number, batch in enumerate(batches):
        if on_progress is not None:
            on_progress(f"replaying the past from {batch.month}", number / len(batches))
        said = batch.said(task.candidates, country=country, horizon=task.horizon_months, seed=seed)
        rows.append(_rows_of(batch, number, said, places, int((present.month - batch.month).astype(int))))
    merged = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    cells, cell = _cells(present, task, merged["series"].astype(np.intp), merged["step"].astype(np.intp))
    series, month = merged["series"].astype(np.intp), merged["month"].astype("datetime64[M]")
    return Points(
        cells=cells,
        keys=present.keys,
        origins=np.array([batch.month for batch in batches]),
        cell=cell,
        series=series,
        origin=merged["origin"].astype(np.intp),
        step=merged["step"].astype(np.intp),
        month=month,
        scale=merged["scale"].astype(np.float64),
        is_positive=merged["is_positive"].astype(np.bool_),
        said={name: merged[f"said.{name}"].astype(np.float64) for name in task.candidates},
        known_by=np.array([_outcomes(batch, present, series, month) for batch in (*batches, present)]),
    )


def _rows_of(
    batch: Batch, number: int, said: Mapping[str, Floats], places: Mapping[tuple[str, str], int], reach: int
) -> dict[str, npt.NDArray[np.generic]]:
    """The rows of one origin: series that still exist, months that have closed since."""
    horizon = next(iter(said.values())).shape[1]
    series = np.array([places.get((measure, node.node_id), -1) for measure, node in batch.keys], dtype=np.intp)
    begun_by_then = np.isfinite(batch.values).any(axis=1)
    kept = np.flatnonzero((series >= 0) & begun_by_then)
    steps = np.arange(1, min(horizon, reach) + 1)
    row, step = np.repeat(kept, len(steps)), np.tile(steps, len(kept))
    # Of a quarter only the month in which it ends is said.
    is_said = np.isfinite(said[BASELINE][row, step - 1])
    row, step = row[is_said], step[is_said]
    return {
        "series": series[row],
        "origin": np.full(len(row), number),
        "step": step,
        "month": batch.month + step.astype("timedelta64[M]"),
        "scale": batch.scale[row],
        "is_positive": batch.is_positive[row],
        **{f"said.{name}": values[row, step - 1] for name, values in said.items()},
    }


def _cells(present: Batch, task: SeriesTask, series: Ints, step: Ints) -> tuple[tuple[tuple[str, str, int], ...], Ints]:
    groups = sorted({(measure, node.level.value) for measure, node in present.keys})
    cells = tuple((*group, bucket) for group in groups for bucket in range(len(task.buckets)))
    numbers = {cell: place for place, cell in enumerate(cells)}
    first = np.array([numbers[measure, node.level.value, 0] for measure, node in present.keys], dtype=np.intp)
    bucket = np.array([task.bucket_of(ahead) for ahead in range(1, task.horizon_months + 1)], dtype=np.intp)
    return cells, first[series] + bucket[step - 1]


def _outcomes(batch: Batch, present: Batch, series: Ints, month: npt.NDArray[np.datetime64]) -> Floats:
    """What the record of a cutoff says of points; NaN for months that were not closed by then."""
    own = {(measure, node.node_id): place for place, (measure, node) in enumerate(batch.keys)}
    rows = np.array([own.get((measure, node.node_id), -1) for measure, node in present.keys], dtype=np.intp)[series]
    place = (month - batch.months[0]).astype(np.intp)
    known = (place >= 0) & (place < len(batch.months))
    told = np.full(len(series), np.nan)
    there = known & (rows >= 0)
    told[there] = batch.raw[rows[there], place[there]]
    # A series that had not begun by then had sold nothing; a gap of a panel of the company's own stays unknown.
    told[known & (rows < 0)] = 0.0
    return told
