"""Commands: models."""

from __future__ import annotations

import typer


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
