"""What commands share: the settings, answers for people or machines, progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from crm.config import Config

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What was said before the command: the settings file."""

    config_file: Path | None

    def config(self) -> Config:
        """The validated settings.

        Raises
        ------
        BadYaml
            A setting is unknown or wrong; the message names the line.
        """
        from crm.config import read_config

        return read_config(self.config_file)


def config_of(context: typer.Context) -> Config:
    """The settings of the running command."""
    session = context.obj
    assert isinstance(session, Session)
    return session.config()


def as_plain(value: object) -> object:
    """A value as JSON knows it: dataclasses as objects, moments as ISO text, NaN and infinities as null.

    Examples
    --------
    >>> as_plain((1.5, float("nan"), date(2026, 1, 31)))
    [1.5, None, '2026-01-31']
    """
    if is_dataclass(value) and not isinstance(value, type):
        return as_plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [as_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if hasattr(value, "item"):
        return as_plain(value.item())
    if isinstance(value, float):
        return value if value - value == 0 else None
    return str(value)


def print_json(value: object) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(as_plain(value), ensure_ascii=False, indent=1))


def print_rows(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as columns of text, numbers to the right.

    Examples
    --------
    >>> print_rows(("table", "rows"), [("leads", 12), ("accounts", 7)])
    table     rows
    leads       12
    accounts     7
    """
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    right = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(header))]
    widths = [max(len(line[column]) for line in [list(header), *texts]) for column in range(len(header))]
    for line in [list(header), *texts]:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())


def note(message: str) -> None:
    """Tell a person how far the work is, on standard error."""
    typer.echo(message, err=True)


@contextmanager
def progress(label: str) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error while the block runs; nothing when that is no terminal.

    Yields a callable of (what is being done, share done).
    """
    if not sys.stderr.isatty():
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=1.0)
        yield lambda what, share: bar.update(task, description=f"{label}: {what}", completed=share)
