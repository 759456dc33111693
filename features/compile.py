"""Feature specs as SQL that runs unchanged on DuckDB and Spark.

Rules of the common subset, kept by a test on every compiled text:

* time differences are differences of `unix_timestamp` (whole seconds), cast to DOUBLE before they are divided;
* both sides of a division are DOUBLE, and a divisor that can be 0 stands in NULLIF;
* sums of whole numbers are CAST to BIGINT; money becomes DOUBLE in major units only at the end;
* the last value is MAX_BY(value, (moment, key)), so that ties are settled alike;
* conditions of an aggregate stand in FILTER; no ASOF JOIN, no datediff, no extract(dow), no quantile_cont,
  no float to integer cast, no QUALIFY, no EXCLUDE, no list or struct beyond the tie-breaking pair.

The spine is the table `spine`: `n` (row number), one `key_<reach>` per way of reaching rows, `as_of`, `as_of_on`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crm.engine import quote_name, quote_text
from crm.schema import KEY_SEPARATOR, Column, DType, Table
from crm.tables import table
from features.asof import DAY_SECONDS, age_sql, column_of, known_sql, visible_sql
from features.spec import (
    Aggregate,
    Condition,
    Count,
    DaysSince,
    DaysUntil,
    Distinct,
    Feature,
    Last,
    Max,
    Mean,
    Measure,
    Min,
    Ratio,
    Rhythm,
    Source,
    Sum,
    Trend,
)

SPINE = "spine"
_STORED = {
    DType.INTEGER: "BIGINT",
    DType.MONEY: "BIGINT",
    DType.NUMBER: "DOUBLE",
    DType.FLAG: "BOOLEAN",
    DType.DATE: "DATE",
    DType.TIMESTAMP: "TIMESTAMP",
}
_WHOLE = frozenset({DType.INTEGER, DType.MONEY, DType.FLAG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One SQL text over the spine: columns `n` and one per name, a row for every row of the spine."""

    sql: str
    names: tuple[str, ...]
    tables: tuple[str, ...]


def key_name(reach: str) -> str:
    """The spine's column of a way of reaching rows; empty `reach` is the entity itself."""
    return f"key_{reach or 'entity'}"


def compile_source(source: Source, features: Sequence[Feature], *, with_changes: bool = True) -> Query:
    """The SQL of all features over one source."""
    used = _Used()
    columns = [f"{_value(used, feature)} AS {quote_name(feature.field.name)}" for feature in features]
    stated = table(source.table)
    spine_key = key_name(source.reach)
    furthest = _furthest(stated, features)
    probe, bucket, near = _probes(stated, furthest)
    sql = f"""
WITH q AS (SELECT DISTINCT {spine_key} AS k, as_of, as_of_on FROM {SPINE} WHERE {spine_key} IS NOT NULL),
p AS ({probe}),
e AS (SELECT e.*{bucket} FROM ({keyed_rows_sql(source, with_changes=with_changes)}) AS e),
v AS (SELECT p.k, p.as_of{used.selected(stated.name)} FROM p JOIN e ON e.k = p.k{near} WHERE {visible_sql(stated)}),
a AS (SELECT v.k, v.as_of, {", ".join(columns)} FROM v GROUP BY v.k, v.as_of)
SELECT s.n, {", ".join(_outer(feature, spine_key) for feature in features)}
FROM {SPINE} AS s LEFT JOIN a ON a.k = s.{spine_key} AND a.as_of = s.as_of ORDER BY s.n"""
    return Query(sql=sql, names=tuple(feature.field.name for feature in features), tables=(source.table,))


def _furthest(stated: Table, features: Sequence[Feature]) -> int | None:
    """How many days back all features look by the table's clock; None when one looks further or by another column."""
    windows = [window for feature in features for window in _reaches(feature)]
    if any(days is None or at != stated.clock for days, at in windows):
        return None
    return max(int(days or 0) for days, _ in windows)


