"""How good published forecasts were: the scored rows of the ledger, summed by the database and told as figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Case,
    ColumnElement,
    Engine,
    Integer,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    case,
    cast,
    func,
    select,
)
from sqlalchemy.orm import Session

from crm.app_database import ForecastOverride, ForecastRevision, ForecastRow, ForecastRun, ForecastScore
from models.series_judge import ALL
from serving.forecast_figures import ByMonth, Group, Place, add_sums, bucket_of, figures_of, in_order, sum_names
from serving.forecast_scoring import same_cell

# Different readers and filters whose sums are kept.
_MOST_HELD = 200
Asked: TypeAlias = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Which rows of the ledger are summed; None takes all.

    Parameters
    ----------
    measure, level : str or None
        Filters.
    node_ids : frozenset of str or None
        The nodes that the caller may see.
    since : date or None
        Only periods that begin on this day or later.
    """

    measure: str | None = None
    level: str | None = None
    node_ids: frozenset[str] | None = None
    since: date | None = None

    def conditions(self, kind: Any) -> list[ColumnElement[bool]]:
        """The same as conditions on a table with those columns."""
        found: list[ColumnElement[bool]] = []
        if self.measure is not None:
            found.append(kind.measure == self.measure)
        if self.level is not None:
            found.append(kind.level == self.level)
        if self.node_ids is not None:
            found.append(kind.node_id.in_(sorted(self.node_ids)))
        if self.since is not None:
            found.append(kind.month >= self.since)
        return found

    def fits(self, row: ForecastRow) -> bool:
        """Whether one row is summed."""
        asked = ((self.measure, row.measure), (self.level, row.level))
        return (
            all(one in (None, found) for one, found in asked)
            and (self.node_ids is None or row.node_id in self.node_ids)
            and (self.since is None or row.month >= self.since)
        )


