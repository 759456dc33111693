"""One ingest at a time, readers undisturbed, and a process that dies leaves the old record whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.config import Config
from crm.ingest import IngestReport, ingest
from crm.mapping import parse_mapping
from crm.store import Store, StoreIsBusy

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAPPING = """
company: {time_zone: UTC}
sources:
  - name: leads
    file: leads.csv
    table: leads
    columns: {lead_id: id, created_at: day, channel: channel}
  - name: reps
    file: reps.csv
    table: reps
    columns: {rep_id: id}
"""
# Takes the files in, and dies by SIGKILL at the n-th call of one step.
DYING = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import crm.store
from crm.config import Config
from crm.ingest import ingest
from crm.mapping import parse_mapping

step, at, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
calls = 0
def deadly(name, owner):
    kept = getattr(owner, name)
    def wrapped(*args, **kwargs):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return kept(*args, **kwargs)
    setattr(owner, name, wrapped)
deadly(step, crm.store if step != "publish" else crm.store.Writer)
ingest(crm.store.Store(folder / "record"), parse_mapping((folder / "m.yaml").read_text()), folder,
       config=Config(), now=datetime(2026, 1, 2, tzinfo=UTC))
"""


def _write(folder: Path, n_rows: int, channel: str) -> None:
    leads = "".join(f"{number},2024-01-01,{channel}\n" for number in range(n_rows))
    (folder / "leads.csv").write_text(f"id,day,channel\n{leads}")
    (folder / "reps.csv").write_text("id\n" + "".join(f"R{number}\n" for number in range(n_rows)))
    (folder / "m.yaml").write_text(MAPPING)


def _ingest(folder: Path) -> IngestReport:
    return ingest(Store(folder / "record"), parse_mapping(MAPPING), folder, config=Config(), now=NOW)


def _orphans(folder: Path) -> set[str]:
    record = folder / "record"
    named: set[str] = set()
    for path in (record / "generations").glob("*.json"):
        for entry in json.loads(path.read_text())["tables"].values():
            named.update(entry["files"])
    return {path.name for path in (record / "objects").iterdir()} - {f"{digest}.parquet" for digest in named}


def test_second_ingest_is_refused_while_one_runs(tmp_path: Path) -> None:
    _write(tmp_path, 3, "web")
    with Store(tmp_path / "record").writing(), pytest.raises(StoreIsBusy, match="another ingest is running"):
        _ingest(tmp_path)
    assert _ingest(tmp_path).generation == 1


def test_reader_keeps_its_generation_while_others_are_made(tmp_path: Path) -> None:
    _write(tmp_path, 50, "web")
    _ingest(tmp_path)
    held = Store(tmp_path / "record").current()
    wrong: list[str] = []
    done = threading.Event()

    def read_on() -> None:
        while not done.is_set():
            channels = set(Store(tmp_path / "record").current().read("leads").column("channel").to_pylist())
            if len(channels) != 1:
                wrong.append(f"a mixture of {channels}")

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        for number in range(5):
            _write(tmp_path, 50, f"channel {number}")
            _ingest(tmp_path)
    finally:
        done.set()
        reader.join()
    assert not wrong
    assert set(held.read("leads").column("channel").to_pylist()) == {"web"}


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("step", "at"),
    [
        ("_digest_of", 2),
        ("write_atomically", 2),
        pytest.param("_digest_of", 1, marks=SLOW),
        pytest.param("_sync_and_rename", 1, marks=SLOW),
        pytest.param("_sync_and_rename", 3, marks=SLOW),
        pytest.param("_sync_and_rename", 4, marks=SLOW),
        pytest.param("_sync_and_rename", 5, marks=SLOW),
        pytest.param("publish", 1, marks=SLOW),
        pytest.param("write_atomically", 1, marks=SLOW),
    ],
)
def test_killed_ingest_leaves_the_old_record_whole_and_the_next_one_cleans_up(
    tmp_path: Path, step: str, at: int
) -> None:
    _write(tmp_path, 20, "web")
    _ingest(tmp_path)
    before = Store(tmp_path / "record").current()
    _write(tmp_path, 40, "fair")
    died = subprocess.run([sys.executable, "-c", DYING, step, str(at), str(tmp_path)], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    now = Store(tmp_path / "record").current()
    assert (now.number, now.digest) == (before.number, before.digest)
    assert set(now.read("leads").column("channel").to_pylist()) == {"web"}
    report = _ingest(tmp_path)
    assert report.generation == 2
    assert Store(tmp_path / "record").current().rows("leads") == 40
    assert not _orphans(tmp_path)
