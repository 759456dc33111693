"""Parsers that a malformed file may crash run in a child process with limits on memory and time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

import crm
from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable, Reject

ROWS_FILE, LINES_COLUMN, NOTES_FILE = "rows.arrow", "line", "notes.json"


def read_in_child(path: Path, source: SourceSpec) -> RawTable:
    """The rows of a binary file, parsed by `crm.readers.child` in a new interpreter.

    Parameters
    ----------
    path : Path
        The file.
    source : SourceSpec
        How to read it; `limits` bound the child.

    Raises
    ------
    BadSource
        The child refused the file, was stopped by a limit, or died.
    """
    with tempfile.TemporaryDirectory(prefix="salescast-reader-") as scratch:
        job = json.dumps({"path": str(path.resolve()), "scratch": scratch, "source": source.model_dump(mode="json")})
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "crm.readers.child"],
                input=job.encode(),
                env=_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=2 * source.limits.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BadSource(f"{path.name}: could not be read within {2 * source.limits.seconds} s") from None
        notes = Path(scratch) / NOTES_FILE
        if ended.returncode != 0 or not notes.exists():
            raise BadSource(
                f"{path.name}: could not be read: the parser stopped ({_why(ended.returncode)}); the file is damaged "
                f"or needs more memory or time than a source may take"
            )
        return _result(Path(scratch), json.loads(notes.read_text(encoding="utf-8")))


def _environment() -> dict[str, str]:
    root = str(Path(crm.__file__).parent.parent)
    # One thread: what a pool of threads reserves would count against the limit on address space.
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


def _why(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"


def _result(scratch: Path, notes: dict[str, object]) -> RawTable:
    if "refused" in notes:
        raise BadSource(str(notes["refused"]))
    with pa.OSFile(str(scratch / ROWS_FILE)) as file:
        table = pa.ipc.open_file(file).read_all()
    listed = notes["rejects"]
    if not isinstance(listed, list):
        raise TypeError("the child wrote no list of rejects")
    rejects = tuple(Reject(**reject) for reject in listed)
    # The line stands last, so that a source may have a column of any name.
    line = table.column(table.num_columns - 1).to_numpy().astype(np.int64)
    return RawTable(rows=table.remove_column(table.num_columns - 1), line=line, rejects=rejects)
