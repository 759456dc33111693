"""Rows of a source as typed rows of one table: filtered, filled, checked, one row a key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.batch import Batch, content_text, key_text
from crm.cells import Record, SourceRows, fill_column, rule_of
from crm.change_values import read_change_values
from crm.custom import CustomColumn, read_custom, words_fact, words_of
from crm.mapping import nearest
from crm.mapping_columns import ColumnSpec, RecordedAt, RowOptions, TableTarget
from crm.parse_rule import BadCell, Rule
from crm.raw import BadSource, Reject
from crm.schema import KEY_SEPARATOR, SYSTEM_NAMES, Column, DType, Table, moment
from crm.tables import table as table_of

_RECORDED = moment("recorded_at", "When the source knew the row.")
_UPDATED = moment("updated_at", "When the source last changed the row.")
Bools = npt.NDArray[np.bool_]


def build_batch(rows: SourceRows, target: TableTarget, record: Record) -> Batch:
    """The rows that a target makes of a source.

    Parameters
    ----------
    rows : SourceRows
        The source; for an event log, with what the target takes from its events as further columns.
    target : TableTarget
        The mapping's target.
    record : Record
        The record as it stands, for lookups and the dtypes of custom columns.

    Returns
    -------
    Batch
        One row a key. Rows with a cell that does not fit, without a required value, or whose key stands
        twice with different values are rejected and named.

    Raises
    ------
    BadSource
        A column is missing or collides.
    """
    stated = table_of(target.table)
    chosen = np.flatnonzero(selected(rows, target))
    skipped = rows.rows.num_rows - len(chosen)
    if skipped:
        rows = rows.take(chosen)
    faults = _Faults(rows, stated)
    columns = _stated_columns(rows, target, stated, record, faults)
    if stated.name == "changes":
        columns = _read_changes(rows, target, columns, faults)
    customs = tuple(_custom_columns(rows, target, stated, record, faults))
    recorded_at = _moments(rows, target.recorded_at or rows.source.recorded_at, record, faults)
    updated_at = _updates(rows, target.updated_at or rows.source.updated_at, record, faults)
    data = pa.table({**columns, **{custom.name: custom.values for custom in customs}})
    batch = Batch(
        table=stated.name,
        rows=data,
        line=rows.line,
        custom={custom.name: custom.dtype for custom in customs},
        facts={f"words.{custom.name}": words_fact(custom.words) for custom in customs if custom.words},
        recorded_at=recorded_at,
        updated_at=updated_at,
        on_change={name: spec.on_change for name, spec in target.columns.items() if spec.on_change != "overwrite"},
        rejects=tuple(faults.rejects),
        rejected=int(faults.at_fault.sum()),
        skipped=skipped,
    )
    batch = _only(batch, ~faults.at_fault)
    rows = rows.take(np.flatnonzero(~faults.at_fault)) if faults.rejects else rows
    if target.one_row_per_key is not None:
        return _reduced(batch, stated, target)
    return _without_duplicates(batch, stated, rows)


class _Faults:
    """Collects what is wrong with rows of one source."""

    def __init__(self, rows: SourceRows, stated: Table) -> None:
        self._rows, self._stated = rows, stated
        self.at_fault: Bools = np.zeros(rows.rows.num_rows, dtype=bool)
        self.rejects: list[Reject] = []

    def add(self, column: str, bad: tuple[BadCell, ...], *, personal: bool = False) -> None:
        for cell in bad:
            self.at_fault[cell.row] = True
            shown = "" if personal else cell.value
            self.rejects.append(self._rows.reject(cell.row, column, shown, cell.reason))


def selected(rows: SourceRows, options: RowOptions) -> Bools:
    """Which rows of a source a target means."""
    chosen: Bools = np.ones(rows.rows.num_rows, dtype=bool)
    for name in options.present:
        chosen &= pc.is_valid(rows.text(name)).to_numpy(zero_copy_only=False)
    for conditions, wanted in ((options.where, True), (options.where_not, False)):
        for name, patterns in conditions.items():
            chosen &= matches(rows.text(name), patterns) == wanted
    return chosen


def matches(text: pa.Array, patterns: tuple[str, ...]) -> Bools:
    """Which cells fit one of the patterns; empty cells fit none."""
    coded = text.dictionary_encode()
    fits = [any(fnmatchcase(word, pattern) for pattern in patterns) for word in coded.dictionary.to_pylist()]
    table = np.array([*fits, False], dtype=bool)
    found: Bools = table[pc.fill_null(coded.indices, len(fits)).to_numpy(zero_copy_only=False)]
    return found


def _stated_columns(
    rows: SourceRows, target: TableTarget, stated: Table, record: Record, faults: _Faults
) -> dict[str, pa.Array]:
    specs = dict(target.columns)
    has_money = any(stated.column(name).dtype is DType.MONEY for name in specs)
    if has_money and stated.has("currency") and "currency" not in specs:
        specs["currency"] = ColumnSpec(constant=rows.currency)
    filled: dict[str, pa.Array] = {}
    for name, spec in specs.items():
        column = stated.column(name)
        parsed = fill_column(rows, spec, column, table=stated.name, record=record)
        shown = ", ".join(spec.reads) or name
        faults.add(shown, parsed.bad, personal=column.personal)
        if column.required:
            faults.add(shown, _absent(parsed.values, parsed.bad, column))
        filled[name] = parsed.values
    return {column.name: filled[column.name] for column in stated.columns if column.name in filled}


def _read_changes(
    rows: SourceRows, target: TableTarget, columns: dict[str, pa.Array], faults: _Faults
) -> dict[str, pa.Array]:
    specs = target.columns
    filled, bad = read_change_values(columns, lambda side, column, table: rule_of(rows, specs[side], column, table))
    for side, cells in bad.items():
        # The changed column may be personal: its values are not shown.
        faults.add(", ".join(specs[side].reads) or side, cells, personal=True)
    return filled


def _absent(values: pa.Array, bad: tuple[BadCell, ...], column: Column) -> tuple[BadCell, ...]:
    named = {cell.row for cell in bad}
    empty = np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False))
    reason = f"expected a value: {column.name} may not be empty"
    return tuple(BadCell(row=int(row), value="", reason=reason) for row in empty if int(row) not in named)


def _custom_columns(
    rows: SourceRows, target: TableTarget, stated: Table, record: Record, faults: _Faults
) -> Iterator[CustomColumn]:
    known, facts = record.custom_now(stated.name), record.facts_now(stated.name)
    taken = {name.casefold(): name for name in (*stated.names, *SYSTEM_NAMES)}
    # Engines read names without regard to case: `Score` of a later file is the record's `score`.
    spelling = {name.casefold(): name for name in known}
    for name in custom_names(rows, target):
        kept = rows.source.rename.get(name, name)
        kept = spelling.get(kept.casefold(), kept)
        dtype = target.custom.get(name) if isinstance(target.custom, dict) else None
        rule = Rule(dtype=dtype, zone=rows.zone, formats=rows.source.date_formats) if dtype else None
        column = read_custom(
            kept,
            rows.cells(name),
            missing=rows.missing(name),
            rule=rule,
            known=known.get(kept),
            words=words_of(facts, kept),
        )
        if column is None:
            continue
        if kept.casefold() in taken:
            raise BadSource(
                f"source {rows.source.name}: column {name!r} has the name of {taken[kept.casefold()]!r}, a column of "
                f"table {stated.name}; fill that one under `columns:`, leave this one out with `exclude:`, or keep it "
                "under another name with `rename:`"
            )
        taken[kept.casefold()] = kept
        faults.add(name, column.bad)
        yield column


def custom_names(rows: SourceRows, target: TableTarget) -> tuple[str, ...]:
    """The source columns that a target keeps as custom ones."""
    source = rows.source
    for setting, names in (("exclude", source.exclude), ("rename", source.rename), ("missing_in", source.missing_in)):
        for name in names:
            require_column(rows, name, setting)
    if target.custom is None or target.custom == "none":
        return ()
    if isinstance(target.custom, tuple | dict):
        for name in target.custom:
            require_column(rows, name, "custom")
    if isinstance(target.custom, tuple):
        return target.custom
    used = {name for other in (*source.targets, target) for spec in other.columns.values() for name in spec.reads}
    for option in (target.recorded_at or source.recorded_at, target.updated_at or source.updated_at):
        used.update(option.from_ if option is not None else ())
    return tuple(name for name in rows.rows.column_names if name not in used and name not in source.exclude)


def require_column(rows: SourceRows, name: str, setting: str) -> None:
    """Raise BadSource when a setting names a column that the source does not have."""
    if name not in rows.rows.column_names:
        hint = nearest(name, rows.rows.column_names)
        raise BadSource(f"source {rows.source.name}: {setting} names {name!r}, which is no column of it; {hint}")


def _moments(rows: SourceRows, stated: RecordedAt | None, record: Record, faults: _Faults) -> pa.Array | None:
    if stated is None or not stated.from_:
        return None
    spec = ColumnSpec.model_validate({"from": stated.from_, "format": stated.format, "time_zone": stated.time_zone})
    return _moment_column(rows, spec, _RECORDED, record, faults)


def _updates(rows: SourceRows, spec: ColumnSpec | None, record: Record, faults: _Faults) -> pa.Array | None:
    return None if spec is None else _moment_column(rows, spec, _UPDATED, record, faults)


def _moment_column(rows: SourceRows, spec: ColumnSpec, column: Column, record: Record, faults: _Faults) -> pa.Array:
    parsed = fill_column(rows, spec, column, table="", record=record)
    faults.add(", ".join(spec.reads), parsed.bad)
    return parsed.values


def _only(batch: Batch, keep: Bools) -> Batch:
    if keep.all():
        return batch
    return _at(batch, np.flatnonzero(keep))


def _at(batch: Batch, index: npt.NDArray[np.int64]) -> Batch:
    positions = pa.array(index)
    return replace(
        batch,
        rows=batch.rows.take(positions),
        line=batch.line[index],
        recorded_at=None if batch.recorded_at is None else batch.recorded_at.take(positions),
        updated_at=None if batch.updated_at is None else batch.updated_at.take(positions),
    )


def _codes(batch: Batch, stated: Table) -> npt.NDArray[np.int64]:
    coded = key_text(batch.rows, stated.key).dictionary_encode()
    codes: npt.NDArray[np.int64] = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _without_duplicates(batch: Batch, stated: Table, rows: SourceRows) -> Batch:
    codes = _codes(batch, stated)
    counts = np.bincount(codes) if len(codes) else np.zeros(0, np.int64)
    if counts.max(initial=0) <= 1:
        return batch
    doubled = np.flatnonzero(counts[codes] > 1)
    content = content_text(batch.rows.take(pa.array(doubled))).dictionary_encode().indices.to_numpy()
    rows_of: dict[int, list[int]] = {}
    differs: set[int] = set()
    words_of_first: dict[int, int] = {}
    for code, words, row in zip(codes[doubled].tolist(), content.tolist(), doubled.tolist(), strict=True):
        rows_of.setdefault(code, []).append(row)
        if words_of_first.setdefault(code, words) != words:
            differs.add(code)
    keep = np.ones(len(codes), dtype=bool)
    keep[[row for same in rows_of.values() for row in same[1:]]] = False
    at_fault = np.isin(codes, list(differs))
    shown = key_text(batch.rows, stated.key, KEY_SEPARATOR)
    rejects = tuple(
        rows.reject(
            row,
            ", ".join(stated.key),
            str(shown[row].as_py())[:80],
            f"expected one row a key: its key stands also in line {batch.line[_other(rows_of[int(codes[row])], row)]} "
            "with other values; keep one of them, or state `one_row_per_key:`",
        )
        for row in np.flatnonzero(at_fault).tolist()
    )
    repeated = int((~keep & ~at_fault).sum())
    kept = _only(batch, keep & ~at_fault)
    return replace(
        kept,
        rejects=(*batch.rejects, *rejects),
        rejected=batch.rejected + int(at_fault.sum()),
        repeated=repeated,
    )


def _other(rows: list[int], row: int) -> int:
    return rows[1] if rows[0] == row else rows[0]


def _reduced(batch: Batch, stated: Table, target: TableTarget) -> Batch:
    """One row a key: the first or last by `ordered_by`, then by content, so that file order never matters."""
    codes = _codes(batch, stated)
    ranking = pa.table({"code": codes, "content": content_text(batch.rows)})
    keys = [("code", "ascending")]
    if target.ordered_by is not None:
        ranking = ranking.append_column("by", batch.rows.column(target.ordered_by))
        keys.append(("by", "ascending"))
    order = pc.sort_indices(ranking, sort_keys=[*keys, ("content", "ascending")]).to_numpy()
    ordered = codes[order]
    if target.one_row_per_key == "last":
        at = order[np.r_[ordered[1:] != ordered[:-1], True]] if len(order) else order
    else:
        at = order[np.r_[True, ordered[1:] != ordered[:-1]]] if len(order) else order
    at = at.astype(np.int64)
    reduced = replace(_at(batch, at), skipped=batch.skipped + len(codes) - len(at))
    if target.one_row_per_key in ("first", "last"):
        return reduced
    return replace(reduced, rows=_aggregated(batch.rows, codes, reduced.rows, stated, str(target.one_row_per_key)))


def _aggregated(rows: pa.Table, codes: npt.NDArray[np.int64], first: pa.Table, stated: Table, how: str) -> pa.Table:
    for position, name in enumerate(first.column_names):
        kind = first.schema.field(name).type
        if name in stated.key or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            continue
        grouped = pa.table({"code": codes, "value": rows.column(name)}).group_by("code").aggregate([("value", how)])
        values = grouped.sort_by("code").column(f"value_{how}").cast(kind, safe=False)
        first = first.set_column(position, name, values)
    return first
