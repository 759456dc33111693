"""What the record is good for: each task ready, degraded or not possible, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta

import numpy as np

from crm.config import Config
from crm.consistency import Contradiction, find_contradictions
from crm.engine import DuckDBEngine, quote_name, quote_text
from crm.money import NoRate
from crm.node_claims import is_on_record
from crm.schema import DType
from crm.settlements import can_be_derived
from crm.store import Generation
from crm.tables import TABLES, table
from crm.tables_derived import DERIVED_TABLES
from features.catalogue import group_named
from features.first_seen import history_begins, unseen_rows
from features.invoice_rows import build_invoice_rows
from features.labels import EVENTS, label_rows
from features.own_panels import TwoRowsAMonth
from features.question import Question
from features.spine import build_spine
from models.hazard_task import HazardTask
from models.series_candidates import DENSE_MONTHS
from models.series_points import read_task_panels
from models.task import EntityTask, Task
from models.task_files import entity_task, task_names
from models.tasks.sales_forecast import TASK as SALES_FORECAST

# These are asked about again and again: whether they had the event is a matter of the moment.
_ASKED_AGAIN = frozenset({"accounts", "agreements"})
READY = "ready"
DEGRADED = "degraded"
NOT_POSSIBLE = "not possible"
DAY_ONE = "day one: current values only, no history"
KEPT = "history kept"
WAITING = (
    "{n} features wait for history: only today's values are on record; "
    "docs/day-one.md shows what to expect now and after 30, 90 and 180 days"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReadiness:
    """One table of the record.

    Parameters
    ----------
    table : str
        Its name.
    rows : int
        Rows on record.
    filled : float
        Mean share of filled cells over the stated columns that have any value.
    empty_columns : tuple of str
        Stated columns without a single value.
    custom_columns : int
        Columns of the company's own.
    """

    table: str
    rows: int
    filled: float
    empty_columns: tuple[str, ...]
    custom_columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReadiness:
    """One task.

    Parameters
    ----------
    task : str
        Its name.
    status : str
        `ready`, `degraded` (runs with fewer features, or on a base rate) or `not possible`.
    reasons : tuple of str
        Why it is not simply ready; sentences.
    missing_tables : tuple of str
        Tables that it needs or could use and that have no rows.
    switched_off : tuple of str
        Features that the missing tables switch off.
    n_known, n_events : int
        Entities whose outcome is known by now, and those that had the event; of the forecast, closed months and series.
    needed_known, needed_events : int
        What a trained model (not a base rate) asks for, and what boosting asks for.
    """

    task: str
    status: str
    reasons: tuple[str, ...]
    missing_tables: tuple[str, ...]
    switched_off: tuple[str, ...]
    n_known: int
    n_events: int
    needed_known: int
    needed_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Everything that a person should know before trusting a model of this record.

    Parameters
    ----------
    generation : int
        The state of the record it was read from.
    history : str
        Whether past values are on record, or only today's.
    changes_since_days : int
        Days between the first and the last change on record.
    tables : tuple of TableReadiness
        Every table with rows.
    tasks : tuple of TaskReadiness
        Every task of the house.
    contradictions : tuple of Contradiction
        What the tables tell differently, the largest share first.
    """

    generation: int
    history: str
    changes_since_days: int
    tables: tuple[TableReadiness, ...]
    tasks: tuple[TaskReadiness, ...]
    contradictions: tuple[Contradiction, ...]


def read_readiness(generation: Generation, config: Config) -> Readiness:
    """What the record is good for.

    Parameters
    ----------
    generation : Generation
        The record.
    config : Config
        Events and horizons that override the task files.
    """
    with generation.engine() as engine:
        days = _days_of_changes(engine, generation)
        return Readiness(
            generation=generation.number,
            history=DAY_ONE if days == 0 else KEPT,
            changes_since_days=days,
            tables=tuple(_table(engine, generation, name) for name in sorted(generation.tables)),
            tasks=(
                *(_task(engine, generation, config, entity_task(name)) for name in task_names()),
                _forecast(generation, config),
            ),
            contradictions=find_contradictions(generation),
        )


