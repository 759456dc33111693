"""Who sees whom: the organisation of a day, subtrees, people who moved, units that are gone."""

from __future__ import annotations

import ast
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crm.store import Generation, Store
from serving.access import Organisation, read_organisation, visible_reps
from serving.roles import Principal, Role, Sees

ROOT = Path(__file__).parents[2]
DAY = date(2026, 3, 1)


def principal(sees: Sees, *, unit_id: str | None = None, rep_id: str | None = None) -> Principal:
    return Principal(
        user_id="u", login="u", role=Role.SERVICE, scopes=frozenset(), sees=sees, unit_id=unit_id, rep_id=rep_id
    )


@pytest.fixture
def generation(tmp_path: Path, make) -> Generation:
    early = make.naive(datetime(2020, 1, 1, tzinfo=UTC))

    def unit(name: str, parent: str | None, begins: date, ends: date | None = None) -> dict[str, object]:
        return {
            "unit_id": name,
            "parent_id": parent,
            "valid_from": begins,
            "valid_to": ends,
            "kind": "team",
            "recorded_at": early,
        }

    units = [
        unit("c", None, date(2020, 1, 1)),
        unit("east", "c", date(2020, 1, 1)),
        unit("west", "c", date(2020, 1, 1)),
        unit("t1", "east", date(2020, 1, 1), date(2026, 1, 31)),
        unit("t1", "west", date(2026, 2, 1)),
        unit("t2", "east", date(2020, 1, 1)),
        unit("gone", "east", date(2020, 1, 1), date(2025, 12, 31)),
        unit("soon", "east", date(2026, 7, 1)),
    ]
    reps = [
        {"rep_id": rep, "team_id": team, "hired_on": date(2020, 1, 1), "recorded_at": early}
        for rep, team in {"A": "t1", "B": "t2", "C": "gone", "D": "soon", "E": None, "F": "west"}.items()
    ]
    store = Store(tmp_path)
    with store.writing() as writer:
        writer.replace("org_units", make.rows_of("org_units", units))
        writer.replace("reps", make.rows_of("reps", reps))
    return store.current()


@pytest.mark.parametrize(
    ("day", "unit_id", "expected"),
    [
        (date(2026, 1, 31), "east", {"A", "B"}),
        (date(2026, 2, 1), "east", {"B"}),
        (date(2026, 2, 1), "west", {"A", "F"}),
        (date(2025, 12, 31), "east", {"A", "B", "C"}),
        (date(2026, 7, 1), "east", {"B", "D"}),
        (DAY, "c", {"A", "B", "F"}),
        (DAY, "t2", {"B"}),
        (DAY, "gone", set()),
        (DAY, "nowhere", set()),
    ],
)
def test_a_manager_sees_the_units_below_as_they_stand_on_the_day(
    generation: Generation, day: date, unit_id: str, expected: set[str]
) -> None:
    seen = visible_reps(principal(Sees.UNIT, unit_id=unit_id), read_organisation(generation, day))
    assert seen.rep_ids == expected
    assert not seen.everyone


def test_a_director_sees_everyone_and_rows_without_owner(generation: Generation) -> None:
    seen = visible_reps(principal(Sees.ALL), read_organisation(generation, DAY))
    assert seen.may_see(None)
    assert seen.may_see("C")


def test_a_rep_sees_own_rows_and_none_without_owner(generation: Generation) -> None:
    seen = visible_reps(principal(Sees.REP, rep_id="A"), read_organisation(generation, DAY))
    assert seen.may_see("A")
    assert not seen.may_see("B")
    assert not seen.may_see(None)


@pytest.mark.parametrize("sees", [Sees.NONE, Sees.UNIT, Sees.REP])
def test_a_principal_without_a_place_sees_nothing(generation: Generation, sees: Sees) -> None:
    seen = visible_reps(principal(sees), read_organisation(generation, DAY))
    assert not any(seen.may_see(rep) for rep in ("A", "B", "C", "D", "E", "F", None))


def test_units_that_stand_in_a_circle_are_walked_once() -> None:
    circle = Organisation(day=DAY, parents={"a": "b", "b": "a"}, teams={"A": "a", "B": "b"})
    assert circle.units_below("a") == {"a", "b"}


def test_owners_are_compared_in_one_place_alone() -> None:
    """Whoever asks for what an entity's owner is goes through `may_see`; nobody compares owners by hand."""
    for path in sorted((ROOT / "serving").rglob("*.py")):
        if path.name in {"access.py", "keys.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                named = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
                assert not named & {"rep_ids", "everyone"}, f"{path.name}:{node.lineno}"
