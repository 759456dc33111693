"""What a published forecast writes into the ledger: months, fiscal quarters and years, and what was known beside them.

A quarter that is running holds what its closed months brought and what is said of the others; its range is that of the
joint sample, and stays empty where a model tells ranges of single months alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.app_database import ForecastRow, ForecastRun
from features.calls import Calls
from features.nodes import Node
from features.periods import Period, Stretch, stretches
from models.series_forecast import NodeForecast
from models.series_task import QUANTILES

Floats: TypeAlias = npt.NDArray[np.float64]
Months: TypeAlias = npt.NDArray[np.datetime64]
# Measure, node, period and first month.
Cell: TypeAlias = tuple[str, str, str, date]
Row: TypeAlias = dict[str, object]

LOTS = 2_000
# Columns of the ledger, and the calls that they hold.
CALLED = {"stage_weighted": "stage_weighted", "committed": "commit", "best_case": "best_case"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beside:
    """What was known without a model when a forecast was made.

    Attributes
    ----------
    closed : mapping of (str, Node) to mapping
        By measure and node, amounts of the closed months that lie in running quarters and years.
    calls : mapping of str to Calls
        By measure that has them; their months reach from the start of the running year to the end of the horizon.
    fiscal_year_starts : int
        First month of the fiscal year.
    ranges : mapping of Cell to sequence of float
        Quantiles, in the order of `QUANTILES`, of quarters and years, from the joint sample.
    """

    closed: Mapping[tuple[str, Node], Mapping[np.datetime64, float]] = field(default_factory=dict)
    calls: Mapping[str, Calls] = field(default_factory=dict)
    fiscal_year_starts: int = 1
    ranges: Mapping[Cell, Sequence[float]] = field(default_factory=dict)


def ledger_rows(forecasts: Sequence[NodeForecast], beside: Beside) -> Iterator[Row]:
    """The rows of the ledger without the run: every month ahead, and every quarter and year that ends within them.

    Parameters
    ----------
    forecasts : sequence of NodeForecast
        What is said of the months.
    beside : Beside
        What was known beside it.
    """
    cuts: dict[tuple[int, int, int], tuple[_Cut, ...]] = {}
    called = {measure: _Called(calls) for measure, calls in beside.calls.items()}
    for one in forecasts:
        # Most series have the same months ahead; they are cut into periods once.
        key = one.period, int(one.months[0].astype(np.int64)) if len(one.months) else 0, len(one.months)
        if key not in cuts:
            cuts[key] = tuple(_cut(one.months, stretch) for stretch in _stretches(one, beside.fiscal_year_starts))
        yield from _rows(one, cuts[key], called.get(one.measure), beside)


def _stretches(one: NodeForecast, fiscal_year_starts: int) -> Iterator[Stretch]:
    """What is written of a series; of one by quarter its own quarters, which need not be those of the fiscal year."""
    if one.period == 1:
        if len(one.months):
            yield from stretches(one.months, fiscal_year_starts)
        return
    for step, last in enumerate(one.months, start=1):
        yield Stretch(period=Period.QUARTER, first=last - np.timedelta64(one.period - 1, "M"), step=step)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """Where a period lies in the months ahead."""

    stretch: Stretch
    begins_on: date
    ahead: slice
    passed: tuple[np.datetime64, ...]


def _cut(months: Months, stretch: Stretch) -> _Cut:
    inside = np.flatnonzero((months >= stretch.first) & (months <= stretch.last))
    return _Cut(
        stretch=stretch,
        begins_on=day_of(stretch.first),
        ahead=slice(int(inside[0]), int(inside[-1]) + 1),
        passed=tuple(month for month in stretch.months if month < months[0]),
    )


class _Called:
    """The calls of one measure by period, summed once for all nodes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._held: dict[tuple[str, date], dict[str, dict[str, float | None]]] = {}

    def of(self, node_id: str, cut: _Cut) -> dict[str, float | None]:
        """By column of the ledger, what was called of a node; None where nobody could say."""
        held = self._held.setdefault((cut.stretch.period.value, cut.begins_on), {})
        if not held:
            held |= self._sums(self._calls.nodes, cut)
        # The record has nothing of this node: what is said of it is the same for all such nodes of a level.
        absent = f"{node_id.partition(':')[0]}:"
        if node_id not in held and absent not in held:
            held |= self._sums((absent,), cut)
        return held.get(node_id) or held[absent]

    def _sums(self, node_ids: Sequence[str], cut: _Cut) -> dict[str, dict[str, float | None]]:
        kept = np.isin(self._calls.months, cut.stretch.months)
        is_whole = int(kept.sum()) == cut.stretch.period.n_months
        sums = {column: self._calls.of(name, node_ids)[:, kept].sum(axis=1).tolist() for column, name in CALLED.items()}
        return {
            node: {column: _told(values[place]) if is_whole else None for column, values in sums.items()}
            for place, node in enumerate(node_ids)
        }


