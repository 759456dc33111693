"""Commands that draw what is published: the fan, the parts, the bridge and the accuracy, as SVG or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.cli_bridge import Chosen, First, day_asked, month_asked, period_asked, reason_of
from serving.cli_errors import NotPossible
from serving.cli_output import config_of, note

if TYPE_CHECKING:
    from crm.config import Config
    from models.drawing import Drawing
    from serving.forecast_table import ForecastTable

plot_app = typer.Typer(help="Draw the published forecast, in English or Chinese, as SVG or PNG.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="A file that ends in .svg or .png; replaced when it exists.")]
Measure = Annotated[str, typer.Option(help="bookings, receipts, revenue ...")]
NodeName = Annotated[str, typer.Option(help="The node, for instance company or region:East.")]
Language = Annotated[str, typer.Option("--lang", help="en or zh.")]


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.add_typer(plot_app, name="plot")


@plot_app.command()
def fan(
    context: typer.Context,
    out: Out,
    measure: Measure = "bookings",
    node: NodeName = "company",
    language: Language = "en",
) -> None:
    """Draw two years of months and the months ahead with their ranges, beside last year's and the measured coverage."""
    from serving.plots import plot_fan

    write = _target(out, language)
    write(plot_fan(_published(config_of(context)), measure, node, language))


@plot_app.command()
def components(
    context: typer.Context,
    out: Out,
    measure: Measure = "bookings",
    node: NodeName = "company",
    period: Chosen = "quarter",
    language: Language = "en",
) -> None:
    """Draw what the months, quarters or years ahead are made of: signed, renewals, open deals, new deals, run-rate."""
    from models.tasks.sales_forecast import TASK
    from serving.joint_table import read_joint
    from serving.plots import plot_parts

    write = _target(out, language)
    config = config_of(context)
    table, joint = _published(config), read_joint(config.forecasts_folder, TASK.name)
    if joint is None or joint.run_id != table.about.run_id:
        raise NotPossible("no joint sample was published: the record tells no deals and no agreements")
    write(plot_parts(table, joint, measure, node, period_asked(period).value, language))


@plot_app.command()
def bridge(
    context: typer.Context,
    out: Out,
    since: Annotated[str | None, typer.Option(help="The earlier day; a week before the later one.")] = None,
    until: Annotated[str | None, typer.Option(help="The later day; the last of the record.")] = None,
    node: NodeName = "company",
    period: Chosen = "quarter",
    month: First = None,
    language: Language = "en",
) -> None:
    """Draw why the bookings expected of a period moved between two days, one bar a cause."""
    from serving.bridge_schemas import BridgeAsked
    from serving.errors import Refusal
    from serving.plots import plot_bridge

    write = _target(out, language)
    asked = BridgeAsked(
        from_day=day_asked(since),
        to_day=day_asked(until),
        period=period_asked(period),
        month=month_asked(month),
        node=node,
        most_deals=1,
    )
    try:
        drawing = plot_bridge(config_of(context), asked, language)
    except Refusal as refused:
        raise NotPossible(reason_of(refused)) from None
    write(drawing)


@plot_app.command("accuracy")
def draw_accuracy(
    context: typer.Context,
    out: Out,
    measure: Measure = "bookings",
    level: Annotated[str, typer.Option(help="company, region, team ...")] = "company",
    source: Annotated[
        str, typer.Option(help="backtest (the replayed past) or ledger (what was published).")
    ] = "backtest",
    language: Language = "en",
) -> None:
    """Draw the error by months ahead beside last year's months, with the difference and the measured coverage."""
    from crm.app_database import open_database
    from serving.plots import plot_backtest, plot_ledger

    if source not in ("backtest", "ledger"):
        raise NotPossible(f"--source takes backtest or ledger; came {source!r}")
    write = _target(out, language)
    config = config_of(context)
    if source == "backtest":
        write(plot_backtest(_published(config), measure, level, language))
        return
    engine = open_database(config.database.url)
    try:
        write(plot_ledger(engine, measure, level, language, seed=config.seed))
    finally:
        engine.dispose()


class _Target:
    """A file that is written when the drawing is made; what cannot be written is refused before."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, drawing: Drawing) -> None:
        from models.drawing import to_svg
        from models.drawing_png import to_png

        content = to_svg(drawing).encode() if self._path.suffix == ".svg" else to_png(drawing)
        self._path.write_bytes(content)
        note(f"{drawing.title}: {self._path}")


def _target(path: Path, language: str) -> _Target:
    from models.drawing import LANGUAGES

    if path.suffix not in (".svg", ".png"):
        raise NotPossible(f"--out takes a file that ends in .svg or .png; came {path.name}")
    if not path.parent.is_dir():
        raise NotPossible(f"--out: there is no folder {path.parent}")
    if language not in LANGUAGES:
        raise NotPossible(f"--lang takes {' or '.join(LANGUAGES)}; came {language!r}")
    return _Target(path)


def _published(config: Config) -> ForecastTable:
    from models.tasks.sales_forecast import TASK
    from serving.forecast_table import read_forecast

    found = read_forecast(config.forecasts_folder, TASK.name)
    if found is None:
        raise NotPossible("no forecast was published yet; `salescast forecast` does it")
    return found
