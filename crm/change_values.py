"""Values of `changes` as their own columns hold them, whatever way the source wrote them.

`changes` keeps old and new values as text. A company's own history says `1,000.50` or `31.12.2025`; what salescast
logs itself says hundredths and ISO days. Both must read back alike, so that values of columns that are no text are
parsed by the column's dtype and the source's habits, and kept in the record's own form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.cell_text import as_strings
from crm.parse import parse_column
from crm.parse_rule import BadCell, Rule
from crm.schema import Column, DType
from crm.tables import TABLES

SIDES = ("old_value", "new_value")
_AS_WRITTEN = frozenset({DType.TEXT, DType.TEXTS})


def read_change_values(
    columns: dict[str, pa.Array], rule_of: Callable[[str, Column, str], Rule]
) -> tuple[dict[str, pa.Array], dict[str, tuple[BadCell, ...]]]:
    """The columns of `changes` with their values in the record's form, and the cells that do not fit.

    Parameters
    ----------
    columns : dict of str to pa.Array
        Columns of `changes` as a source filled them, values as text.
    rule_of : callable
        Gives the reading rule of a side (`old_value`, `new_value`), for a column of a table.

    Returns
    -------
    tuple
        The columns with `old_value` and `new_value` replaced, and the bad cells by side.
    """
    sides = [side for side in SIDES if side in columns]
    if not sides or "entity" not in columns or "field" not in columns:
        return columns, {}
    filled = dict(columns)
    bad: dict[str, list[BadCell]] = {side: [] for side in sides}
    values = {side: np.array(columns[side].to_pylist(), dtype=object) for side in sides}
    for entity, column, rows in _typed_fields(columns["entity"], columns["field"]):
        for side in sides:
            rule = replace(rule_of(side, column, entity), dtype=column.dtype, allowed=())
            parsed = parse_column(pa.array(values[side][rows].tolist(), pa.string()), rule)
            values[side][rows] = as_strings(parsed.values).to_pylist()
            bad[side] += [replace(cell, row=int(rows[cell.row])) for cell in parsed.bad]
    for side in sides:
        filled[side] = pa.array(values[side].tolist(), pa.string())
    return filled, {side: tuple(cells) for side, cells in bad.items()}


def _typed_fields(entity: pa.Array, field: pa.Array) -> Iterator[tuple[str, Column, npt.NDArray[np.intp]]]:
    """Every changed column that is no text, with the rows that change it."""
    both = np.array([f"{one}\n{other}" for one, other in zip(entity.to_pylist(), field.to_pylist(), strict=True)])
    for pair in np.unique(both).tolist():
        table_name, name = pair.split("\n", 1)
        if table_name in TABLES and TABLES[table_name].has(name):
            column = TABLES[table_name].column(name)
            if column.dtype not in _AS_WRITTEN:
                yield table_name, column, np.flatnonzero(both == pair)
