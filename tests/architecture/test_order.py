"""The same inputs give the same draws in every process: no loop goes through a set, whose order changes with it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("features", "models", "planning")


def is_set(node: ast.expr) -> bool:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
    return is_call or isinstance(node, ast.Set | ast.SetComp)


def loops_over_sets(source: str) -> list[int]:
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.For) and is_set(node.iter)]


def test_no_loop_goes_through_a_set() -> None:
    faults = {
        path.relative_to(ROOT).as_posix(): lines
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (lines := loops_over_sets(path.read_text(encoding="utf-8")))
    }
    assert faults == {}


def test_a_loop_over_a_set_is_found() -> None:
    assert loops_over_sets("for x in set(y):\n    z(x)\nfor x in sorted(set(y)):\n    z(x)") == [1]