def _days_of_changes(engine: DuckDBEngine, generation: Generation) -> int:
    """Days between the first and the last change of a column that is still on record."""
    if not generation.has("changes"):
        return 0
    rows = engine.query(
        "SELECT entity, field, MIN(occurred_at) AS first, MAX(occurred_at) AS last FROM changes GROUP BY entity, field"
    ).to_pylist()
    kept = [row for row in rows if _is_column(generation, row["entity"], row["field"])]
    return (max(row["last"] for row in kept) - min(row["first"] for row in kept)).days if kept else 0


def _is_column(generation: Generation, entity: str, field: str) -> bool:
    return entity in TABLES and (table(entity).has(field) or field in generation.custom(entity))


def _table(engine: DuckDBEngine, generation: Generation, name: str) -> TableReadiness:
    columns = table(name).names
    counts = ", ".join(f"COUNT({quote_name(column)}) AS {quote_name(column)}" for column in columns)
    filled = engine.query(f"SELECT {counts} FROM {quote_name(name)}").to_pylist()[0]
    rows = generation.rows(name)
    used = [count for count in filled.values() if count]
    return TableReadiness(
        table=name,
        rows=rows,
        filled=sum(used) / (rows * len(used)) if used else 0.0,
        empty_columns=tuple(column for column, count in filled.items() if not count),
        custom_columns=len(generation.custom(name)),
    )


def _task(engine: DuckDBEngine, generation: Generation, config: Config, task: EntityTask) -> TaskReadiness:
    question = task.question.as_configured(config.tasks)
    event = EVENTS.get((task.entity, question.event))
    needed = tuple(dict.fromkeys((*task.needs, *(event.needs if event else ()))))
    lacking = tuple(name for name in needed if not is_on_record(name, _held(generation)))
    unused = tuple(name for name in task.uses if name not in needed and not generation.has(name))
    flat = _observed(engine, generation, task.name)
    reasons: list[str] = []
    if event is None:
        reasons.append("the configured event is none of this task's")
    if lacking:
        reasons.append(f"needs {', '.join(lacking)}, which {'has' if len(lacking) == 1 else 'have'} no rows")
    n_known, n_events = (0, 0) if lacking or event is None else _counts(engine, generation, config, task, event.sql)
    status = NOT_POSSIBLE if reasons else READY
    if status == NOT_POSSIBLE and flat != (0, 0):
        n_known, n_events = flat
        status, reasons = DEGRADED, ["trained on a flat table of outcomes: no history, no features from other tables"]
    off = () if lacking else tuple(_switched_off(generation, task))
    if status == READY and off:
        status = DEGRADED
        reasons.append(f"{len(off)} features are off without {', '.join(unused)}")
    waiting = 0 if status == NOT_POSSIBLE else _waiting(generation, task)
    if waiting:
        status = DEGRADED
        reasons.append(WAITING.format(n=waiting))
    if status != NOT_POSSIBLE and (n_known < task.gates.min_closed or n_events == 0):
        status = DEGRADED
        reasons.append(f"{n_known} known outcomes ({n_events} events), {task.gates.min_closed} needed: base rate only")
    return TaskReadiness(
        task=task.name,
        status=status,
        reasons=tuple(reasons),
        missing_tables=(*lacking, *unused),
        switched_off=off,
        n_known=n_known,
        n_events=n_events,
        needed_known=task.gates.min_closed,
        needed_events=task.gates.min_positives_for_boosting,
    )


def _forecast(generation: Generation, config: Config) -> TaskReadiness:
    """The forecast has no rows with outcomes: what counts is how many months have closed, and of how many series."""
    task, company = SALES_FORECAST, config.company
    reason, months, series = "", 0, 0
    try:
        panels = read_task_panels(task, generation, generation.recorded_to, company)
    except (NoRate, TwoRowsAMonth) as error:
        panels, reason = {}, str(error)
    if panels:
        months = max(len(panel.months) * panel.period for panel in panels.values())
        series = sum(len(panel.nodes) for panel in panels.values())
    elif not reason:
        reason = "no table tells an amount by month"
    status = NOT_POSSIBLE if not panels else READY
    if panels and months < task.gates.min_closed:
        status, reason = NOT_POSSIBLE, f"{months} closed months, {task.gates.min_closed} are needed"
    elif panels and months < DENSE_MONTHS:
        status, reason = DEGRADED, f"{months} closed months: no seasonal pattern before {DENSE_MONTHS}"
    return TaskReadiness(
        task=task.name,
        status=status,
        reasons=(reason,) if reason else (),
        missing_tables=tuple(name for name in task.uses if not generation.has(name)),
        switched_off=(),
        n_known=months,
        n_events=series,
        needed_known=task.gates.min_closed,
        needed_events=1,
    )


