"""Commands about the record: take it in, say what it is good for, join customers, write tables out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from serving.cli_errors import BAD_INPUT, NotPossible
from serving.cli_output import AsJson, config_of, note, print_json, print_rows, progress

MOST_REJECTS_SHOWN = 10

identities_app = typer.Typer(help="Customers of two systems: joined beyond doubt, or asked of a person.")
export_app = typer.Typer(help="Write settings or a table of the record out.")


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(ingest)
    app.command()(readiness)
    app.add_typer(identities_app, name="identities", no_args_is_help=True)
    app.add_typer(export_app, name="export", no_args_is_help=True)


def ingest(
    context: typer.Context,
    mapping: Annotated[Path, typer.Option(help="The mapping file: which source column is which of the record.")],
    data: Annotated[Path, typer.Option(help="The folder in which the mapping's files lie.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Take a company's files or tables into the record; twice the same changes nothing."""
    from crm.ingest import ingest as take_in
    from crm.mapping import read_mapping
    from crm.store import Store

    config = config_of(context)
    stated = read_mapping(mapping)
    with progress("ingest") as tell:
        report = take_in(
            Store(config.record_folder),
            stated,
            data,
            config=config,
            now=datetime.now(UTC),
            on_progress=lambda step: tell(f"{step.source}: {step.step}", (step.number - 1) / step.of),
        )
    if as_json:
        print_json(report)
    else:
        columns = ("source", "table", "read", "inserted", "changed", "unchanged", "rejected", "skipped")
        print_rows(columns, [[getattr(source, column) for column in columns] for source in report.sources])
    for reject in report.rejects[:MOST_REJECTS_SHOWN]:
        where = f"{reject.source}, line {reject.line}" + (f", {reject.column}" if reject.column else "")
        note(f"rejected {where}: {reject.reason}")
    for path in report.reject_files:
        note(f"all rejected rows: {path}")
    for lost in report.dangling:
        note(f"{lost.rows:,} rows of {lost.table} name a {lost.column} that {lost.refers_to} does not have")
    for source in report.sources:
        if source.read and source.read == source.skipped:
            note(f"{source.source}, {source.table}: none of {source.read:,} rows is meant by the mapping")
    for codes in report.unresolved:
        asked = f"; {', '.join(codes.waiting)} wait in `salescast identities list`" if codes.waiting else ""
        note(
            f"{codes.source}: {codes.rows:,} rows name an account of {codes.system} in {codes.column} that is not "
            f"joined to one of ours and stays as it came{asked}"
        )
    for source in report.refused:
        note(f"refused {source.source}: {source.refused.removeprefix(f'source {source.source}: ')}")
    if report.refused:
        raise typer.Exit(BAD_INPUT)


def readiness(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what the record is good for: each task, what is missing, what the tables contradict."""
    from crm.store import Store
    from models.readiness import read_readiness

    config = config_of(context)
    found = read_readiness(Store(config.record_folder).current(), config)
    if as_json:
        print_json(found)
        return
    print_rows(
        ("table", "rows", "filled"), [(one.table, one.rows, f"{100 * one.filled:.0f} %") for one in found.tables]
    )
    typer.echo(f"\nhistory: {found.history}")
    for task in found.tasks:
        typer.echo(f"\n{task.task}: {task.status}, {task.n_known:,} known outcomes, {task.n_events:,} events")
        for reason in task.reasons:
            typer.echo(f"  {reason}")
    if found.contradictions:
        typer.echo("\nthe tables contradict each other:")
    for one in found.contradictions:
        typer.echo(f"  {one.sentence}")


@identities_app.command("propose")
def propose(
    context: typer.Context,
    leading: Annotated[str, typer.Option(help="The mapping source whose account ids are ours.")],
    as_json: AsJson = False,
) -> None:
    """Match the accounts of every other source with those of the leading one."""
    from crm.identities import propose_identities
    from crm.store import Store

    config = config_of(context)
    found = propose_identities(Store(config.record_folder), leading, now=datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    kinds = sorted({row.match for row in found})
    print_rows(("match", "pairs"), [(kind, sum(row.match == kind for row in found)) for kind in kinds])


@identities_app.command("list")
def list_identities(context: typer.Context, as_json: AsJson = False) -> None:
    """List the pairs that wait for a person."""
    from crm.identities import read_identities
    from crm.store import Store

    config = config_of(context)
    waiting = [row for row in read_identities(Store(config.record_folder).current()) if row.waiting]
    if as_json:
        print_json(waiting)
        return
    columns = ("source_system", "code", "candidate_id", "similarity")
    print_rows(columns, [[getattr(row, column) for column in columns] for row in waiting])


@identities_app.command("confirm")
def confirm(context: typer.Context, system: str, code: str) -> None:
    """Say that a waiting pair is one customer."""
    _decide(context, system, code, is_same=True)


@identities_app.command("reject")
def reject(context: typer.Context, system: str, code: str) -> None:
    """Say that a waiting pair is two customers."""
    _decide(context, system, code, is_same=False)


def _decide(context: typer.Context, system: str, code: str, *, is_same: bool) -> None:
    from crm.identities import decide_identity
    from crm.store import Store

    config = config_of(context)
    decided = decide_identity(Store(config.record_folder), system, code, is_same=is_same, now=datetime.now(UTC))
    note(f"{decided.source_system} {decided.code}: {decided.match}")


@export_app.command("config")
def export_config(context: typer.Context) -> None:
    """Print the settings in force, file and environment together, without passwords."""
    from sqlalchemy.engine import make_url

    config = config_of(context)
    values = config.model_dump(mode="json")
    for section, key in (("database", "url"), ("mlflow", "tracking_uri")):
        if "://" in values[section][key]:
            values[section][key] = make_url(values[section][key]).render_as_string(hide_password=True)
    print_json(values)


@export_app.command("table")
def export_table(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A table of the record.")],
    out: Annotated[Path, typer.Option(help="A file that ends in .csv or .parquet.")],
    as_of: Annotated[datetime | None, typer.Option(help="As it was known then (UTC); now by default.")] = None,
) -> None:
    """Write one table of the record as it was known at a moment."""
    from crm.reading import read_as_of
    from crm.store import Store
    from crm.tables import table
    from serving.score_file import write_flat

    if out.suffix not in {".csv", ".parquet"}:
        raise NotPossible(f"{out.name}: --out takes a name that ends in .csv or .parquet")
    config = config_of(context)
    moment = (as_of or datetime.now(UTC)).replace(tzinfo=UTC)
    rows = read_as_of(Store(config.record_folder).current(), table(name).name, moment, config.company.zone)
    write_flat(rows, out)
    note(f"{rows.num_rows:,} rows of {name} as of {moment:%Y-%m-%d %H:%M} UTC in {out}")