def _probes(stated: Table, furthest: int | None) -> tuple[str, str, str]:
    """The spine's side of the join, the rows' bucket and the join's second condition.

    Rows are put into buckets of time as long as the longest window: a window then lies in its own bucket and the
    one before, and the join does not pair every moment with a key's whole history.
    """
    if furthest is None or stated.clock is None:
        return "SELECT * FROM q", "", ""
    width = f"CAST({furthest * DAY_SECONDS} AS DOUBLE)"
    clock = stated.column(stated.clock)
    start = f"unix_timestamp(q.as_of_on) - {DAY_SECONDS}" if clock.dtype is DType.DATE else "unix_timestamp(q.as_of)"
    bucket = f"FLOOR(CAST({start} AS DOUBLE) / {width})"
    probe = f"SELECT q.*, {bucket} AS b FROM q UNION ALL SELECT q.*, {bucket} - 1 AS b FROM q"
    own = f", FLOOR(CAST(unix_timestamp(e.{quote_name(clock.name)}) AS DOUBLE) / {width}) AS b"
    return probe, own, " AND e.b = p.b"


def keyed_rows_sql(source: Source, *, with_changes: bool) -> str:
    """SQL of a source's rows with `k`, what they are reached by.

    A key that is overwritten is read as it was first, and so are the columns that the source says to.
    """
    stated = table(source.table)
    overwritten = {name for name in (source.key, *source.first) if stated.column(name).mutable}
    if not (overwritten and with_changes):
        name = f"e.{quote_name(source.key)}"
        conditions = [_condition(f"e.{quote_name(c.column)}", c) for c in source.where]
        where = " AND ".join([f"{name} IS NOT NULL", *conditions])
        return f"SELECT e.*, {name} AS k FROM {source.table} AS e WHERE {where}"
    places = {name: place for place, name in enumerate(sorted(overwritten))}
    firsts = ", ".join(
        "MIN_BY(COALESCE(c.old_value, ''), (c.recorded_at, c.occurred_at, c.change_id)) "
        f"FILTER (WHERE c.field = {quote_text(name)}) AS first_{place}"
        for name, place in places.items()
    )
    listed = ", ".join(quote_text(name) for name in places)
    first = (
        f"SELECT c.entity_id, {firsts} FROM changes AS c "
        f"WHERE c.entity = {quote_text(source.table)} AND c.field IN ({listed}) GROUP BY c.entity_id"
    )
    values = {name: _first_value(stated.column(name), place) for name, place in places.items()}
    key = values.get(source.key, f"e.{quote_name(source.key)}")
    conditions = [_condition(values.get(c.column, f"e.{quote_name(c.column)}"), c) for c in source.where]
    # Spark and DuckDB agree on no way to replace a column of a star, so that every one is named.
    replaced = {name: values[name] for name in source.first if name in values}
    named = (f"{replaced.get(c, f'e.{quote_name(c)}')} AS {quote_name(c)}" for c in (*stated.names, "recorded_at"))
    columns = ", ".join(named) if replaced else "e.*"
    entity = f" || {quote_text(KEY_SEPARATOR)} || ".join(f"CAST(e.{quote_name(name)} AS STRING)" for name in stated.key)
    return (
        f"SELECT {columns}, {key} AS k FROM {source.table} AS e LEFT JOIN ({first}) AS f "
        f"ON f.entity_id = {entity} WHERE {' AND '.join([f'{key} IS NOT NULL', *conditions])}"
    )


def _first_value(column: Column, place: int) -> str:
    """SQL of what a row said of a column before its first change."""
    text = f"NULLIF(f.first_{place}, '')"
    typed = text if column.dtype is DType.TEXT else f"TRY_CAST({text} AS {_STORED[column.dtype]})"
    return f"CASE WHEN f.first_{place} IS NOT NULL THEN {typed} ELSE e.{quote_name(column.name)} END"


