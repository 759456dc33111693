"""Commands about answering: serve, keys, refresh."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from serving.cli_errors import NotPossible
from serving.cli_output import AsJson, config_of, note, print_json, print_rows

KEY_DAYS = 90

keys_app = typer.Typer(help="Keys that open the API: make, list, revoke.")


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(serve)
    app.command()(refresh)
    app.add_typer(keys_app, name="keys", no_args_is_help=True)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; serving.host by default.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; serving.port by default.")
    ] = None,
) -> None:
    """Answer over HTTP until stopped; follows every ingest, promotion and refresh by itself."""
    from serving.run_server import run_server

    config = config_of(context)
    run_server(config, host=host or config.serving.host, port=port or config.serving.port)


def refresh(
    context: typer.Context,
    task: Annotated[str | None, typer.Argument(help="The task; every task with a model by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score everything that is open and publish the forecast anew; run after an ingest or a promotion."""
    from features.question import BadQuestion
    from models.champions import NoChampion, current
    from models.task_files import entity_task
    from models.tasks.sales_forecast import TASK as FORECAST
    from serving.cli_forecast import publish_if_promoted
    from serving.refresh import refresh_scores
    from serving.score_tasks import scored_tasks

    config = config_of(context)
    if task is None:
        tasks = [one for one in scored_tasks().values() if current(config.champions_folder, one.name) is not None]
        if not tasks and current(config.champions_folder, FORECAST.name) is None:
            raise NoChampion("no model was promoted yet; `salescast train <task>`, then `salescast promote <task>`")
    else:
        tasks = [entity_task(task)]
        if task not in scored_tasks():
            raise BadQuestion(f"{task} has no scores that stand ready: it is answered from the record as it is asked")
    reports = [refresh_scores(config, one) for one in tasks]
    forecast = publish_if_promoted(config) if task is None else None
    if as_json:
        print_json(reports[0] if task is not None else [*reports, *([] if forecast is None else [forecast])])
        return
    for report in reports:
        done = "scored" if report.changed else "stood ready already:"
        note(f"{report.task}: {done} {report.n_scored:,} open rows as of {report.as_of:%Y-%m-%d %H:%M} UTC")
    if forecast is not None:
        done = "published" if forecast.changed else "stood ready already:"
        note(f"{forecast.task}: {done} {forecast.n_series:,} series as of {forecast.as_of:%Y-%m-%d %H:%M} UTC")


@keys_app.command("create")
def create_key(
    context: typer.Context,
    login: Annotated[str, typer.Argument(help="Who uses the key; made when unknown.")],
    role: Annotated[str, typer.Option(help="director, manager, rep, service or data_scientist.")],
    unit: Annotated[str | None, typer.Option(help="The unit that a manager, or a director of a part, sees.")] = None,
    rep: Annotated[str | None, typer.Option(help="The person whose rows a rep sees.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="What a service may do; repeat for several.")] = None,
    label: Annotated[str, typer.Option(help="What the key is for.")] = "",
    days: Annotated[int, typer.Option(help="How long it holds.")] = KEY_DAYS,
    as_json: AsJson = False,
) -> None:
    """Make a user and a key; the key is shown this once."""
    from crm.app_database import open_database
    from serving.keys import list_keys, make_key, make_user
    from serving.roles import Role, Scope, Sees

    try:
        stated = Role(role)
        scopes = [Scope(one) for one in scope] if scope else None
    except ValueError as error:
        raise NotPossible(f"{error}; roles: {', '.join(Role)}; scopes: {', '.join(Scope)}") from None
    sees = Sees.UNIT if unit is not None else Sees.REP if rep is not None else Sees.ALL
    if stated is Role.DATA_SCIENTIST:
        sees = Sees.NONE
    engine = open_database(config_of(context).database.url)
    now = datetime.now(UTC)
    before = {one.role for one in list_keys(engine) if one.login == login and one.revoked_at is None}
    make_user(engine, login, stated, sees=sees, now=now, unit_id=unit, rep_id=rep, scopes=scopes)
    made = make_key(engine, login, now=now, label=label, days=days)
    if before - {stated}:
        note(f"{login} was {', '.join(sorted(before))}; all its keys open as {stated.value} from now on")
    if as_json:
        print_json(made)
        return
    typer.echo(made.text)
    note(f"key of {made.login} ({made.role.value}), holds until {made.expires_at:%Y-%m-%d}; it is not shown again")


@keys_app.command("list")
def show_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List all keys, the newest first; never their secrets."""
    from crm.app_database import open_database
    from serving.keys import list_keys

    found = list_keys(open_database(config_of(context).database.url))
    if as_json:
        print_json(found)
        return
    rows = [
        (one.prefix, one.login, one.role.value, f"{one.expires_at:%Y-%m-%d}", "revoked" if one.revoked_at else "")
        for one in found
    ]
    print_rows(("prefix", "login", "role", "until", ""), rows)


@keys_app.command("revoke")
def revoke(context: typer.Context, prefix: Annotated[str, typer.Argument(help="From `salescast keys list`.")]) -> None:
    """Let a key open nothing from now on."""
    from crm.app_database import open_database
    from serving.keys import revoke_key

    revoke_key(open_database(config_of(context).database.url), prefix, now=datetime.now(UTC))
    note(f"key {prefix} is revoked")
