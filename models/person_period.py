"""From one row with a time and a cause to one row for every step it was watched: what a discrete hazard learns from.

Step k of a grid covers (edges[k], edges[k + 1]] after the row's moment. Time always counts from that moment; how
old the entity already was is a feature, so that entities that entered late are compared with their like. A row
that is still open is censored: it says that nothing happened while it was watched and nothing about later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.intp]

CENSORED = 0
MAX_PERIODS = 1_000_000
"""Most person-periods a learner is given; beyond it quiet ones are thinned and weigh more."""
MAX_WEIGHT = 10.0
"""No row weighs more than this many times the mean."""
_EXACT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The steps in which time after a row's moment is counted.

    Parameters
    ----------
    edges : tuple of float
        0 and the end of each step, rising.
    unit : str
        What the edges are counted in, `days` or `weeks`.

    Raises
    ------
    ValueError
        The edges do not rise from 0.

    Examples
    --------
    >>> Grid(edges=(0.0, 7.0, 14.0)).n_steps
    2
    """

    edges: tuple[float, ...]
    unit: str = "days"

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip(self.edges, self.edges[1:], strict=False))
        if len(self.edges) < 2 or self.edges[0] != 0.0 or not rising:
            raise ValueError("grid: expected edges that start at 0 and rise")

    @property
    def n_steps(self) -> int:
        """How many steps there are."""
        return len(self.edges) - 1

    @property
    def end(self) -> float:
        """The end of the last step; nothing is said about later."""
        return self.edges[-1]

    def step_of(self, time: Floats) -> Places:
        """The step each time falls into; `n_steps` when it lies beyond the last, 0 for time 0."""
        return np.maximum(np.searchsorted(np.asarray(self.edges), time - _EXACT, side="right") - 1, 0).astype(np.intp)