class _Used:
    """Collects the values, moments and ages that the pair of spine row and event row must carry."""

    def __init__(self) -> None:
        self.values: dict[str, None] = {}
        self.ages: dict[str, None] = {}
        self.keys = False

    def value(self, column: str) -> str:
        self.values[column] = None
        return f"v.{quote_name(f'v_{column}')}"

    def age(self, column: str) -> str:
        self.ages[column] = None
        return f"v.{quote_name(f'age_{column}')}"

    def selected(self, table_name: str) -> str:
        stated = table(table_name)
        parts: list[str] = []
        for name in self.values:
            column = column_of(table_name, name)
            parts.append(f"{known_sql(stated, column)} AS {quote_name(f'v_{name}')}")
        for name in self.ages:
            column = column_of(table_name, name)
            parts.append(f"{age_sql(column, known_sql(stated, column))} AS {quote_name(f'age_{name}')}")
        parts += [f"e.{quote_name(name)} AS {quote_name(f'id_{name}')}" for name in stated.key if self.keys]
        return "".join(f", {part}" for part in parts)


def _reaches(feature: Feature) -> list[tuple[int | None, str]]:
    """How many days back the parts of a feature look, and by which column."""
    primitive = feature.primitive
    if isinstance(primitive, Ratio):
        return [(primitive.upper.days, primitive.upper.moment), (primitive.lower.days, primitive.lower.moment)]
    assert isinstance(primitive, Aggregate)
    if isinstance(primitive, Trend):
        assert primitive.days is not None
        return [(2 * primitive.days, primitive.moment)]
    return [(primitive.days, primitive.moment)]


def _value(used: _Used, feature: Feature) -> str:
    primitive = feature.primitive
    if isinstance(primitive, Ratio):
        upper, lower = _aggregate(used, primitive.upper), _aggregate(used, primitive.lower)
        above, below = f"CAST({upper} AS DOUBLE)", f"CAST({lower} AS DOUBLE)"
        if primitive.pseudo:
            above += f" + CAST({primitive.pseudo * primitive.prior} AS DOUBLE)"
            below += f" + CAST({primitive.pseudo} AS DOUBLE)"
        return f"({above}) / NULLIF({below}, CAST(0 AS DOUBLE))"
    assert isinstance(primitive, Aggregate)
    return _aggregate(used, primitive)


def _aggregate(used: _Used, primitive: Aggregate) -> str:
    age = used.age(primitive.moment)
    tests = [_condition(used.value(c.column), c) for c in primitive.where]
    shift = DAY_SECONDS if column_of(primitive.source.table, primitive.moment).dtype is DType.DATE else 0
    if isinstance(primitive, DaysUntil):
        ahead = f"CAST(0 - MIN({age}){_filter([f'{age} IS NOT NULL', *tests])} - {shift} AS DOUBLE)"
        return f"{ahead} / CAST({DAY_SECONDS} AS DOUBLE)"
    if isinstance(primitive, Trend):
        assert primitive.days is not None
        recent = _count([*_window(age, 0, primitive.days), *tests])
        before = _count([*_window(age, primitive.days, 2 * primitive.days), *tests])
        return (
            f"(CAST({recent} AS DOUBLE) - CAST({before} AS DOUBLE)) / "
            f"NULLIF(CAST({recent} AS DOUBLE) + CAST({before} AS DOUBLE), CAST(0 AS DOUBLE))"
        )
    tests = [*_window(age, 0, primitive.days), *tests]
    if isinstance(primitive, Count):
        return _count(tests)
    if isinstance(primitive, DaysSince):
        nearest = "MIN" if primitive.which == "last" else "MAX"
        return f"CAST({nearest}({age}){_filter(tests)} + {shift} AS DOUBLE) / CAST({DAY_SECONDS} AS DOUBLE)"
    if isinstance(primitive, Rhythm):
        return _rhythm(primitive, age, _filter(tests))
    assert isinstance(primitive, Measure)
    column = table(primitive.source.table).column(primitive.column)
    value = used.value(primitive.column)
    return _measure(used, primitive, column, value, tests)


