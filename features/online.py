"""The array form: the features of one entity at one moment, from its own rows, in plain Python.

Same definitions and same values as the SQL of `features.compile`: counts, days and texts are equal, floats agree
to 1e-9 relative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from crm.schema import Column, DType, Table
from crm.tables import table
from features.asof import DAY_SECONDS, Moment, Row, age_seconds, cell_as_known, column_of, moment_of, row_is_visible
from features.calendar import calendar_value
from features.catalogue import group_named
from features.rollback import attribute_value, known_value
from features.spec import (
    Aggregate,
    Attribute,
    Calendar,
    Condition,
    Count,
    DaysSince,
    DaysUntil,
    Distinct,
    Feature,
    FeatureGroup,
    Last,
    Max,
    Mean,
    Measure,
    Min,
    Primitive,
    Ratio,
    Rhythm,
    Source,
    Sum,
    Trend,
)

_ENDLESS = 2**62

Value = float | str | None
Rows = Sequence[Row]
Events = Mapping[str, Rows]
_Computed = Callable[["_Visible", Moment], Value]


def compute_features(
    groups: Sequence[str | FeatureGroup], record: Row, events: Events, as_of: datetime, *, zone: ZoneInfo
) -> dict[str, Value]:
    """The features of one entity at one moment, by field name.

    Parameters
    ----------
    groups : sequence of str or FeatureGroup
        Groups of one entity, by name in `features.catalogue` or as they are.
    record : mapping
        The entity's own columns as the record holds them: timestamps as datetime, days as date, money in
        hundredths. What it does not hold is unknown.
    events : mapping of str to sequence of mapping
        Rows that belong to the entity, by `Source.name`; `changes` holds the changes of the entity and of the
        rows it is joined to, and a joined row stands under its table's name. A name that is missing makes its
        features unknown; an empty sequence says that there was nothing. Rows that are not visible at `as_of`
        may be among them.
    as_of : datetime
        The moment, with a time zone or naive UTC.
    zone : ZoneInfo
        Where the company's days begin.

    Returns
    -------
    dict of str to float, str or None
        One entry per field of the groups; None is unknown.
    """
    moment = moment_of(as_of, zone)
    found: dict[str, Value] = {}
    for group in groups:
        stated = group_named(group) if isinstance(group, str) else group
        plan = _plan(stated)
        for name, attribute in plan.attributes:
            found[name] = _attribute(stated, attribute, record, events, moment)
        for name, calendar in plan.calendar:
            found[name] = calendar_value(calendar, moment.on)
        for source, features in plan.sources:
            found.update(_from_source(stated, source, features, record, events, moment))
    return found


class _Plan:
    """The features of a group sorted by how they are computed."""

    def __init__(self, group: FeatureGroup) -> None:
        self.attributes: list[tuple[str, Attribute]] = []
        self.calendar: list[tuple[str, Calendar]] = []
        by_source: dict[Source, list[tuple[Feature, _Computed]]] = {}
        for feature in group.features:
            primitive = feature.primitive
            if isinstance(primitive, Attribute):
                self.attributes.append((feature.field.name, primitive))
            elif isinstance(primitive, Calendar):
                self.calendar.append((feature.field.name, primitive))
            else:
                by_source.setdefault(source_of(primitive), []).append((feature, _computed(primitive)))
        self.sources = list(by_source.items())


# By identity: hashing a group means hashing every feature in it, for each request anew.
_PLANS: dict[int, tuple[FeatureGroup, _Plan]] = {}
_MOST_PLANS = 256


def _plan(group: FeatureGroup) -> _Plan:
    held = _PLANS.get(id(group))
    if held is None or held[0] is not group:
        if len(_PLANS) >= _MOST_PLANS:
            _PLANS.clear()
        held = _PLANS[id(group)] = group, _Plan(group)
    return held[1]


def source_of(primitive: Primitive) -> Source:
    """The source of a primitive over rows."""
    primitive = primitive.upper if isinstance(primitive, Ratio) else primitive
    assert isinstance(primitive, Aggregate)
    return primitive.source


def _attribute(group: FeatureGroup, attribute: Attribute, record: Row, events: Events, moment: Moment) -> Value:
    row: Row | None = record
    if attribute.reach:
        key = known_value(group.entity, attribute.reach, record, events, moment)
        stated = table(attribute.table)
        joined = (row for row in events.get(attribute.table, ()) if row.get(stated.key[0], key) == key)
        row = None if key is None else next(joined, None)
    if row is None:
        return None
    return attribute_value(attribute, row, events, moment)


def _from_source(
    group: FeatureGroup,
    source: Source,
    features: Sequence[tuple[Feature, _Computed]],
    record: Row,
    events: Events,
    moment: Moment,
) -> dict[str, Value]:
    rows = events.get(source.name)
    reached = not source.reach or known_value(group.entity, source.reach, record, events, moment) is not None
    if rows is None or not reached:
        return {feature.field.name: None for feature, _ in features}
    stated = table(source.table)
    visible = _Visible(
        row
        for row in rows
        if row_is_visible(stated, row, moment) and all(_holds(c, row.get(c.column)) for c in source.where)
    )
    return {feature.field.name: computed(visible, moment) for feature, computed in features}


class _Visible(list[Row]):
    """The visible rows of a source; the ages of each of its clocks are worked out once for all features."""

    def __init__(self, rows: Iterable[Row]) -> None:
        super().__init__(rows)
        self._aged: dict[str, list[tuple[int, Row]]] = {}

    def aged(self, column: Column, moment: Moment) -> list[tuple[int, Row]]:
        """Rows whose moment is known, each with its age in seconds."""
        found = self._aged.get(column.name)
        if found is None:
            cells = ((cell_as_known(column, row, moment), row) for row in self)
            found = [(age_seconds(cast("date", cell), moment), row) for cell, row in cells if cell is not None]
            self._aged[column.name] = found
        return found


def _holds(condition: Condition, value: object) -> bool:
    if condition.op == "in":
        return value in condition.values
    if condition.op in {"known", "unknown"}:
        return (value is not None) == (condition.op == "known")
    return (value is not None and cast("float", value) < 0) == (condition.op == "negative")


def _computed(primitive: Aggregate | Ratio) -> _Computed:
    if isinstance(primitive, Ratio):
        upper, lower = _computed(primitive.upper), _computed(primitive.lower)

        def ratio(rows: _Visible, moment: Moment) -> Value:
            top, bottom = cast("float | None", upper(rows, moment)), cast("float | None", lower(rows, moment))
            if top is None or bottom is None or bottom + primitive.pseudo == 0:
                return None
            return (top + primitive.pseudo * primitive.prior) / (bottom + primitive.pseudo)

        return ratio
    if isinstance(primitive, Trend):
        return _trend(primitive)
    if isinstance(primitive, Measure):
        return _measure(primitive)
    if isinstance(primitive, DaysSince):
        return _days_since(primitive)
    if isinstance(primitive, DaysUntil):
        return _days_until(primitive)
    if isinstance(primitive, Rhythm):
        return _rhythm(primitive)
    if isinstance(primitive, Count):
        return lambda rows, moment: float(len(_chosen(primitive, rows, moment)))
    raise TypeError(f"no array form is known for {type(primitive).__name__}")


def _chosen(
    primitive: Aggregate, rows: _Visible, moment: Moment, nearest: int = 0, furthest: int | None = None
) -> list[tuple[int, Row]]:
    """The rows inside the window for which the conditions hold, each with its age in seconds."""
    name = primitive.source.table
    days = primitive.days if furthest is None else furthest
    low, limit = nearest * DAY_SECONDS, _ENDLESS if days is None else days * DAY_SECONDS
    chosen = [pair for pair in rows.aged(column_of(name, primitive.moment), moment) if low <= pair[0] < limit]
    for condition in primitive.where:
        held = column_of(name, condition.column)
        chosen = [pair for pair in chosen if _holds(condition, cell_as_known(held, pair[1], moment))]
    return chosen


def _trend(primitive: Trend) -> _Computed:
    days = cast("int", primitive.days)

    def trend(rows: _Visible, moment: Moment) -> Value:
        recent = len(_chosen(primitive, rows, moment))
        before = len(_chosen(primitive, rows, moment, days, 2 * days))
        return None if recent + before == 0 else (recent - before) / (recent + before)

    return trend


def _days_since(primitive: DaysSince) -> _Computed:
    dtype = column_of(primitive.source.table, primitive.moment).dtype
    shift = DAY_SECONDS if dtype is DType.DATE else 0
    nearest = min if primitive.which == "last" else max

    def days_since(rows: _Visible, moment: Moment) -> Value:
        ages = [age for age, _ in _chosen(primitive, rows, moment)]
        return (nearest(ages) + shift) / DAY_SECONDS if ages else None

    return days_since


def _days_until(primitive: DaysUntil) -> _Computed:
    clock = column_of(primitive.source.table, primitive.moment)
    shift = DAY_SECONDS if clock.dtype is DType.DATE else 0

    def days_until(rows: _Visible, moment: Moment) -> Value:
        held = rows.aged(clock, moment)
        for condition in primitive.where:
            column = column_of(primitive.source.table, condition.column)
            held = [pair for pair in held if _holds(condition, cell_as_known(column, pair[1], moment))]
        return -(min(age for age, _ in held) + shift) / DAY_SECONDS if held else None

    return days_until


def _rhythm(primitive: Rhythm) -> _Computed:
    dtype = column_of(primitive.source.table, primitive.moment).dtype
    shift = DAY_SECONDS if dtype is DType.DATE else 0

    def rhythm(rows: _Visible, moment: Moment) -> Value:
        ages = [age for age, _ in _chosen(primitive, rows, moment)]
        n_days = len({age // DAY_SECONDS for age in ages})
        if primitive.what == "days":
            return float(n_days)
        if not ages:
            return None
        gap = ((max(ages) - min(ages)) / DAY_SECONDS + primitive.usual_days) / n_days
        if primitive.what == "gap":
            return gap
        return (min(ages) + shift) / DAY_SECONDS / gap if gap else None

    return rhythm


def _measure(primitive: Measure) -> _Computed:
    stated = table(primitive.source.table)
    column = stated.column(primitive.column)
    clock = column_of(stated.name, primitive.moment)
    scale = 100.0 if column.dtype is DType.MONEY else 1.0

    def measure(rows: _Visible, moment: Moment) -> Value:
        held = [
            (row, value)
            for _, row in _chosen(primitive, rows, moment)
            if (value := cell_as_known(column, row, moment)) is not None
        ]
        if isinstance(primitive, Distinct):
            return float(len({value for _, value in held}))
        if not held:
            return None
        if isinstance(primitive, Last):
            latest = max(held, key=lambda pair: _order(stated, clock, pair[0], moment))[1]
            return latest if isinstance(latest, str) else float(cast("float", latest)) / scale
        numbers = [cast("float", value) for _, value in held]
        return _folded(primitive, numbers) / scale

    return measure


def _order(stated: Table, clock: Column, row: Row, moment: Moment) -> tuple[Any, ...]:
    """By which the latest row is found: its moment, and among equal moments its key."""
    return (cell_as_known(clock, row, moment), *(row.get(name, "") for name in stated.key))


def _folded(primitive: Measure, numbers: Sequence[float]) -> float:
    match primitive:
        case Sum():
            return float(sum(numbers))
        case Mean():
            return sum(numbers) / len(numbers)
        case Min():
            return float(min(numbers))
        case Max():
            return float(max(numbers))
    raise TypeError(f"no array form is known for {type(primitive).__name__}")
