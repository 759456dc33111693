"""What came of published forecasts: each row of the ledger is scored once, when its period has closed.

The outcome is the one on record when the row is scored. What the record corrects later is kept beside it as a revision
and changes no score, so that nobody can improve a forecast after the fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

import numpy as np
from sqlalchemy import ColumnElement, Engine, Row, Select, and_, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.app_database import ForecastRevision, ForecastRow, ForecastScore
from features.panel import Panel
from features.periods import Period, Stretch
from serving.forecast_ledger import LOTS, day_of

Actuals: TypeAlias = Mapping[tuple[str, str], Mapping[np.datetime64, float]]

Waiting: TypeAlias = Row[str, str, str, str, date, dict[str, float]]

LOW, HIGH = "0.1", "0.9"
# Corrections of older periods are no news.
_REVISED_MONTHS = 36
_CENT = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a pass over the ledger did.

    Attributes
    ----------
    n_scored : int
        Rows whose period had closed and that are scored now.
    n_gone : int
        Rows among them whose node has no series any more; they have no outcome.
    n_revised : int
        Outcomes scored before that the record has corrected since it was last looked at.
    """

    n_scored: int
    n_gone: int
    n_revised: int


def score_closed(engine: Engine, panels: Mapping[str, Panel], *, record_digest: str, now: datetime) -> Scored:
    """Score every row of the ledger whose period has closed and note what the record corrected; twice changes nothing.

    Parameters
    ----------
    engine : Engine
        The application database.
    panels : mapping of str to Panel
        What came, by measure, as known now; a period is closed when its last month is in the panel.
    record_digest : str
        The state of the record that the panels were read from.
    now : datetime
        When it is scored, UTC.
    """
    actuals = {
        (measure, node.node_id): dict(zip(panel.months, row.tolist(), strict=True))
        for measure, panel in panels.items()
        for node, row in zip(panel.nodes, panel.values, strict=True)
    }
    ended = {measure: panel.months[-1] for measure, panel in panels.items()}
    closed = max(ended.values())
    n_revised = _note_revisions(engine, actuals, closed, record_digest=record_digest, now=now)
    n_scored = n_gone = 0
    with Session(engine) as session:
        # A panel that the company brings along may end before the others do.
        waiting = [
            row for row in session.execute(_waiting(closed)) if _end_of(row[3], row[4]) <= ended.get(row[1], closed)
        ]
    for first in range(0, len(waiting), LOTS):
        rows = [
            _score(row, actuals, {"scored_at": now, "record_digest": record_digest})
            for row in waiting[first : first + LOTS]
        ]
        if _insert_new(engine, rows):
            n_scored += len(rows)
            n_gone += sum(row["actual"] is None for row in rows)
    return Scored(n_scored=n_scored, n_gone=n_gone, n_revised=n_revised)


def _is_closed(closed: np.datetime64) -> ColumnElement[bool]:
    """The condition of a ledger row's period having ended by a month."""
    return or_(
        *(
            and_(
                ForecastRow.period == period.value,
                ForecastRow.month <= day_of(closed - np.timedelta64(period.n_months - 1, "M")),
            )
            for period in Period
        )
    )


def same_cell() -> ColumnElement[bool]:
    """The condition that joins a score to its row of the ledger."""
    names = ("run_id", "measure", "node_id", "period", "month")
    return and_(*(getattr(ForecastScore, name) == getattr(ForecastRow, name) for name in names))


def _waiting(closed: np.datetime64) -> Select[str, str, str, str, date, dict[str, float]]:
    return (
        select(
            ForecastRow.run_id,
            ForecastRow.measure,
            ForecastRow.node_id,
            ForecastRow.period,
            ForecastRow.month,
            ForecastRow.quantiles,
        )
        .outerjoin(ForecastScore, same_cell())
        .where(_is_closed(closed), ForecastScore.run_id.is_(None))
    )


def _end_of(period: str, month: date) -> np.datetime64:
    return Stretch(period=Period(period), first=np.datetime64(month, "M"), step=1).last


def _score(row: Waiting, actuals: Actuals, shared: Mapping[str, object]) -> dict[str, object]:
    run_id, measure, node_id, period, month, quantiles = row
    actual = _actual(actuals, (measure, node_id), period, month)
    inside = None
    if actual is not None and LOW in quantiles and HIGH in quantiles:
        inside = bool(quantiles[LOW] <= actual <= quantiles[HIGH])
    cell = {"run_id": run_id, "measure": measure, "node_id": node_id, "period": period, "month": month}
    return {**cell, "actual": actual, "is_inside_80": inside, **shared}


def _actual(actuals: Actuals, key: tuple[str, str], period: str, month: date) -> float | None:
    """What came in a period; None where the node has no series, or one that an own panel left without a row."""
    series = actuals.get(key)
    if series is None:
        return None
    stretch = Stretch(period=Period(period), first=np.datetime64(month, "M"), step=1)
    total = sum(series.get(one, 0.0) for one in stretch.months)
    return round(float(total), 2) if np.isfinite(total) else None


def _insert_new(engine: Engine, rows: list[dict[str, object]]) -> bool:
    """Insert scores; False when another process has scored the same rows in the meantime."""
    try:
        with Session(engine) as session, session.begin():
            session.execute(insert(ForecastScore), rows)
    except IntegrityError:
        return False
    return True


def _note_revisions(
    engine: Engine, actuals: Actuals, closed: np.datetime64, *, record_digest: str, now: datetime
) -> int:
    """Write down what the record says otherwise than when it was scored or last looked at."""
    since = day_of(closed - np.timedelta64(_REVISED_MONTHS, "M"))
    with Session(engine) as session, session.begin():
        known = {(row[0], row[1], row[2], row[3]): row[4] for row in session.execute(_newest_outcomes(since))}
        revised = select(ForecastRevision).where(ForecastRevision.month >= since).order_by(ForecastRevision.found_at)
        for one in session.scalars(revised):
            known[one.measure, one.node_id, one.period, one.month] = one.actual_now
        rows = []
        for (measure, node_id, period, month), before in known.items():
            actual = _actual(actuals, (measure, node_id), period, month)
            if actual is not None and before is not None and abs(actual - before) > _CENT:
                cell = {"measure": measure, "node_id": node_id, "period": period, "month": month}
                found = {"level": node_id.partition(":")[0], "found_at": now, "record_digest": record_digest}
                rows.append({**cell, **found, "actual_before": before, "actual_now": actual})
        if rows:
            session.execute(insert(ForecastRevision), rows)
    return len(rows)


def _newest_outcomes(since: date) -> Select[str, str, str, date, float | None]:
    """The outcome of every period as it was last scored."""
    cell = (ForecastScore.measure, ForecastScore.node_id, ForecastScore.period, ForecastScore.month)
    order = func.row_number().over(partition_by=cell, order_by=(ForecastScore.scored_at.desc(), ForecastScore.run_id))
    told = select(*cell, ForecastScore.actual, order.label("place")).where(
        ForecastScore.month >= since, ForecastScore.actual.is_not(None)
    )
    listed = told.subquery()
    named = listed.c
    return select(named.measure, named.node_id, named.period, named.month, named.actual).where(listed.c.place == 1)
