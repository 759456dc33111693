"""What a mapping stated about the rows of a table, read back from a generation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from crm.schema import DType
from crm.store import Generation

WRITTEN_AFTER_OUTCOME = "written_after_outcome"
KNOWN_AT_ENTRY = "known_at_entry"


def written_after_outcome(generation: Generation, table: str, task: str | None = None) -> frozenset[str]:
    """The columns of a table that the mapping says are filled once the outcome is known: grade C, never a feature.

    Parameters
    ----------
    generation : Generation
        The record.
    table : str
        A table of it.
    task : str or None
        For `observations`, the task whose rows are meant.
    """
    return _listed(generation, table, WRITTEN_AFTER_OUTCOME, task)


def known_at_entry(generation: Generation, table: str, task: str | None = None) -> frozenset[str]:
    """The columns of a table that a person vouches for in the mapping: written when the row was.

    Parameters
    ----------
    generation : Generation
        The record.
    table : str
        A table of it.
    task : str or None
        For `observations`, the task whose rows are meant.
    """
    return _listed(generation, table, KNOWN_AT_ENTRY, task)


def _listed(generation: Generation, table: str, fact: str, task: str | None) -> frozenset[str]:
    name = fact if task is None else f"{task}.{fact}"
    return frozenset(json.loads(generation.facts(table).get(name, "[]")))


def feature_columns(generation: Generation, table: str, task: str | None = None) -> dict[str, DType]:
    """The custom columns that may become features: of observations those of the task, none written after the outcome.

    Parameters
    ----------
    generation : Generation
        The record.
    table : str
        A table of it.
    task : str or None
        For `observations`, the task whose rows are meant.
    """
    late = written_after_outcome(generation, table, task)
    own = generation.facts(table).get(f"{task}.columns")
    kept = None if own is None else frozenset(json.loads(own))
    return {
        name: dtype
        for name, dtype in generation.custom(table).items()
        if name not in late and (kept is None or name in kept)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatForm:
    """How the rows of a flat table are written in the company's own files.

    Attributes
    ----------
    entity_id : str or None
        The source column that names the row.
    unread : frozenset of str
        Source columns that are there and tell a model nothing: outcome, order, what the mapping leaves out.
    rename : mapping of str to str
        Names of the source that are kept under another one.
    missing : frozenset of str
        Cells that mean "no value", in any column.
    missing_in : mapping of str to frozenset of str
        The same for one column, by the name it is kept under.
    """

    entity_id: str | None = None
    unread: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    missing_in: Mapping[str, frozenset[str]] = field(default_factory=dict)


def flat_form(generation: Generation, task: str) -> FlatForm:
    """How the mapping reads a row of `observations` of a task; an empty form when rows came without a mapping."""
    stated = json.loads(generation.facts("observations").get(f"{task}.form", "{}"))
    named = stated.get("entity_id", [])
    return FlatForm(
        entity_id=named[0] if len(named) == 1 else None,
        unread=frozenset(stated.get("unread", ())),
        rename=stated.get("rename", {}),
        missing=frozenset(word.strip() for word in stated.get("missing", ())),
        missing_in={name: frozenset(words) for name, words in stated.get("missing_in", {}).items()},
    )
