"""What a task says of an entity beside the probability: the form in which it is asked, and in which it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.encoding import Value
from models.scorer import Days, Scorer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """Rows that were scored, with everything an answer may be drawn from.

    Parameters
    ----------
    scorer : Scorer
        What scored them.
    rows : ndarray of float64, shape (n_rows, n_fields)
        As the scorer's encoder gives them.
    values : sequence of mapping
        The same by name, one mapping a row: the features, before encoding.
    on : ndarray of datetime64[D], shape (n_rows,)
        Local days of the rows' moments.
    probability : ndarray of float64, shape (n_rows,)
        The headline answers.
    """

    scorer: Scorer
    rows: npt.NDArray[np.float64]
    values: Sequence[Mapping[str, Value]]
    on: Days
    probability: npt.NDArray[np.float64]


Details: TypeAlias = Callable[[Asked], list[dict[str, object]]]
"""One mapping a row, same order, always the same keys; values that JSON can hold, None where unknown."""
