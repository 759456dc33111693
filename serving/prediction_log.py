"""Every answered prediction is kept before it is sent: in the database, or in a spool file while that is away.

One thread writes; requests that arrive together share a transaction. A spool file is read back by whichever
worker finds it, so that a killed process loses nothing that it had answered.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import orjson
import structlog
from sqlalchemy import Engine, Insert
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.exc import SQLAlchemyError

from crm.app_database import PredictionRow
from serving import metrics
from serving.errors import NotReady

log = structlog.get_logger("serving.prediction_log")

_MOST_TOGETHER = 5000
_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One prediction as it is kept; `answer` is the answered row, without personal data, in a form orjson writes."""

    prediction_id: str
    task: str
    entity_id: str
    as_of: datetime | None
    model_version: str
    digest: str
    asked_by: str
    request_id: str
    created_at: datetime
    answer: object


_FIELDS = tuple(f.name for f in fields(Kept))


class _Work:
    __slots__ = ("done", "rows")

    def __init__(self, rows: Sequence[Kept]) -> None:
        self.rows = rows
        self.done: Future[None] = Future()


class PredictionLog:
    """Keeps predictions; `start` before the first one, `stop` at the end.

    Parameters
    ----------
    engine : Engine
        The application database.
    folder : Path
        Where spool files lie.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="predictions", daemon=True)
        self._spooled = False
        self._retry_at = 0.0
        # A row that was written just before a crash may come again from the spool.
        self._statement: Insert = (
            insert_postgres(PredictionRow).on_conflict_do_nothing()
            if engine.dialect.name == "postgresql"
            else insert_sqlite(PredictionRow).on_conflict_do_nothing()
        )

    def start(self) -> None:
        """Begin to write; spool files of earlier processes are read back first."""
        self._spooled = any(self._folder.glob("*.jsonl"))
        self._thread.start()

    def stop(self) -> None:
        """Write what waits and end."""
        self._queue.put(None)
        self._thread.join(timeout=30)

    async def keep(self, rows: Sequence[Kept]) -> None:
        """Return once the rows are kept.

        Raises
        ------
        NotReady
            Neither the database nor the spool took them; nothing may be answered.
        """
        if not rows:
            return
        work = _Work(rows)
        self._queue.put(work)
        await asyncio.wrap_future(work.done)

    def _run(self) -> None:
        while True:
            try:
                work = self._queue.get(timeout=_RETRY_SECONDS)
            except queue.Empty:
                self._replay()
                continue
            waiting = [] if work is None else [work]
            ends = work is None
            while not ends and sum(len(w.rows) for w in waiting) < _MOST_TOGETHER:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ends = True
                else:
                    waiting.append(following)
            if waiting:
                self._write(waiting)
            if ends:
                self._replay()
                return

    def _write(self, waiting: Sequence[_Work]) -> None:
        rows = [row for work in waiting for row in work.rows]
        try:
            if time.monotonic() >= self._retry_at:
                self._insert([{name: getattr(row, name) for name in _FIELDS} for row in rows])
            else:
                self._spool(rows)
        except SQLAlchemyError as error:
            log.warning("database away, predictions spooled", error=type(error).__name__, rows=len(rows))
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            self._spool_or_fail(waiting, rows)
            return
        except OSError as error:
            self._fail(waiting, error)
            return
        for work in waiting:
            work.done.set_result(None)

    def _spool_or_fail(self, waiting: Sequence[_Work], rows: Sequence[Kept]) -> None:
        try:
            self._spool(rows)
        except OSError as error:
            self._fail(waiting, error)
            return
        for work in waiting:
            work.done.set_result(None)

    def _fail(self, waiting: Sequence[_Work], error: OSError) -> None:
        log.error("predictions cannot be kept", error=type(error).__name__)
        for work in waiting:
            work.done.set_exception(NotReady("The prediction cannot be kept, so it is not answered."))

    def _insert(self, rows: Sequence[dict[str, object]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._statement, list(rows))

    def _spool(self, rows: Sequence[Kept]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        path = self._folder / f"predictions-{os.getpid()}.jsonl"
        while not _append(path, content):
            log.debug("spool was read back meanwhile")
        self._spooled = True
        metrics.SPOOLED.inc(len(rows))

    def _replay(self) -> None:
        if not self._spooled or time.monotonic() < self._retry_at:
            return
        try:
            for path in sorted(self._folder.glob("*.jsonl")):
                self._replay_file(path)
        except (SQLAlchemyError, OSError) as error:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            log.warning("spooled predictions wait", error=type(error).__name__)
            return
        self._spooled = False
        metrics.SPOOLED.set(0)

    def _replay_file(self, path: Path) -> None:
        with path.open("r+b") as spool:
            fcntl.flock(spool, fcntl.LOCK_EX)
            rows = [_from_line(line) for line in spool if line.endswith(b"\n")]
            if rows:
                self._insert(rows)
            # Under the lock: a writer that waits for it sees the file gone and begins a new one.
            path.unlink(missing_ok=True)
        log.info("spooled predictions kept", rows=len(rows))


def _append(path: Path, content: bytes) -> bool:
    with path.open("ab") as spool:
        fcntl.flock(spool, fcntl.LOCK_EX)
        if os.fstat(spool.fileno()).st_nlink == 0:
            return False
        spool.write(content)
        spool.flush()
        os.fsync(spool.fileno())
    return True


def _from_line(line: bytes) -> dict[str, object]:
    row: dict[str, object] = orjson.loads(line)
    for name in ("as_of", "created_at"):
        if row[name] is not None:
            row[name] = datetime.fromisoformat(str(row[name]))
    return row
