"""Files stay short enough to be read at one sitting, functions short enough to be seen at once."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("crm", "features", "models", "planning", "serving")
MOST_LINES = 350
MOST_LINES_OF_FUNCTION = 50
# name -> why it may be longer
LONGER: dict[str, str] = {}


def test_no_file_outgrows_its_room() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): count
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert {name: count for name, count in long.items() if name not in LONGER} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    name = f"{path.relative_to(ROOT).as_posix()}:{node.name}"
                    body = node.body[1:] if ast.get_docstring(node) else node.body
                    length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 1
                    # A migration is one list of operations, written once and never changed.
                    is_migration = path.parent.name == "versions"
                    if length > MOST_LINES_OF_FUNCTION and not is_migration and name not in LONGER:
                        long[name] = length
    assert long == {}
