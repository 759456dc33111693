"""Column names of a source: one or more header rows joined, each name once, and the delimiter they show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crm.raw import BadSource

DELIMITERS = (",", ";", "\t", "|")
_SHOWN = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_MOST_EXAMPLES = 3


def find_delimiter(line: str, stated: str | None, *, file: str) -> str:
    """The delimiter that the header line shows.

    Parameters
    ----------
    line : str
        First line of the header.
    stated : str or None
        What the mapping says; checked against the line.
    file : str
        Name in errors.

    Raises
    ------
    BadSource
        More than one of comma, semicolon, tab and bar could be it, or the stated one is not there.

    Examples
    --------
    >>> find_delimiter('id;name;"a, b"', None, file="f.csv")
    ';'
    """
    plain = _QUOTED.sub("", line)
    counts = {mark: plain.count(mark) for mark in DELIMITERS if mark in plain}
    if stated is not None:
        if stated in plain or not counts:
            return stated
        other = max(counts, key=lambda mark: counts[mark])
        raise BadSource(
            f"{file}: the mapping says the delimiter is {_SHOWN.get(stated, repr(stated))}, but the header shows "
            f"{_SHOWN[other]}; correct `delimiter:`"
        )
    if len(counts) > 1:
        found = " and ".join(_SHOWN[mark] for mark in counts)
        raise BadSource(f"{file}: the header holds {found}, so its delimiter is unclear; state `delimiter:`")
    return next(iter(counts), ",")


def join_header(rows: Sequence[Sequence[str | None]], *, width: int, fill: bool = True) -> list[str]:
    """Names of the columns from one or more header rows, as `Top / Sub`.

    Parameters
    ----------
    rows : sequence of sequence of str or None
        The header rows, top first.
    width : int
        Number of columns.
    fill : bool
        Blank cells of an upper row take the cell to their left, as a merged header leaves them in a CSV.

    Examples
    --------
    >>> join_header([["Customer", "", "Paid"], ["Name", "City", ""]], width=3)
    ['Customer / Name', 'Customer / City', 'Paid']
    """
    levels: list[list[str]] = []
    for depth, row in enumerate(rows):
        cells = [cell or "" for cell in row] + [""] * (width - len(row))
        if fill and depth < len(rows) - 1:
            for position in range(1, width):
                if not cells[position].strip():
                    cells[position] = cells[position - 1]
        levels.append(cells)
    if len(levels) == 1:
        return levels[0]
    return [
        " / ".join(dict.fromkeys(part.strip() for part in parts if part.strip())) for parts in zip(*levels, strict=True)
    ]


def unnamed_tail(names: Sequence[str]) -> int:
    """How many columns at the end have no name."""
    count = 0
    while count < len(names) and not names[len(names) - 1 - count].strip():
        count += 1
    return count


def require_names(names: Sequence[str], *, file: str, line: int, most: int) -> None:
    """Pass when every column has a name of its own.

    Raises
    ------
    BadSource
        A name is blank or repeated, or there are more columns than `most`.
    """
    if len(names) > most:
        raise BadSource(f"{file}: {len(names):,} columns; expected at most {most:,} (`limits: max_columns`)")
    blank = [str(position) for position, name in enumerate(names, 1) if not name.strip()]
    if blank:
        raise BadSource(
            f"{file}: line {line}: column {', '.join(blank[:_MOST_EXAMPLES])} of the header has no name; name it, or "
            f"state `skip_rows:` when the header starts further down"
        )
    places: dict[str, list[int]] = {}
    for position, name in enumerate(names, 1):
        places.setdefault(name, []).append(position)
    twice = [f"{name[:40]!r} (columns {', '.join(map(str, at[:3]))})" for name, at in places.items() if len(at) > 1]
    if twice:
        raise BadSource(
            f"{file}: line {line}: the header repeats {', '.join(twice[:_MOST_EXAMPLES])}; give each column a name"
        )
