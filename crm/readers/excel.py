"""Excel workbooks: one sheet, merged cells and header rows resolved; meant to run in the child process."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable, Reject
from crm.readers.columns import build_column
from crm.readers.content import require_content
from crm.readers.damage import is_total
from crm.readers.excel_sheet import SheetFacts, read_facts
from crm.readers.header import join_header, require_names, unnamed_tail
from crm.readers.typed import check_rows

# A real workbook packs ten to thirty times.
_MOST_UNPACKED_BYTES = 1 << 30
_MOST_RATIO = 300
_RATIO_FREE_BYTES = 32 << 20
_MOST_PARTS = 10_000
_MOST_CELLS = 100_000_000
_MOST_EXAMPLES = 3

Cells = list[object]


class CellError:
    """A cell that holds an error (#REF!, #DIV/0!) or a formula whose result was never stored."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def read_excel(path: Path, source: SourceSpec) -> RawTable:
    """The rows of one sheet: dates as dates, numbers as numbers, texts as they stand.

    Parameters
    ----------
    path : Path
        An .xlsx or .xlsm workbook; macros never run, formulas are taken by their stored results.
    source : SourceSpec
        `sheet` by name or number (from 1), `skip_rows` before the header, `header_rows` joined as `Top / Sub`.

    Returns
    -------
    RawTable
        A merged cell fills its range. A column of one kind is typed, a mixed one is text. `line` is the
        number of the row in the sheet.

    Raises
    ------
    BadSource
        No readable workbook, no such sheet, a header with blank or repeated names.
    """
    require_content(path, "Excel")
    _require_no_bomb(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows, facts = _read_rows(path, source)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError, OSError, AttributeError) as error:
        if isinstance(error, BadSource):
            raise
        raise BadSource(f"{path.name}: no readable workbook ({type(error).__name__}); save it again in Excel") from None
    facts.fill(rows)
    return _build(rows, facts, source, path.name)


def _require_no_bomb(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    ratio = unpacked / max(path.stat().st_size, 1)
    if (
        len(parts) > _MOST_PARTS
        or unpacked > _MOST_UNPACKED_BYTES
        or (unpacked > _RATIO_FREE_BYTES and ratio > _MOST_RATIO)
    ):
        raise BadSource(
            f"{path.name}: unpacks to {unpacked:,} bytes in {len(parts):,} parts, {ratio:,.0f} times its size; "
            f"expected at most {_MOST_UNPACKED_BYTES:,}; save the sheet as CSV"
        )


def _read_rows(path: Path, source: SourceSpec) -> tuple[list[Cells], SheetFacts]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    try:
        sheet = book[_sheet_name(book.sheetnames, source.sheet, path.name)]
        if not hasattr(sheet, "reset_dimensions"):
            raise BadSource(f"{path.name}: the sheet is a chart; state `sheet:` with one that holds rows")
        with zipfile.ZipFile(path) as archive:
            facts = read_facts(archive, sheet._worksheet_path, file=path.name)
        sheet.reset_dimensions()
        rows: list[Cells] = []
        count = 0
        for cells in sheet.iter_rows():
            values = [CellError("the cell holds an error") if c.data_type == "e" else c.value for c in cells]
            count += len(values)
            if count > _MOST_CELLS or len(rows) > source.limits.max_rows:
                raise BadSource(f"{path.name}: more cells or rows than a sheet may have; save it as CSV")
            rows.append(values)
    finally:
        book.close()
    for row, column in facts.unstored:
        if row <= len(rows) and column <= len(rows[row - 1]):
            rows[row - 1][column - 1] = CellError("the result of the formula is not stored; open and save in Excel")
    return rows, facts


def _sheet_name(names: Sequence[str], wanted: str | int | None, file: str) -> str:
    if isinstance(wanted, str) and wanted in names:
        return wanted
    if isinstance(wanted, int) and 1 <= wanted <= len(names):
        return names[wanted - 1]
    if wanted is None and len(names) == 1:
        return names[0]
    shown = ", ".join(repr(name[:40]) for name in names[:_MOST_EXAMPLES])
    more = f" and {len(names) - _MOST_EXAMPLES} more" if len(names) > _MOST_EXAMPLES else ""
    asked = "state `sheet:`" if wanted is None else f"there is no sheet {str(wanted)[:40]!r}"
    raise BadSource(f"{file}: {asked}; the workbook holds {shown}{more}")


@dataclass(slots=True)
class _Rows:
    """Rows that are sound, and rejects for those that are not."""

    source: SourceSpec
    names: list[str]
    width: int
    kept: list[Cells] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, cells: Cells, line: int, *, title: bool, header: Sequence[object]) -> None:
        """Take a row of the sheet."""
        row = (cells + [None] * self.width)[: self.width]
        for name, cell in zip(self.names, row, strict=False):
            if isinstance(cell, CellError):
                return self.reject(line, name, cell.reason)
        beyond = [cell for cell in cells[len(self.names) :] if not _is_blank(cell)]
        if beyond:
            return self.reject(line, "", "a value stands right of the last named column")
        if title:
            return self.reject(line, "", "one cell is merged over the whole row: a title, not a record")
        if [str(cell) for cell in row] == [str(cell) for cell in header]:
            return self.reject(line, "", "the header stands here again; remove the row")
        self.kept.append(row[: len(self.names)])
        self.lines.append(line)
        return None

    def reject(self, line: int, column: str, reason: str) -> None:
        """Leave a row out."""
        self.rejects.append(Reject(source=self.source.name, line=line, column=column, value="", reason=reason))


def _build(rows: list[Cells], facts: SheetFacts, source: SourceSpec, file: str) -> RawTable:
    first = source.skip_rows + source.header_rows
    header = rows[source.skip_rows : first]
    filled = len(header) == source.header_rows and any(not _is_blank(cell) for row in header for cell in row)
    if source.header_rows and not filled:
        raise BadSource(f"{file}: row {source.skip_rows + 1} holds no header; state `skip_rows:` or `sheet:`")
    names = _names(header, rows, source, file)
    table = _Rows(source=source, names=names, width=len(names))
    last = len(rows)
    while last > first and all(_is_blank(cell) for cell in rows[last - 1]):
        last -= 1
    bottom = (header[-1] + [None] * len(names))[: len(names)] if header else []
    for number in range(first + 1, last + 1):
        cells = rows[number - 1]
        if all(_is_blank(cell) for cell in cells):
            table.reject(number, "", "expected a record, came a blank row; remove it")
        elif number == last and is_total((cells + [None] * len(names))[: len(names)]):
            table.reject(number, "", "this is a total, not a record; export without the total row")
        else:
            table.add(cells, number, title=facts.is_title(number, len(names)), header=bottom)
    columns = [build_column(_dates([row[at] for row in table.kept])) for at in range(len(names))]
    lines = np.array(table.lines, np.int64)
    checked = check_rows(pa.table(columns, names=names), source, file=file, lines=lines)
    rejects = sorted((*table.rejects, *checked.rejects), key=lambda reject: reject.line)
    return RawTable(rows=checked.rows, line=checked.line, rejects=tuple(rejects))


def _names(header: list[Cells], rows: list[Cells], source: SourceSpec, file: str) -> list[str]:
    if not source.header_rows:
        return [f"column_{position}" for position in range(1, max(map(len, rows), default=0) + 1)]
    width = max(len(row) for row in header)
    texts = [["" if _is_blank(cell) else str(cell) for cell in row] for row in header]
    names = join_header(texts, width=width, fill=False)
    names = names[: width - unnamed_tail(names)]
    require_names(names, file=file, line=source.skip_rows + 1, most=source.limits.max_columns)
    return names


def _dates(values: Iterable[object]) -> list[object]:
    """Excel has no date without a time: a column that is midnight everywhere holds dates."""
    listed = list(values)
    present = [value for value in listed if value is not None]
    if present and all(isinstance(value, datetime) and value.time() == time() for value in present):
        return [value.date() if isinstance(value, datetime) else None for value in listed]
    return listed


def _is_blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
