"""CSV and its kin, read strictly: no guessing of types, no shifted cells, no record that the file does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable, Reject
from crm.readers.damage import is_damaged, is_total
from crm.readers.header import find_delimiter, join_header, require_names, unnamed_tail
from crm.readers.missing import blank_missing
from crm.readers.records import Batch, split_records
from crm.readers.text import read_blocks

_MOST_REJECTS = 100_000
Numbers = npt.NDArray[np.int64]


def read_delimited(path: Path, source: SourceSpec) -> RawTable:
    """The records of a delimited text file, all cells as text.

    Parameters
    ----------
    path : Path
        The file; `.gz` is unpacked on the way.
    source : SourceSpec
        Encoding, delimiter, header rows, missing words and limits.

    Returns
    -------
    RawTable
        One row per record that has as many cells as the header, in order; string columns under the header's
        names, null where the cell is empty or a missing word. Other records are in `rejects`.

    Raises
    ------
    BadSource
        The file breaks the rules of its format anywhere: nothing of it is used.
    """
    blocks = read_blocks(path, encoding=source.encoding, max_bytes=source.limits.max_bytes)
    first = next(blocks, "")
    delimiter = find_delimiter(_first_line(first, source.skip_rows), source.delimiter, file=path.name)
    batches = split_records(chain([first], blocks), delimiter=delimiter, file=path.name, skip_lines=source.skip_rows)
    head, rest = _take_header(batches, max(source.header_rows, 1), path.name)
    sheet = _start(head, source, path.name)
    if source.header_rows == 0:
        rest = chain([head], rest)
    for batch in rest:
        sheet.add(batch)
    return sheet.table()


def _first_line(text: str, skipped: int) -> str:
    lines = text.split("\n", skipped + 1)
    return lines[skipped] if len(lines) > skipped else ""


def _take_header(batches: Iterator[Batch], count: int, file: str) -> tuple[Batch, Iterator[Batch]]:
    rows: list[list[str]] = []
    lines: list[int] = []
    for batch in batches:
        wanted = count - len(rows)
        rows += batch.rows[:wanted]
        lines += batch.lines[:wanted]
        if len(rows) == count:
            head = Batch(rows=rows, lines=lines, longest=0, suspicious=False)
            left = replace(batch, rows=batch.rows[wanted:], lines=batch.lines[wanted:])
            return head, chain([left], batches)
    raise BadSource(f"{file}: the file ends within its header; expected {count} header row(s) and then records")


def _start(head: Batch, source: SourceSpec, file: str) -> _Sheet:
    width = max(len(row) for row in head.rows)
    if not any(cell.strip() for row in head.rows for cell in row):
        raise BadSource(f"{file}: line {head.lines[0]}: the header is blank; state `skip_rows:`")
    if source.header_rows == 0:
        names = [f"column_{position}" for position in range(1, width + 1)]
        return _Sheet(source=source, file=file, names=names, unnamed=0, header=[])
    names = join_header(head.rows, width=width)
    unnamed = unnamed_tail(names)
    require_names(names[: width - unnamed], file=file, line=head.lines[0], most=source.limits.max_columns)
    return _Sheet(source=source, file=file, names=names, unnamed=unnamed, header=head.rows[-1])


@dataclass(slots=True)
class _Sheet:
    """The records taken so far."""

    source: SourceSpec
    file: str
    names: list[str]
    unnamed: int
    header: list[str]
    chunks: list[pa.RecordBatch] = field(default_factory=list)
    lines: list[Numbers] = field(default_factory=list)
    orders: list[Numbers] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    single: dict[int, int] = field(default_factory=dict)
    misfits: int = 0
    count: int = 0
    kept: int = 0
    last: tuple[int, int, list[str]] | None = None

    def add(self, batch: Batch) -> None:
        """Take the records of a batch."""
        rows, lines = batch.rows, batch.lines
        if not rows:
            return
        width = len(self.names)
        orders = list(range(self.count + 1, self.count + len(rows) + 1))
        self.count += len(rows)
        keep = self._faults(batch, orders, width)
        if keep is not None:
            rows = [row for row, good in zip(rows, keep, strict=True) if good]
            lines = [line for line, good in zip(lines, keep, strict=True) if good]
            orders = [order for order, good in zip(orders, keep, strict=True) if good]
        if not rows:
            return
        self.last = (orders[-1], lines[-1], rows[-1])
        columns = list(zip(*rows, strict=True))
        self._require_empty(columns[width - self.unnamed :], lines)
        names = self.names[: width - self.unnamed]
        arrays = [blank_missing(pa.array(column, pa.string()), self.source.missing) for column in columns[: len(names)]]
        self.chunks.append(pa.RecordBatch.from_arrays(arrays, names))
        self.lines.append(np.array(lines, np.int64))
        self.orders.append(np.array(orders, np.int64))
        self.kept += len(rows)
        if self.kept > self.source.limits.max_rows:
            raise BadSource(f"{self.file}: more than {self.source.limits.max_rows:,} records (`limits: max_rows`)")

    def _faults(self, batch: Batch, orders: Iterable[int], width: int) -> list[bool] | None:
        """Which records to keep; None when all are sound."""
        rows = batch.rows
        sound = list(map(len, rows)).count(width) == len(rows)
        longest = self.source.limits.max_field_bytes
        sound = sound and batch.longest <= longest and not batch.suspicious and self.header not in rows
        if sound and all(row[0] for row in rows):
            self._settle_blank()
            return None
        return [
            self._is_sound(row, line, order, check_text=batch.suspicious)
            for row, line, order in zip(rows, batch.lines, orders, strict=True)
        ]

    def _is_sound(self, row: list[str], line: int, order: int, *, check_text: bool) -> bool:
        width = len(self.names)
        if not any(row) or (len(row) == 1 and not row[0].strip()):
            self.blank.append(line)
            if len(self.blank) > _MOST_REJECTS:
                self._settle_blank()
            return False
        self._settle_blank()
        if len(row) != width:
            self.misfits += 1
            if len(row) == 1:
                self.single[order] = line
            fewer = "a delimiter is missing or a line break cut it" if len(row) < width else "one too many delimiters"
            what = f"expected {width} cells as in the header, came {len(row)}; {fewer}"
            return self._reject(line, "", what)
        if row == self.header:
            return self._reject(line, "", "the header stands here again; remove the line")
        for name, cell in zip(self.names, row, strict=True):
            if len(cell) > self.source.limits.max_field_bytes:
                limit = self.source.limits.max_field_bytes
                return self._reject(line, name, f"expected at most {limit:,} characters, came {len(cell):,}")
            if check_text and not cell.isascii() and is_damaged(cell):
                return self._reject(
                    line,
                    name,
                    "letters damaged before the file came here (wrong encoding, files put together)",
                )
        return True

    def _settle_blank(self) -> None:
        """A record follows: blank lines before it were not at the end of the file."""
        for line in self.blank:
            self._reject(line, "", "expected a record, came a blank line; remove it")
        self.blank.clear()

    def _reject(self, line: int, column: str, reason: str) -> bool:
        # The reader does not know which columns are personal: it never shows a value.
        self.rejects.append(Reject(source=self.source.name, line=line, column=column, value="", reason=reason))
        if len(self.rejects) > _MOST_REJECTS:
            raise BadSource(
                f"{self.file}: more than {_MOST_REJECTS:,} records at fault, the last in line {line}: {reason}"
            )
        return False

    def _require_empty(self, columns: list[tuple[str, ...]], lines: list[int]) -> None:
        for column in columns:
            if any(column):
                line = next(line for line, cell in zip(lines, column, strict=True) if cell)
                raise BadSource(
                    f"{self.file}: line {line} has a value under a column without name (after "
                    f"{self.names[len(self.names) - self.unnamed - 1][:40]!r}); name the column in the header"
                )

    def table(self) -> RawTable:
        """The records that remain when the whole file is known."""
        if not self.kept and self.misfits > 1:
            raise BadSource(
                f"{self.file}: none of {self.misfits:,} records has the header's {len(self.names)} cells (line "
                f"{self.rejects[0].line}: {self.rejects[0].reason}); the header or every record is shifted"
            )
        schema = pa.schema([(name, pa.string()) for name in self.names[: len(self.names) - self.unnamed]])
        rows = pa.Table.from_batches(self.chunks, schema)
        line = np.concatenate(self.lines) if self.lines else np.empty(0, np.int64)
        keep = self._without_neighbours(line)
        keep &= self._without_total(line)
        if not keep.all():
            rows, line = rows.filter(pa.array(keep)), line[keep]
        return RawTable(rows=rows, line=line, rejects=tuple(sorted(self.rejects, key=lambda reject: reject.line)))

    def _without_neighbours(self, line: Numbers) -> npt.NDArray[np.bool_]:
        """A record of one cell may be the rest of a cell cut by a line break: what it was cut from is unsound."""
        keep = np.ones(len(line), bool)
        if not self.single:
            return keep
        orders = np.concatenate(self.orders) if self.orders else np.empty(0, np.int64)
        for order, at in self.single.items():
            if order == 1 and self.header:
                raise BadSource(
                    f"{self.file}: line {at} has one cell right under the header, which a line break may have cut; "
                    f"remove the line or the break"
                )
            for position in np.flatnonzero(np.isin(orders, (order - 1, order + 1)) & keep):
                keep[position] = False
                self._reject(
                    int(line[position]), "", f"line {at} beside it has one cell: a line break may have cut this record"
                )
        return keep

    def _without_total(self, line: Numbers) -> npt.NDArray[np.bool_]:
        keep = np.ones(len(line), bool)
        if self.last is not None and self.last[0] == self.count - len(self.blank) and is_total(self.last[2]):
            keep[-1] = False
            self._reject(self.last[1], "", "this is a total, not a record; export without the total line")
        return keep
