"""The forecast job: ask the champion of the present record, publish what it says, write it into the ledger.

The same record and champion give the same run; a second call finds nothing to do. The ledger row comes first: what was
published can always be held against what came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.app_database import ForecastRow, ForecastRun
from crm.config import Config
from crm.store import Generation, Store
from features.attribution import Seller, read_owners
from features.panel import Level, Node
from models import champions
from models.bundle import read_report
from models.champions import NoChampion, bundle_folder
from models.series_bundle import load_series
from models.series_forecast import NodeForecast, forecast_batch
from models.series_points import Batch, make_batch, read_task_panels
from models.series_task import QUANTILES, SeriesTask
from serving.cli_errors import NotPossible
from serving.forecast_table import NODE_PARTS, QUANTILE_COLUMNS, SCHEMA, AboutForecast, read_forecast, write_forecast

# Closed months that are published beside the forecast.
ACTUAL_MONTHS = 36
_LOTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasted:
    """What the job did.

    Parameters
    ----------
    task, run_id : str
        The task, and the name of the run in the ledger.
    model_version : str
        Who said it.
    as_of : datetime
        The cutoff, UTC.
    n_series, n_rows : int
        Series, and rows of the ledger.
    by_status : mapping of str to int
        Series by how they are answered.
    silent : mapping of str to str
        Nodes without a series, and why.
    company : mapping of str to list
        By measure, the first months of the whole company: month, expected, p10, p90.
    changed : bool
        False when this run was published already.
    """

    task: str
    run_id: str
    model_version: str
    as_of: datetime
    n_series: int
    n_rows: int
    by_status: Mapping[str, int]
    silent: Mapping[str, str]
    company: Mapping[str, Sequence[Sequence[object]]]
    changed: bool


def publish_forecast(
    config: Config,
    task: SeriesTask,
    engine: Engine,
    *,
    now: datetime,
    by: str = "",
    on_progress: Callable[[str, float], None] | None = None,
) -> Forecasted:
    """Forecast from the present record and publish it.

    Parameters
    ----------
    config : Config
        Folders, time zone, currency.
    task : SeriesTask
        The task.
    engine : Engine
        The application database, for the ledger.
    now : datetime
        When it is made, UTC.
    by : str
        Who asked for it.
    on_progress : callable or None
        Called with what is being done and the share done.

    Raises
    ------
    NoRecord
        Nothing was taken in.
    NoChampion
        No model was promoted.
    BadBundle
        The champion's files are damaged.
    NotPossible
        The record tells no measure by month.
    """
    generation = Store(config.record_folder).current()
    entry = champions.current(config.champions_folder, task.name)
    if entry is None:
        raise NoChampion(f"{task.name}: no model was promoted yet; `salescast promote {task.name}` does it")
    home = bundle_folder(config.champions_folder, task.name, entry)
    model = load_series(home, entry.digest)
    as_of, zone = generation.recorded_to, config.company.zone
    run_id = hashlib.sha256(f"{generation.digest}/{entry.digest}".encode()).hexdigest()[:32]
    if on_progress is not None:
        on_progress("reading the record by month", 0.0)
    panels = read_task_panels(task, generation, as_of, config.company)
    batch = make_batch(panels)
    if batch is None:
        raise NotPossible(f"{task.name}: the record tells no amounts by month; it needs one of {', '.join(task.uses)}")
    if on_progress is not None:
        on_progress("forecasting", 0.3)
    forecasts = forecast_batch(model, batch)
    about = AboutForecast(
        run_id=run_id,
        task=task.name,
        digest=entry.digest,
        model_version=entry.version or entry.digest[:12],
        generation=generation.number,
        as_of=as_of.isoformat(),
        made_at=now.isoformat(),
        currency=config.company.currency,
        silent={node: reason for panel in panels.values() for node, reason in panel.silent.items()},
        summed=_summed(generation, as_of, zone, forecasts),
        accuracy=_accuracy(read_report(home)),
    )
    written = _write_ledger(engine, about, generation.digest, forecasts, by=by, now=now)
    published = read_forecast(config.forecasts_folder, task.name)
    if published is None or published.about.run_id != run_id:
        write_forecast(config.forecasts_folder, about, _rows(batch, forecasts))
    return _told(about, forecasts, as_of, changed=written)


def _told(about: AboutForecast, forecasts: Sequence[NodeForecast], as_of: datetime, *, changed: bool) -> Forecasted:
    statuses = [one.status for one in forecasts]
    low, high = QUANTILES.index(0.1), QUANTILES.index(0.9)
    company = {
        one.measure: [
            [str(one.months[k]), float(one.expected[k]), float(one.quantiles[k, low]), float(one.quantiles[k, high])]
            for k in range(3)
        ]
        for one in forecasts
        if one.node.level is Level.COMPANY
    }
    return Forecasted(
        task=about.task,
        run_id=about.run_id,
        model_version=about.model_version,
        as_of=as_of,
        n_series=len(forecasts),
        n_rows=sum(len(one.months) for one in forecasts),
        by_status={status: statuses.count(status) for status in dict.fromkeys(statuses)},
        silent=about.silent,
        company=company,
        changed=changed,
    )


def _accuracy(report: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = report.get("accuracy")
    return [dict(entry) for entry in found] if isinstance(found, list) else []


def _summed(
    generation: Generation, as_of: datetime, zone: ZoneInfo, forecasts: Sequence[NodeForecast]
) -> dict[str, list[str]]:
    """The salespeople behind each region, team and person; whoever sees all of them may see the sum."""
    sellers = read_owners(generation, as_of, zone).sellers.values()
    return {node.node_id: found for node in {one.node for one in forecasts} if (found := _people(node, sellers))}


def _people(node: Node, sellers: Collection[Seller]) -> list[str]:
    """The salespeople of a node; nobody for sums over products or customers, which the whole company sells to."""
    if node.rep_id is not None:
        return [node.rep_id]
    if node.team is not None:
        return [one.rep_id for one in sellers if one.team_id == node.team]
    return [one.rep_id for one in sellers if one.region == node.region] if node.region is not None else []


def _day(month: np.datetime64) -> date:
    day: date = month.astype("datetime64[D]").item()
    return day


def _rows(batch: Batch, forecasts: Sequence[NodeForecast]) -> pa.Table:
    places = {key: place for place, key in enumerate(batch.keys)}
    rows: list[dict[str, object]] = []
    for one in forecasts:
        node = one.node
        shared: dict[str, object] = {
            "measure": one.measure,
            "level": node.level.value,
            "node_id": node.node_id,
            **{name: getattr(node, name) for name in NODE_PARTS},
            "status": one.status,
            "note": one.note,
        }
        actual = batch.raw[places[one.measure, node]][-ACTUAL_MONTHS:]
        for month, value in zip(batch.months[-ACTUAL_MONTHS:], actual, strict=True):
            if np.isfinite(value):
                rows.append({**shared, "month": _day(month), "step": 0, "actual": float(value)})
        for step, month in enumerate(one.months, start=1):
            said = dict(zip(QUANTILE_COLUMNS, _finite(one.quantiles[step - 1]), strict=True))
            values = {"expected": float(one.expected[step - 1]), "baseline": float(one.baseline[step - 1])}
            rows.append({**shared, "month": _day(month), "step": step, **values, **said})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _finite(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float | None]:
    return [round(float(value), 2) if np.isfinite(value) else None for value in values]


def _write_ledger(
    engine: Engine, about: AboutForecast, record: str, forecasts: Sequence[NodeForecast], *, by: str, now: datetime
) -> bool:
    """Write a run and its rows in one transaction; False when the ledger holds the run already."""
    rows: list[dict[str, object]] = [
        {
            "run_id": about.run_id,
            "measure": one.measure,
            "node_id": one.node.node_id,
            "month": _day(month),
            "level": one.node.level.value,
            "step": step,
            "status": one.status,
            "expected": round(float(one.expected[step - 1]), 2),
            "baseline": round(float(one.baseline[step - 1]), 2),
            "quantiles": {
                f"{share:g}": value
                for share, value in zip(QUANTILES, _finite(one.quantiles[step - 1]), strict=True)
                if value is not None
            },
        }
        for one in forecasts
        for step, month in enumerate(one.months, start=1)
    ]
    try:
        return _insert(engine, about, record, rows, by=by, now=now)
    except IntegrityError:
        # Another process published the same run in the meantime.
        return False


def _insert(
    engine: Engine, about: AboutForecast, record: str, rows: list[dict[str, object]], *, by: str, now: datetime
) -> bool:
    with Session(engine) as session, session.begin():
        if session.scalars(select(ForecastRun.run_id).where(ForecastRun.run_id == about.run_id)).first() is not None:
            return False
        run = ForecastRun(
            run_id=about.run_id,
            task=about.task,
            made_at=now,
            made_by=by,
            as_of=datetime.fromisoformat(about.as_of),
            record_digest=record,
            model_version=about.model_version,
            model_digest=about.digest,
            n_rows=len(rows),
        )
        session.add(run)
        session.flush()
        for first in range(0, len(rows), _LOTS):
            session.execute(insert(ForecastRow), rows[first : first + _LOTS])
    return True