def _observed(engine: DuckDBEngine, generation: Generation, task_name: str) -> tuple[int, int]:
    """Known outcomes and events of a flat table of this task."""
    if not generation.has("observations"):
        return (0, 0)
    row = engine.query(
        "SELECT COUNT(label) AS known, COUNT(CASE WHEN label THEN 1 END) AS events FROM observations "
        f"WHERE task = {quote_text(task_name)}"
    ).to_pylist()[0]
    return int(row["known"]), int(row["events"])


def _counts(
    engine: DuckDBEngine, generation: Generation, config: Config, task: EntityTask, events_sql: str
) -> tuple[int, int]:
    """Entities whose window has passed on record, and those that had the event."""
    stated = table(task.entity)
    question = task.question.as_configured(config.tasks)
    if task.entity in _ASKED_AGAIN and not (isinstance(task, Task) and task.build_rows is not None):
        return _counts_of_rows(generation, config, question)
    if task.entity == "invoices":
        return _counts_of_claims(generation, config, question)
    window = timedelta(days=question.horizon_days + question.gap_days)
    reach = generation.recorded_to.replace(tzinfo=None) - window
    dtype = "DATE" if stated.column(str(stated.clock)).dtype is DType.DATE else "TIMESTAMP"
    row = engine.query(
        f"SELECT COUNT(CASE WHEN e.entity_id IS NOT NULL OR t.{quote_name(str(stated.clock))} "
        f"<= CAST({quote_text(f'{reach:%Y-%m-%d %H:%M:%S}')} AS {dtype}) THEN 1 END) AS known, "
        f"COUNT(e.entity_id) AS events FROM {stated.name} t LEFT JOIN ({events_sql}) e "
        f"ON e.entity_id = t.{quote_name(stated.key[0])}"
    ).to_pylist()[0]
    return int(row["known"]), int(row["events"])


def _counts_of_rows(generation: Generation, config: Config, question: Question) -> tuple[int, int]:
    """Entities with a moment whose outcome is known, and those of which one ended in the event."""
    spine = build_spine(generation, question, zone=config.company.zone, seed=config.seed)
    label = label_rows(generation, question, spine)
    entity = spine.column("entity_id").to_numpy()
    return len(set(entity[np.isfinite(label)])), len(set(entity[label == 1.0]))


def _counts_of_claims(generation: Generation, config: Config, question: Question) -> tuple[int, int]:
    """Invoices, and nodes that nobody bills, that were watched for the window, and those that were paid."""
    rows = build_invoice_rows(generation, zone=config.company.zone, weekly=False)
    watched = rows.followed_days >= question.horizon_days
    return int((watched | rows.is_paid).sum()), int(rows.is_paid.sum())


def _waiting(generation: Generation, task: EntityTask) -> int:
    """How many features rest on overwritten values of which no past is on record by now."""
    if not isinstance(task, HazardTask):
        return 0
    now = np.array([generation.recorded_to.replace(tzinfo=None)], dtype="datetime64[us]")
    groups = [group_named(name) for name in task.feature_groups]
    return len(unseen_rows(history_begins(generation), groups, now))


def _switched_off(generation: Generation, task: EntityTask) -> Iterator[str]:
    """The features that read a table without rows."""
    for name in task.feature_groups:
        for feature in group_named(name).features:
            if any(not _can_read(generation, read) for read in _tables_of(feature.primitive)):
                yield feature.field.name


def _can_read(generation: Generation, name: str) -> bool:
    if name in DERIVED_TABLES:
        return can_be_derived(name, _held(generation))
    return is_on_record(name, _held(generation))


def _held(generation: Generation) -> list[str]:
    return [name for name in generation.tables if generation.rows(name)]


def _tables_of(spec: object) -> Iterator[str]:
    """Every table that a primitive reads, itself or through its parts."""
    if isinstance(spec, tuple):
        for part in spec:
            yield from _tables_of(part)
    elif is_dataclass(spec):
        for part in fields(spec):
            value = getattr(spec, part.name)
            if part.name == "table" and isinstance(value, str):
                yield value
            else:
                yield from _tables_of(value)
