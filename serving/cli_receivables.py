"""The command that tells what customers owe, month by month, and the ratios that are watched."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from serving.cli_errors import NotPossible
from serving.cli_output import AsJson, config_of, print_json, print_rows

if TYPE_CHECKING:
    from features.receivables import Receivables

_COLUMNS = ("month", "invoiced", "fell_due", "received", "owed", "overdue", "collected", "days", "turnover")


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(receivables)


def receivables(
    context: typer.Context,
    months: Annotated[int, typer.Option(min=1, max=600, help="Closed months to tell.")] = 12,
    as_json: AsJson = False,
) -> None:
    """Tell what customers owe by month: collection rate (回款率), days outstanding, turnover, ageing (账龄)."""
    from crm.store import Store
    from features.receivables import read_receivables

    config = config_of(context)
    generation = Store(config.record_folder).current()
    company = config.company
    found = read_receivables(generation, generation.recorded_to, zone=company.zone, currency=company.currency)
    if found is None:
        raise NotPossible("nothing was invoiced, planned or received yet; it needs invoices, installments or receipts")
    rows = _rows(found)[-months:]
    if as_json:
        told = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        print_json({"currency": company.currency, "months": told, "ageing": found.ageing})
        return
    header = [name.replace("_", " ") for name in _COLUMNS]
    print_rows(header, [(row[0][:7], *map(_words, _COLUMNS[1:], row[1:])) for row in rows])
    typer.echo("")
    print_rows(("days past due", company.currency), [(name, round(amount)) for name, amount in found.ageing.items()])


def _rows(found: Receivables) -> list[tuple[str, *tuple[float, ...]]]:
    """One row a month, in the order of `_COLUMNS`; ratios are of the last twelve months."""
    from features.receivables import collection_rate, days_outstanding, turnover

    columns = (
        found.invoiced,
        found.due,
        found.received,
        found.owed,
        found.overdue,
        collection_rate(found.received, found.due),
        days_outstanding(found.invoiced, found.owed),
        turnover(found.invoiced, found.owed),
    )
    return [
        (str(month), *(float(column[place]) for column in columns)) for place, month in enumerate(found.months.tolist())
    ]


def _words(name: str, value: float) -> int | str:
    """A cell for people: shares as per cent, amounts whole, a dash for what is not known."""
    if not isfinite(value):
        return "-"
    if name == "collected":
        return f"{value:.0%}"
    return f"{value:.1f}" if name in ("days", "turnover") else round(value)
