"""The figures of the ledger made a second time, row by row, so that anyone can check what the service tells."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from crm.app_database import ForecastOverride, ForecastRow, ForecastScore
from models.series_judge import ALL
from serving.forecast_accuracy import Seen, revised_counts
from serving.forecast_figures import (
    PAIRED,
    SIDES,
    ByMonth,
    Group,
    Place,
    Sums,
    add_sums,
    bucket_of,
    figures_of,
    sum_names,
)
from serving.forecast_scoring import HIGH, LOW, same_cell


def recount(engine: Engine, seen: Seen, *, seed: int) -> list[dict[str, object]]:
    """The figures of `ledger_figures` made row by row: from the raw rows of the ledger and what came, nothing else.

    Parameters
    ----------
    engine : Engine
        The application database.
    seen : Seen
        Which rows.
    seed : int
        Random state of the intervals.
    """
    sums: ByMonth = {}
    runs: dict[Group, set[str]] = {}
    nodes: dict[tuple[Group, date], set[str]] = {}
    with Session(engine) as session:
        said: dict[tuple[str, str, str, str, date], float] = {}
        for one in session.scalars(
            select(ForecastOverride).order_by(ForecastOverride.made_at, ForecastOverride.override_id.desc())
        ):
            said[one.run_id, one.measure, one.node_id, one.period, one.month] = one.value
        rows = select(ForecastRow, ForecastScore.actual).join(ForecastScore, same_cell())
        for row, actual in session.execute(rows.execution_options(yield_per=2_000)):
            if not seen.fits(row):
                continue
            override = said.get((row.run_id, row.measure, row.node_id, row.period, row.month))
            place = Place(measure=row.measure, level=row.level, period=row.period, step=row.step, month=row.month)
            add_sums(sums, place, _values(row, actual, override))
            for bucket in (ALL, bucket_of(row.period, row.step)):
                group = (row.measure, row.level, row.period, bucket)
                runs.setdefault(group, set()).add(row.run_id)
                if actual is not None:
                    nodes.setdefault((group, row.month), set()).add(row.node_id)
        revised = {(row[0], row[1], row[2]): row[3] for row in session.execute(revised_counts(seen))}
    for (group, month), found in nodes.items():
        sums[group][month]["outcomes"] = len(found)
    return figures_of(sums, runs, revised, seed=seed)


def _values(row: ForecastRow, actual: float | None, override: float | None) -> Sums:
    values = dict.fromkeys(sum_names(), 0)
    if actual is None:
        return values | {"gone": 1}
    error = row.expected - actual
    values |= {"n": 1, "amount": _cents(abs(actual)), "error": _cents(abs(error)), "signed": _cents(error)}
    if LOW in row.quantiles and HIGH in row.quantiles:
        values["told"] = 1
        values["inside"] = int(row.quantiles[LOW] <= actual <= row.quantiles[HIGH])
    beside = (row.baseline, row.stage_weighted, row.committed, row.best_case, override)
    for side, other in zip(SIDES, beside, strict=True):
        if other is not None:
            found = (1, _cents(abs(actual)), _cents(abs(other - actual)), _cents(abs(error)))
            values |= {f"{side}_{name}": value for name, value in zip(PAIRED, found, strict=True)}
    return values


def _cents(amount: float) -> int:
    return round(100 * amount)
