"""Why a record has its score: the strongest business groups, in words of the catalogue.

Effects are score points on the 1-100 scale: by how much the score would fall without what the group adds
against the average record. They say what goes together with the outcome, never what causes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.matrix import Field, Kind
from models.calibrator import Calibrator, sigmoid
from models.encoding import Encoder, Value, Values
from models.phrases import write_reason

# Fields of these groups are named one by one: they have no common business meaning.
LOOSE_GROUPS = frozenset({"", "other", "custom"})
SMALLEST_EFFECT = 0.5


class Explained(Protocol):
    """What reasons are found for."""

    @property
    def encoder(self) -> Encoder:
        """From named values to rows."""
        ...

    @property
    def calibrator(self) -> Calibrator:
        """From the log-odds that `contributions` sum to, to honest ones."""
        ...

    def contributions(
        self, rows: npt.NDArray[np.float64], on: npt.NDArray[np.datetime64] | None = None
    ) -> npt.NDArray[np.float64]:
        """Log-odds that each field adds, shape (n_rows, n_fields + 1)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a score.

    Parameters
    ----------
    feature : str
        The field that weighs most within its business group.
    value : float, str, bool or None
        Its value; None when unknown.
    effect : float
        Score points that the whole group adds (positive) or takes away, one decimal.
    text_en, text_zh : str
        The same in words.
    """

    feature: str
    value: Value
    effect: float
    text_en: str
    text_zh: str


def find_reasons(
    fields: Sequence[Field],
    values: Values,
    contributions: npt.NDArray[np.float64],
    calibrator: Calibrator,
    *,
    most: int,
) -> tuple[Reason, ...]:
    """The strongest reasons of one record, strongest first.

    Parameters
    ----------
    fields : sequence of Field
        The model's inputs.
    values : mapping
        The record as it was asked.
    contributions : ndarray of float64, shape (n_fields + 1,)
        Log-odds that each field adds; the last entry is the rest.
    calibrator : Calibrator
        From the model's log-odds to honest ones.
    most : int
        How many reasons at most.
    """
    groups = _group(fields)
    sums = np.array([contributions[places].sum() for places in groups])
    total = float(contributions.sum())
    with_all = float(sigmoid(calibrator(np.array([total])))[0])
    without = sigmoid(calibrator(total - sums)) if len(sums) else sums
    reasons = []
    for place in np.argsort(-np.abs(sums), kind="stable")[:most]:
        effect = round(100.0 * (with_all - float(without[place])), 1)
        if abs(effect) < SMALLEST_EFFECT:
            continue
        members = groups[place]
        # The field named must push the way the group pushes.
        leading = fields[members[int(np.argmax(contributions[members] * np.sign(sums[place])))]]
        value = _shown(leading, values.get(leading.name))
        english, chinese = write_reason(leading, value, effect)
        reasons.append(Reason(feature=leading.name, value=value, effect=effect, text_en=english, text_zh=chinese))
    return tuple(reasons)


def explain_rows(
    scorer: Explained, table: pa.Table, on: npt.NDArray[np.datetime64] | None, *, n_reasons: int
) -> list[tuple[Reason, ...]]:
    """Reasons of a table's rows, same order, strongest first."""
    parts = scorer.contributions(scorer.encoder.encode_table(table), on)
    fields = scorer.encoder.fields
    names = {field.name for field in fields}
    records = table.select([name for name in table.column_names if name in names]).to_pylist()
    return [
        find_reasons(fields, record, part, scorer.calibrator, most=n_reasons)
        for record, part in zip(records, parts, strict=True)
    ]


def _group(fields: Sequence[Field]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for place, field in enumerate(fields):
        key = f"field:{field.name}" if field.group in LOOSE_GROUPS else f"group:{field.group}"
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def _shown(field: Field, value: Value) -> Value:
    if isinstance(value, float) and value != value:
        return None
    if field.kind is Kind.FLAG and value is not None:
        return bool(value)
    return value
