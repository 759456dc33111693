"""Names that would let one module stand for another, or say nothing."""

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("crm", "features", "models", "planning", "serving")
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager", "processor"}


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_module_is_named_like_a_package() -> None:
    names = {*PACKAGES, "tests", "mlflow", "fastapi", "duckdb", "pandas", "numpy"}
    clashing = [
        path.relative_to(ROOT).as_posix()
        for path in modules()
        # crm/readers/duckdb.py style names are packages' inner modules and reached by their full name only.
        if path.parent.parent == ROOT and path.stem in names
    ]
    assert clashing == []


def test_tests_hold_no_init_files() -> None:
    assert [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_nobody_else_provides_our_packages() -> None:
    provided = packages_distributions()
    strangers = {
        package: [name for name in provided.get(package, []) if name != "salescast"]
        for package in PACKAGES
        if set(provided.get(package, [])) - {"salescast"}
    }
    assert strangers == {}


def test_no_module_or_class_has_an_empty_name() -> None:
    faults = [path.relative_to(ROOT).as_posix() for path in modules() if path.stem.lower() in EMPTY_WORDS]
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Processor|Helper|Utils?)$", node.name):
                faults.append(f"{path.relative_to(ROOT).as_posix()}: class {node.name}")
    assert faults == []


def test_package_inits_hold_a_docstring_and_no_imports() -> None:
    faults = []
    for path in modules():
        if path.name != "__init__.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if ast.get_docstring(tree) is None or len(tree.body) > 1:
            faults.append(path.relative_to(ROOT).as_posix())
    assert faults == []


def test_every_test_name_is_a_sentence() -> None:
    faults = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name.count("_") < 2:
                faults.append(f"{path.relative_to(ROOT).as_posix()}: {node.name}")
    assert faults == []


def test_tests_stand_where_the_floor_they_test_stands() -> None:
    rooms = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    own = {"architecture", "acceptance"}
    strange = [room.as_posix() for room in rooms if room.parts[0] not in own and not (ROOT / room).is_dir()]
    assert strange == []