def even_grid(n_steps: int, width: float, unit: str = "days") -> Grid:
    """The grid of `n_steps` steps of equal width.

    Examples
    --------
    >>> even_grid(3, 7.0).edges
    (0.0, 7.0, 14.0, 21.0)
    """
    return Grid(edges=tuple(width * step for step in range(n_steps + 1)), unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Durations:
    """What became of each row, and how long it was watched.

    Parameters
    ----------
    duration : ndarray of float64, shape (n_rows,)
        Time from the row's moment to its event, or to where watching ended; in the unit of the grid, not negative.
    cause : ndarray of intp, shape (n_rows,)
        0 censored, 1 to n_causes the event.
    follow_up : ndarray of float64, shape (n_rows,), or None
        How long the record would have shown an event of the row, whatever became of it; None when watching could
        end for other reasons than the end of the record.

    Notes
    -----
    A step that the record reaches only in part shows its events and not its survivors. With `follow_up` such a
    step counts for nobody; without it a censored row counts for the share of the step it was watched.
    """

    duration: Floats
    cause: Places
    follow_up: Floats | None = None

    def __post_init__(self) -> None:
        if len(self.duration) != len(self.cause):
            raise ValueError("durations: expected as many causes as durations")
        if len(self.duration) and not (np.isfinite(self.duration).all() and self.duration.min() >= 0):
            raise ValueError("durations: expected finite times that are not negative")

    def take(self, rows: Places | npt.NDArray[np.bool_]) -> Durations:
        """The outcomes of the chosen rows, in the given order."""
        follow_up = None if self.follow_up is None else self.follow_up[rows]
        return Durations(duration=self.duration[rows], cause=self.cause[rows], follow_up=follow_up)

    def is_known(self, horizon: float | Floats) -> npt.NDArray[np.bool_]:
        """Whether it is known what happened within the horizon, of each row."""
        is_closed = self.cause != CENSORED
        if self.follow_up is None:
            return np.asarray(is_closed | (self.duration >= horizon))
        # Whole windows only, events included: early events of windows still open would raise the rate.
        return np.asarray((self.follow_up >= horizon) & (is_closed | (self.duration >= horizon)))

    def known_by(self, horizon: float | Floats, cause: int) -> Floats:
        """1 when the cause happened within the horizon, 0 when it is known that it did not, NaN when unknown.

        Parameters
        ----------
        horizon : float or ndarray of float64, shape (n_rows,)
            In the unit of the durations.
        cause : int
            1 to n_causes.
        """
        happened = (self.cause == cause) & (self.duration <= horizon)
        return np.where(self.is_known(horizon), happened.astype(np.float64), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PersonPeriods:
    """One entry for every step in which a row was at risk.

    Parameters
    ----------
    row, step : ndarray of intp, shape (n_periods,)
        Which row, and which step of the grid.
    cause : ndarray of intp, shape (n_periods,)
        What happened in the step; 0 nothing.
    weight : ndarray of float64, shape (n_periods,)
        How much it counts.
    """

    row: Places
    step: Places
    cause: Places
    weight: Floats


def expand(
    durations: Durations,
    grid: Grid,
    *,
    weight: Floats | None = None,
    max_periods: int = MAX_PERIODS,
    seed: int = 0,
) -> PersonPeriods:
    """The person-periods of the rows, ordered by row and step.

    Parameters
    ----------
    durations : Durations
        What became of the rows.
    grid : Grid
        The steps.
    weight : ndarray of float64, shape (n_rows,), or None
        How much each row counts; held to `MAX_WEIGHT` times the mean. None counts all alike.
    max_periods : int
        Beyond so many, steps in which nothing happened are thinned by a seeded draw; those kept weigh more.
    seed : int
        Random state of the thinning.

    Examples
    --------
    >>> outcome = Durations(duration=np.array([10.0, 14.0]), cause=np.array([1, 0]))
    >>> periods = expand(outcome, even_grid(3, 7.0))
    >>> periods.row.tolist(), periods.step.tolist(), periods.cause.tolist()
    ([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 0])
    """
    n_rows, edges = len(durations.duration), np.asarray(grid.edges)
    last = grid.step_of(durations.duration)
    is_event = (durations.cause != CENSORED) & (last < grid.n_steps)
    if durations.follow_up is None:
        n_at_risk = np.minimum(last + 1, grid.n_steps)
    else:
        whole = np.searchsorted(edges[1:], durations.follow_up + _EXACT, side="right")
        n_at_risk = np.minimum(np.where(is_event, last + 1, grid.n_steps), whole)
        censored = durations.cause == CENSORED
        seen = np.searchsorted(edges[1:], durations.duration + _EXACT, side="right")
        n_at_risk = np.where(censored, np.minimum(n_at_risk, seen), n_at_risk)
    row = np.repeat(np.arange(n_rows), n_at_risk)
    step = np.arange(len(row)) - np.repeat(np.cumsum(n_at_risk) - n_at_risk, n_at_risk)
    cause = np.where(is_event[row] & (step == last[row]), durations.cause[row], CENSORED).astype(np.intp)
    counts = _bounded(np.ones(n_rows) if weight is None else weight)[row]
    if durations.follow_up is None:
        # The share of the step that a censored row was watched; one for every other row.
        watched = (durations.duration[row] - edges[step]) / np.diff(edges)[step]
        counts = counts * np.where(cause == CENSORED, np.clip(watched, 0.0, 1.0), 1.0)
    kept = counts > 0
    row, step, cause, counts = row[kept], step[kept], cause[kept], counts[kept]
    return thinned(PersonPeriods(row=row, step=step, cause=cause, weight=counts), max_periods, seed)


def _bounded(weight: Floats) -> Floats:
    if len(weight) == 0:
        return weight
    if not np.isfinite(weight).all() or weight.min() < 0 or weight.max() <= 0:
        raise ValueError("weights: expected finite numbers that are not negative, some above 0")
    return np.asarray(np.minimum(weight / weight.mean(), MAX_WEIGHT))


def thinned(periods: PersonPeriods, most: int, seed: int) -> PersonPeriods:
    """About `most` of the person-periods: every event, and a seeded draw of the others, which then weigh more.

    No period comes to stand for more than `MAX_WEIGHT` others.
    """
    if len(periods.row) <= most:
        return periods
    quiet = periods.cause == CENSORED
    share = max((most - int((~quiet).sum())) / max(int(quiet.sum()), 1), 1.0 / MAX_WEIGHT)
    kept = ~quiet | (np.random.default_rng(seed).random(len(quiet)) < share)
    weight = np.where(quiet, periods.weight / min(share, 1.0), periods.weight)
    return PersonPeriods(row=periods.row[kept], step=periods.step[kept], cause=periods.cause[kept], weight=weight[kept])


def grid_to_json(grid: Grid) -> dict[str, object]:
    """A grid as plain JSON values."""
    return {"edges": list(grid.edges), "unit": grid.unit}


def grid_from_json(content: Mapping[str, object]) -> Grid:
    """The grid written by `grid_to_json`."""
    edges = content["edges"]
    if not isinstance(edges, list):
        raise TypeError("grid: expected a list of edges")
    return Grid(edges=tuple(float(edge) for edge in edges), unit=str(content["unit"]))
