"""The command line `salescast`: one command a verb, one table from error to exit code.

Only Typer is loaded here; what a command needs is imported when it runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from serving import cli_bridge, cli_demo, cli_forecast, cli_models, cli_plot, cli_receivables, cli_record, cli_serve
from serving.cli_errors import exit_code
from serving.cli_output import Session

# Set before any library that reads them is loaded.
_FOR_LIBRARIES = {
    "OMP_WAIT_POLICY": "passive",
    # NumPy and SciPy each bring a pool that spins; beside anything else at work a logistic fit takes ten times as long.
    "OPENBLAS_NUM_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}

app = typer.Typer(
    name="salescast",
    help="Forecasts, lead scores, targets and allocation for sales directors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _group in (cli_demo, cli_record, cli_models, cli_forecast, cli_plot, cli_bridge, cli_receivables, cli_serve):
    _group.add_commands(app)


@app.callback()
def salescast(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", envvar="SALESCAST_CONFIG", help="Settings; salescast.yaml when it exists."),
    ] = None,
) -> None:
    """Take the settings that every command shares."""
    context.obj = Session(config_file=config)


def main() -> None:
    """Run the command line; an error that people can mend ends it with one message and no traceback."""
    for name, value in _FOR_LIBRARIES.items():
        os.environ.setdefault(name, value)
    from serving.logs import configure_logs

    configure_logs("warning")
    try:
        app()
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        typer.echo(f"salescast: {error}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
