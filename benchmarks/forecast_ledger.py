"""The ledger replayed: eight quarters published one after the other, then closed deals edited by an ingest."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from benchmarks.figures import Figure
from crm.app_database import ForecastRow, ForecastRun, ForecastScore, open_database
from crm.config import Config, DatabaseSection, StoreSection
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.reading import read_as_of
from crm.store import Generation, Store
from models.champions import publish
from models.series_bundle import SeriesModel, save_series
from models.series_combine import Radii, Rule
from models.series_task import QUANTILES
from models.tasks.sales_forecast import TASK
from serving.forecast_accuracy import Seen, ledger_figures
from serving.forecast_recount import recount
from serving.forecasting import publish_forecast

N_QUARTERS = 8
_GUARDED = (ForecastRun, ForecastRow, ForecastScore)
_MAPPING = """
company: {currency: CNY, time_zone: Asia/Shanghai}
sources:
  - name: corrections
    file: corrections.csv
    table: agreements
    custom: none
    columns:
      agreement_id: agreement
      signed_on: signed
      net_amount: amount
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a replay.

    Attributes
    ----------
    n_rows, n_scored : int
        Rows of the ledger, and those scored, before the edit.
    n_edited : int
        Agreements whose amount was changed after their month had closed.
    n_changed : int
        Rows of runs, ledger and scores that differ or are gone after the edit and another publication.
    n_revised : int
        Outcomes that the edit corrected, as written down.
    accuracy, counted : list
        The figures after the edit, summed by the database and counted row by row.
    before : list
        The figures before it.
    """

    n_rows: int
    n_scored: int
    n_edited: int
    n_changed: int
    n_revised: int
    accuracy: list[dict[str, object]]
    counted: list[dict[str, object]]
    before: list[dict[str, object]]


def measure_ledger(seed: int) -> Iterator[Figure]:
    """How many rows of the ledger a correction of the past changes."""
    with tempfile.TemporaryDirectory() as folder:
        found = replay_ledger(Path(folder), size="small", seed=seed)
    same = found.accuracy == found.counted
    print(f"ledger: {found.n_rows} rows, {found.n_scored} scored, recount {same}", file=sys.stderr)
    yield Figure(
        name="forecast/ledger_rows_changed",
        value=float(found.n_changed) if same else None,
        goal=0.0,
        protocol=f"demo small, {N_QUARTERS} quarters published as of their third day, {found.n_rows:,} rows, "
        f"{found.n_scored:,} scored; then {found.n_edited:,} old agreements got other amounts by an ingest "
        f"and the forecast was published again: rows of runs, ledger and scores that differ; {found.n_revised:,} "
        "outcomes were written down as revised; accuracy from raw rows equals what the service tells",
    )


def replay_ledger(folder: Path, *, size: str, seed: int, n_quarters: int = N_QUARTERS) -> Replayed:
    """Publish at the beginning of each quarter from what was known then; then edit the past and look what changed.

    Parameters
    ----------
    folder : Path
        Where everything is kept.
    size : str
        Of the demo company.
    seed : int
        Of the demo company.
    n_quarters : int
        Quarters before the last one, each with a publication.
    """
    config = Config(
        store=StoreSection(folder=folder / "var"), database=DatabaseSection(url=f"sqlite:///{folder}/app.db")
    )
    company = make_company(size, seed)
    write_company(company, Store(folder / "whole"))
    whole = Store(folder / "whole").current()
    promote_plain(config, folder / "bundle")
    ends = datetime(company.ends_on.year, company.ends_on.month, 1, tzinfo=config.company.zone)
    with database_of(config) as engine:
        for quarter in range(n_quarters, -1, -1):
            month = (ends.year * 12 + ends.month) - 3 * quarter
            as_of = datetime(month // 12, month % 12 + 1, 3, tzinfo=config.company.zone)
            write_as_known(Store(config.record_folder), whole, as_of, config)
            publish_forecast(config, TASK, engine, now=as_of.astimezone(UTC), by="replay")
        before, told = _rows(engine), ledger_figures(engine, Seen(), seed=1)
        n_edited = _edit(config, folder / "edit", as_of)
        done = publish_forecast(config, TASK, engine, now=as_of.astimezone(UTC) + timedelta(days=1), by="replay")
        after = _rows(engine)
        return Replayed(
            n_rows=sum(kind is ForecastRow for kind, _ in before),
            n_scored=sum(kind is ForecastScore for kind, _ in before),
            n_edited=n_edited,
            n_changed=sum(after.get(key) != row for key, row in before.items()),
            n_revised=done.scored.n_revised,
            accuracy=ledger_figures(engine, Seen(), seed=1),
            counted=recount(engine, Seen(), seed=1),
            before=told,
        )


def promote_plain(config: Config, folder: Path) -> None:
    """Let a plain model answer: the ledger asks nothing of how good it is."""
    rule = Rule(weights={"seasonal_naive": 0.5, "recent_mean": 0.5}, radii=Radii(n=40, at=(-2, -1.5, -1, 0, 1, 2, 3)))
    measures = tuple(measure.value for measure in TASK.measures)
    cells = [
        (measure, level.value, bucket)
        for measure in measures
        for level in TASK.levels
        for bucket in range(len(TASK.buckets))
    ]
    model = SeriesModel(
        task=TASK.name,
        fitted_until="2024-01",
        quantiles=QUANTILES,
        bucket_ends=tuple(bucket.last for bucket in TASK.buckets),
        candidates=("seasonal_naive", "recent_mean"),
        country="CN",
        seed=1,
        rules=dict.fromkeys(cells, rule),
        baseline_rules=dict.fromkeys(cells, rule),
        answers={(measure, level.value): "forecast" for measure in measures for level in TASK.levels},
    )
    save_series(model, folder, cards={"en": "# C", "zh": "# 卡"}, report="{}", plots={})
    publish(config.champions_folder, TASK.name, folder, version="1")


def write_as_known(store: Store, whole: Generation, as_of: datetime, config: Config) -> None:
    """The record as it stood at a moment, as the present one."""
    with whole.engine() as engine, store.writing() as writer:
        for name in whole.tables:
            rows = read_as_of(whole, name, as_of, config.company.zone, engine=engine)
            writer.replace(name, rows, whole.custom(name))


def _edit(config: Config, folder: Path, as_of: datetime) -> int:
    """Give agreements that were signed long ago other amounts, by an ingest; how many."""
    rows = Store(config.record_folder).current().read("agreements", ["agreement_id", "signed_on", "net_amount"])
    old = rows.filter(pc.less(rows["signed_on"], as_of.date() - timedelta(days=120)))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "corrections.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["agreement", "signed", "amount"])
        for row in old.to_pylist():
            writer.writerow([row["agreement_id"], row["signed_on"], f"{1.5 * (row['net_amount'] or 0) / 100:.2f}"])
    (folder / "mapping.yaml").write_text(_MAPPING, encoding="utf-8")
    now = as_of.astimezone(UTC) + timedelta(hours=12)
    taken = ingest(Store(config.record_folder), read_mapping(folder / "mapping.yaml"), folder, config=config, now=now)
    return sum(source.changed for source in taken.sources)


def _rows(engine: Engine) -> Mapping[tuple[type, str], tuple[object, ...]]:
    """Every row of the guarded tables by its key."""
    found: dict[tuple[type, str], tuple[object, ...]] = {}
    with Session(engine) as session:
        for kind in _GUARDED:
            keys = [column.key for column in kind.__mapper__.primary_key]
            names = [column.key for column in kind.__mapper__.columns]
            for row in session.scalars(select(kind)):
                key = "\n".join(str(getattr(row, name)) for name in keys)
                found[kind, key] = tuple(repr(getattr(row, name)) for name in names)
    return found


@contextmanager
def database_of(config: Config) -> Iterator[Engine]:
    """The application database, closed when the block ends."""
    engine = open_database(config.database.url)
    try:
        yield engine
    finally:
        engine.dispose()
