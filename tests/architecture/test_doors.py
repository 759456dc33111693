"""What linters of imports cannot see: where databases are opened and where history is read."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("crm", "features", "models", "planning", "serving")


def calls(package: str) -> list[tuple[str, str]]:
    """(file, called name) of every call in a package."""
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                found.append((path.relative_to(ROOT).as_posix(), name))
    return found


def test_databases_are_opened_in_crm_alone() -> None:
    openers = {"create_engine", "create_async_engine"}
    assert [call for package in PACKAGES[1:] for call in calls(package) if call[1] in openers] == []


def test_nothing_below_the_command_line_prints() -> None:
    printed = [call for package in PACKAGES for call in calls(package) if call[1] == "print"]
    assert [name for name, _ in printed if not name.startswith("serving/cli")] == []


def test_nothing_is_pickled() -> None:
    faults = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if {"pickle", "cloudpickle", "dill", "shelve", "marshal"} & set(names):
                    faults.append(path.relative_to(ROOT).as_posix())
    assert faults == []
