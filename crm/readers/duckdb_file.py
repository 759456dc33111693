"""DuckDB files, opened read-only and locked in; meant to run in the child process."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa

from crm.engine import quote_name
from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable
from crm.readers.content import require_content
from crm.readers.typed import check_rows

_BATCH_ROWS = 50_000
_MOST_EXAMPLES = 3
_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "lock_configuration": True,
    "threads": 1,
    "memory_limit": "2GB",
}
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (duckdb.CatalogException, "it holds no such table, or the query names something unknown"),
    (duckdb.PermissionException, "the query reaches outside the file, which is not allowed"),
    (duckdb.BinderException, "the query names a column that is not there"),
    (duckdb.ParserException, "the query is no valid SQL"),
    (duckdb.IOException, "it is damaged, written by a newer DuckDB, or open for writing elsewhere"),
    (duckdb.OutOfMemoryException, "it needs more memory than a source may take"),
)


def read_duckdb(path: Path, source: SourceSpec) -> RawTable:
    """The rows of a table or a query of a DuckDB file; `line` is the number of the row.

    Parameters
    ----------
    path : Path
        The file; it is not changed.
    source : SourceSpec
        `table` (may be `schema.table`) or `query`; neither is needed when the file holds one table.

    Raises
    ------
    BadSource
        The file cannot be opened, the table is not there, or the query does more than select from the file.
    """
    require_content(path, "DuckDB")
    try:
        with duckdb.connect(str(path), read_only=True, config=_LOCKED) as connection:
            rows = _fetch(connection, _select(connection, source, path.name), source, path.name)
    except duckdb.Error as error:
        reason = next((why for kind, why in _REASONS if isinstance(error, kind)), type(error).__name__)
        raise BadSource(f"{path.name}: could not be read: {reason}") from None
    return check_rows(rows, source, file=path.name)


def _select(connection: duckdb.DuckDBPyConnection, source: SourceSpec, file: str) -> str:
    if source.query is not None:
        statements = connection.extract_statements(source.query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise BadSource(f"{file}: expected `query:` to be one SELECT")
        return source.query
    if source.table is not None:
        return "SELECT * FROM " + ".".join(quote_name(part) for part in source.table.split("."))
    found = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL LIMIT 1000"
    ).fetchall()
    if len(found) != 1:
        shown = ", ".join(f"{schema}.{name}" for schema, name in found[:_MOST_EXAMPLES]) or "none"
        raise BadSource(f"{file}: holds {len(found)} tables ({shown}); state `from_table:` or `query:`")
    return "SELECT * FROM " + ".".join(quote_name(part) for part in found[0])


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, source: SourceSpec, file: str) -> pa.Table:
    reader = cast(pa.RecordBatchReader, connection.sql(sql).to_arrow_reader(_BATCH_ROWS))
    batches: list[pa.RecordBatch] = []
    rows = taken = 0
    for batch in reader:
        rows += batch.num_rows
        taken += batch.nbytes
        if rows > source.limits.max_rows or taken > source.limits.max_bytes:
            raise BadSource(f"{file}: more rows or bytes than a source may have (`limits:`)")
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)
