"""Commands about the record: take it in, say what it is good for."""

from __future__ import annotations

import typer


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