def ledger_figures(engine: Engine, seen: Seen, *, seed: int) -> list[dict[str, object]]:
    """Figures of every measure, level, period and stretch of months ahead, as `LedgerFigures`.

    Parameters
    ----------
    engine : Engine
        The application database.
    seen : Seen
        Which rows.
    seed : int
        Random state of the intervals.
    """
    return read_sums(engine, seen).figures(seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LedgerSums:
    """The scored rows of the ledger, summed.

    Attributes
    ----------
    sums : mapping
        By measure, level, period and bucket, then by month.
    runs : mapping
        By the same, the runs behind them.
    revised : mapping
        By measure, level and period, how many outcomes were corrected since.
    """

    sums: ByMonth
    runs: Mapping[Group, Collection[str]]
    revised: Mapping[tuple[str, str, str], int]

    def figures(self, *, seed: int, limit: int | None = None, offset: int = 0) -> list[dict[str, object]]:
        """The figures of a part of the groups; `limit` None takes the rest."""
        asked = in_order(self.sums)[offset : None if limit is None else offset + limit]
        return figures_of({group: self.sums[group] for group in asked}, self.runs, self.revised, seed=seed)


def read_sums(engine: Engine, seen: Seen) -> LedgerSums:
    """The sums of the rows that are seen."""
    with Session(engine) as session:
        sums: ByMonth = {}
        for row in session.execute(_summed(seen)):
            place = Place(measure=row[0], level=row[1], period=row[2], step=row[3], month=row[4])
            told = row._mapping
            add_sums(sums, place, {name: int(told[name] or 0) for name in sum_names()})
        runs: dict[Group, set[str]] = {}
        for measure, level, period, step, run_id in session.execute(_runs(seen)):
            for bucket in (ALL, bucket_of(period, step)):
                runs.setdefault((measure, level, period, bucket), set()).add(run_id)
        revised = {(row[0], row[1], row[2]): row[3] for row in session.execute(revised_counts(seen))}
    return LedgerSums(sums=sums, runs=runs, revised=revised)


class SummedLedger:
    """Keeps the sums that were asked for until the ledger grows: scores are only ever added with a publication.

    Parameters
    ----------
    engine : Engine
        The application database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._mark: tuple[int, int] | None = None
        self._held: dict[Seen, LedgerSums] = {}

    def read(self, seen: Seen) -> LedgerSums:
        """The sums of the rows that are seen, from memory while nothing was added."""
        with Session(self._engine) as session:
            runs = session.scalar(select(func.count()).select_from(ForecastRun)) or 0
            calls = session.scalar(select(func.count()).select_from(ForecastOverride)) or 0
        mark = runs, calls
        with self._lock:
            if mark != self._mark or len(self._held) >= _MOST_HELD:
                self._held = {}
                self._mark = mark
            found = self._held.get(seen)
        if found is None:
            found = read_sums(self._engine, seen)
            with self._lock:
                if mark == self._mark:
                    self._held[seen] = found
        return found


def last_override(*, by_author: bool = False) -> Subquery:
    """What was called last in place of each row of the ledger, by anyone or by each author."""
    one = ForecastOverride
    cell = (one.run_id, one.measure, one.node_id, one.period, one.month)
    whose = (*cell, one.author) if by_author else cell
    place = func.row_number().over(partition_by=whose, order_by=(one.made_at.desc(), one.override_id))
    listed = select(*cell, one.author, one.value, place.label("place")).subquery()
    return select(listed).where(listed.c.place == 1).subquery()


def on_cell(listed: Subquery) -> ColumnElement[bool]:
    """The condition that joins overrides to their row of the ledger."""
    names = ("run_id", "measure", "node_id", "period", "month")
    return and_(*(listed.c[name] == getattr(ForecastRow, name) for name in names))


def _summed(seen: Seen) -> Asked:
    row, score, override = ForecastRow, ForecastScore, last_override()
    came = score.actual.is_not(None)
    sides = {
        "last_year": row.baseline,
        "stage_weighted": row.stage_weighted,
        "committed": row.committed,
        "best_case": row.best_case,
        "override": override.c.value,
    }
    named = (row.measure, row.level, row.period, row.step, row.month)
    columns: list[ColumnElement[Any]] = [
        func.count(score.actual).label("n"),
        func.count(case((came, row.node_id)).distinct()).label("outcomes"),
        func.sum(case((came, 0), else_=1)).label("gone"),
        func.sum(_cents(func.abs(score.actual))).label("amount"),
        func.sum(_cents(func.abs(row.expected - score.actual))).label("error"),
        func.sum(_cents(row.expected - score.actual)).label("signed"),
        func.count(score.is_inside_80).label("told"),
        func.sum(cast(score.is_inside_80, Integer)).label("inside"),
    ]
    for side, value in sides.items():
        paired = {
            "n": func.count(value + score.actual),
            "amount": func.sum(_where(value, _cents(func.abs(score.actual)))),
            "theirs": func.sum(_cents(func.abs(value - score.actual))),
            "ours": func.sum(_where(value, _cents(func.abs(row.expected - score.actual)))),
        }
        columns += [column.label(f"{side}_{name}") for name, column in paired.items()]
    asked = select(*named, *columns).join(score, same_cell()).outerjoin(override, on_cell(override))
    return asked.where(*seen.conditions(row)).group_by(*named)


def _cents(amount: ColumnElement[Any]) -> ColumnElement[int]:
    """Whole hundredths, whose sums do not depend on the order of the rows."""
    return cast(func.round(100 * amount), BigInteger)


def _where(value: SQLColumnExpression[Any], amount: ColumnElement[Any]) -> Case[Any]:
    return case((value.is_not(None), amount))


def _runs(seen: Seen) -> Asked:
    row = ForecastRow
    named = (row.measure, row.level, row.period, row.step, row.run_id)
    return select(*named).join(ForecastScore, same_cell()).where(*seen.conditions(row)).distinct()


def revised_counts(seen: Seen) -> Asked:
    """By measure, level and period, how many outcomes the record has corrected since they were scored."""
    one = ForecastRevision
    named = (one.measure, one.level, one.period)
    cell = select(*named, one.node_id, one.month).where(*seen.conditions(one)).distinct().subquery()
    names = (cell.c.measure, cell.c.level, cell.c.period)
    return select(*names, func.count()).group_by(*names)
