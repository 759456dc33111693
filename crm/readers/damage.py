"""Records that a file should not hold: totals at its foot, its header again, text damaged on the way."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOTAL = re.compile(r"(grand |sub)?totals?|sum|summe|gesamt(summe)?|total général|合计|总计|小计|共计", re.IGNORECASE)
# UTF-8 read as Windows-1252 or Latin-1: a lead byte as a letter, followed by what its second byte looks like.
_MOJIBAKE = re.compile(r"[Â-ô][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]+")
# A byte order mark inside a file is the start of another that was appended to it.
_LOST = ("\ufffd", "锟斤拷", "ï¿½", "\ufeff")


def is_total(cells: Sequence[object]) -> bool:
    """Whether a record is a total under the rows: it says so in its first cell and leaves others empty.

    Examples
    --------
    >>> is_total(["Total", "", "", "1250.00"])
    True
    >>> is_total(["Total", "Energy", "Paris", "1250.00"])
    False
    """
    filled = [cell for cell in cells if cell is not None and str(cell).strip()]
    if not filled or len(filled) == len(cells):
        return False
    return _TOTAL.fullmatch(str(filled[0]).strip().rstrip(":：")) is not None


def may_be_damaged(text: str) -> bool:
    """Whether text holds a trace that `is_damaged` may confirm cell by cell."""
    return any(trace in text for trace in _LOST) or _MOJIBAKE.search(text) is not None


def is_damaged(cell: str) -> bool:
    r"""Whether a cell was decoded wrongly before it came here, so that its letters are lost or wrong.

    Examples
    --------
    >>> is_damaged("MÃ¼ller"), is_damaged("Müller"), is_damaged("S\u00e3o Paulo")
    (True, False, False)
    """
    if any(trace in cell for trace in _LOST):
        return True
    return any(_is_utf8_as_letters(found.group()) for found in _MOJIBAKE.finditer(cell))


def _is_utf8_as_letters(letters: str) -> bool:
    try:
        raw = b"".join(letter.encode("latin-1") if ord(letter) < 256 else letter.encode("cp1252") for letter in letters)
        text = raw.decode("utf-8")
    except UnicodeError:
        return False
    # A no-break space or a mark after a capital (Â°, Â ) is left alone: prices and titles hold such pairs.
    return any(letter.isalpha() for letter in text)
