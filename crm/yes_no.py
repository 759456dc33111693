"""The words by which a file says yes and no."""

from __future__ import annotations

YES = frozenset({"yes", "true", "是"})
NO = frozenset({"no", "false", "否"})


def flag_value(text: str) -> bool | None:
    """What a cell of a flag column says; None when it is neither yes nor no.

    Examples
    --------
    >>> flag_value("Yes"), flag_value("否"), flag_value("perhaps")
    (True, False, None)
    """
    word = text.casefold()
    return True if word in YES else False if word in NO else None
