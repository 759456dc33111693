"""What a public docstring documents exists: parameters of a function, fields of a dataclass."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("crm", "features", "models", "planning", "serving")
SECTION = re.compile(r"^(Parameters|Attributes)\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", flags=re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^(\w[\w, *]*?)(?: *: .*)?$", flags=re.MULTILINE)

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def documented(node: Documented) -> list[str]:
    """Names in the sections Parameters and Attributes of a docstring, in their order."""
    sections = SECTION.findall(ast.get_docstring(node) or "")
    return [
        name.strip(" *") for _, body in sections for entry in ENTRY.findall(body) for name in entry.split(",") if name
    ]


def present(node: Documented) -> set[str]:
    """Names that a function takes, or a class: its fields, and what its `__init__` takes."""
    if not isinstance(node, ast.ClassDef):
        given = node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        return {one.arg for one in every if one is not None}
    fields = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)}
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
    names = {one.name for one in methods}
    return fields | names | {name for one in methods if one.name == "__init__" for name in present(one)}


def faults(text: str, name: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Documented) and (unknown := set(documented(node)) - present(node)):
            yield f"{name}: {node.name} documents {', '.join(sorted(unknown))}"


def test_what_docstrings_document_exists() -> None:
    found = [
        fault
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for fault in faults(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    ]
    assert found == []


def test_the_search_sees_a_parameter_that_is_gone() -> None:
    text = '''
def read(path: str) -> int:
    """Rows.

    Parameters
    ----------
    path, gone : str
        Where.

    Returns
    -------
    int
        How many.
    """
'''
    assert list(faults(text, "a.py")) == ["a.py: read documents gone"]