def _rhythm(primitive: Rhythm, age: str, where: str) -> str:
    day = f"CAST({DAY_SECONDS} AS DOUBLE)"
    n_days = f"COUNT(DISTINCT FLOOR(CAST({age} AS DOUBLE) / {day})){where}"
    if primitive.what == "days":
        return n_days
    span = f"CAST(MAX({age}){where} - MIN({age}){where} AS DOUBLE) / {day}"
    usual = f"CAST({primitive.usual_days} AS DOUBLE)"
    gap = f"(({span} + {usual}) / NULLIF(CAST({n_days} AS DOUBLE), CAST(0 AS DOUBLE)))"
    if primitive.what == "gap":
        return gap
    shift = DAY_SECONDS if column_of(primitive.source.table, primitive.moment).dtype is DType.DATE else 0
    since = f"CAST(MIN({age}){where} + {shift} AS DOUBLE) / {day}"
    return f"{since} / NULLIF({gap}, CAST(0 AS DOUBLE))"


def _measure(used: _Used, primitive: Measure, column: Column, value: str, tests: list[str]) -> str:
    where = _filter(tests)
    match primitive:
        case Distinct():
            return f"COUNT(DISTINCT {value}){where}"
        case Last():
            used.keys = True
            moment = used.value(primitive.moment)
            stated = table(primitive.source.table)
            order = ", ".join([moment, *(f"v.{quote_name(f'id_{name}')}" for name in stated.key)])
            last = f"MAX_BY({value}, ({order})){_filter([*tests, f'{value} IS NOT NULL'])}"
            return last if column.dtype is DType.TEXT else to_number(column, last)
        case Sum() if column.dtype in _WHOLE:
            return to_number(column, f"CAST(SUM({value}){where} AS BIGINT)")
        case Sum():
            return f"SUM({value}){where}"
        case Mean():
            return to_number(column, f"AVG(CAST({value} AS DOUBLE)){where}")
        case Min():
            return to_number(column, f"MIN({value}){where}")
        case Max():
            return to_number(column, f"MAX({value}){where}")
    raise TypeError(f"no SQL is known for {type(primitive).__name__}")


def to_number(column: Column, value: str) -> str:
    """SQL of a stored number as DOUBLE, money in major units."""
    if column.dtype is DType.MONEY:
        return f"CAST({value} AS DOUBLE) / CAST(100 AS DOUBLE)"
    if column.dtype is DType.FLAG:
        return f"CAST(CAST({value} AS INT) AS DOUBLE)"
    return f"CAST({value} AS DOUBLE)"


def _window(age: str, nearest: int, furthest: int | None) -> list[str]:
    tests = [f"{age} >= {nearest * DAY_SECONDS}"]
    return tests if furthest is None else [*tests, f"{age} < {furthest * DAY_SECONDS}"]


def _count(tests: list[str]) -> str:
    return f"COUNT(*){_filter(tests)}"


def _filter(tests: Sequence[str]) -> str:
    return f" FILTER (WHERE {' AND '.join(tests)})"


def _condition(value: str, condition: Condition) -> str:
    if condition.op == "in":
        return f"{value} IN ({', '.join(quote_text(v) for v in condition.values)})"
    tests = {"known": "{} IS NOT NULL", "unknown": "{} IS NULL", "negative": "{} < 0"}
    return tests.get(condition.op, "COALESCE({} >= 0, TRUE)").format(value)


def _outer(feature: Feature, spine_key: str) -> str:
    """No visible row: counts are 0 when there is something to count by, everything else is null."""
    name = quote_name(feature.field.name)
    primitive = feature.primitive
    if isinstance(primitive, Count | Distinct) or (isinstance(primitive, Rhythm) and primitive.what == "days"):
        return f"CASE WHEN s.{spine_key} IS NOT NULL THEN CAST(COALESCE(a.{name}, 0) AS DOUBLE) END AS {name}"
    return f"a.{name} AS {name}"
