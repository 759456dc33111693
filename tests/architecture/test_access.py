"""Whose rows a caller sees is decided in one place, and whoever reads rows of entities asks it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVING = sorted((ROOT / "serving").rglob("*.py"))
PEOPLE = {"reps", "org_units"}
# What hands out rows of entities to whoever serves them.
READS = {"states", "existing", "rows_where"}
# function -> who asks instead
ASKED_BY = {
    "serving/account_records.py:complete": "reads what `_may_join` allowed, which its caller asked",
    "serving/history_inputs.py:_rows_named": "asks `_may_join` for each row it joins",
    "serving/invoice_records.py:complete": "joins what `_may_join` allowed, which its caller asked",
    "serving/scoring.py:_look_up": "gets no states but those of rows that may be seen, which `states` asked",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def called(node: ast.AST) -> set[str]:
    """Names that are called within a node, without what stands before the dot."""
    calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
    return {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in calls}


def unasked(text: str, name: str) -> Iterator[str]:
    """Functions that read rows of entities and never ask whether the caller may see them."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function) and called(node) & READS and "may_see" not in called(node):
            yield f"{name}:{node.name}"


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_whoever_reads_rows_of_entities_asks_who_may_see_them() -> None:
    found = {one for path in SERVING for one in unasked(path.read_text(encoding="utf-8"), named(path))}
    assert found == set(ASKED_BY)


def test_a_route_that_forgets_to_ask_is_found() -> None:
    text = "async def read(service, lead):\n    return service.record.states('leads', [lead], None)\n"
    assert list(unasked(text, "serving/routes/x.py")) == ["serving/routes/x.py:read"]


def test_the_organisation_is_read_by_the_choke_point_alone() -> None:
    readers = set()
    for path in SERVING:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value in PEOPLE for a in node.args):
                readers.add(named(path))
    assert readers == {"serving/access.py"}


@pytest.mark.parametrize(
    ("name", "rooms"),
    [
        ("visible_reps", {"serving/record_view.py"}),
        ("read_organisation", {"serving/record_view.py", "serving/demo_keys.py"}),
        ("VisibleReps", {"serving/access.py"}),
    ],
)
def test_visibility_is_made_in_one_place(name: str, rooms: set[str]) -> None:
    makers = {named(path) for path in SERVING if name in called(ast.parse(path.read_text(encoding="utf-8")))}
    assert makers == rooms


def test_routes_ask_the_record_no_questions_of_their_own() -> None:
    raw = {"query", "query_over", "read_as_of", "rows_where", "owners", "engine"}
    found = {
        named(path): sorted(raw & called(ast.parse(path.read_text(encoding="utf-8"))))
        for path in SERVING
        if path.parent.name == "routes"
    }
    assert {name: calls for name, calls in found.items() if calls} == {}
