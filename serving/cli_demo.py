"""The command `demo`: a simulated company, from its files to a running service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.cli_output import AsJson, note, print_json

if TYPE_CHECKING:
    from serving.demo_company import DemoReady

# Mirrored by README.md and tested against a running demo.
EXAMPLE_LEAD = {"channel": "referral", "industry": "制造", "region": "华东", "employees": 800}


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(demo)


def demo(
    folder: Annotated[Path, typer.Option(help="Where everything of the demo lies.")] = Path("var/demo"),
    size: Annotated[str, typer.Option(help="tiny, small, medium or large.")] = "small",
    serve: Annotated[bool, typer.Option(help="Serve when everything stands ready.")] = True,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on; 8000 by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a simulated company, take it in, train, promote, and serve it; a second call keeps what stands."""
    from models.task_files import entity_task
    from serving.demo_company import build_demo, demo_config
    from serving.run_server import require_free, run_server
    from serving.score_tasks import scored_tasks

    config = demo_config(folder)
    listen = port or config.serving.port
    if serve:
        require_free(config.serving.host, listen)
    ready = build_demo(config, (*scored_tasks().values(), entity_task("next_product")), size=size, tell=note)
    address = f"http://{config.serving.host}:{listen}"
    if as_json:
        print_json({"address": address, "keys": {key.login: key.text for key in ready.keys}})
    else:
        _show(ready, address, folder)
    if serve:
        note(f"serving {address}; stop with Ctrl-C")
        run_server(config, host=config.serving.host, port=listen)


def _show(ready: DemoReady, address: str, folder: Path) -> None:
    typer.echo(f"\nAddress: {address}  (documentation: {address}/docs)")
    typer.echo("Keys for 30 days, new ones at each call:")
    for key in ready.keys:
        typer.echo(f"  {key.login:<20} {key.text}")
    director = next(key for key in ready.keys if key.login == "demo-director")
    typer.echo(f"\nexport KEY={director.text}")
    for entity, body in _calls(ready).items():
        typer.echo(
            f"curl -s {address}/v1/{entity}/score \\\n"
            '  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n'
            f"  -d '{json.dumps(body, ensure_ascii=False)}'"
        )
    typer.echo(f"\nOther commands on this company: salescast --config {folder / 'salescast.yaml'} ...")


def _calls(ready: DemoReady) -> dict[str, dict[str, object]]:
    """A call for each kind of entity: a lead that comes with the request, and of the others those likeliest."""
    from serving.score_tasks import TASK_OF

    calls: dict[str, dict[str, object]] = {"leads": {"records": [EXAMPLE_LEAD]}}
    for entity, task in TASK_OF.items():
        if ready.likeliest.get(task) and entity not in calls:
            calls[entity] = {"ids": list(ready.likeliest[task])}
    return calls
