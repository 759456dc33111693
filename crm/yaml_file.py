"""YAML files checked against a schema, with errors that name the line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

_MOST_ERRORS = 20


class Section(BaseModel):
    """A part of a YAML file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


S = TypeVar("S", bound=BaseModel)


class BadYaml(ValueError):
    """A YAML file that cannot be used; the message names file, line, what was expected and what came."""


def read_yaml(path: Path, schema: type[S]) -> S:
    """The file's content as a `schema`.

    Raises
    ------
    BadYaml
        The file is missing, is no YAML, repeats a key, or does not fit the schema.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadYaml(f"{path.name}: no such file") from None
    except UnicodeDecodeError as error:
        raise BadYaml(f"{path.name}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    return parse_yaml(content, schema, name=path.name)


# What the schema library says of the commonest slips, in the words of the file.
_IN_WORDS = {
    "missing": "this setting is needed",
    "dict_type": "expected a block of `name: value` lines",
    "model_type": "expected a block of `name: value` lines",
    "tuple_type": "expected a list, one entry a line that begins with `- `",
    "list_type": "expected a list, one entry a line that begins with `- `",
    "string_type": "expected text; put it in quotes",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
}


def parse_yaml(content: str, schema: type[S], *, name: str) -> S:
    """YAML text as a `schema`; `name` stands in the errors."""
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        _require_unique_keys(root, name)
        values = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise BadYaml(f"{name}: no valid YAML: {_one_line(error)}") from None
    try:
        return schema.model_validate(values if values is not None else {})
    except ValidationError as error:
        lines = [_explain(name, root, dict(found)) for found in error.errors(include_url=False)[:_MOST_ERRORS]]
        more = error.error_count() - len(lines)
        raise BadYaml("\n".join(lines + ([f"{name}: and {more} more"] if more > 0 else []))) from None


def explain(content: str, faults: Iterable[tuple[tuple[str | int, ...], str]], *, name: str) -> str:
    """Faults that only the schema's owner can see, one a line, each with the line of its place in the YAML text."""
    root = yaml.compose(content, Loader=yaml.SafeLoader)
    lines = [f"{name}, line {_line_of(root, place)}: {_where(root, place)}: {message}" for place, message in faults]
    more = [f"{name}: and {len(lines) - _MOST_ERRORS} more"] if len(lines) > _MOST_ERRORS else []
    return "\n".join(lines[:_MOST_ERRORS] + more)


def _require_unique_keys(node: yaml.Node | None, name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise BadYaml(f"{name}, line {line}: expected a word as key, came a list or a block")
            if key.value in seen:
                raise BadYaml(
                    f"{name}, line {line}: key {key.value!r} stands already in line {seen[key.value]}; keep one"
                )
            seen[key.value] = line
            _require_unique_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _require_unique_keys(item, name)


def _explain(name: str, root: yaml.Node | None, found: dict[str, object]) -> str:
    location = found["loc"]
    assert isinstance(location, tuple)
    line = _line_of(root, location)
    where = _where(root, location) or "the file"
    if found["type"] == "extra_forbidden":
        close = get_close_matches(str(location[-1]), _settings(Section), n=1, cutoff=0.7)
        hint = f"did you mean {close[0]!r}?" if close else "remove it or mend its spelling"
        return f"{name}, line {line}: {where}: no such setting; {hint}"
    came = found.get("input")
    message = _IN_WORDS.get(str(found["type"])) or str(found["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(came, dict | list) or came is None or "came" in message else f"; came {came!r}"
    return f"{name}, line {line}: {where}: {message}{shown}"


def _settings(section: type[Section]) -> list[str]:
    """The names of all settings of all sections."""
    names = [field.alias or name for name, field in section.model_fields.items()]
    return sorted({*names, *(name for below in section.__subclasses__() for name in _settings(below))})


def _where(node: yaml.Node | None, location: tuple[object, ...]) -> str:
    """The place in words; an entry of a list by its `name:` when it has one, else by its number from 1."""
    words: list[str] = []
    for part in location:
        following: yaml.Node | None = None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            following = node.value[part]
            words[-1:] = [f"{words[-1] if words else ''}[{_name_of(following) or part + 1}]"]
        else:
            words.append(str(part))
            if isinstance(node, yaml.MappingNode):
                following = next((value for key, value in node.value if key.value == str(part)), None)
        node = following
    return ".".join(words)


def _name_of(node: yaml.Node) -> str | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(value.value) for key, value in pairs if key.value == "name"), None)


def _line_of(node: yaml.Node | None, location: tuple[object, ...]) -> int:
    line = 1
    for part in location:
        following: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, following = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            following = node.value[part]
            line = following.start_mark.line + 1
        if following is None:
            break
        node = following
    return line


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} in line {mark.line + 1}" if mark is not None else str(problem)
