"""The published forecast: one Parquet file, named by a pointer, held in memory for answers.

`<forecasts>/<task>/<run>.parquet` is written once; `<forecasts>/<task>/current` names the file that answers and is
renamed into place. Rows of step 0 are closed months as the record has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from serving.published import UNREADABLE, publish_rows, read_published

# What a node may be named by, in the order of `features.panel.Node`.
NODE_PARTS = ("region", "team", "line", "industry", "buyer_type", "rep_id")
QUANTILE_COLUMNS = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")
SCHEMA = pa.schema(
    [
        ("measure", pa.string()),
        ("level", pa.string()),
        ("node_id", pa.string()),
        *((name, pa.string()) for name in NODE_PARTS),
        ("status", pa.string()),
        ("note", pa.string()),
        ("month", pa.date32()),
        ("step", pa.int64()),
        ("actual", pa.float64()),
        ("expected", pa.float64()),
        ("baseline", pa.float64()),
        *((name, pa.float64()) for name in QUANTILE_COLUMNS),
    ]
)


class BadForecast(RuntimeError):
    """The file of the forecast is missing or is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutForecast:
    """Where a published forecast comes from.

    Parameters
    ----------
    run_id : str
        Its name in the ledger.
    task, digest, model_version : str
        The model.
    generation : int
        The state of the record.
    as_of, made_at : str
        The cutoff, and when it was made; UTC, ISO.
    currency : str
        Of all amounts.
    silent : mapping of str to str
        Nodes without a series, and why.
    summed : mapping of str to list of str
        By node, the salespeople that it sums over; a node that is not listed sums over everyone.
    accuracy : list
        The backtest, as in the training's report.
    """

    run_id: str
    task: str
    digest: str
    model_version: str
    generation: int
    as_of: str
    made_at: str
    currency: str
    silent: Mapping[str, str]
    summed: Mapping[str, Sequence[str]]
    accuracy: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One measure and node: what came, and what is said of the months ahead.

    Parameters
    ----------
    measure, level, node_id : str
        What and where.
    region, team, line, industry, buyer_type, rep_id : str or None
        The parts of the node.
    status, note : str
        How it is answered and why, as in `models.series_forecast`.
    actuals : mapping of date to float
        Amounts of closed months.
    ahead : tuple of mapping
        Month, step, expected, baseline and quantiles of each month ahead.
    """

    measure: str
    level: str
    node_id: str
    region: str | None
    team: str | None
    line: str | None
    industry: str | None
    buyer_type: str | None
    rep_id: str | None
    status: str
    note: str
    actuals: Mapping[date, float]
    ahead: tuple[Mapping[str, object], ...]


class ForecastTable:
    """All series of one published forecast.

    Parameters
    ----------
    about : AboutForecast
        Where they come from.
    rows : pa.Table
        Columns of `SCHEMA`.
    """

    def __init__(self, about: AboutForecast, rows: pa.Table) -> None:
        self.about = about
        grouped: dict[tuple[str, str], list[dict[str, object]]] = {}
        for row in rows.to_pylist():
            grouped.setdefault((row["measure"], row["node_id"]), []).append(row)
        self.series = tuple(_series(found) for found in grouped.values())
        self._by_key = {(one.measure, one.node_id): one for one in self.series}

    def get(self, measure: str, node_id: str) -> Series | None:
        """The series of a measure and node."""
        return self._by_key.get((measure, node_id))

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure that is forecast."""
        return tuple(dict.fromkeys(one.measure for one in self.series))


def _series(rows: Sequence[Mapping[str, object]]) -> Series:
    first = rows[-1]
    names = ("measure", "level", "node_id", *NODE_PARTS, "status", "note")
    actuals: dict[date, float] = {}
    ahead: list[Mapping[str, object]] = []
    for row in rows:
        month, actual = row["month"], row["actual"]
        assert isinstance(month, date)
        if row["step"] == 0 and isinstance(actual, float):
            actuals[month] = actual
        elif row["step"] != 0:
            ahead.append({name: row[name] for name in ("month", "step", "expected", "baseline", *QUANTILE_COLUMNS)})
    # A forecast that was published before a part was told has no column of it.
    parts = {name: first.get(name) for name in names}
    return Series(**parts, actuals=actuals, ahead=tuple(ahead))  # type: ignore[arg-type]


def write_forecast(folder: Path, about: AboutForecast, rows: pa.Table) -> Path:
    """Write a forecast and let the pointer name it; files before the last few are removed, the ledger keeps them."""
    return publish_rows(folder / about.task, about.run_id, rows.select(SCHEMA.names).cast(SCHEMA), asdict(about))


def read_forecast(folder: Path, task: str) -> ForecastTable | None:
    """The forecast that the pointer names, None when none was published yet.

    Raises
    ------
    BadForecast
        The file cannot be read.
    """
    try:
        found = read_published(folder / task)
        return None if found is None else ForecastTable(AboutForecast(**found[1]), found[0])  # type: ignore[arg-type]
    except UNREADABLE as error:
        raise BadForecast(f"the forecast of {task} cannot be read ({type(error).__name__}); make it anew") from error
