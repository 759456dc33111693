"""Records of delimited text by RFC 4180, each with the line it starts in; what breaks the rules is refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from crm.raw import BadSource
from crm.readers.damage import may_be_damaged

# Far above any real record: a quote that is never closed would otherwise swallow the rest of the file.
MOST_RECORD_CHARACTERS = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some records in order.

    Attributes
    ----------
    rows : list of list of str
        The cells, unquoted. A blank line has none.
    lines : list of int
        Line of the file in which each record starts, 1 = first.
    longest : int
        Characters of the longest record.
    suspicious : bool
        The text holds traces of wrong decoding.
    """

    rows: list[list[str]]
    lines: list[int]
    longest: int
    suspicious: bool


def split_records(blocks: Iterable[str], *, delimiter: str, file: str, skip_lines: int = 0) -> Iterator[Batch]:
    r"""Records of text that comes in blocks.

    Parameters
    ----------
    blocks : iterable of str
        Text; a record may span blocks.
    delimiter : str
        One character between cells.
    file : str
        Name in errors.
    skip_lines : int
        Lines left out before the first record.

    Yields
    ------
    Batch
        Records in order; a batch may hold none.

    Raises
    ------
    BadSource
        A quote stands where none may or is never closed, a lone carriage return, an endless record.

    Examples
    --------
    >>> [batch.rows for batch in split_records(['a,b\n1,"x\ny"'], delimiter=",", file="f.csv")]
    [[['a', 'b']], [['1', 'x\ny']]]
    """
    splitter = _Splitter(grammar=_Grammar(delimiter), file=file, skip=skip_lines)
    carried: list[str] = []
    size = 0
    for block in blocks:
        end = block.rfind("\n") + 1
        if not end:
            carried.append(block)
            size += len(block)
            splitter.require_bounded(size)
            continue
        yield splitter.split("".join((*carried, block[: end - 1])))
        carried, size = [block[end:]], len(block) - end
    yield splitter.finish("".join(carried))


class _Grammar:
    """The regular expressions of one delimiter; possessive, so that they run in linear time."""

    def __init__(self, delimiter: str) -> None:
        mark = re.escape(delimiter)
        quoted, bare = r'"[^"]*+(?:""[^"]*+)*+"', rf'[^"\r\n{mark}]*+'
        cell = rf"(?:{quoted}|{bare})"
        self.delimiter = delimiter
        self.record = re.compile(rf"{cell}(?:{mark}{cell})*+\r?")
        self.opening = re.compile(rf'(?:{cell}{mark})*+"[^"]*+(?:""[^"]*+)*+')
        self.inside = re.compile(r'[^"]*+(?:""[^"]*+)*+')
        self.valid = re.compile(rf"(?:{cell}{mark})*+(?:{cell})?")


