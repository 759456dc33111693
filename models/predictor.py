"""A model ready to answer: from named values to a calibrated probability and its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.additive import Additive
from models.booster import Booster
from models.calibrator import Calibrator, sigmoid
from models.encoding import Encoder, Values
from models.explain import Reason, explain_rows, find_reasons

Days: TypeAlias = npt.NDArray[np.datetime64]

KINDS = ("booster", "linear", "base_rate", "blend")
N_REASONS = 5


class BadBundle(Exception):
    """The folder is no bundle, or not the one it claims to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one record.

    Parameters
    ----------
    probability : float
        Calibrated, 0 to 1.
    score : int
        The same for people, 1 to 100.
    reasons : tuple of Reason
        Strongest first; empty unless asked for.
    """

    probability: float
    score: int
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a bundle says of itself.

    Parameters
    ----------
    task, kind, learner : str
        The task, the kind of model and the name of the learner in `models.candidates`.
    event : str
        What probability one means.
    horizon_days, gap_days : int or None
        The label's window.
    base_rate : float
        Share of events among the rows it was fitted on.
    n_rows, n_positives : int
        Size of what it was fitted on.
    fitted_until : str
        Last day of a training row, or its place in the source's order; empty when there is neither.
    fitted_until_position : float or None
        The same as a number, in the units of `TrainingSet.position`.
    seed : int
        Random state of the fit.
    """

    task: str
    kind: str
    learner: str
    event: str
    horizon_days: int | None
    gap_days: int | None
    base_rate: float
    n_rows: int
    n_positives: int
    fitted_until: str = ""
    fitted_until_position: float | None = None
    seed: int = 0


def score_of(probability: float) -> int:
    """The score, 1 to 100, of a probability.

    Examples
    --------
    >>> score_of(0.0), score_of(0.504), score_of(1.0)
    (1, 50, 100)
    """
    return min(100, max(1, round(100.0 * probability)))


class Predictor:
    """A model ready to answer: encoder, booster and additive part, calibrator. Immutable and safe to share.

    Parameters
    ----------
    about : About
        What it is.
    encoder : Encoder
        From named values to rows.
    calibrator : Calibrator
        From the model's log-odds to honest ones.
    additive, booster_text : Additive or None, str or None
        The parts; at least one.
    weight : float
        Share of the booster's log-odds when both parts are present.
    """

    def __init__(
        self,
        *,
        about: About,
        encoder: Encoder,
        calibrator: Calibrator,
        additive: Additive | None = None,
        booster_text: str | None = None,
        weight: float = 0.5,
    ) -> None:
        if additive is None and booster_text is None:
            raise BadBundle("expected a booster, an additive part or both")
        if about.kind not in KINDS:
            raise BadBundle(f"kind {about.kind!r} is unknown; expected one of {', '.join(KINDS)}")
        self.about = about
        self.encoder = encoder
        self.calibrator = calibrator
        self.additive = additive
        self.booster_text = booster_text
        self.weight = weight if additive is not None and booster_text is not None else 1.0
        self._booster = None if booster_text is None else Booster(booster_text)
        if self._booster is not None and self._booster.n_fields != len(encoder.fields):
            raise BadBundle(f"booster of {self._booster.n_fields} fields, encoder of {len(encoder.fields)}")

    def predict(self, values: Values, on: date | None = None, *, n_reasons: int = 0) -> Prediction:
        """The answer for one record.

        Parameters
        ----------
        values : mapping
            Field name to value. A field left out counts as empty, an unknown category as `other`, a field the
            model does not know is ignored.
        on : date or None
            Not used: this kind knows nothing of the calendar.
        n_reasons : int
            How many reasons at most.

        Raises
        ------
        BadValue
            A value is of the wrong kind.
        """
        rows = self.encoder.encode(values)
        probability = float(sigmoid(self.calibrator(self._log_odds(rows)))[0])
        reasons: tuple[Reason, ...] = ()
        if n_reasons:
            parts = self.contributions(rows)[0]
            reasons = find_reasons(self.encoder.fields, values, parts, self.calibrator, most=n_reasons)
        return Prediction(probability=probability, score=score_of(probability), reasons=reasons)

    def predict_table(self, table: pa.Table, on: Days | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of a table's rows, same order; equal bits with `predict`."""
        return self.predict_rows(self.encoder.encode_table(table))

    def predict_rows(self, rows: npt.NDArray[np.float64], on: Days | None = None) -> npt.NDArray[np.float64]:
        """Probabilities of encoded rows, shape (n_rows, n_fields)."""
        return sigmoid(self.calibrator(self._log_odds(rows)))

    def explain_table(
        self, table: pa.Table, on: Days | None = None, *, n_reasons: int = N_REASONS
    ) -> list[tuple[Reason, ...]]:
        """Reasons of a table's rows, same order."""
        return explain_rows(self, table, on, n_reasons=n_reasons)

    def _log_odds(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self._booster is None:
            return self._additive_log_odds(rows)
        if self.additive is None:
            return self._booster.log_odds(rows)
        weight = self.weight
        return np.asarray(weight * self._booster.log_odds(rows) + (1.0 - weight) * self._additive_log_odds(rows))

    def _additive_log_odds(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.additive is None:
            raise BadBundle("no additive part")
        if len(rows) == 1:
            return np.array([self.additive.log_odds_of(rows[0].tolist())])
        return self.additive.log_odds(rows)

    def contributions(self, rows: npt.NDArray[np.float64], on: Days | None = None) -> npt.NDArray[np.float64]:
        """Log-odds that each field adds before calibration, shape (n_rows, n_fields + 1); last column: the rest."""
        if self._booster is None:
            return _present(self.additive).contributions(rows)
        if self.additive is None:
            return self._booster.contributions(rows)
        trees, terms = self._booster.contributions(rows), self.additive.contributions(rows)
        return np.asarray(self.weight * trees + (1.0 - self.weight) * terms)


def _present(additive: Additive | None) -> Additive:
    if additive is None:
        raise BadBundle("no additive part")
    return additive
