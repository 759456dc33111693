"""What a deal is worth in the end for each unit of money it stands at now, by segment, learned from won deals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.timed_set import TimedSet
from models.encoding import Value

Floats: TypeAlias = npt.NDArray[np.float64]

FIELD = "stage"
"""The further a deal has come, the less its amount still moves."""
LEAST_PSEUDO_DEALS = 5.0
LOWEST, HIGHEST = 0.1, 10.0
"""A ratio beyond these is a mistyped amount, and is held here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRatio:
    """Mean ratio of the final net amount of won deals to the one they stood at.

    Parameters
    ----------
    overall : float
        Over all won deals; 1 when there is none.
    by_value : mapping of str to float
        By the value of `FIELD`, drawn to `overall` by how few deals tell.
    n : int
        Won deals learned from.
    """

    overall: float = 1.0
    by_value: Mapping[str, float]
    n: int = 0

    def of(self, values: Mapping[str, Value]) -> float:
        """The expected ratio of a deal, from its features by name."""
        return self.by_value.get(str(values.get(FIELD)), self.overall)

    def to_json(self) -> dict[str, object]:
        """The ratios as plain JSON values."""
        return {"overall": self.overall, "by_value": dict(self.by_value), "n": self.n}


def amount_ratio_from_json(content: object) -> AmountRatio:
    """The ratios written by `AmountRatio.to_json`.

    Raises
    ------
    TypeError
        The content holds no ratios.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("by_value"), Mapping):
        raise TypeError("amount ratio: expected ratios by value")
    by_value = {str(name): float(str(ratio)) for name, ratio in content["by_value"].items()}
    return AmountRatio(overall=float(str(content["overall"])), by_value=by_value, n=int(str(content["n"])))


def fit_amount_ratio(rows: TimedSet) -> AmountRatio:
    """The ratios that the won deals of timed rows show.

    Parameters
    ----------
    rows : TimedSet
        Rows with `amount` and `final_amount`.

    Notes
    -----
    Every deal counts once in each segment that it passed through, with the mean of its weekly ratios. The mean of a
    segment is drawn to that over all by empirical Bayes: (n * mean + m * overall) / (n + m), where m is the variance
    within segments over that between them (method of moments), at least `LEAST_PSEUDO_DEALS`.
    """
    if rows.final_amount is None or FIELD not in rows.rows.column_names:
        return AmountRatio(by_value={})
    known = np.isfinite(rows.final_amount) & np.isfinite(rows.amount) & (rows.amount > 0) & (rows.final_amount > 0)
    if not known.any():
        return AmountRatio(by_value={})
    ratio = np.clip(rows.final_amount[known] / rows.amount[known], LOWEST, HIGHEST)
    values = np.array(["" if value is None else str(value) for value in rows.rows.column(FIELD).to_pylist()])[known]
    _, first, place = np.unique(
        np.char.add(np.char.add(rows.entity_id[known], "\n"), values), return_index=True, return_inverse=True
    )
    passed = np.bincount(place, ratio) / np.bincount(place)
    names, segment = np.unique(values[first], return_inverse=True)
    n = np.bincount(segment).astype(np.float64)
    means, overall = np.bincount(segment, passed) / n, float(passed.mean())
    pseudo = _pseudo_deals(passed, segment, n, means)
    drawn = (n * means + pseudo * overall) / (n + pseudo)
    found = {name: float(mean) for name, mean in zip(names.tolist(), drawn, strict=True) if name}
    return AmountRatio(overall=overall, by_value=found, n=len(np.unique(rows.entity_id[known])))


def _pseudo_deals(passed: Floats, segment: npt.NDArray[np.intp], n: Floats, means: Floats) -> float:
    within = float(((passed - means[segment]) ** 2).sum()) / max(len(passed) - len(n), 1)
    spread = float((n * (means - passed.mean()) ** 2).sum()) - (len(n) - 1) * within
    between = spread / max(float(n.sum() - (n**2).sum() / n.sum()), 1e-12)
    return float(np.clip(within / between, LEAST_PSEUDO_DEALS, 1e6)) if between > 0 else 1e6
