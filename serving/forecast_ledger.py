"""What a published forecast writes into the ledger: months, fiscal quarters and years, and what was known beside them.

A quarter that is running holds what its closed months brought and what is said of the others; its range is that of the
joint sample, and stays empty where a model tells ranges of single months alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
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
    called = {measure: _called(calls, measure, forecasts) for measure, calls in beside.calls.items()}
    for one in forecasts:
        known = beside.closed.get((one.measure, one.node), {})
        for stretch in _stretches(one, beside.fiscal_year_starts):
            yield _row(one, stretch, known, called.get(one.measure, {}), beside)


def _stretches(one: NodeForecast, fiscal_year_starts: int) -> Iterator[Stretch]:
    """What is written of a series; of one by quarter its own quarters, which need not be those of the fiscal year."""
    if one.period == 1:
        yield from stretches(one.months, fiscal_year_starts)
        return
    for step, last in enumerate(one.months, start=1):
        yield Stretch(period=Period.QUARTER, first=last - np.timedelta64(one.period - 1, "M"), step=step)


def _row(
    one: NodeForecast,
    stretch: Stretch,
    known: Mapping[np.datetime64, float],
    called: Mapping[str, Mapping[str, Mapping[np.datetime64, float]]],
    beside: Beside,
) -> Row:
    ahead = np.flatnonzero((one.months >= stretch.first) & (one.months <= stretch.last))
    passed = 0.0
    if one.period == 1:
        passed = sum(known.get(month, 0.0) for month in stretch.months if month < one.months[0])
    node_id = one.node.node_id
    cell: Cell = (one.measure, node_id, stretch.period.value, day_of(stretch.first))
    if stretch.period.n_months == one.period:
        told: Sequence[float] = one.quantiles[ahead[0]].tolist()
    else:
        told = beside.ranges.get(cell, ())
    calls = {
        column: _total(called.get(column, {}).get(node_id, {}).get(month) for month in stretch.months)
        for column in CALLED
    }
    return {
        **dict(zip(("measure", "node_id", "period", "month"), cell, strict=True)),
        "level": one.node.level.value,
        "step": stretch.step,
        "status": one.status,
        "expected": round(passed + float(one.expected[ahead].sum()), 2),
        "baseline": round(passed + float(one.baseline[ahead].sum()), 2),
        "quantiles": {
            f"{share:g}": round(float(value), 2)
            for share, value in zip(QUANTILES, told or [np.nan] * len(QUANTILES), strict=True)
            if np.isfinite(value)
        },
        **calls,
    }


def _called(
    calls: Calls, measure: str, forecasts: Sequence[NodeForecast]
) -> dict[str, dict[str, dict[np.datetime64, float]]]:
    """By column of the ledger and node, each call by month."""
    nodes = [one.node.node_id for one in forecasts if one.measure == measure]
    return {
        column: {
            node: dict(zip(calls.months, row.tolist(), strict=True))
            for node, row in zip(nodes, calls.of(name, nodes), strict=True)
        }
        for column, name in CALLED.items()
    }


def _total(values: Iterable[float | None]) -> float | None:
    """The sum in whole hundredths; None where one is unknown."""
    told = list(values)
    if any(value is None or not np.isfinite(value) for value in told):
        return None
    return round(float(sum(value for value in told if value is not None)), 2)


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
