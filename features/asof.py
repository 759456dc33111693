"""The one door to history: which rows and values were known at a moment, as SQL and row by row."""

from __future__ import annotations

import pyarrow as pa

from crm.store import Generation


def read_flat(generation: Generation, name: str) -> pa.Table:
    """All rows of a table that has no history: one row per entity, as a flat source gave it.

    Raises
    ------
    ValueError
        The table has a clock and is read through a spine.
    """
    from crm.tables import table

    if table(name).clock is not None:
        raise ValueError(f"table {name} has a history; it is read as of a moment through a spine")
    return generation.read(name)
