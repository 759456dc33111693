"""The forecast job: ask the champion of the present record, publish what it says, write it into the ledger.

The same record and champion give the same run; a second call finds nothing to do. The ledger row comes first: what was
published can always be held against what came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import structlog
from sqlalchemy import Engine

from crm.app_database import ForecastRun
from crm.config import Config
from crm.money import Measure, NoMeasure, NoRate
from crm.store import Generation, Store
from features.attribution import Seller, read_owners
from features.calls import Calls, read_calls
from features.nodes import Level, Node
from features.periods import Period, first_month
from models import champions
from models.bundle import read_report
from models.champions import NoChampion, bundle_folder
from models.joint_forecast import forecast_jointly
from models.series_bundle import load_series
from models.series_forecast import NodeForecast
from models.series_points import Batch, read_batch
from models.series_task import QUANTILES, SeriesTask
from serving.cli_errors import NotPossible
from serving.forecast_ledger import Beside, day_of, ledger_rows, write_run
from serving.forecast_scoring import Scored, score_closed
from serving.forecast_table import NODE_PARTS, QUANTILE_COLUMNS, SCHEMA, AboutForecast, read_forecast, write_forecast
from serving.joint_rows import joint_rows, ranges_of
from serving.joint_table import write_joint
from serving.published import one_at_a_time

# Closed months that are published beside the forecast.
ACTUAL_MONTHS = 36

log = structlog.get_logger("serving.forecasting")


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
    scored : Scored
        Rows of earlier runs whose month, quarter or year had closed and that were held against what came.
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
    scored: Scored


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
    told = on_progress or (lambda _step, _share: None)
    with one_at_a_time(config.forecasts_folder / task.name):
        return _publish(config, task, engine, now=now, by=by, tell=told)


def _publish(
    config: Config, task: SeriesTask, engine: Engine, *, now: datetime, by: str, tell: Callable[[str, float], None]
) -> Forecasted:
    generation = Store(config.record_folder).current()
    entry = champions.current(config.champions_folder, task.name)
    if entry is None:
        raise NoChampion(f"{task.name}: no model was promoted yet; `salescast promote {task.name}` does it")
    home = bundle_folder(config.champions_folder, task.name, entry)
    model = load_series(home, entry.digest)
    as_of, zone = generation.recorded_to, config.company.zone
    tell("reading the record by month", 0.0)
    panels, batch = read_batch(task, generation, as_of, config.company)
    if batch is None:
        raise NotPossible(f"{task.name}: the record tells no amounts by month; it needs one of {', '.join(task.uses)}")
    scored = score_closed(engine, panels, record_digest=generation.digest, now=now)
    tell("forecasting", 0.3)
    said = forecast_jointly(model, task, batch, generation, as_of, config.company, tell=tell)
    forecasts = said.forecasts
    # Another currency, calendar or view of taxes makes another forecast of the same record.
    digests = f"{generation.digest}/{entry.digest}/{config.company.model_dump_json()}"
    about = AboutForecast(
        run_id=hashlib.sha256(digests.encode()).hexdigest()[:32],
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
    beside = _beside(config, generation, batch, forecasts)
    drawn = [] if said.joint is None else list(joint_rows(said.joint, beside.closed, beside.fiscal_year_starts))
    rows = list(ledger_rows(forecasts, replace(beside, ranges=ranges_of(drawn))))
    written = write_run(engine, _run(about, generation.digest, by=by, now=now), rows)
    published = read_forecast(config.forecasts_folder, task.name)
    if published is None or (published.about.run_id, published.about.generation) != (about.run_id, about.generation):
        # The draws first: who reads the new forecast finds them.
        write_joint(config.forecasts_folder, task.name, about.run_id, drawn)
        write_forecast(config.forecasts_folder, about, _rows(batch, forecasts))
    return _told(about, forecasts, as_of, n_rows=len(rows), changed=written, scored=scored)


def _told(
    about: AboutForecast,
    forecasts: Sequence[NodeForecast],
    as_of: datetime,
    *,
    n_rows: int,
    changed: bool,
    scored: Scored,
) -> Forecasted:
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
        n_rows=n_rows,
        by_status={status: statuses.count(status) for status in dict.fromkeys(statuses)},
        silent=about.silent,
        company=company,
        changed=changed,
        scored=scored,
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
                rows.append({**shared, "month": day_of(month), "step": 0, "actual": float(value)})
        for place, month in enumerate(one.months):
            said = dict(zip(QUANTILE_COLUMNS, _finite(one.quantiles[place]), strict=True))
            values = {"expected": float(one.expected[place]), "baseline": float(one.baseline[place])}
            step = int((month - batch.month).astype(int))
            rows.append({**shared, "month": day_of(month), "step": step, **values, **said})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _finite(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float | None]:
    return [round(float(value), 2) if np.isfinite(value) else None for value in values]


def _run(about: AboutForecast, record: str, *, by: str, now: datetime) -> ForecastRun:
    return ForecastRun(
        run_id=about.run_id,
        task=about.task,
        made_at=now,
        made_by=by,
        as_of=datetime.fromisoformat(about.as_of),
        record_digest=record,
        model_version=about.model_version,
        model_digest=about.digest,
        n_rows=0,
    )


def _beside(config: Config, generation: Generation, batch: Batch, forecasts: Sequence[NodeForecast]) -> Beside:
    """What is known without a model: closed months of running quarters and years, and the calls of bookings."""
    starts, zone = config.company.fiscal_year_starts, config.company.zone
    ahead = forecasts[0].months if forecasts else np.array([], "datetime64[M]")
    if not len(ahead):
        return Beside(fiscal_year_starts=starts)
    year = first_month(ahead[0], Period.YEAR, starts)
    passed = (batch.months >= year) & (batch.months < ahead[0])
    amounts = np.nan_to_num(batch.raw[:, passed])
    closed = {
        key: dict(zip(batch.months[passed], row, strict=True)) for key, row in zip(batch.keys, amounts, strict=True)
    }
    calls: dict[str, Calls] = {}
    try:
        months = np.arange(year, ahead[-1] + 1)
        told = read_calls(
            generation,
            generation.recorded_to,
            months,
            zone=zone,
            currency=config.company.currency,
            amounts=config.company.amounts,
        )
        calls[Measure.BOOKINGS.value] = told
    except (NoMeasure, NoRate) as error:
        # A forecast is not held up by what stands beside it: an open deal may be in a currency without a rate.
        log.warning("no calls beside the forecast", error=type(error).__name__)
    return Beside(closed=closed, calls=calls, fiscal_year_starts=starts)
