"""Additive models as plain numbers: a curve for each number, a term for each category.

Logistic regression, a base rate by segment and every other model that is a sum of one-field terms are kept in
this form, so that one evaluator serves them all, for one record and for a table, with equal bits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What one field adds to the log-odds.

    Parameters
    ----------
    x, y : tuple of float
        Knots of a piecewise linear curve, `x` rising; empty for a category.
    places : tuple of float
        Term of each category place, the last one for unknown categories; empty for a number.
    missing : float
        Term of an empty value.
    mean : float
        Mean of the term in training, the point from which contributions are counted.
    straight : bool
        Beyond the ends the curve goes on straight; otherwise it stays flat.
    """

    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    places: tuple[float, ...] = ()
    missing: float = 0.0
    mean: float = 0.0
    straight: bool = False


class Additive:
    """Sum of an intercept and one term a field.

    Parameters
    ----------
    intercept : float
        Log-odds before any term.
    terms : sequence of Term
        One a field, in the order of the encoder's columns.
    """

    def __init__(self, intercept: float, terms: Sequence[Term]) -> None:
        self.intercept = float(intercept)
        self.terms = tuple(terms)

    def terms_of(self, row: Sequence[float]) -> list[float]:
        """The term of each field of one encoded row."""
        return [_term(term, value) for term, value in zip(self.terms, row, strict=True)]

    def log_odds_of(self, row: Sequence[float]) -> float:
        """Log-odds of one encoded row; equal bits with `log_odds`."""
        total = self.intercept
        for term, value in zip(self.terms, row, strict=True):
            total += _term(term, value)
        return total

    def columns(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The terms of encoded rows, shape (n_rows, n_fields)."""
        if rows.shape[1] != len(self.terms):
            raise ValueError(f"expected rows of shape (n_rows, {len(self.terms)}), got {rows.shape}")
        result = np.empty(rows.shape)
        for place, term in enumerate(self.terms):
            result[:, place] = _column(term, rows[:, place])
        return result

    def log_odds(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Log-odds of encoded rows, shape (n_rows,)."""
        total = np.full(len(rows), self.intercept)
        # Field after field, not by a matrix product: the order of summation is part of the answer.
        for column in self.columns(rows).T:
            total += column
        return total

    def contributions(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Contributions against the training mean, shape (n_rows, n_fields + 1); the last column is the rest."""
        means = np.array([term.mean for term in self.terms])
        parts = self.columns(rows) - means
        return np.column_stack([parts, np.full(len(rows), self.intercept + float(means.sum()))])

    def with_means(self, rows: npt.NDArray[np.float64]) -> Additive:
        """The same model with the mean of each term over `rows` written into it."""
        return self.with_term_means(self.columns(rows).mean(axis=0))

    def with_term_means(self, means: npt.NDArray[np.float64]) -> Additive:
        """The same model with the mean of each term, shape (n_fields,), written into it."""
        terms = [replace(term, mean=float(mean)) for term, mean in zip(self.terms, means, strict=True)]
        return Additive(self.intercept, terms)


def _term(term: Term, value: float) -> float:
    if value != value:
        return term.missing
    if term.places:
        return term.places[int(value)]
    x, y = term.x, term.y
    if not x:
        return 0.0
    if len(x) == 1 or (not term.straight and value <= x[0]):
        return y[0]
    if not term.straight and value >= x[-1]:
        return y[-1]
    place = min(max(bisect_right(x, value) - 1, 0), len(x) - 2)
    slope = (y[place + 1] - y[place]) / (x[place + 1] - x[place])
    return slope * (value - x[place]) + y[place]


def _column(term: Term, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    missing = np.isnan(values)
    if term.places:
        result = np.asarray(term.places)[np.where(missing, 0, values).astype(np.intp)]
    elif term.x:
        x, y = np.asarray(term.x), np.asarray(term.y)
        inside = np.where(missing, x[0], values)
        if len(x) == 1:
            result = np.full(len(values), y[0])
        else:
            place = np.clip(np.searchsorted(x, inside, side="right") - 1, 0, len(x) - 2)
            slope = (y[place + 1] - y[place]) / (x[place + 1] - x[place])
            result = slope * (inside - x[place]) + y[place]
            if not term.straight:
                result = np.where(inside <= x[0], y[0], np.where(inside >= x[-1], y[-1], result))
    else:
        result = np.zeros(len(values))
    return np.where(missing, term.missing, result)


def additive_to_json(model: Additive) -> dict[str, object]:
    """The model as plain JSON values."""
    return {
        "intercept": model.intercept,
        "terms": [
            {
                "x": list(term.x),
                "y": list(term.y),
                "places": list(term.places),
                "missing": term.missing,
                "mean": term.mean,
                "straight": term.straight,
            }
            for term in model.terms
        ],
    }


def additive_from_json(content: Mapping[str, object]) -> Additive:
    """The model written by `additive_to_json`."""
    terms = content["terms"]
    if not isinstance(terms, list):
        raise TypeError("terms: expected a list")
    return Additive(
        float(str(content["intercept"])),
        [
            Term(
                x=tuple(map(float, entry["x"])),
                y=tuple(map(float, entry["y"])),
                places=tuple(map(float, entry["places"])),
                missing=float(entry["missing"]),
                mean=float(entry["mean"]),
                straight=bool(entry["straight"]),
            )
            for entry in terms
        ],
    )
