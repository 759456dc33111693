"""Fields made of what a system counts as it happens: nobody types it in once the outcome is known."""

from __future__ import annotations

from crm.store import Generation
from features.catalogue import group_named
from features.online import source_of
from features.question import Question
from features.spec import Attribute, Calendar, Feature

COUNTED_TABLES = ("usage",)


def counted_fields(generation: Generation, question: Question) -> frozenset[str]:
    """Names of the question's fields that rest on counted rows alone, each on record when it happened.

    Parameters
    ----------
    generation : Generation
        The record. A table of which a row was taken in afterwards (`backfilled`) counts for nothing.
    question : Question
        Names the groups of features.
    """
    sound = {name for name in COUNTED_TABLES if generation.has(name) and not _has_backfilled(generation, name)}
    features = (each for name in question.groups for each in group_named(name).features)
    return frozenset(each.field.name for each in features if _table_of(each) in sound)


def _has_backfilled(generation: Generation, name: str) -> bool:
    return any(generation.read(name, ["backfilled"]).column("backfilled").to_pylist())


def _table_of(each: Feature) -> str | None:
    primitive = each.primitive
    return None if isinstance(primitive, Attribute | Calendar) else source_of(primitive).table
