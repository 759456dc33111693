"""Doors and feature code open without loading what they may never need."""

import sys
from pathlib import Path
from subprocess import run

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("mlflow", "sklearn", "pandas", "lightgbm", "scipy")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("serving.cli", (*HEAVY, "fastapi", "sqlalchemy", "duckdb", "pyarrow", "numpy")),
        ("features.build", HEAVY),
        ("features.online", HEAVY),
        ("crm.tables", (*HEAVY, "duckdb", "fastapi")),
        ("crm.ingest", ("mlflow", "sklearn", "lightgbm", "fastapi")),
    ],
)
def test_module_loads_without_what_it_does_not_need(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[name for name in {heavy!r} if name in sys.modules])"
    ended = run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    if "No module named" in ended.stderr and module in ended.stderr:
        pytest.skip(f"{module} is not built yet")
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.split() == []
