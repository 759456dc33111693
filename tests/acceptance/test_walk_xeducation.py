"""The walk through the X Education file, run as the document has it, in an empty folder."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crm.mapping import parse_mapping, read_mapping

ROOT = Path(__file__).parents[2]
WALK = ROOT / "docs" / "walks" / "xeducation.md"


def blocks() -> list[str]:
    return re.findall(r"```bash\n(.*?)```", WALK.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_mapping_of_the_walk_is_that_of_the_examples() -> None:
    (shown,) = re.findall(r"mapping\.yaml <<'END'\n(.*?)END\n", WALK.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert parse_mapping(shown) == read_mapping(ROOT / "examples" / "mappings" / "xeducation_leads.yaml")


@pytest.mark.slow
def test_the_walk_leads_from_the_file_to_an_answer(shared_data: Path, tmp_path: Path) -> None:
    data = shared_data / "xeducation_leads"
    commands = tmp_path / "bin"
    commands.mkdir()
    command = commands / "salescast"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m serving.cli "$@"\n')
    command.chmod(0o755)
    folder = tmp_path / "empty"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "DATA": str(data), "PORT": str(port)}
    script = "set -eu\n" + "\n".join(blocks())
    ended = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    report = json.loads((folder / "report.json").read_text())
    assert "Tags" in {one["column"] for one in report["leakage"] if one["verdict"] == "quarantined"}
    with (folder / "scores.csv").open(encoding="utf-8-sig", newline="") as stream:
        scores = list(csv.DictReader(stream))
    assert [row["status"] for row in scores] == ["scored"] * 240
    (row,) = json.loads((folder / "answer.json").read_text())["rows"]
    assert row["entity_id"] == scores[0]["entity_id"]
    assert row["probability"] == float(scores[0]["probability"])
    assert row["status"] == "scored"
