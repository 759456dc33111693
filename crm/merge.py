"""Rows of a batch into the rows of the record: inserted, changed with history, or unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.backfill import recorded_moments
from crm.batch import Batch, Moment, TableState, key_text
from crm.cell_text import as_strings
from crm.custom import as_custom_text, words_of
from crm.schema import KEY_SEPARATOR, SYSTEM_COLUMNS, DType, Table, arrow_type
from crm.tables import empty_table
from crm.tables import table as table_of

_TIMESTAMP = pa.timestamp("us")
_CHANGE_ID_LENGTH = 24
_LISTED_FACTS = ("written_after_outcome", "known_at_entry")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """What a batch made of a table.

    Attributes
    ----------
    state : TableState
        The table afterwards.
    changes : pa.Table or None
        Rows for the table `changes`; None when nothing changed.
    inserted, changed, unchanged : int
        Rows of the batch by what became of them.
    """

    state: TableState
    changes: pa.Table | None
    inserted: int
    changed: int
    unchanged: int


def merge(state: TableState, batch: Batch, moment: Moment) -> Merged:
    """The table with a batch taken in.

    A row whose key is new is inserted; a row with another value in a column that the batch brings is
    changed, and every changed column leaves a row in `changes`; equal rows are left alone. Columns that the
    batch does not bring keep their values.
    """
    table = table_of(batch.table)
    state, batch = _same_columns(state, batch)
    at = _positions(state.rows, batch.rows, table)
    known = np.flatnonzero(at >= 0)
    new = np.flatnonzero(at < 0)
    different = _differences(state, batch, table, at, known)
    changed = np.zeros(len(known), dtype=bool)
    for column in different.values():
        changed |= column
    rows = state.rows
    changes = None
    if changed.any():
        changes = _history(rows, batch, table, at, known, different, moment)
        rows = _overwritten(rows, batch, at, known, different)
    if len(new):
        inserted = _stamped(batch, new, table, moment, first_load=not _has_source(state.rows, moment.source))
        for name in rows.column_names:
            if name not in inserted.column_names:
                inserted = inserted.append_column(name, pa.nulls(len(new), rows.schema.field(name).type))
        rows = pa.concat_tables([rows, inserted.select(rows.column_names)])
    custom = {**state.custom, **batch.custom}
    return Merged(
        state=TableState(rows=rows, custom=custom, facts=merge_facts(state.facts, batch.facts)),
        changes=changes if table.name != "changes" else None,
        inserted=len(new),
        changed=int(changed.sum()),
        unchanged=len(known) - int(changed.sum()) + batch.repeated,
    )


def merge_facts(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The facts of a table with those of a batch; lists of columns are joined."""
    merged = {**old, **new}
    for name in _LISTED_FACTS:
        if name in old and name in new:
            merged[name] = json.dumps(list(dict.fromkeys([*json.loads(old[name]), *json.loads(new[name])])))
    return merged


def _same_columns(state: TableState, batch: Batch) -> tuple[TableState, Batch]:
    """Both sides with the same columns and types; a custom column of two dtypes becomes text."""
    rows, brought, custom = state.rows, batch.rows, dict(batch.custom)
    kept = dict(state.custom)
    for name, dtype in batch.custom.items():
        before = state.custom.get(name)
        if before is None:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, arrow_type(dtype)))
        elif before is not dtype:
            old = as_custom_text(rows.column(name), before, words_of(state.facts, name))
            rows = rows.set_column(rows.column_names.index(name), name, old)
            words = words_of(batch.facts, name)
            text = as_custom_text(brought.column(name), dtype, words)
            brought = brought.set_column(brought.column_names.index(name), name, text)
            custom[name] = kept[name] = DType.TEXT
    facts = {
        fact: value for fact, value in batch.facts.items() if custom.get(fact.removeprefix("words.")) != DType.TEXT
    }
    facts_before = {f: v for f, v in state.facts.items() if custom.get(f.removeprefix("words.")) != DType.TEXT}
    return (
        TableState(rows=rows, custom=kept, facts=facts_before),
        replace(batch, rows=brought, custom=custom, facts=facts),
    )


def _positions(rows: pa.Table, brought: pa.Table, table: Table) -> npt.NDArray[np.int64]:
    """For each row of the batch the position of its key in the table; -1 when it is new."""
    if rows.num_rows == 0:
        return np.full(brought.num_rows, -1, dtype=np.int64)
    found = pc.index_in(key_text(brought, table.key), value_set=key_text(rows, table.key))
    positions: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return positions


def _differences(
    state: TableState, batch: Batch, table: Table, at: npt.NDArray[np.int64], known: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.bool_]]:
    """For each column that the batch brings, which of the known rows have another value now."""
    if len(known) == 0:
        return {}
    different: dict[str, npt.NDArray[np.bool_]] = {}
    old_at, new_at = pa.array(at[known]), pa.array(known)
    for name in batch.rows.column_names:
        if name in table.key:
            continue
        old = _comparable(state.rows.column(name).take(old_at).combine_chunks())
        new = _comparable(batch.rows.column(name).take(new_at).combine_chunks())
        both = pc.and_(pc.is_valid(old), pc.is_valid(new))
        differs = pc.if_else(both, pc.not_equal(old, new), pc.not_equal(pc.is_valid(old), pc.is_valid(new)))
        policy = batch.on_change.get(name)
        if policy is not None:
            differs = pc.and_(differs, _wins(old, new, policy))
        found = differs.to_numpy(zero_copy_only=False)
        if found.any():
            different[name] = found
    return different


