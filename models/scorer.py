"""What can be loaded from a bundle, whatever its kind: the form in which every task's model is asked."""

from __future__ import annotations

from datetime import date
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.calibrator import Calibrator
from models.encoding import Encoder, Values
from models.explain import Reason
from models.predictor import N_REASONS, About, Prediction

Floats: TypeAlias = npt.NDArray[np.float64]
Days: TypeAlias = npt.NDArray[np.datetime64]


class Scorer(Protocol):
    """A model ready to answer: immutable and safe to share between threads.

    `on` is the local day of each row's moment, shape (n_rows,); models that know nothing of the calendar ahead
    take no notice of it.
    """

    @property
    def about(self) -> About:
        """What the model is."""
        ...

    @property
    def encoder(self) -> Encoder:
        """From named values to rows."""
        ...

    @property
    def calibrator(self) -> Calibrator:
        """From the log-odds that `contributions` sum to, to honest ones."""
        ...

    def predict(self, values: Values, on: date | None = None, *, n_reasons: int = 0) -> Prediction:
        """The answer for one record."""
        ...

    def predict_rows(self, rows: Floats, on: Days | None = None) -> Floats:
        """Probabilities of encoded rows, shape (n_rows,)."""
        ...

    def predict_table(self, table: pa.Table, on: Days | None = None) -> Floats:
        """Probabilities of a table's rows, same order."""
        ...

    def contributions(self, rows: Floats, on: Days | None = None) -> Floats:
        """Log-odds that each field adds before calibration, shape (n_rows, n_fields + 1); last column: the rest."""
        ...

    def explain_table(
        self, table: pa.Table, on: Days | None = None, *, n_reasons: int = N_REASONS
    ) -> list[tuple[Reason, ...]]:
        """Reasons of a table's rows, same order."""
        ...
