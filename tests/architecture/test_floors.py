"""The floors of the house are kept by import-linter."""

import sys
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).parents[2]


def test_every_import_contract_is_kept() -> None:
    ended = run([str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "Contracts: " in ended.stdout
