"""`docs/features.md`, written from the catalogue."""

from __future__ import annotations

from features.catalogue import GROUPS
from features.line_fields import LINE_FIELDS
from features.spec import (
    AgeDays,
    Aggregate,
    Attribute,
    Calendar,
    DaysInState,
    Drift,
    Feature,
    FeatureGroup,
    Measure,
    Primitive,
    Ratio,
    Rhythm,
)

_HEAD = """# Features

<!-- written by `make docs`; change the code instead -->

A feature looks at what was known at a moment, `as_of`, and at nothing else. Timestamps count from their very
moment, days from the day after, and no row before it was recorded. `null` says what an empty value means. Custom
columns of the company become features by themselves, under the name their source gave them (group `custom`).
"""


def render_features() -> str:
    """`docs/features.md`: one section per group, one row per feature."""
    return "\n".join([_HEAD, *(_section(group) for group in GROUPS.values()), _lines()])


def _lines() -> str:
    """The fields of an account and a product line together."""
    rows = [
        f"| `{field.name}` | {field.kind.value} | {field.unit or '-'} | {field.phrase_en} / {field.phrase_zh} | "
        f"{field.null_meaning} | {field.group} |"
        for field in LINE_FIELDS
    ]
    text = (
        "What is known of an account and a product line together. Others are seen in the window before the moment; "
        "the account itself is left out of them."
    )
    head = "| feature | kind | unit | what | null | group |\n|---|---|---|---|---|---|"
    return "\n".join(["## `account_and_line` (accounts x product lines)\n", f"{text}\n", head, *rows, ""])


def _section(group: FeatureGroup) -> str:
    rows = [_row(feature) for feature in group.features]
    head = "| feature | kind | unit | what | how | null | group |\n|---|---|---|---|---|---|---|"
    return "\n".join([f"## `{group.name}` ({group.entity})\n", f"{group.doc}\n", head, *rows, ""])


def _row(feature: Feature) -> str:
    field = feature.field
    cells = (
        f"`{field.name}`",
        field.kind.value,
        field.unit or "-",
        f"{field.phrase_en} / {field.phrase_zh}",
        describe(feature.primitive),
        field.null_meaning,
        field.group,
    )
    return f"| {' | '.join(cells)} |"


def describe(primitive: Primitive) -> str:
    """How a feature is made, in one phrase.

    Examples
    --------
    >>> describe(Attribute(column="region", table="leads"))
    'leads.region as known'
    """
    if isinstance(primitive, Calendar):
        return "calendar of the local day"
    if isinstance(primitive, Ratio):
        return f"{describe(primitive.upper)} / {describe(primitive.lower)}"
    if isinstance(primitive, Attribute):
        through = f" through {primitive.reach}" if primitive.reach else ""
        place = f"{primitive.table}.{primitive.column}{through}"
        if isinstance(primitive, AgeDays):
            return f"days since {place}"
        if isinstance(primitive, Drift):
            return f"how far {place} is from what it first said"
        return f"days since {place} last changed" if isinstance(primitive, DaysInState) else f"{place} as known"
    return _aggregate(primitive)


def _aggregate(primitive: Aggregate) -> str:
    source = primitive.source
    column = f" of {primitive.column}" if isinstance(primitive, Measure) else ""
    through = f" through {source.reach}" if source.reach else ""
    tests = [_condition(condition.column, condition.op, condition.values) for condition in primitive.where]
    where = f" where {' and '.join(tests)}" if tests else ""
    window = f", {primitive.days} days" if primitive.days is not None else ""
    if isinstance(primitive, Rhythm):
        column = {"days": " (days with rows)", "gap": " (mean gap)", "overdue": " (time since over mean gap)"}[
            primitive.what
        ]
        column += f", shrunk to {primitive.usual_days:g} days" if primitive.usual_days else ""
    return f"{type(primitive).__name__.lower()}{column} over {source.table}{through}{where}{window}"


def _condition(column: str, op: str, values: tuple[str, ...]) -> str:
    return f"{column} in ({', '.join(values)})" if op == "in" else f"{column} {op.replace('_', ' ')}"
