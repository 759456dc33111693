"""The documents that are written from code: commands, settings, the data contract. `make docs` writes them."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path

import typer
import typer.main
from pydantic import BaseModel

from crm.config import PREFIX, Config
from crm.schema import SYSTEM_COLUMNS, Column, Table
from crm.tables import TABLES
from features.document import render_features
from serving.cli import app

_WRITTEN = "<!-- written by `make docs`; change the code instead -->\n"


def render_commands() -> str:
    """`docs/cli.md`: every command with its arguments and options."""
    command = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        _WRITTEN,
        "Every command reads `salescast.yaml` when it stands in the folder, or the file that `--config` names",
        f"(environment: `{PREFIX}CONFIG`). Progress goes to standard error. Exit codes: 0 done, 2 bad input,",
        "3 refused by a gate. `--json` prints one JSON document on standard output.",
        "",
    ]
    commands = command.commands  # type: ignore[attr-defined]
    for name in sorted(commands):
        lines += _command(f"salescast {name}", commands[name])
    return "\n".join(lines)


def _command(name: str, command: typing.Any) -> list[str]:
    lines = [f"## {name}", "", str(command.help or "").strip().split("\n\n")[0].replace("\n", " "), ""]
    for inner in sorted(getattr(command, "commands", {})):
        lines += [line.replace("## ", "### ", 1) for line in _command(f"{name} {inner}", command.commands[inner])]
    rows = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        is_argument = parameter.param_type_name == "argument"
        shown = parameter.name.upper() if is_argument else ", ".join((*parameter.opts, *parameter.secondary_opts))
        needed = "required" if parameter.required else _default(parameter.default)
        rows.append(f"| `{shown}` | {getattr(parameter, 'help', None) or ''} | {needed} |")
    if rows:
        lines += ["| argument or option | what it does | default |", "|---|---|---|", *rows, ""]
    return lines


def _default(value: object) -> str:
    if value is None or value is False or callable(value) or "Sentinel" in repr(value):
        return ""
    return f"`{value}`"


def render_settings() -> str:
    """`docs/configuration.md`: every setting with its type and default."""
    lines = [
        "# Settings",
        "",
        _WRITTEN,
        "One file, `salescast.yaml`; a wrong or unknown setting is refused with its line. All settings have defaults.",
        f"An environment variable `{PREFIX}<SECTION>__<KEY>` stands above the file, for instance",
        f"`{PREFIX}DATABASE__URL`. Passwords belong in the environment. An example: `examples/salescast.yaml`.",
        "",
    ]
    lines += _section("", Config)
    return "\n".join(lines)


def _section(path: str, schema: type[BaseModel]) -> list[str]:
    rows: list[str] = []
    inner: list[str] = []
    for name, field in schema.model_fields.items():
        kind = field.annotation
        nested = _nested(kind)
        full = f"{path}{name}"
        if nested is not None:
            below = f"{full}.<name>." if typing.get_origin(kind) is dict else f"{full}."
            inner += _section(below, nested)
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default is None else f"`{_plain(default)}`"
        rows.append(f"| `{full}` | {_type(kind)} | {shown} | {field.description or ''} |")
    lines = []
    if rows:
        title = path.rstrip(".") or "top level"
        lines += [f"## {title}", "", (schema.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "), ""]
        lines += ["| setting | type | default | meaning |", "|---|---|---|---|", *rows, ""]
    return lines + inner


def _nested(kind: object) -> type[BaseModel] | None:
    """The section behind an annotation, also as the value of a mapping or as an optional one."""
    for candidate in (kind, *typing.get_args(kind)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _plain(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)


def _type(kind: object) -> str:
    if typing.get_origin(kind) is typing.Annotated:
        return _type(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(_type(part) for part in typing.get_args(kind) if part is not types.NoneType)
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(kind))
    if typing.get_origin(kind) is not None:
        parts = [_type(part) for part in typing.get_args(kind) if part is not Ellipsis]
        return "list of " + ", ".join(parts) if typing.get_origin(kind) in (tuple, list) else ", ".join(parts)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}
    return names.get(getattr(kind, "__name__", str(kind)), getattr(kind, "__name__", str(kind)))


def render_data_contract() -> str:
    """`docs/data-contract.md`: every table of the record with its columns."""
    lines = [
        "# Data contract",
        "",
        _WRITTEN,
        "What the record holds. A company has part of it: what is missing switches features off, never the product.",
        "Money is kept in whole hundredths (cents, 分) of the currency unit, whatever the currency: 1 CNY, 1 JPY and",
        "1 KWD are 100 each. `*_at` is a UTC timestamp, `*_on` a day in the company's time zone, `*_month` the first",
        "of a month. Columns of your own stay under their own names beside the stated ones; how yours become these is",
        "said in [mapping.md](mapping.md).",
        "",
        "- *Grain*: what one row is. *Key*: the columns that tell rows apart; a second row of a key is the same row.",
        "- *Clock*: the column that says when a row came to be in the world.",
        "- *Mutable*: the company overwrites it; every change is kept in `changes`.",
        "- *Known from*: before that moment the value reads as empty.",
        "- *Personal*: never a category of a model, never in a log.",
        "",
        "Every row also carries:",
        "",
        *_columns(SYSTEM_COLUMNS),
        "",
    ]
    for stated in TABLES.values():
        lines += _table(stated)
    return "\n".join(lines)


def _table(stated: Table) -> list[str]:
    clock = f"`{stated.clock}`" if stated.clock else "none; known from `recorded_at`"
    key = ", ".join(f"`{name}`" for name in stated.key)
    return [f"## {stated.name}", "", f"{stated.grain} Key: {key}. Clock: {clock}.", "", *_columns(stated.columns), ""]


def _columns(columns: tuple[Column, ...]) -> list[str]:
    return ["| column | holds | meaning | |", "|---|---|---|---|", *(_column(column) for column in columns)]


def _column(column: Column) -> str:
    marks = [
        name
        for name, holds in (("required", column.required), ("mutable", column.mutable), ("personal", column.personal))
        if holds
    ]
    if column.known_at is not None:
        marks.append(f"known from `{column.known_at}`")
    if column.refers_to is not None:
        marks.append(f"names a row of `{column.refers_to}`")
    if column.values:
        marks.append("one of " + ", ".join(f"`{value}`" for value in column.values))
    holds = column.dtype.value + (f" ({column.unit})" if column.unit else "")
    return f"| `{column.name}` | {holds} | {column.doc} | {'; '.join(marks)} |"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/cli.md": render_commands,
    "docs/configuration.md": render_settings,
    "docs/data-contract.md": render_data_contract,
    "docs/features.md": render_features,
}


def main() -> int:
    """Write every generated document below the present folder."""
    for name, render in DOCUMENTS.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(render().rstrip() + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
