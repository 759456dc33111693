"""The record on disk: immutable generations of content-addressed Parquet files behind one pointer.

Layout below the store's folder::

    objects/<sha256>.parquet     one file of one table, written once
    generations/<number>.json    which files make up which table
    current                      number of the generation that readers use; renamed into place
    lock                         held by the one process that ingests

Readers take a `Generation` once and keep it: a later ingest never changes it. A table that an ingest
leaves alone costs nothing in the next generation, since its files are named again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crm.engine import DuckDBEngine
from crm.retention import sweep
from crm.schema import SYSTEM_NAMES, DType
from crm.tables import TABLES, empty_table


class StoreIsBusy(RuntimeError):
    """Another process is ingesting; the message says since when."""


class NoRecord(LookupError):
    """Nothing has been ingested yet."""


class BrokenStore(RuntimeError):
    """A file of the store is missing or is not what its digest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFiles:
    """The files of one table in one generation.

    `custom` holds the columns that the record does not state, with their dtypes, as a source named them;
    `facts` what a mapping states about the rows (which word is the positive outcome, which columns are
    written after it), by name.
    """

    files: tuple[Path, ...]
    rows: int
    custom: Mapping[str, DType] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One immutable state of the record.

    Attributes
    ----------
    number : int
        Counts up from 1.
    made_at : datetime
        When it was written, UTC.
    recorded_to : datetime
        The latest `recorded_at` of any row: how far the record reaches.
    digest : str
        SHA-256 over the names and digests of all files; equal records have equal digests.
    tables : mapping of str to TableFiles
        Every table that has rows.
    """

    number: int
    made_at: datetime
    recorded_to: datetime
    digest: str
    tables: Mapping[str, TableFiles]

    def has(self, name: str) -> bool:
        """Whether the table has rows."""
        return name in self.tables

    def rows(self, name: str) -> int:
        """Number of rows of a table; 0 when it is absent."""
        return self.tables[name].rows if name in self.tables else 0

    def custom(self, name: str) -> dict[str, DType]:
        """The custom columns of a table, by the name the source gave them."""
        return dict(self.tables[name].custom) if name in self.tables else {}

    def facts(self, name: str) -> dict[str, str]:
        """What mappings stated about the rows of a table, for instance `lead_score.positive`."""
        return dict(self.tables[name].facts) if name in self.tables else {}

    def engine(self, *, threads: int = 2) -> DuckDBEngine:
        """A DuckDB engine over this generation, closed to everything else. The caller closes it.

        Raises `BrokenStore` when the generation is no longer kept, as `read` does.
        """
        for name in self.tables:
            self._require_files(name)
        return DuckDBEngine({name: files.files for name, files in self.tables.items()}, threads=threads)

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of one table as they stand now, without regard to clocks.

        Feature code never calls this: it goes through `features.asof`.
        """
        if name not in self.tables:
            return empty_table(name)
        self._require_files(name)
        # `read_table` would load the dataset module, and with it pandas.
        parts = [pq.ParquetFile(path).read(list(columns) if columns else None) for path in self.tables[name].files]
        return pa.concat_tables(parts, promote_options="default")

    def _require_files(self, name: str) -> None:
        if not all(path.exists() for path in self.tables[name].files):
            raise BrokenStore(
                f"table {name} of generation {self.number} is no longer on record: newer ones took its place "
                "(`store.keep_generations`), or a file was removed; take the current generation and start again"
            )


