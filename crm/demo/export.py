"""The demo company as the files of a CRM export, with the mapping that reads them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import yaml

from crm.demo.company import DemoCompany
from crm.demo.frames import moments
from crm.demo.headings import ENCODINGS, HEADINGS, RECORDED, WORDS
from crm.demo.working_time import DAY_US, ZONE_US, Ints
from crm.schema import Column, DType
from crm.tables import TABLES

MAPPING = "mapping.yaml"
_SPLIT = ";"

_MONEY_FIELDS = [
    f"{t.name}.{column.name}" for t in TABLES.values() for column in t.columns if column.dtype is DType.MONEY
]


def export_company(company: DemoCompany, folder: Path) -> Path:
    """Path of the mapping: one CSV file a table stands beside it, and ingesting them gives the same tables.

    Amounts are in yuan (or dollars), moments in local time; seven tables have Chinese headings and words, three are
    in GB18030. Nothing of the truth is written.

    Parameters
    ----------
    company : DemoCompany
        The company; one without history (`forget_history`) is exported without moments of recording.
    folder : Path
        Made when it is not there; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = [_export_table(company, name, folder) for name in TABLES if name in company.tables]
    mapping = {"company": {"currency": "CNY", "time_zone": "Asia/Shanghai"}, "sources": sources}
    header = "# The demo company's files: how each column of the exports becomes a column of the record.\n"
    text = yaml.safe_dump(mapping, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None)
    path = folder / MAPPING
    path.write_text(header + text, encoding="utf-8")
    return path


def forget_history(company: DemoCompany) -> DemoCompany:
    """The same company on its first day here: today's values, no `changes`, moments of recording derived.

    A row counts as recorded when it happened; one whose table has no clock, at the end of the record.
    """
    tables = {name: _backfilled(company, name, rows) for name, rows in company.tables.items() if name != "changes"}
    return replace(company, tables=tables)


def _backfilled(company: DemoCompany, name: str, rows: pa.Table) -> pa.Table:
    n, clock = rows.num_rows, TABLES[name].clock
    if clock is None:
        recorded = moments(np.full(n, company.end_us))
    elif TABLES[name].column(clock).dtype is DType.DATE:
        local_days: Ints = rows[clock].cast(pa.int32()).to_numpy().astype(np.int64)
        recorded = moments(np.minimum(local_days * DAY_US - ZONE_US, company.end_us))
    else:
        recorded = rows[clock]
    rows = rows.set_column(rows.schema.get_field_index("recorded_at"), "recorded_at", recorded)
    return rows.set_column(rows.schema.get_field_index("backfilled"), "backfilled", pa.repeat(pa.scalar(True), n))


def _export_table(company: DemoCompany, name: str, folder: Path) -> dict[str, object]:
    """Write one table; its source in the mapping."""
    rows, custom = company.tables[name], company.custom.get(name, {})
    if name == "changes":
        rows = _as_written(rows)
    headings = HEADINGS.get(name, {})
    filled = [column for column in TABLES[name].columns if rows[column.name].null_count < rows.num_rows]
    cells = {headings.get(c.name, c.name): _cells(rows[c.name], c.dtype, WORDS.get((name, c.name))) for c in filled}
    cells |= {column: _cells(rows[column], dtype, None) for column, dtype in custom.items()}
    source: dict[str, object] = {"name": name, "file": f"{name}.csv"}
    if name in ENCODINGS:
        source["encoding"] = ENCODINGS[name]
    source["table"] = name
    if not pc.all(rows["backfilled"]).as_py():
        cells[RECORDED] = _cells(rows["recorded_at"], DType.TIMESTAMP, None)
        source["recorded_at"] = {"from": RECORDED}
    source["custom"] = {column: dtype.value for column, dtype in custom.items()} or "none"
    source["columns"] = {c.name: _entry(name, c, headings.get(c.name, c.name)) for c in filled}
    _write_csv(folder / f"{name}.csv", cells, ENCODINGS.get(name, "utf-8"))
    return source


def _as_written(changes: pa.Table) -> pa.Table:
    """Changes with amounts in currency units, as a CRM exports its field history."""
    is_money = pc.is_in(
        pc.binary_join_element_wise(changes["entity"], changes["field"], "."), value_set=pa.array(_MONEY_FIELDS)
    )
    for side in ("old_value", "new_value"):
        amounts = pc.if_else(is_money, changes[side], None).cast(pa.int64()).combine_chunks()
        written = pc.if_else(is_money, _yuan(amounts), changes[side].combine_chunks())
        changes = changes.set_column(changes.schema.get_field_index(side), side, written)
    return changes


def _entry(name: str, column: Column, heading: str) -> object:
    words = WORDS.get((name, column.name))
    if words is not None:
        return {"from": heading, "values": dict(words)}
    if column.dtype is DType.TEXTS:
        return {"from": heading, "split": _SPLIT}
    return heading


def _cells(values: pa.ChunkedArray, dtype: DType, words: Mapping[str, str] | None) -> pa.Array:
    """A column as the export writes it: text, null for an empty cell."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if words is not None:
        said = {value: word for word, value in words.items()}
        return pa.array([said.get(value) for value in array.to_pylist()], pa.string())
    if dtype is DType.MONEY:
        return _yuan(array)
    if dtype is DType.TIMESTAMP:
        local = pc.add(array.cast(pa.int64()), ZONE_US).cast(pa.timestamp("us"))
        return pc.strftime(local, format="%Y-%m-%d %H:%M:%S")
    if dtype is DType.FLAG:
        return pc.if_else(array, "是", "否")
    if dtype is DType.TEXTS:
        return pc.binary_join(array, _SPLIT)
    return array.cast(pa.string())


def _yuan(minor: pa.Array) -> pa.Array:
    """Minor units as text with two decimals."""
    size = pc.abs(minor)
    whole = pc.divide(size, 100)
    cents = pc.utf8_lpad(pc.subtract(size, pc.multiply(whole, 100)).cast(pa.string()), 2, "0")
    sign = pc.if_else(pc.less(minor, 0), "-", "")
    return pc.binary_join_element_wise(pc.binary_join_element_wise(sign, whole.cast(pa.string()), ""), cents, ".")


def _write_csv(path: Path, cells: Mapping[str, pa.Array], encoding: str) -> None:
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(pa.table(dict(cells)), sink, pa_csv.WriteOptions(quoting_style="needed"))
    content = sink.getvalue().to_pybytes()
    path.write_bytes(content if encoding == "utf-8" else content.decode("utf-8").encode(encoding))
