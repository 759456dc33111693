"""A person's own call in place of a forecast, with the reason: kept for ever, and held against what came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.app_database import ForecastOverride, ForecastRow, ForecastScore
from serving.forecast_accuracy import Seen, last_override, on_cell
from serving.forecast_figures import PAIRED, beside
from serving.forecast_scoring import same_cell

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a person says.

    Parameters
    ----------
    measure, node_id, period : str
        Of what.
    month : date
        First day of the period.
    value : float
        The amount, in units of the reporting currency; kept in whole hundredths.
    reason : str
        Why.
    """

    measure: str
    node_id: str
    period: str
    month: date
    value: float
    reason: str


def write_override(engine: Engine, run_id: str, call: Call, *, author: str, now: datetime) -> ForecastOverride | None:
    """Keep a person's call in place of a row of the ledger; the same again changes nothing.

    Parameters
    ----------
    engine : Engine
        The application database.
    run_id : str
        The forecast that it replaces.
    call : Call
        What is said.
    author : str
        Who says it.
    now : datetime
        When, UTC.

    Returns
    -------
    ForecastOverride or None
        As kept; the author's last call of this row when it said the same. None when the run has no such row.
    """
    cell = (run_id, call.measure, call.node_id, call.period, call.month)
    value = round(call.value, 2)
    with Session(engine, expire_on_commit=False) as session:
        row = session.get(
            ForecastRow, dict(zip(("run_id", "measure", "node_id", "period", "month"), cell, strict=True))
        )
        if row is None:
            return None
        last: ForecastOverride | None = session.scalars(_of_author(cell, author)).first()
        if last is not None and (last.value, last.reason) == (value, call.reason):
            return last
        before = last.override_id if last is not None else None
        said = ForecastOverride(
            # Named by what it says and what it follows: of two equal requests at one moment one is kept.
            override_id=hashlib.sha256(repr((*cell, author, value, call.reason, before)).encode()).hexdigest()[:32],
            level=row.level,
            author=author,
            # The order of an author's calls holds though the clock stood still.
            made_at=now if last is None else max(now, last.made_at + timedelta(microseconds=1)),
            value=value,
            expected=row.expected,
            reason=call.reason,
            replaces=before,
            **dict(zip(("run_id", "measure", "node_id", "period", "month"), cell, strict=True)),
        )
        session.add(said)
        try:
            session.commit()
        except IntegrityError:
            session.rollback()
            kept = session.get(ForecastOverride, said.override_id)
            if kept is None:
                raise
            return kept
        return said


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _of_author(cell: tuple[str, str, str, str, date], author: str) -> Any:
    one = ForecastOverride
    columns = (one.run_id, one.measure, one.node_id, one.period, one.month)
    same = [column == value for column, value in zip(columns, cell, strict=True)]
    return select(one).where(*same, one.author == author).order_by(one.made_at.desc(), one.override_id).limit(1)


def list_overrides(
    engine: Engine, seen: Seen, *, node_id: str | None, limit: int, offset: int
) -> tuple[int, Sequence[ForecastOverride]]:
    """How many calls there are on nodes that the caller sees, and a part of them, the newest first."""
    asked = seen.conditions(ForecastOverride)
    if node_id is not None:
        asked.append(ForecastOverride.node_id == node_id)
    order = (ForecastOverride.made_at.desc(), ForecastOverride.override_id)
    with Session(engine, expire_on_commit=False) as session:
        total = session.scalar(select(func.count()).select_from(ForecastOverride).where(*asked)) or 0
        found = session.scalars(select(ForecastOverride).where(*asked).order_by(*order).limit(limit).offset(offset))
        return total, found.all()


def value_added(engine: Engine, seen: Seen, *, seed: int) -> list[dict[str, object]]:
    """What people's own calls added to the forecast, by author, measure, level and period, as `ValueAdded`.

    Parameters
    ----------
    engine : Engine
        The application database.
    seen : Seen
        Which rows.
    seed : int
        Random state of the intervals.

    Notes
    -----
    Forecast value added (Fildes, Goodwin, Lawrence & Nikolopoulos 2009): the error of the forecast less that of the
    call which replaced it, on the rows that were overridden; of several calls of one author on a row the last counts.
    """
    sums: dict[tuple[str, str, str, str], list[Any]] = {}
    with Session(engine) as session:
        for found in session.execute(_called(seen)):
            sums.setdefault((found[0], found[1], found[2], found[3]), []).append(found[5:])
    return [_added(group, np.array(rows, dtype=np.float64), seed) for group, rows in sums.items()]


def _called(seen: Seen) -> Any:
    row, score, said = ForecastRow, ForecastScore, last_override(by_author=True)
    named = (said.c.author, row.measure, row.level, row.period, row.month)
    sums = (
        func.count(score.actual),
        func.sum(func.abs(score.actual)),
        func.sum(func.abs(said.c.value - score.actual)),
        func.sum(func.abs(row.expected - score.actual)),
        func.sum(func.abs(row.baseline - score.actual)),
    )
    asked = select(*named, *sums).join(score, same_cell()).join(said, on_cell(said))
    kept = (score.actual.is_not(None), *seen.conditions(row))
    return asked.where(*kept).group_by(*named).order_by(*named)


def _added(group: tuple[str, str, str, str], rows: Floats, seed: int) -> dict[str, object]:
    n, amount, called, forecast, naive = rows.T
    # The sides are turned round: what is judged is the call, beside the forecast and beside the naive.
    over_forecast = beside("", dict(zip(PAIRED, (n, amount, called, forecast), strict=True)), seed)
    over_naive = beside("", dict(zip(PAIRED, (n, amount, called, naive), strict=True)), seed)
    return {
        **dict(zip(("author", "measure", "level", "period"), group, strict=True)),
        "n": int(n.sum()),
        "n_months": len(rows),
        "wape": over_forecast["wape"],
        "forecast_wape": over_forecast["forecast_wape"],
        "naive_wape": over_naive["forecast_wape"],
        **{name.replace("gain", "value_added"): over_forecast[name] for name in ("gain", "gain_low", "gain_high")},
        **{
            name.replace("gain", "value_added_over_naive"): over_naive[name]
            for name in ("gain", "gain_low", "gain_high")
        },
    }
