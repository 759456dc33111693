"""The command `forecast`: what the champion says of the next months, published and written down."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING

import typer

from serving.cli_output import AsJson, config_of, note, print_json, print_rows, progress

if TYPE_CHECKING:
    from models.series_report import SeriesReport
    from serving.forecasting import Forecasted

_COLUMNS = ("company", "month", "expected", "p10", "p90")


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(forecast)


def forecast(context: typer.Context, as_json: AsJson = False) -> None:
    """Forecast every series from the present record, publish it, and write it into the ledger."""
    from crm.app_database import open_database
    from models.tasks.sales_forecast import TASK
    from serving.forecasting import publish_forecast

    config = config_of(context)
    engine = open_database(config.database.url)
    try:
        with progress("forecast") as tell:
            done = publish_forecast(config, TASK, engine, now=datetime.now(UTC), by=getpass.getuser(), on_progress=tell)
    finally:
        engine.dispose()
    if as_json:
        print_json(done)
        return
    _show(done)


def show_accuracy(report: SeriesReport) -> None:
    """Print the replayed past of each measure and level beside seasonal naive."""
    rows = [
        (
            one.measure,
            one.level,
            one.n,
            f"{one.wape:.3f}",
            f"{one.baseline_wape:.3f}",
            f"{one.gain.low:+.3f} to {one.gain.high:+.3f}",
            f"{one.bias:+.0%}",
            f"{one.coverage[80].value:.0%}",
            one.verdict,
        )
        for one in report.accuracy
        if one.bucket == "all"
    ]
    header = ("", "level", "points", "wape", "last year's", "difference", "bias", "inside 80 %", "")
    print_rows(header, rows)


def _show(done: Forecasted) -> None:
    rows = [
        (measure, month, *(round(value) for value in amounts if isinstance(value, float) and isfinite(value)))
        for measure, months in done.company.items()
        for month, *amounts in months
    ]
    if rows and all(len(row) == len(_COLUMNS) for row in rows):
        print_rows(_COLUMNS, rows)
    statuses = ", ".join(f"{count:,} {status}" for status, count in done.by_status.items())
    note(f"{done.n_series:,} series as of {done.as_of:%Y-%m-%d}: {statuses}")
    for node, reason in sorted(done.silent.items()):
        note(f"no series for {node}: {reason}")
    kept = f"{done.n_rows:,} rows in the ledger" if done.changed else "nothing new: this run is in the ledger already"
    note(f"{kept} (run {done.run_id[:12]}, model {done.model_version})")
