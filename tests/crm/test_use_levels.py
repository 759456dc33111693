"""Use is compared with all others and with its own usual so that each row tells only what was known when it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm.engine import DuckDBEngine
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.settlements import can_be_derived, register_derived
from crm.tables import table
from crm.use_levels import OWN_DRAWN_BY, PEERS_DRAWN_BY, derive_use_levels

ZONE = ZoneInfo("Asia/Shanghai")
START = date(2025, 1, 5)
Row = dict[str, object]


def use(account: str, week: int, people: int | None, *, seats: int | None = 40, known_late: int = 0) -> Row:
    day = START + timedelta(weeks=week)
    return {
        "account_id": account,
        "used_on": day,
        "active_users": people,
        "licensed_seats": seats,
        "recorded_at": datetime(day.year, day.month, day.day, 18, tzinfo=UTC) + timedelta(days=known_late),
    }


def derived(*rows: Row) -> dict[tuple[str, int], Row]:
    columns = (*table("usage").columns, *SYSTEM_COLUMNS)
    schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
    with DuckDBEngine({}, threads=1) as engine:
        engine.register("usage", pa.Table.from_pylist(list(rows), schema))
        found = derive_use_levels(engine, ("usage",), ZONE)["use_levels"].to_pylist()
    return {(str(row["account_id"]), (row["used_on"] - START).days // 7): row for row in found}


def season(n_weeks: int, *, quiet: int, falls: int | None = None) -> list[Row]:
    """Twelve customers who use half of their seats, a quarter in one week; `c0` falls to a quarter for good."""
    return [
        use(f"c{n}", week, 10 if week == quiet or (n == 0 and falls is not None and week >= falls) else 20)
        for week in range(n_weeks)
        for n in range(12)
    ]


def number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, float)
    return value


def test_what_is_expected_is_what_the_others_used_that_day_drawn_to_what_they_use_at_all() -> None:
    found = derived(use("a", 0, 10), use("b", 0, 30), use("a", 1, 12), use("b", 1, 8, seats=80))
    level = (30 + 8 + 1) / (40 + 80 + 2)
    expected = 40 * (8 + PEERS_DRAWN_BY * level) / (80 + PEERS_DRAWN_BY)
    row = found["a", 1]
    assert row["expected_of_all"] == pytest.approx(expected)
    assert row["share_of_all"] == pytest.approx(12 / expected)
    # Nothing of its own is a year old: it is expected to be like all others.
    assert row["expected_of_own"] == pytest.approx(expected)


def test_a_week_in_which_everybody_uses_less_speaks_for_no_fall() -> None:
    found = derived(*season(40, quiet=30))
    row = found["c0", 30]
    assert row["share_of_all"] == pytest.approx(1.0, abs=0.05)
    assert (row["level"], row["fall_evidence"]) == ("usual", 0.0)


def test_a_customer_who_alone_uses_less_is_low_and_the_evidence_grows() -> None:
    found = derived(*season(40, quiet=10, falls=34))
    own = [found["c0", week] for week in range(33, 40)]
    evidence = [number(row, "fall_evidence") for row in own]
    assert evidence[0] == 0.0
    assert evidence == sorted(evidence)
    assert evidence[-1] > 5.0
    assert number(own[-1], "active_users") < 0.6 * number(own[-1], "expected_of_own")
    assert found["c1", 39]["fall_evidence"] == 0.0


def test_its_own_usual_is_that_of_the_year_that_ended_a_quarter_ago() -> None:
    found = derived(*(use(name, week, people) for week in range(20) for name, people in (("a", 10), ("b", 30))))
    first, last = found["a", 0], found["a", 19]
    assert first["expected_of_own"] == pytest.approx(number(first, "expected_of_all"))
    known = [found["a", week] for week in range(7)]
    usual = (70 + OWN_DRAWN_BY) / (sum(number(row, "expected_of_all") for row in known) + OWN_DRAWN_BY)
    assert last["expected_of_own"] == pytest.approx(number(last, "expected_of_all") * usual)


def test_use_that_was_known_late_moves_nothing_that_was_known_before() -> None:
    plain = derived(*season(30, quiet=10))
    late = [use("late", week, 40, known_late=365) for week in range(30)]
    own = [use("c0", 30, 0, known_late=1), use("c0", 31, 40)]
    found = derived(*season(30, quiet=10), *late, *own)
    assert {key: found[key] for key in plain} == plain


def test_without_seats_the_size_is_the_most_people_seen_by_then_and_without_people_there_is_no_row() -> None:
    found = derived(
        use("a", 0, 10, seats=None), use("b", 0, 30), use("a", 1, 5, seats=0), use("b", 1, 30), use("a", 2, None)
    )
    assert ("a", 2) not in found
    first, second = found["a", 0], found["a", 1]
    assert number(second, "expected_of_all") == pytest.approx(number(first, "expected_of_all"), rel=0.05)


def test_a_record_without_use_has_no_levels() -> None:
    with DuckDBEngine({}, threads=1) as engine:
        assert derive_use_levels(engine, ("orders",), ZONE) == {}
        assert register_derived(engine, ("leads",), ("use_levels",), ZONE) == {"leads"}
    assert can_be_derived("use_levels", ["usage"])
    assert not can_be_derived("use_levels", ["orders"])
