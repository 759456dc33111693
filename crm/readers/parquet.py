"""Parquet files, read in bounded steps; meant to run in the child process."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable
from crm.readers.content import require_content
from crm.readers.typed import check_rows

_BATCH_ROWS = 4_096
_MOST_CELLS = 4_000_000_000
# Columns of few distinct texts unpack fifty times; a bomb, thousands.
_MOST_RATIO = 1_000
_FREE_BYTES = 256 << 20


def read_parquet(path: Path, source: SourceSpec) -> RawTable:
    """The rows of a Parquet file with their types; `line` is the number of the row.

    Parameters
    ----------
    path : Path
        The file.
    source : SourceSpec
        Limits on rows, columns and bytes: a small file may unpack to thousands of times its size, which its
        own footer does not tell.

    Raises
    ------
    BadSource
        The file is truncated, encrypted, too large when unpacked, or holds nested columns.
    """
    require_content(path, "Parquet")
    try:
        with pq.ParquetFile(
            path, memory_map=False, page_checksum_verification=True, thrift_string_size_limit=64 << 20
        ) as file:
            _require_bounds(file.metadata, source, path.name)
            schema = file.schema_arrow
            batches = _read_batches(file, source, path.name, path.stat().st_size)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, BadSource):
            raise
        raise BadSource(f"{path.name}: no readable Parquet ({type(error).__name__}); write or fetch it again") from None
    if sum(batch.num_rows for batch in batches) != file.metadata.num_rows:
        raise BadSource(f"{path.name}: its footer promises another number of rows than it holds; write it again")
    return check_rows(pa.Table.from_batches(batches, schema.remove_metadata()), source, file=path.name)


def _require_bounds(facts: pq.FileMetaData, source: SourceSpec, file: str) -> None:
    if facts.num_rows > source.limits.max_rows:
        raise BadSource(f"{file}: {facts.num_rows:,} rows; expected at most {source.limits.max_rows:,} (`limits:`)")
    if facts.num_columns > source.limits.max_columns:
        raise BadSource(
            f"{file}: {facts.num_columns:,} columns; expected at most {source.limits.max_columns:,} (`limits:`)"
        )
    if facts.num_rows * facts.num_columns > _MOST_CELLS:
        raise BadSource(f"{file}: {facts.num_rows:,} rows of {facts.num_columns:,} columns; split the file")


def _read_batches(file: pq.ParquetFile, source: SourceSpec, name: str, size: int) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = []
    taken = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
        taken += batch.nbytes
        if taken > _FREE_BYTES and taken > _MOST_RATIO * size:
            raise BadSource(
                f"{name}: unpacks to more than {_MOST_RATIO} times its size; write it again without a trick"
            )
        if taken > source.limits.max_bytes:
            raise BadSource(
                f"{name}: unpacks to more than {source.limits.max_bytes:,} bytes; split it or raise `limits: max_bytes`"
            )
        batches.append(batch.replace_schema_metadata(None))
    return batches
