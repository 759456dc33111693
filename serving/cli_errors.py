"""The one table from an exception of the floors below to the exit code of the command line.

Names stand for classes, so that reading the table loads none of the modules.
"""

from __future__ import annotations

BAD_INPUT = 2
REFUSED = 3

EXIT_CODES: dict[str, int] = {
    "crm.yaml_file.BadYaml": BAD_INPUT,
    "crm.raw.BadSource": BAD_INPUT,
    "crm.tables.UnknownTable": BAD_INPUT,
    "crm.store.NoRecord": BAD_INPUT,
    "crm.store.StoreIsBusy": REFUSED,
    "crm.store.BrokenStore": BAD_INPUT,
    "serving.cli_errors.NotPossible": BAD_INPUT,
    "serving.cli_errors.Refused": REFUSED,
}


class NotPossible(ValueError):
    """What was asked for cannot be done with this input; the message says what would help."""


class Refused(RuntimeError):
    """A gate said no; the message says which one and by how much."""


def exit_code(error: BaseException) -> int | None:
    """The exit code of an error, by its nearest class in the table; None for a fault of ours.

    Examples
    --------
    >>> exit_code(NotPossible("no such task"))
    2
    >>> exit_code(ZeroDivisionError()) is None
    True
    """
    for kind in type(error).__mro__:
        code = EXIT_CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    return None
