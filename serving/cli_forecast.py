"""Commands about the forecast: publish it, call it otherwise, say how good it was."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli_errors import NotPossible
from serving.cli_output import AsJson, config_of, note, print_json, print_rows, progress

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from crm.config import Config
    from models.series_judge import Accuracy
    from serving.forecasting import Forecasted

_CALLED = ("override_id", "author", "made_at", "value", "expected", "reason")
_COLUMNS = ("company", "month", "expected", "p10", "p90")


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(forecast)
    app.command()(call)
    app.command()(accuracy)
    app.command()(backtest)


def forecast(context: typer.Context, as_json: AsJson = False) -> None:
    """Score what has closed, forecast every series from the present record, publish it, write it into the ledger."""
    from models.tasks.sales_forecast import TASK
    from serving.forecasting import publish_forecast

    config = config_of(context)
    with _database(config) as engine, progress("forecast") as tell:
        done = publish_forecast(config, TASK, engine, now=datetime.now(UTC), by=getpass.getuser(), on_progress=tell)
    if as_json:
        print_json(done)
        return
    _show(done)


def publish_if_promoted(config: Config) -> Forecasted | None:
    """The forecast of the present record, published unless it was; None while no model of it was promoted."""
    from models.champions import current
    from models.tasks.sales_forecast import TASK
    from serving.forecasting import publish_forecast

    if current(config.champions_folder, TASK.name) is None:
        return None
    with _database(config) as engine:
        return publish_forecast(config, TASK, engine, now=datetime.now(UTC), by=getpass.getuser())


@contextmanager
def _database(config: Config) -> Iterator[Engine]:
    from crm.app_database import open_database

    engine = open_database(config.database.url)
    try:
        yield engine
    finally:
        engine.dispose()


def call(
    context: typer.Context,
    node: Annotated[str, typer.Argument(help="The node, for instance company or region:East.")],
    measure: Annotated[str, typer.Argument(help="bookings, receipts, revenue ...")],
    month: Annotated[str, typer.Argument(help="The first month of the period, for instance 2026-08.")],
    amount: Annotated[float, typer.Argument(help="What you say it will be, in units of the currency.")],
    reason: Annotated[str, typer.Option(help="Why; kept for ever beside the call.")],
    period: Annotated[str, typer.Option(help="month, quarter or year.")] = "month",
    as_json: AsJson = False,
) -> None:
    """Call a node yourself, in place of the published forecast; what you add by it is measured."""
    from features.periods import Period
    from models.tasks.sales_forecast import TASK
    from serving.forecast_overrides import Call, write_override
    from serving.forecast_table import read_forecast

    config = config_of(context)
    published = read_forecast(config.forecasts_folder, TASK.name)
    if published is None:
        raise NotPossible("no forecast was published yet; `salescast forecast` does it")
    try:
        first, length = date.fromisoformat(f"{month[:7]}-01"), Period(period)
    except ValueError:
        raise NotPossible("MONTH takes a month such as 2026-08, and --period month, quarter or year") from None
    if not isfinite(amount) or not reason.strip():
        raise NotPossible("AMOUNT takes a number, and --reason a text")
    said = Call(measure=measure, node_id=node, period=length.value, month=first, value=amount, reason=reason)
    with _database(config) as engine:
        kept = write_override(engine, published.about.run_id, said, author=getpass.getuser(), now=datetime.now(UTC))
        if kept is None:
            raise NotPossible(f"the forecast says nothing of {measure} of {node} in the {period} from {month}")
        told = {
            name: getattr(kept, name) for name in ("override_id", "author", "made_at", "value", "expected", "reason")
        }
    if as_json:
        print_json(told)
        return
    note(f"{node}, {measure}, {period} from {month}: {amount:,.0f} in place of {told['expected']:,.0f}")


def accuracy(
    context: typer.Context,
    recount: Annotated[
        bool, typer.Option("--recount", help="Count every row of the ledger again instead of letting SQL sum them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how good published forecasts were, beside what was known without a model and beside people's own calls."""
    from serving.forecast_accuracy import Seen, ledger_figures
    from serving.forecast_overrides import value_added
    from serving.forecast_recount import recount as count_again

    config = config_of(context)
    with _database(config) as engine:
        figures = (count_again if recount else ledger_figures)(engine, Seen(), seed=config.seed)
        added = value_added(engine, Seen(), seed=config.seed)
    if as_json:
        print_json({"ledger": figures, "overrides": added})
        return
    if not figures:
        note("no month of a published forecast has closed yet")
        return
    rows = [_accuracy_row(one) for one in figures if one["bucket"] == "all"]
    print_rows(("", "level", "period", "rows", "wape", "bias", "inside 80 %", "wape of others, same rows"), rows)
    for one in added:
        worth = one["value_added"]
        what = f"{one['author']}, {one['measure']} {one['level']} {one['period']}"
        note(f"{what}: {one['n']} calls" + (f" took {worth:+.3f} off the forecast's WAPE" if worth is not None else ""))


