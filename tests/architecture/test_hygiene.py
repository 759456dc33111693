"""Nothing that belongs to one machine, one index or one person is committed."""

import sys
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).parents[2]


def test_no_tracked_file_holds_a_machine_path_an_index_address_or_a_key() -> None:
    listed = run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    names = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    assert len(names) > 20
    ended = run([sys.executable, ".ci/hygiene.py", *names], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_hygiene_finds_what_it_looks_for(tmp_path: Path) -> None:
    # Written in pieces, so that this very file passes.
    (tmp_path / "a.txt").write_text("see /wo" + "rk/main/x\n")
    (tmp_path / "b.txt").write_text("index https://py" + "pi.org/simple\n")
    (tmp_path / "c.txt").write_text("-----BEGIN RSA PRIVATE " + "KEY-----\n")
    (tmp_path / "d.txt").write_text("no end")
    (tmp_path / "e.ipynb").write_text('{"cells": [{"cell_type": "code", "outputs": [1], "execution_count": 1}]}\n')
    ended = run([sys.executable, ROOT / ".ci/hygiene.py", *sorted(tmp_path.iterdir())], capture_output=True, text=True)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 5
