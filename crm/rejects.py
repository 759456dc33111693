"""Records that were left out, written for the person who mends them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from crm.raw import Reject

_COLUMNS = ("line", "column", "value", "reason")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_rejects(folder: Path, rejects: Sequence[Reject]) -> tuple[Path, ...]:
    """One CSV file a source below `folder`, by line; nothing is written when nothing was rejected.

    Cells that a spreadsheet would run as a formula get a leading apostrophe.
    """
    by_source: dict[str, list[Reject]] = {}
    for reject in rejects:
        by_source.setdefault(reject.source, []).append(reject)
    written = []
    for source, found in sorted(by_source.items()):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{source}.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(_COLUMNS)
            for reject in sorted(found, key=lambda reject: (reject.line, reject.column)):
                cells = (str(reject.line), reject.column, reject.value, reject.reason)
                writer.writerow([as_cell(cell) for cell in cells])
        written.append(path)
    return tuple(written)


def as_cell(text: str) -> str:
    """Text that a spreadsheet shows and never runs.

    Examples
    --------
    >>> as_cell("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def ingest_id(now: datetime, names: Sequence[str]) -> str:
    """Name of one ingest: its moment and a digest of its sources.

    Examples
    --------
    >>> ingest_id(datetime(2026, 1, 31, 8), ["leads"])
    '20260131T080000-aef450'
    """
    return f"{now:%Y%m%dT%H%M%S}-{hashlib.sha256(chr(10).join(names).encode()).hexdigest()[:6]}"