@dataclass(slots=True)
class _Splitter:
    grammar: _Grammar
    file: str
    skip: int
    line: int = 0
    opened: int = 0
    started: int = 0
    parts: list[str] = field(default_factory=list)
    size: int = 0

    def split(self, text: str) -> Batch:
        """Records that end within whole lines of text."""
        lines = text.split("\n")
        if self.skip:
            skipped = min(self.skip, len(lines))
            self.skip -= skipped
            self.line += skipped
            lines = lines[skipped:]
        if not self.parts and '"' not in text:
            records, numbers = lines, list(range(self.line + 1, self.line + len(lines) + 1))
            if "\r" in text:
                records = self._without_returns(lines)
            self.line += len(lines)
        else:
            records, numbers = self._quoted(lines)
        longest = max(map(len, records), default=0)
        self.require_bounded(longest)
        suspicious = not text.isascii() and may_be_damaged(text)
        return Batch(rows=self._cells(records, longest), lines=numbers, longest=longest, suspicious=suspicious)

    def finish(self, text: str) -> Batch:
        """The records of what stands after the last line break."""
        batch = self.split(text) if text or self.parts else Batch(rows=[], lines=[], longest=0, suspicious=False)
        if self.parts:
            raise BadSource(
                f"{self.file}: a quote opened in line {self.opened} is never closed; "
                f'close it, or write a quote inside a cell as ""'
            )
        return batch

    def require_bounded(self, size: int) -> None:
        """Refuse a record of more characters than any real one has."""
        if size + self.size > MOST_RECORD_CHARACTERS:
            line = self.opened if self.parts else self.line + 1
            raise BadSource(
                f"{self.file}: the record at line {line} is longer than {MOST_RECORD_CHARACTERS:,} characters; "
                f"a quote is not closed there, or this is no delimited text"
            )

    def _without_returns(self, lines: list[str]) -> list[str]:
        records = [line[:-1] if line.endswith("\r") else line for line in lines]
        for number, record in enumerate(records, self.line + 1):
            if "\r" in record:
                raise self._lone_return(number)
        return records

    def _lone_return(self, line: int) -> BadSource:
        return BadSource(
            f"{self.file}: line {line} holds a carriage return without line feed (old Macintosh line ends, or a "
            f"broken cell); save the file with normal line ends"
        )

    def _quoted(self, lines: list[str]) -> tuple[list[str], list[int]]:
        records: list[str] = []
        numbers: list[int] = []
        whole = self.grammar.record.fullmatch
        for line in lines:
            self.line += 1
            if self.parts:
                if self._continues(line):
                    records.append("\n".join(self.parts))
                    numbers.append(self.started)
                    self.parts, self.size = [], 0
            elif whole(line):
                records.append(line)
                numbers.append(self.line)
            elif self.grammar.opening.fullmatch(line):
                self.parts, self.size = [line], len(line)
                self.opened = self.started = self.line
            else:
                raise self._stray(line, since=0)
        return records, numbers

    def _continues(self, line: str) -> bool:
        """Take a line that begins inside a quoted cell; True when the record ends in it."""
        self.require_bounded(len(line))
        self.parts.append(line)
        self.size += len(line) + 1
        found = self.grammar.inside.match(line)
        closing = found.end() if found else 0
        if closing == len(line):
            return False
        rest = line[closing + 1 :]
        if rest in ("", "\r"):
            return True
        if not rest.startswith(self.grammar.delimiter):
            raise self._stray(line, since=self.opened, at=closing)
        if self.grammar.record.fullmatch(rest, 1):
            return True
        if not self.grammar.opening.fullmatch(rest, 1):
            raise self._stray(line, since=self.opened, after=closing + 2)
        self.opened = self.line
        return False

    def _stray(self, line: str, *, since: int, at: int | None = None, after: int = 0) -> BadSource:
        found = self.grammar.valid.match(line, after)
        position = at if at is not None else found.end() if found else after
        if line[position : position + 1] == "\r":
            return self._lone_return(self.line)
        opened = f" (in or after the quoted cell opened in line {since})" if since else ""
        return BadSource(
            f"{self.file}: line {self.line}, character {position + 1}: a quote stands where none may{opened}; a quoted "
            f'cell starts and ends at the delimiter, and a quote inside it is written ""'
        )

    def _cells(self, records: list[str], longest: int) -> list[list[str]]:
        if longest < csv.field_size_limit():
            return list(csv.reader(records, delimiter=self.grammar.delimiter, strict=True))
        return [self._cells_of(record) for record in records]

    def _cells_of(self, record: str) -> list[str]:
        """Cells of one record that is too long for the csv module, whose limit is the whole process's."""
        if len(record) < csv.field_size_limit():
            return next(csv.reader([record], delimiter=self.grammar.delimiter, strict=True))
        cells: list[str] = []
        mark = re.escape(self.grammar.delimiter)
        for found in re.finditer(
            rf'(?:^|{mark})(?:"([^"]*+(?:""[^"]*+)*+)"|([^"{mark}]*+))', record.removesuffix("\r")
        ):
            quoted, bare = found.groups()
            cells.append(bare if quoted is None else quoted.replace('""', '"'))
        return cells
