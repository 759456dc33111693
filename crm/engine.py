"""The one door to SQL engines: register tables, query, get Arrow back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import duckdb
import pyarrow as pa

# Spark SQL has unix_timestamp; DuckDB gets it by a macro, so that one SQL text runs on both. Spark cuts
# fractions of a second off, where DuckDB's cast alone would round.
_PORTABILITY = "CREATE OR REPLACE MACRO unix_timestamp(t) AS CAST(floor(epoch(t)) AS BIGINT)"


class Engine(Protocol):
    """What features need from an engine: two methods."""

    def register(self, name: str, rows: pa.Table | Sequence[Path]) -> None:
        """Make rows, or Parquet files of one schema, readable under a table name."""
        ...

    def query(self, sql: str) -> pa.Table:
        """The rows that a portable SQL text selects."""
        ...


class DuckDBEngine:
    """An embedded DuckDB that can read the files it was opened with and nothing else.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        Parquet files by table name.
    threads : int
        Worker threads.

    Notes
    -----
    After the files are known, external access is switched off and the configuration is locked: SQL text
    cannot reach another file, attach a database or load an extension.

    Examples
    --------
    >>> with DuckDBEngine({}) as engine:
    ...     engine.register("t", pa.table({"a": [1, 2]}))
    ...     engine.query("SELECT CAST(SUM(a) AS BIGINT) AS total FROM t").to_pylist()
    [{'total': 3}]
    """

    def __init__(self, files: dict[str, Sequence[Path]], *, threads: int = 2) -> None:
        self._connection = duckdb.connect(config={"threads": threads, "autoinstall_known_extensions": False})
        run = self._connection.execute
        run("SET TimeZone = 'UTC'")
        run(_PORTABILITY)
        paths = [path for parts in files.values() for path in parts]
        if paths:
            run(f"SET allowed_paths = [{', '.join(quote_text(str(p)) for p in paths)}]")
        run("SET enable_external_access = false")
        run("SET lock_configuration = true")
        for name, parts in files.items():
            self.register(name, parts)

    def register(self, name: str, rows: pa.Table | Sequence[Path]) -> None:
        """Make an Arrow table, or Parquet files of one schema, readable under a name."""
        if isinstance(rows, pa.Table):
            self._connection.register(name, rows)
            return
        listed = ", ".join(quote_text(str(path)) for path in rows)
        self._connection.execute(
            f"CREATE OR REPLACE VIEW {quote_name(name)} AS SELECT * FROM read_parquet([{listed}], union_by_name = true)"
        )

    def query(self, sql: str) -> pa.Table:
        """The rows that the SQL text selects, as an Arrow table."""
        return self._connection.sql(sql).to_arrow_table()

    def close(self) -> None:
        """Close the connection; the engine cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def quote_name(name: str) -> str:
    """A column or table name as SQL, in double quotes.

    Examples
    --------
    >>> print(quote_name("net amount"))
    "net amount"
    """
    return '"' + name.replace('"', '""') + '"'


def quote_text(value: str) -> str:
    """A text literal as SQL, in single quotes.

    Examples
    --------
    >>> quote_text("O'Hara")
    "'O''Hara'"
    """
    return "'" + value.replace("'", "''") + "'"
