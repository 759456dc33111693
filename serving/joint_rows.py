"""The rows of a joint sample as they are published: months, fiscal quarters and years, with parts, ranges and draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import numpy as np

from features.nodes import Node
from features.periods import Period, stretches
from models.joint import Joint
from models.joint_forecast import sums_of
from models.series_task import QUANTILES
from serving.forecast_ledger import Cell
from serving.forecast_table import QUANTILE_COLUMNS


def joint_rows(
    joint: Joint, closed: Mapping[tuple[str, Node], Mapping[np.datetime64, float]], fiscal_year_starts: int
) -> Iterator[dict[str, object]]:
    """Months, and fiscal quarters and years that end within the horizon, of every measure and node.

    Parameters
    ----------
    joint : Joint
        The joint sample.
    closed : mapping of (str, Node) to mapping
        Amounts of the closed months that lie in running quarters and years.
    fiscal_year_starts : int
        First month of the fiscal year.
    """
    n_months = next(iter(joint.draws.values())).shape[1]
    ahead = joint.month + np.arange(n_months)
    told = list(stretches(ahead, fiscal_year_starts))
    for measure in joint.draws:
        for node in joint.nodes:
            # A node without a series (somebody who left) has no closed months to add, and is not told.
            if closed and (measure.value, node) not in closed:
                continue
            known = closed.get((measure.value, node), {})
            for one in told:
                begin = max(int((one.first - joint.month).astype(int)), 0)
                end = int((one.last - joint.month).astype(int)) + 1
                passed = sum(known.get(month, 0.0) for month in one.months if month < joint.month)
                draws, parts = sums_of(joint, measure, node, slice(begin, end), passed)
                quantiles = np.round(np.quantile(draws, QUANTILES), 2).tolist()
                yield {
                    "measure": measure.value,
                    "node_id": node.node_id,
                    "period": one.period.value,
                    "first_month": one.first.astype("datetime64[D]").item(),
                    "expected": round(float(draws.mean()), 2),
                    **{name: round(value, 2) for name, value in parts.items()},
                    **dict(zip(QUANTILE_COLUMNS, quantiles, strict=True)),
                    "draws": draws.round(2).tolist(),
                }


def ranges_of(rows: Sequence[Mapping[str, object]]) -> dict[Cell, Sequence[float]]:
    """Quantiles of quarters and years, as the ledger asks for them."""
    found: dict[Cell, Sequence[float]] = {}
    for row in rows:
        if row["period"] == Period.MONTH.value:
            continue
        first = row["first_month"]
        assert isinstance(first, date)
        cell = (str(row["measure"]), str(row["node_id"]), str(row["period"]), first)
        found[cell] = [float(str(row[name])) for name in QUANTILE_COLUMNS]
    return found
