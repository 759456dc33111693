"""What openpyxl's streaming mode leaves out of a sheet: merged ranges, and formulas without a stored result."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import dataclass

from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries

from crm.raw import BadSource

_MOST_MERGED = 100_000
_FACTS = re.compile(rb"mergeCell |<(\w+:)?f[ >/]")
_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetFacts:
    """Facts of a sheet's XML.

    Attributes
    ----------
    merged : tuple of (int, int, int, int)
        First column, first row, last column, last row of each merged range, counted from 1.
    unstored : tuple of (int, int)
        Row and column of formulas without a stored result.
    """

    merged: tuple[tuple[int, int, int, int], ...]
    unstored: tuple[tuple[int, int], ...]

    def fill(self, rows: list[list[object]]) -> None:
        """Write the value of each merged cell into its whole range, in place and within the rows that exist."""
        width = max(map(len, rows), default=0)
        for left, top, right, bottom in self.merged:
            if top > len(rows) or left > len(rows[top - 1]):
                continue
            value = rows[top - 1][left - 1]
            for row in rows[top - 1 : bottom]:
                last = min(right, max(width, left))
                row.extend([None] * (last - len(row)))
                row[left - 1 : last] = [value] * (last - left + 1)

    def is_title(self, row: int, width: int) -> bool:
        """Whether one cell is merged over a whole row of several columns."""
        return width > 1 and any(
            top <= row <= bottom and left == 1 and right >= width for left, top, right, bottom in self.merged
        )


def read_facts(archive: zipfile.ZipFile, part: str, *, file: str) -> SheetFacts:
    """Merged ranges and unstored formulas of a sheet.

    Parameters
    ----------
    archive : ZipFile
        The workbook.
    part : str
        Path of the sheet's XML in it.
    file : str
        Name in errors.

    Raises
    ------
    BadSource
        The XML declares entities, or merges more ranges than any real sheet.
    """
    if not _has_facts(archive, part.lstrip("/"), file):
        return SheetFacts(merged=(), unstored=())
    merged: list[tuple[int, int, int, int]] = []
    unstored: list[tuple[int, int]] = []
    with archive.open(part.lstrip("/")) as sheet:
        for _, element in ElementTree.iterparse(sheet):  # noqa: S314 - no entities, and within the child's limits
            if element.tag == f"{_SPACE}mergeCell":
                left, top, right, bottom = range_boundaries(element.get("ref", ""))
                merged.append((left or 1, top or 1, right or 1, bottom or 1))
                if len(merged) > _MOST_MERGED:
                    raise BadSource(f"{file}: more than {_MOST_MERGED:,} merged ranges; save the sheet as CSV")
            elif element.tag == f"{_SPACE}c":
                if element.find(f"{_SPACE}f") is not None and not element.findtext(f"{_SPACE}v"):
                    row, column = coordinate_to_tuple(element.get("r", "A1"))
                    unstored.append((row, column))
            elif element.tag == f"{_SPACE}row":
                element.clear()
    return SheetFacts(merged=tuple(merged), unstored=tuple(unstored))


def _has_facts(archive: zipfile.ZipFile, part: str, file: str) -> bool:
    """Whether the sheet merges or computes at all: most do not, and parsing it twice is slow."""
    found, tail = False, b""
    with archive.open(part) as sheet:
        while block := sheet.read(1 << 20):
            text = tail + block
            if b"<!DOCTYPE" in text:
                raise BadSource(f"{file}: the sheet declares XML entities, as no Excel does; save it again in Excel")
            found = found or _FACTS.search(text) is not None
            tail = text[-32:]
    return found
