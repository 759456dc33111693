"""The columns a field takes in a linear design, and the way back from weights to a term."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import Kind
from models.additive import Term

Floats: TypeAlias = npt.NDArray[np.float64]


class Basis:
    """One field in a linear design.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows,)
        Encoded values of the training rows.
    n_categories : int
        Known categories of a category field.
    kind : Kind
        How the field is treated.
    n_knots : int
        Knots of a number's curve; 2 make a straight line.
    is_straight : bool
        With two knots: the line runs on beyond the values seen.
    """

    def __init__(self, values: Floats, n_categories: int, kind: Kind, *, n_knots: int, is_straight: bool) -> None:
        self.is_straight = is_straight
        self.is_category = kind is Kind.CATEGORY
        self.n_places = n_categories + 1
        known = values[np.isfinite(values)]
        if self.is_category:
            self.width = self.n_places + 1
            return
        ends = (0.0, 1.0) if is_straight else (0.01, 0.99)
        quantiles = np.linspace(*ends, n_knots)
        self.x = np.unique(np.quantile(known, quantiles)) if len(known) else np.zeros(0)
        # One slope for a straight line, else one a knot beyond the first.
        self.width = max(len(self.x) - 1, 0) + 1
        pieces = self._pieces(known)
        self.centre = pieces.mean(axis=0) if len(known) else np.zeros(self.width - 1)
        spread = pieces.std(axis=0) if len(known) else np.ones(self.width - 1)
        self.scale = np.where(spread > 0, spread, 1.0)

    def _pieces(self, values: Floats) -> Floats:
        if len(self.x) < 2:
            return np.zeros((len(values), 0))
        # Ramps: how much of each piece of the axis lies below the value.
        if self.is_straight and len(self.x) == 2:
            return np.asarray(values[:, None] - self.x[0])
        return np.asarray(np.clip(values[:, None] - self.x[:-1], 0.0, np.diff(self.x)))

    def design(self, values: Floats) -> Floats:
        """Columns of the values, shape (n_rows, width): one-hot places, or scaled pieces and a missing flag."""
        missing = np.isnan(values)
        if self.is_category:
            places = np.where(missing, self.n_places, values).astype(np.intp)
            return np.asarray(np.eye(self.n_places + 1)[places])
        pieces = (self._pieces(np.where(missing, 0.0, values)) - self.centre) / self.scale
        pieces[missing] = 0.0
        return np.column_stack([pieces, missing])

    def term(self, weights: Floats) -> Term:
        """What the weights of these columns add to the log-odds."""
        if self.is_category:
            return Term(places=tuple(weights[:-1].tolist()), missing=float(weights[-1]))
        slopes = weights[:-1] / self.scale
        base = -float(slopes @ self.centre)
        steps = np.concatenate([[0.0], np.cumsum(slopes * np.diff(self.x))]) if len(self.x) else np.zeros(0)
        return Term(
            x=tuple(self.x.tolist()),
            y=tuple((base + steps).tolist()),
            missing=float(weights[-1]),
            straight=self.is_straight and len(self.x) == 2,
        )