_NOBODY: Mapping[str, None] = dict.fromkeys(CALLED)


def _rows(one: NodeForecast, cuts: Sequence[_Cut], called: _Called | None, beside: Beside) -> Iterator[Row]:
    known = beside.closed.get((one.measure, one.node), {}) if one.period == 1 else {}
    node_id, shares = one.node.node_id, [f"{share:g}" for share in QUANTILES]
    expected, baseline, quantiles = one.expected.tolist(), one.baseline.tolist(), one.quantiles.tolist()
    for cut in cuts:
        period, ahead = cut.stretch.period, cut.ahead
        passed = sum(known.get(month, 0.0) for month in cut.passed)
        if period.n_months == one.period:
            told: Sequence[float] = quantiles[ahead.start]
        else:
            told = beside.ranges.get((one.measure, node_id, period.value, cut.begins_on), ())
        yield {
            "measure": one.measure,
            "node_id": node_id,
            "period": period.value,
            "month": cut.begins_on,
            "level": one.node.level.value,
            "step": cut.stretch.step,
            "status": one.status,
            "expected": round(passed + sum(expected[ahead]), 2),
            "baseline": round(passed + sum(baseline[ahead]), 2),
            "quantiles": {
                share: round(value, 2) for share, value in zip(shares, told, strict=bool(told)) if isfinite(value)
            },
            **(called.of(node_id, cut) if called is not None else _NOBODY),
        }


def _told(amount: float) -> float | None:
    """An amount in whole hundredths; None where it is unknown."""
    return round(amount, 2) if isfinite(amount) else None


def day_of(month: np.datetime64) -> date:
    """The first day of a month."""
    day: date = month.astype("datetime64[D]").item()
    return day


def write_run(engine: Engine, run: ForecastRun, rows: Iterable[Row]) -> bool:
    """Write a run and its rows in one transaction; False when the ledger holds the run already.

    Parameters
    ----------
    engine : Engine
        The application database.
    run : ForecastRun
        By whom, from what, when.
    rows : iterable of dict
        From `ledger_rows`; their number becomes `n_rows`.
    """
    run_id = run.run_id
    try:
        with Session(engine) as session, session.begin():
            held = select(ForecastRun.run_id).where(ForecastRun.run_id == run_id)
            if session.scalars(held).first() is not None:
                return False
            filled = [{"run_id": run_id, **row} for row in rows]
            run.n_rows = len(filled)
            session.add(run)
            session.flush()
            for first in range(0, len(filled), LOTS):
                session.execute(insert(ForecastRow), filled[first : first + LOTS])
    except IntegrityError:
        if not is_published(engine, run_id):
            raise
        # Another process published the same run in the meantime.
        return False
    return True


def is_published(engine: Engine, run_id: str) -> bool:
    """Whether the ledger holds a run."""
    with Session(engine) as session:
        return session.get(ForecastRun, run_id) is not None
