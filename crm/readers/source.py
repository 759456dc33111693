"""The one way into a company's data: the rows of a source, whatever kind of file or database it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable
from crm.readers.content import require_content
from crm.readers.delimited import read_delimited
from crm.readers.sandbox import read_in_child

_MOST_EXAMPLES = 3
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_CONTENT = {"excel": "Excel", "parquet": "Parquet", "duckdb": "DuckDB"}


def read_source(source: SourceSpec, folder: Path) -> RawTable:
    """The rows of a source as they stand in its files or its database.

    Parameters
    ----------
    source : SourceSpec
        Where the rows are.
    folder : Path
        The data folder; nothing outside it is read.

    Returns
    -------
    RawTable
        One row per record of the source, in its order; what could not be read as a record is in `rejects`.
        Rows of several files follow each other by file name.

    Raises
    ------
    BadSource
        The source is missing or breaks the rules of its format; nothing of it may be used.
    """
    if source.resolved_kind == "sql":
        from crm.readers.sql import read_sql

        return read_sql(source)
    files = find_files(source, folder)
    tables = [_with_partition(_read_unchanged(path, source), path, folder) for path in files]
    return tables[0] if len(tables) == 1 else _join(files, tables)


def find_files(source: SourceSpec, folder: Path) -> list[Path]:
    """The files of a source, sorted by name.

    Raises
    ------
    BadSource
        There is none, one lies outside the data folder, or whoever writes them has not finished.
    """
    pattern, root = source.file or "", folder.resolve()
    if any(sign in pattern for sign in "*?["):
        found = [path for path in folder.glob(pattern) if not path.name.startswith(("_", "."))]
    else:
        found = [folder / pattern]
    files: list[Path] = []
    for path in sorted(found):
        if not path.resolve().is_relative_to(root):
            raise BadSource(f"{pattern}: points outside the data folder; copy the file into it")
        files += _files_of_folder(path) if path.is_dir() else [path] if path.is_file() else []
    if not files:
        raise BadSource(f"{pattern}: no such file in the data folder ({_what_is_there(folder)})")
    return files


def _files_of_folder(folder: Path) -> list[Path]:
    """Part files of a folder as Spark writes it, in partitions (`region=01`) or not."""
    if (folder / "_temporary").exists():
        raise BadSource(f"{folder.name}: holds `_temporary`, so the job that writes it has not finished")
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("_", ".")))


def _what_is_there(folder: Path) -> str:
    if not folder.is_dir():
        return "the folder does not exist"
    names = sorted(path.name for path in folder.iterdir())
    more = f" and {len(names) - _MOST_EXAMPLES} more" if len(names) > _MOST_EXAMPLES else ""
    return "it holds " + ", ".join(names[:_MOST_EXAMPLES]) + more if names else "it is empty"


def _read_unchanged(path: Path, source: SourceSpec) -> RawTable:
    before = path.stat()
    if source.resolved_kind == "csv":
        table = read_delimited(path, source)
    else:
        require_content(path, _CONTENT[source.resolved_kind])
        table = read_in_child(path, source)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise BadSource(f"{path.name}: the file changed while it was read; wait until it is written and try again")
    return table


def _with_partition(table: RawTable, path: Path, folder: Path) -> RawTable:
    """The table with the columns that stand in the names of its folders, as text: `region=01` stays `01`."""
    rows = table.rows
    for part in path.relative_to(folder).parent.parts:
        name, sign, value = part.partition("=")
        if not sign:
            continue
        if name in rows.column_names:
            raise BadSource(f"{path.name}: column {name[:40]!r} is in the file and in the name of its folder; drop one")
        text = None if value == _NO_PARTITION else unquote(value)
        rows = rows.append_column(name, pa.array([text] * rows.num_rows, pa.string()))
    return replace(table, rows=rows)


def _join(files: list[Path], tables: list[RawTable]) -> RawTable:
    names = tables[0].rows.column_names
    for path, table in zip(files, tables, strict=True):
        differing = sorted(set(names) ^ set(table.rows.column_names))
        if differing:
            shown = ", ".join(repr(name[:40]) for name in differing[:_MOST_EXAMPLES])
            raise BadSource(
                f"{path.name}: its columns differ from those of {files[0].name} ({shown}); "
                f"files of one source have the same columns"
            )
    try:
        rows = pa.concat_tables([table.rows.select(names) for table in tables], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise BadSource(f"{files[0].name} and its like hold different types in one column; write them alike") from None
    rejects = [
        replace(reject, reason=f"{path.name}: {reject.reason}")
        for path, table in zip(files, tables, strict=True)
        for reject in table.rejects
    ]
    parts = tuple((path.name, table.rows.num_rows) for path, table in zip(files, tables, strict=True))
    line = np.concatenate([table.line for table in tables])
    return RawTable(rows=rows, line=line, rejects=tuple(rejects), parts=parts)