def _wins(old: pa.Array, new: pa.Array, policy: str) -> pa.Array:
    """Where the later value replaces the earlier one."""
    empty = pc.and_(pc.is_null(old), pc.is_valid(new))
    if policy == "keep":
        return empty
    better = pc.less(new, old) if policy == "earliest" else pc.greater(new, old)
    return pc.or_(empty, pc.fill_null(better, False))


def _comparable(values: pa.Array) -> pa.Array:
    return as_strings(values) if pa.types.is_list(values.type) else values


def _overwritten(
    rows: pa.Table,
    batch: Batch,
    at: npt.NDArray[np.int64],
    known: npt.NDArray[np.int64],
    different: Mapping[str, npt.NDArray[np.bool_]],
) -> pa.Table:
    for name, differs in different.items():
        index = np.arange(rows.num_rows, dtype=np.int64)
        index[at[known[differs]]] = rows.num_rows + known[differs]
        joined = pa.chunked_array([*rows.column(name).chunks, *batch.rows.column(name).chunks])
        rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), joined.take(pa.array(index)))
    return rows


def _history(
    rows: pa.Table,
    batch: Batch,
    table: Table,
    at: npt.NDArray[np.int64],
    known: npt.NDArray[np.int64],
    different: Mapping[str, npt.NDArray[np.bool_]],
    moment: Moment,
) -> pa.Table:
    """One row of `changes` for each changed value."""
    parts = []
    entity_id = key_text(batch.rows, table.key, KEY_SEPARATOR)
    for name, differs in different.items():
        at_new = known[differs]
        n_changes = len(at_new)
        occurred = pa.repeat(pa.scalar(moment.now, _TIMESTAMP), n_changes)
        if batch.updated_at is not None:
            stated = batch.updated_at.take(pa.array(at_new))
            occurred = pc.if_else(pc.fill_null(pc.less(stated, occurred), False), stated, occurred)
        parts.append(
            pa.table(
                {
                    "entity": pa.repeat(pa.scalar(table.name), n_changes),
                    "entity_id": entity_id.take(pa.array(at_new)),
                    "occurred_at": occurred,
                    "field": pa.repeat(pa.scalar(name), n_changes),
                    "old_value": as_strings(rows.column(name).take(pa.array(at[at_new])).combine_chunks()),
                    "new_value": as_strings(batch.rows.column(name).take(pa.array(at_new)).combine_chunks()),
                }
            )
        )
    changes = pa.concat_tables(parts)
    n_rows = changes.num_rows
    system = {
        "recorded_at": pa.repeat(pa.scalar(moment.now, _TIMESTAMP), n_rows),
        "backfilled": pa.repeat(pa.scalar(False), n_rows),
        "ingested_at": pa.repeat(pa.scalar(moment.now, _TIMESTAMP), n_rows),
        "source": pa.repeat(pa.scalar(moment.source), n_rows),
    }
    stated_columns = {
        "change_id": change_ids(changes, moment.now),
        **dict(zip(changes.column_names, changes, strict=True)),
    }
    return pa.table({**stated_columns, **system})


def change_ids(changes: pa.Table, now: datetime) -> pa.Array:
    """Identifiers of changes: a digest of what changed and of the moment it was taken in."""
    joint = pc.binary_join_element_wise(
        *[as_strings(column.combine_chunks()) for column in changes.columns],
        now.isoformat(),
        "\x1f",
        null_handling="replace",
    )
    return pa.array([hashlib.sha256(text.encode()).hexdigest()[:_CHANGE_ID_LENGTH] for text in joint.to_pylist()])


def _stamped(batch: Batch, new: npt.NDArray[np.int64], table: Table, moment: Moment, *, first_load: bool) -> pa.Table:
    """The new rows with every column of the table and the system columns."""
    rows = batch.rows.take(pa.array(new))
    n_rows = rows.num_rows
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for column in table.columns:
        present = column.name in rows.column_names
        columns[column.name] = rows.column(column.name) if present else pa.nulls(n_rows, arrow_type(column.dtype))
    columns |= {name: rows.column(name) for name in batch.custom}
    known = None if batch.recorded_at is None else batch.recorded_at.take(pa.array(new))
    recorded, derived = recorded_moments(rows, known, table, moment, first_load=first_load)
    columns["recorded_at"] = recorded
    columns["backfilled"] = derived
    columns["ingested_at"] = pa.repeat(pa.scalar(moment.now, _TIMESTAMP), n_rows)
    columns["source"] = pa.repeat(pa.scalar(moment.source), n_rows)
    return pa.table(columns)


def _has_source(rows: pa.Table, source: str) -> bool:
    return bool(pc.any(pc.equal(rows.column("source"), source)).as_py())


def empty_state(name: str) -> TableState:
    """A table without rows."""
    return TableState(rows=empty_table(name), custom={}, facts={})


def complete(rows: pa.Table, name: str) -> pa.Table:
    """Rows of the record with every stated and system column in the order of the table, custom ones last."""
    wanted = [(c.name, arrow_type(c.dtype)) for c in (*table_of(name).columns, *SYSTEM_COLUMNS)]
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for column, kind in wanted:
        present = column in rows.column_names
        columns[column] = rows.column(column) if present else pa.nulls(rows.num_rows, kind)
    columns |= {column: rows.column(column) for column in rows.column_names if column not in columns}
    return pa.table(columns)


def naive_utc(moment: datetime) -> datetime:
    """A moment as the record keeps it.

    Examples
    --------
    >>> naive_utc(datetime(2026, 1, 1, tzinfo=UTC))
    datetime.datetime(2026, 1, 1, 0, 0)
    """
    if moment.tzinfo is None:
        raise ValueError("expected a moment with a time zone")
    return moment.astimezone(UTC).replace(tzinfo=None)