def _accuracy_row(one: Mapping[str, Any]) -> tuple[object, ...]:
    others = ", ".join(
        f"{side['name']} {side['wape']:.3f} (forecast {side['forecast_wape']:.3f})"
        for side in one["beside"]
        if side["wape"] is not None
    )
    figures = ((one["wape"], ".3f"), (one["bias"], "+.0%"), (one["coverage_80"], ".0%"))
    told = ("" if value is None else format(value, form) for value, form in figures)
    return one["measure"], one["level"], one["period"], one["n"], *told, others


def backtest(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="sales_forecast; other tasks are judged when they are trained.")],
    measure: Annotated[str | None, typer.Option(help="Show one measure; all by default.")] = None,
    level: Annotated[str | None, typer.Option(help="Show one level, for instance company; all by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random state; the configured one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay the past as it was known and say how good the forecast was, beside last year's months; keeps nothing."""
    from crm.store import Store
    from models.backtest import backtest_series
    from models.series_task import SeriesTask
    from models.task_files import task_named

    stated = task_named(task)
    if not isinstance(stated, SeriesTask):
        raise NotPossible(f"{task} is judged when it is trained; `salescast train {task}` shows it")
    config = config_of(context)
    generation = Store(config.record_folder).current()
    with progress(f"backtest {task}") as tell:
        found = backtest_series(
            stated, generation, config=config, seed=config.seed if seed is None else seed, on_progress=tell
        )
    if as_json:
        print_json(found)
        return
    show_accuracy(found.accuracy, by_bucket=True)
    for share in found.rows_shares:
        note(
            f"{share.measure}, months {share.bucket}: {share.share:.0%} from the rows of the record, the rest from past"
        )
    note(f"{found.n_series:,} series, replayed after {', '.join(found.origins)}; the newest are judged")


def show_accuracy(accuracy: Sequence[Accuracy], *, by_bucket: bool = False) -> None:
    """Print the replayed past of each measure and level beside seasonal naive, also by months ahead where asked."""
    rows = [
        (
            one.measure,
            one.level,
            *((one.bucket,) if by_bucket else ()),
            one.n,
            f"{one.wape:.3f}",
            f"{one.baseline_wape:.3f}",
            f"{one.gain.low:+.3f} to {one.gain.high:+.3f}",
            f"{one.bias:+.0%}",
            f"{one.coverage[80].value:.0%}",
            *((f"{one.coverage[80].low:.0%} to {one.coverage[80].high:.0%}",) if by_bucket else ()),
            one.verdict,
        )
        for one in accuracy
        if by_bucket or one.bucket == "all"
    ]
    ahead, interval = (("months ahead",), ("interval",)) if by_bucket else ((), ())
    header = ("", "level", *ahead, "points", "wape", "last year's", "difference", "bias", "inside 80 %", *interval, "")
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
    if done.scored.n_scored or done.scored.n_revised:
        revised = f", {done.scored.n_revised:,} outcomes were corrected since" if done.scored.n_revised else ""
        note(f"{done.scored.n_scored:,} rows of earlier forecasts closed and were held against what came{revised}")
    kept = f"{done.n_rows:,} rows in the ledger" if done.changed else "nothing new: this run is in the ledger already"
    note(f"{kept} (run {done.run_id[:12]}, model {done.model_version})")
