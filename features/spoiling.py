"""Stores as they might have been: with another future, and cut off at a moment.

The other future keeps what the past had written: rows that were visible, and of a later change the value it replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.schema import SYSTEM_NAMES, Column, DType
from crm.tables import table
from features.asof import Moment, Row, column_of, happened, moment_of
from features.rollback import known_value

Tables = Mapping[str, pa.Table]
_KEPT_OF_CHANGES = frozenset({"entity", "entity_id", "field", "old_value", "occurred_at"})


def spoil_future(tables: Tables, as_of: datetime, zone: ZoneInfo, *, seed: int) -> dict[str, pa.Table]:
    """The tables with everything garbled that was not known at `as_of`."""
    moment = moment_of(as_of, zone)
    rng = np.random.default_rng(seed)
    later = _later_changes(tables, moment)
    return {name: _spoilt(name, rows, moment, later, rng) for name, rows in tables.items()}


def truncate(tables: Tables, as_of: datetime, zone: ZoneInfo, dtypes: Mapping[str, DType]) -> dict[str, pa.Table]:
    """The tables as a store that ends at `as_of` would hold them; `dtypes` are the custom columns."""
    moment = moment_of(as_of, zone)
    changes: dict[tuple[str, str], list[Row]] = {}
    for change in tables["changes"].to_pylist() if "changes" in tables else []:
        changes.setdefault((change["entity"], change["entity_id"]), []).append(change)
    return {name: _cut(name, rows, moment, changes, dtypes) for name, rows in tables.items()}


def _visible(name: str, rows: pa.Table, moment: Moment) -> npt.NDArray[np.bool_]:
    clock = table(name).clock
    seen = _before(rows.column("recorded_at"), moment)
    return seen if clock is None else seen & _before(rows.column(clock), moment)


def _before(moments: pa.ChunkedArray, moment: Moment) -> npt.NDArray[np.bool_]:
    """Which moments have happened; empty ones have not."""
    if pa.types.is_date(moments.type):
        seen = pc.less(moments, pa.scalar(moment.on, moments.type))
    else:
        seen = pc.less_equal(moments, pa.scalar(moment.at, moments.type))
    return np.asarray(pc.fill_null(seen, False).to_numpy(), dtype=bool)


def _later_changes(tables: Tables, moment: Moment) -> set[tuple[str, str, str]]:
    """Table, key and column of everything that changed after the moment or became known to have."""
    if "changes" not in tables:
        return set()
    rows = tables["changes"]
    hidden = rows.filter(pa.array(~_visible("changes", rows, moment)))
    columns = (hidden.column(name).to_pylist() for name in ("entity", "entity_id", "field"))
    return set(zip(*columns, strict=True))


def _spoilt(
    name: str, rows: pa.Table, moment: Moment, later: set[tuple[str, str, str]], rng: np.random.Generator
) -> pa.Table:
    stated = table(name)
    hidden = ~_visible(name, rows, moment)
    kept = set(stated.key) | SYSTEM_NAMES | (_KEPT_OF_CHANGES if name == "changes" else {str(stated.clock)})
    for at, column_name in enumerate(rows.column_names):
        column = column_of(name, column_name)
        # When it happened stays after the moment; what came with it is garbled.
        if column_name in kept or column.known_at == column.name:
            continue
        changed = [key for table_name, key, field in later if (table_name, field) == (name, column_name)]
        touched = hidden | np.asarray(
            pc.is_in(rows.column(stated.key[0]).cast(pa.string()), pa.array(changed, pa.string()))
        )
        if column.known_at is not None:
            moments = rows.column(column.known_at)
            touched |= ~_before(moments, moment) & np.asarray(moments.is_valid())
        rows = rows.set_column(at, rows.schema.field(at), _garbled(rows.column(column_name), touched, rng))
    return rows


def _garbled(values: pa.ChunkedArray, touched: npt.NDArray[np.bool_], rng: np.random.Generator) -> pa.ChunkedArray:
    """The column with other values of its own, or none, in the touched rows."""
    places = np.arange(len(values))
    places[touched] = rng.integers(0, len(values) + 1, size=int(touched.sum()))
    return values.take(pa.array(places, mask=places == len(values)))


def _cut(
    name: str,
    rows: pa.Table,
    moment: Moment,
    changes: Mapping[tuple[str, str], list[Row]],
    dtypes: Mapping[str, DType],
) -> pa.Table:
    stated = table(name)
    rows = rows.filter(pa.array(_visible(name, rows, moment)))
    columns = [
        column_of(name, column, dtypes.get(column)) for column in rows.column_names if column not in SYSTEM_NAMES
    ]
    for column in columns:
        at = rows.schema.get_field_index(column.name)
        if column.known_at is not None and not column.mutable:
            known = [happened(value, moment) for value in rows.column(column.known_at).to_pylist()]
            values = rows.column(column.name).to_pylist()
            kept = [value if seen else None for value, seen in zip(values, known, strict=True)]
            rows = rows.set_column(at, rows.schema.field(at), pa.array(kept, rows.schema.field(at).type))
    changed = {key for entity, key in changes if entity == name}
    if not changed:
        return rows
    keys = rows.column(stated.key[0]).to_pylist()
    for column in (column for column in columns if column.mutable):
        at = rows.schema.get_field_index(column.name)
        cells = rows.column(column.name).to_pylist()
        for place, key in enumerate(keys):
            if key in changed:
                row = {stated.key[0]: key, column.name: cells[place]}
                if column.known_at is not None:
                    row[column.known_at] = rows.column(column.known_at)[place].as_py()
                cells[place] = _stored(
                    known_value(name, column.name, row, {"changes": changes[name, key]}, moment), column
                )
        rows = rows.set_column(at, rows.schema.field(at), pa.array(cells, rows.schema.field(at).type))
    return rows


def _stored(value: object, column: Column) -> object:
    return int(value) if isinstance(value, float) and column.dtype in {DType.INTEGER, DType.MONEY} else value
