"""The vocabulary in which features are stated: where rows come from and what is made of them.

A feature is a `features.matrix.Field` (how people and models read it) and a primitive (what it is). Primitives
are data: `features.compile` turns them into SQL for many rows, `features.online` computes them for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crm.schema import DType
from crm.tables import table
from features.matrix import Field, Grade, Kind


class BadSpec(ValueError):
    """A feature that cannot be computed as of a moment; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must hold of a row: its value, as known then, is one of `values`, is known or not, is below 0 or not.

    Examples
    --------
    >>> is_in("kind", "call", "email").values
    ('call', 'email')
    """

    column: str
    op: Literal["in", "known", "unknown", "negative", "not_negative"]
    values: tuple[str, ...] = ()


def is_in(column: str, *values: str) -> Condition:
    """The condition that a text column holds one of the values."""
    return Condition(column=column, op="in", values=values)


def known(column: str) -> Condition:
    """The condition that a value was known by then."""
    return Condition(column=column, op="known")


def unknown(column: str) -> Condition:
    """The condition that a value was not known by then."""
    return Condition(column=column, op="unknown")


def negative(column: str) -> Condition:
    """The condition that a number lies below 0."""
    return Condition(column=column, op="negative")


def not_negative(column: str) -> Condition:
    """The condition that a number does not lie below 0; an unknown one does not."""
    return Condition(column=column, op="not_negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows of one table that belong to an entity.

    Parameters
    ----------
    name : str
        Under this name a request hands over its rows; the table's own name for what belongs to the entity itself.
    table : str
        Table of the record.
    key : str
        Column of the table that names the entity, or what the entity is reached by. A mutable one is read as
        it stood when the row came to be: who owned a lead first, not who owns it now.
    reach : str
        Column of the entity, as known then, that the key must equal; empty for the entity's own key.
    where : tuple of Condition
        Rows that count at all.
    first : tuple of str
        Mutable columns to be read as they first stood: known from then on, whatever was written over it.
    """

    name: str
    table: str
    key: str
    reach: str = ""
    where: tuple[Condition, ...] = ()
    first: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        stated = table(self.table)
        for column in (self.key, *(condition.column for condition in self.where), *self.first):
            stated.column(column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A primitive over the visible rows of a source.

    Parameters
    ----------
    source : Source
        The rows.
    days : int or None
        Only rows of the last so many days; None for all of them.
    where : tuple of Condition
        Only rows for which these hold.
    at : str
        The column whose moment places a row in time; empty for the table's clock.
    """

    source: Source
    days: int | None = None
    where: tuple[Condition, ...] = ()
    at: str = ""

    def __post_init__(self) -> None:
        stated = table(self.source.table)
        for condition in self.where:
            require_fixed(self.source, condition.column)
        if self.at:
            require_fixed(self.source, self.at)
        elif stated.clock is None:
            raise BadSpec(f"table {stated.name} has no clock; the feature must say `at` which column its rows happen")

    @property
    def moment(self) -> str:
        """The column that places a row in time."""
        return self.at or str(table(self.source.table).clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Aggregate):
    """How many rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure(Aggregate):
    """A primitive over one column of the rows."""

    column: str

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew by the decorator, which `super()` without arguments does not see.
        Aggregate.__post_init__(self)
        require_fixed(self.source, self.column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(Measure):
    """Sum of a number; null when no row has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(Measure):
    """Mean of a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Min(Measure):
    """Least value of a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Max(Measure):
    """Greatest value of a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Last(Measure):
    """The latest known value; among rows of one moment that of the greatest key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct(Measure):
    """How many different values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysSince(Aggregate):
    """Days since the latest or the earliest row; null when there is none."""

    which: Literal["last", "first"] = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysUntil(Aggregate):
    """Days to the furthest moment that visible rows name in a column `at`, negative once it has passed."""

    def __post_init__(self) -> None:
        Aggregate.__post_init__(self)
        if not self.at or self.days is not None:
            raise BadSpec("days until a moment need the column `at` and no window")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend(Aggregate):
    """Change of pace, -1 to 1: (last `days` - the `days` before) / both; null when both are empty."""

    def __post_init__(self) -> None:
        Aggregate.__post_init__(self)
        if self.days is None:
            raise BadSpec("a trend compares two windows and needs `days`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm(Aggregate):
    """The beat of the rows, in whole days counted back from the moment.

    `days`: on how many days there are rows. `gap`: mean days between such days, shrunk to `usual_days` as if one more
    gap of that length had been seen. `overdue`: days since the last row over that gap.
    """

    what: Literal["days", "gap", "overdue"]
    usual_days: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One primitive over another of the same source, drawn to `prior` by `pseudo` more below; null over 0 or null."""

    upper: Aggregate
    lower: Aggregate
    pseudo: float = 0.0
    prior: float = 0.0

    def __post_init__(self) -> None:
        if self.upper.source != self.lower.source:
            raise BadSpec("both parts of a ratio must come from one source")


def share(source: Source, *of: Condition, days: int | None = None) -> Ratio:
    """The share of a source's rows for which the conditions hold."""
    return Ratio(upper=Count(source=source, days=days, where=of), lower=Count(source=source, days=days))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A column of the entity, or of the row it is joined to, as known then.

    Parameters
    ----------
    column : str
        The column; a mutable one is rolled back through `changes`.
    table : str
        The table.
    reach : str
        Column of the entity that names the joined row, for instance `account_id`; empty for the entity itself.
    dtype : DType or None
        What a custom column holds; None for a stated one.
    """

    column: str
    table: str
    reach: str = ""
    dtype: DType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeDays(Attribute):
    """Days from the moment in a column to the row's moment; negative when it lies ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysInState(Attribute):
    """Days since a mutable column took its present value: since its last change, else since the row's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift(Attribute):
    """How far a mutable column is from what it first said: in days of a date, else as a share of the first number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A fact of the day itself, in the company's time zone."""

    what: Literal[
        "month", "weekday", "days_to_month_end", "days_to_quarter_end", "days_to_year_end", "days_to_spring_festival"
    ]


Primitive = Aggregate | Ratio | Attribute | Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A field and what it is."""

    field: Field
    primitive: Primitive


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureGroup:
    """Features of one entity that a task takes together.

    Parameters
    ----------
    name, entity : str
        For instance `lead_activity` and `leads`, the entity's table.
    doc : str
        What the group says about the entity, one sentence.
    features : tuple of Feature
        In the order of the columns.
    """

    name: str
    entity: str
    doc: str
    features: tuple[Feature, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields in order."""
        return tuple(feature.field for feature in self.features)


def feature(
    name: str,
    primitive: Primitive,
    *,
    en: str,
    zh: str,
    group: str,
    unit: str = "",
    null: str = "unknown",
    kind: Kind = Kind.NUMBER,
    grade: Grade = Grade.A,
) -> Feature:
    """A feature with its name, unit, null meaning, business group and phrases."""
    field = Field(
        name=name, kind=kind, unit=unit, null_meaning=null, group=group, phrase_en=en, phrase_zh=zh, grade=grade
    )
    return Feature(field=field, primitive=primitive)


def require_fixed(source: Source, column: str) -> None:
    """Refuse a mutable column of an event row that is not read as it first stood: what it said then is not kept.

    Raises
    ------
    BadSpec
        The column is mutable or personal.
    """
    stated = table(source.table).column(column)
    if stated.mutable and column not in source.first:
        raise BadSpec(f"{source.table}.{column} is overwritten; read it as an attribute or as it `first` stood")
    if stated.personal:
        raise BadSpec(f"{source.table}.{column} is personal and never becomes a feature")
