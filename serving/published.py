"""Tables that a pointer publishes: written once, named by a pointer that is renamed into place, the last few kept."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from crm.store import write_atomically

log = structlog.get_logger("serving.published")

Table = TypeVar("Table")

POINTER = "current"
_ABOUT = b"salescast"
_KEPT_FILES = 3
# What reading raises when the pointer names no table; whoever reads says what must be made anew.
UNREADABLE = (OSError, pa.ArrowException, KeyError, TypeError, ValueError)


def publish_rows(home: Path, name: str, rows: pa.Table, about: Mapping[str, object]) -> Path:
    """Write rows as `<home>/<name>.parquet` and let the pointer name them; files before the last few are removed.

    Parameters
    ----------
    home : Path
        Folder; made when it does not exist.
    name : str
        Name of the file, without ending.
    rows : pa.Table
        What is published.
    about : mapping
        Where the rows come from, as values that JSON can hold.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{name}.parquet"
    stated = rows.replace_schema_metadata({_ABOUT: json.dumps(about, ensure_ascii=False).encode()})
    handle, temporary = tempfile.mkstemp(dir=home, suffix=".tmp")
    os.close(handle)
    pq.write_table(stated, temporary, compression="zstd")
    Path(temporary).replace(path)
    write_atomically(home / POINTER, path.name)
    for old in sorted(home.glob("*.parquet"), key=lambda found: found.stat().st_mtime_ns)[:-_KEPT_FILES]:
        if old != path:
            old.unlink(missing_ok=True)
    return path


def read_published(home: Path) -> tuple[pa.Table, dict[str, object]] | None:
    """The rows that the pointer names and what is said about them; None when nothing was published.

    Raises
    ------
    One of UNREADABLE
        Pointer or file cannot be read.
    """
    if not (home / POINTER).exists():
        return None
    name = (home / POINTER).read_text(encoding="ascii").strip()
    rows = pq.ParquetFile(home / Path(name).name).read()
    return rows, dict(json.loads(rows.schema.metadata[_ABOUT]))


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, so that two processes do not publish into it at once; waits for the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Followed(Generic[Table]):
    """What a pointer names, read again when it moves.

    Parameters
    ----------
    home : Path
        Where the pointer lies.
    read : callable
        Reads what it names.
    unreadable : exception
        What `read` raises when that cannot be read.
    """

    def __init__(self, home: Path, read: Callable[[], Table | None], unreadable: type[Exception]) -> None:
        self._home, self._read, self._unreadable = home, read, unreadable
        self._lock = Lock()
        self._mark: tuple[int, int] | None = None
        self._table: Table | None = None

    def current(self) -> Table | None:
        """What answers now; a file that cannot be read leaves the one before in place."""
        with self._lock:
            try:
                stat = (self._home / POINTER).stat()
            except FileNotFoundError:
                return self._table
            mark = (stat.st_mtime_ns, stat.st_ino)
            if mark != self._mark:
                self._mark = mark
                try:
                    self._table = self._read() or self._table
                except self._unreadable as error:
                    log.warning("cannot be read", what=self._home.name, error=type(error).__name__)
            return self._table
