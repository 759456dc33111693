"""What hazards mean for people: how likely by when, when at all, and how long it takes.

Shapes: hazards and incidences are (n_rows, n_steps, n_causes). The hazard of a cause in a step is the chance that
it happens there, given that nothing has happened before. Within a step time is spread evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.calibrator import Calibrator, logit, sigmoid
from models.person_period import Grid

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Incidence:
    """The chance that each cause has happened by the end of each step.

    Parameters
    ----------
    grid : Grid
        The steps.
    causes : tuple of str
        Names, in the order of the last axis.
    values : ndarray of float64, shape (n_rows, n_steps, n_causes)
        Cumulative incidence: never falling along the steps, causes sum to at most 1.
    """

    grid: Grid
    causes: tuple[str, ...]
    values: Floats

    @property
    def survival(self) -> Floats:
        """The chance that nothing has happened by the end of each step, shape (n_rows, n_steps)."""
        return np.asarray(np.clip(1.0 - self.values.sum(axis=2), 0.0, 1.0))

    def curve(self, cause: str | None = None) -> Floats:
        """Incidence of a cause (None: of any) at every edge, 0 first, shape (n_rows, n_steps + 1)."""
        values = self.values.sum(axis=2) if cause is None else self.values[:, :, self.causes.index(cause)]
        return np.column_stack([np.zeros(len(values)), values])

    def mass(self, cause: str | None = None) -> Floats:
        """The chance that a cause (None: any) happens in each step, shape (n_rows, n_steps)."""
        return np.diff(self.curve(cause), axis=1)

    def by(self, horizon: float | Floats, cause: str | None = None) -> Floats:
        """The chance that a cause (None: any) happens within a horizon, shape (n_rows,).

        Parameters
        ----------
        horizon : float or ndarray of float64, shape (n_rows,)
            In the unit of the grid; beyond the last step nothing more is added.
        cause : str or None
            One of `causes`.
        """
        curve, edges = self.curve(cause), np.asarray(self.grid.edges)
        time = np.clip(np.broadcast_to(np.asarray(horizon, dtype=np.float64), len(curve)), 0.0, self.grid.end)
        step = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, self.grid.n_steps - 1)
        share = (time - edges[step]) / (edges[step + 1] - edges[step])
        rows = np.arange(len(curve))
        low, high = curve[rows, step], curve[rows, step + 1]
        return np.asarray(low + share * (high - low))

    def quantile(self, share: float, cause: str | None = None) -> Floats:
        """The time by which a cause (None: any) has happened with chance `share`; infinite when not in the grid."""
        curve, edges = self.curve(cause), np.asarray(self.grid.edges)
        step = np.minimum((curve[:, 1:] < share).sum(axis=1), self.grid.n_steps - 1)
        rows = np.arange(len(curve))
        low, high = curve[rows, step], curve[rows, step + 1]
        part = np.divide(share - low, high - low, out=np.ones(len(curve)), where=high > low)
        time = edges[step] + np.clip(part, 0.0, 1.0) * (edges[step + 1] - edges[step])
        return np.where(curve[:, -1] >= share, time, np.inf)

    def median(self, cause: str | None = None) -> Floats:
        """The time by which a cause (None: any) is as likely as not to have happened; infinite when not in the grid."""
        return self.quantile(0.5, cause)

    def expected(self, cause: str | None = None) -> Floats:
        """The mean time until a cause (None: any), given that it happens within the grid, shape (n_rows,)."""
        edges, mass = np.asarray(self.grid.edges), self.mass(cause)
        total = mass.sum(axis=1)
        # With no chance at all there is no time to speak of: the end of the grid.
        moment = mass @ ((edges[1:] + edges[:-1]) / 2)
        return np.asarray(np.divide(moment, total, out=np.full(len(mass), self.grid.end), where=total > 0))

    def restricted_mean(self) -> Floats:
        """The mean of the time until any cause, counted up to the end of the grid, shape (n_rows,)."""
        curve = 1.0 - self.curve()
        return np.asarray(((curve[:, 1:] + curve[:, :-1]) / 2) @ np.diff(np.asarray(self.grid.edges)))

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Incidence:
        """The incidence of the chosen rows."""
        return Incidence(grid=self.grid, causes=self.causes, values=self.values[rows])


def incidence_of(hazards: Floats, grid: Grid, causes: tuple[str, ...]) -> Incidence:
    """The cumulative incidence that hazards add up to.

    Parameters
    ----------
    hazards : ndarray of float64, shape (n_rows, n_steps, n_causes)
        Each not negative; those of a step sum to at most 1.
    grid : Grid
        The steps.
    causes : tuple of str
        Names of the causes.

    Notes
    -----
    S(k) = prod over j <= k of (1 - sum_c h_c(j)); CIF_c(k) = sum over j <= k of S(j - 1) h_c(j).

    Examples
    --------
    >>> found = incidence_of(np.array([[[0.5], [0.5]]]), Grid(edges=(0.0, 1.0, 2.0)), ("paid",))
    >>> found.values[0, :, 0].tolist(), found.by(1.5).tolist()
    ([0.5, 0.75], [0.625])
    """
    expected = (grid.n_steps, len(causes))
    if hazards.ndim != 3 or hazards.shape[1:] != expected:
        raise ValueError(f"expected hazards of shape (n_rows, {expected[0]}, {expected[1]}), got {hazards.shape}")
    left = np.cumprod(1.0 - hazards.sum(axis=2), axis=1)
    before = np.column_stack([np.ones(len(hazards)), left[:, :-1]])
    return Incidence(grid=grid, causes=causes, values=np.cumsum(before[:, :, None] * hazards, axis=1))


def recalibrate(incidence: Incidence, horizon: float | Floats, calibrators: tuple[Calibrator, ...]) -> Incidence:
    """The incidence with the chance of each cause within the horizon put through its calibrator.

    Parameters
    ----------
    incidence : Incidence
        As the hazards give it.
    horizon : float or ndarray of float64, shape (n_rows,)
        Where the calibrators were learned; exact at edges of the grid, which is where people ask.
    calibrators : tuple of Calibrator
        One a cause, on the log-odds of its incidence within the horizon.

    Returns
    -------
    Incidence
        Still never falling and summing to at most 1: up to the horizon each cause's curve is stretched, beyond it
        what is left is shared as before.
    """
    values = incidence.values
    asked = np.broadcast_to(np.asarray(horizon, dtype=np.float64), len(values))
    before = np.stack([incidence.by(asked, cause) for cause in incidence.causes], axis=1)
    after = np.column_stack([sigmoid(each(logit(p))) for each, p in zip(calibrators, before.T, strict=True)])
    after = np.where(before > 0, after, 0.0)
    after = after / np.maximum(after.sum(axis=1, keepdims=True), 1.0)
    stretch = np.divide(after, before, out=np.zeros_like(after), where=before > 0)
    left, left_after = 1.0 - before.sum(axis=1), 1.0 - after.sum(axis=1)
    share = np.divide(left_after, left, out=np.zeros_like(left), where=left > 1e-12)
    later = after[:, None, :] + (values - before[:, None, :]) * share[:, None, None]
    early = values * stretch[:, None, :]
    is_early = np.asarray(incidence.grid.edges[1:]) <= asked[:, None]
    moved = np.where(is_early[:, :, None], early, later)
    return Incidence(grid=incidence.grid, causes=incidence.causes, values=moved)
