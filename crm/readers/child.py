"""The child that parses one binary file: job by standard input, rows as an Arrow file, nothing printed."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable
from crm.readers.sandbox import LINES_COLUMN, NOTES_FILE, ROWS_FILE

_ADDRESS_SPACE_BYTES = 4 << 30
_RESULT_BYTES = 14 << 30


def main() -> int:
    """Read the job, parse the file within limits, leave the result in the scratch folder."""
    job = json.load(sys.stdin)
    source = SourceSpec.model_validate(job["source"])
    limit_resources(seconds=source.limits.seconds)
    scratch = Path(job["scratch"])
    notes: dict[str, object]
    try:
        table = parse_file(Path(job["path"]), source)
        _write_rows(table, scratch / ROWS_FILE)
        notes = {"rejects": [asdict(reject) for reject in table.rejects]}
    except BadSource as refusal:
        notes = {"refused": str(refusal)}
    (scratch / NOTES_FILE).write_text(json.dumps(notes), encoding="utf-8")
    return 0


def limit_resources(*, seconds: int) -> None:
    """Bound this process: address space, CPU time, size of files, no core dump."""
    for kind, most in (
        (resource.RLIMIT_AS, _ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _RESULT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def parse_file(path: Path, source: SourceSpec) -> RawTable:
    """The rows of an Excel, Parquet or DuckDB file, parsed in this process."""
    match source.resolved_kind:
        case "excel":
            from crm.readers.excel import read_excel

            return read_excel(path, source)
        case "parquet":
            from crm.readers.parquet import read_parquet

            return read_parquet(path, source)
        case "duckdb":
            from crm.readers.duckdb_file import read_duckdb

            return read_duckdb(path, source)
        case other:
            raise BadSource(f"{path.name}: no file is of kind {other}")


def _write_rows(table: RawTable, path: Path) -> None:
    rows = table.rows.append_column(LINES_COLUMN, pa.array(table.line))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)


if __name__ == "__main__":
    sys.exit(main())