class Store:
    """The record below one folder.

    Parameters
    ----------
    folder : Path
        For instance `var/record`. Made when the first generation is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current_number(self) -> int:
        """Number of the current generation; 0 when nothing was ingested."""
        try:
            return int((self.folder / "current").read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0

    def current(self) -> Generation:
        """The current generation.

        Raises
        ------
        NoRecord
            Nothing has been ingested yet.
        """
        number = self.current_number()
        if number == 0:
            raise NoRecord(
                f"no record in {self.folder.name}/ yet; take one in with `salescast ingest` "
                "or make the demo company with `salescast demo`"
            )
        return self.generation(number)

    def generation(self, number: int) -> Generation:
        """One generation by number.

        Raises
        ------
        BrokenStore
            The generation or one of its files is missing.
        """
        path = self.folder / "generations" / f"{number}.json"
        try:
            stated = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            current = self.current_number()
            gone = f"no longer kept (`store.keep_generations`); the current one is {current}"
            missing = gone if 0 < number < current else "missing from the record"
            raise BrokenStore(f"generation {number} is {missing}") from None
        return Generation(
            number=number,
            made_at=datetime.fromisoformat(stated["made_at"]),
            recorded_to=datetime.fromisoformat(stated["recorded_to"]),
            digest=stated["digest"],
            tables={name: self._files(name, entry) for name, entry in stated["tables"].items()},
        )

    def _files(self, name: str, entry: dict[str, object]) -> TableFiles:
        digests = entry["files"]
        custom = entry["custom"]
        assert isinstance(digests, list)
        facts = entry.get("facts", {})
        assert isinstance(custom, dict)
        assert isinstance(facts, dict)
        files = tuple(self.folder / "objects" / f"{digest}.parquet" for digest in digests)
        for path in files:
            if not path.exists():
                raise BrokenStore(f"a file of table {name} is missing from the record: objects/{path.name}")
        return TableFiles(
            files=files,
            rows=int(str(entry["rows"])),
            custom={column: DType(dtype) for column, dtype in custom.items()},
            facts={str(fact): str(value) for fact, value in facts.items()},
        )

    @contextmanager
    def writing(self, *, keep: int | None = None) -> Iterator[Writer]:
        """Hold the ingest lock and collect tables; the new generation appears when the block ends well.

        Nothing is published when the block raises.

        Parameters
        ----------
        keep : int or None
            How many of the newest generations stay; older ones are removed at the end. None keeps all.

        Raises
        ------
        StoreIsBusy
            Another process holds the lock.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StoreIsBusy(
                    f"another ingest is running ({lock.read().strip() or 'just started'}); "
                    "wait for it to end and call again"
                ) from None
            lock.truncate(0)
            lock.write(f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
            lock.flush()
            sweep(self.folder, self.current_number())
            writer = Writer(self)
            yield writer
            writer.publish()
            if keep is not None:
                sweep(self.folder, self.current_number(), keep=keep)


class Writer:
    """Collects the tables of the next generation; made by `Store.writing`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        number = store.current_number()
        self.before: Generation | None = store.generation(number) if number else None
        self._tables: dict[str, TableFiles] = dict(self.before.tables) if self.before else {}
        self._recorded_to = self.before.recorded_to if self.before else datetime(1970, 1, 1, tzinfo=UTC)
        self._changed = False

    def replace(
        self,
        name: str,
        rows: pa.Table,
        custom: Mapping[str, DType] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Let a table consist of these rows in the next generation.

        The rows carry the system columns. Unknown columns must be named in `custom`. Without `facts` the
        table keeps those it has.
        """
        stated = set(TABLES[name].names) | SYSTEM_NAMES | set(custom or {})
        strange = [column for column in rows.column_names if column not in stated]
        if strange:
            raise ValueError(f"table {name} got columns that are neither stated nor custom: {', '.join(strange[:3])}")
        path = self._write(rows)
        kept = self._tables[name].facts if name in self._tables and facts is None else facts
        self._tables[name] = TableFiles(
            files=(path,), rows=rows.num_rows, custom=dict(custom or {}), facts=dict(kept or {})
        )
        if rows.num_rows:
            self._recorded_to = max(_latest(rows) or self._recorded_to, self._recorded_to)
        self._changed = True

    def _write(self, rows: pa.Table) -> Path:
        objects = self._store.folder / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=objects, suffix=".tmp")
        os.close(handle)
        pq.write_table(rows, temporary, compression="zstd", row_group_size=131_072)
        digest = _digest_of(Path(temporary))
        path = objects / f"{digest}.parquet"
        _sync_and_rename(Path(temporary), path)
        return path

    def publish(self) -> None:
        """Write the generation and rename the pointer; without changes nothing is written."""
        if not self._changed:
            return
        number = (self.before.number if self.before else 0) + 1
        tables = {
            name: {
                "files": [path.stem for path in files.files],
                "rows": files.rows,
                "custom": {column: dtype.value for column, dtype in files.custom.items()},
                "facts": dict(sorted(files.facts.items())),
            }
            for name, files in sorted(self._tables.items())
        }
        digest = hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()
        if self.before and digest == self.before.digest:
            return
        stated = {
            "made_at": datetime.now(UTC).isoformat(),
            "recorded_to": self._recorded_to.isoformat(),
            "digest": digest,
            "tables": tables,
        }
        write_atomically(self._store.folder / "generations" / f"{number}.json", json.dumps(stated, indent=1))
        write_atomically(self._store.folder / "current", str(number))


def write_atomically(path: Path, content: str) -> None:
    """Replace a text file so that readers see the old or the new one whole, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(content)
    _sync_and_rename(Path(temporary), path)


def _sync_and_rename(temporary: Path, path: Path) -> None:
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _latest(rows: pa.Table) -> datetime | None:
    import pyarrow.compute as pc

    latest = pc.max(rows.column("recorded_at")).as_py()
    return None if latest is None else latest.replace(tzinfo=UTC)
