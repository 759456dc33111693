"""Two public flat files as training sets, read when they lie beside the repository."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pytest

from features.matrix import Field, Kind, TrainingSet

AGENT_WRITTEN = frozenset({"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"})


def shared_data() -> Path:
    default = Path(__file__).parents[2].parent / "shared" / "data"
    return Path(os.environ.get("SALESCAST_SHARED_DATA", default))


def read_flat(table: pa.Table, label: np.ndarray, *, leave: frozenset[str] = frozenset()) -> TrainingSet:
    fields, columns = [], []
    for name in table.column_names:
        if name in leave or not name:
            continue
        column = table.column(name)
        if pa.types.is_string(column.type):
            fields.append(Field(name=name, kind=Kind.CATEGORY))
            columns.append(column)
        elif not pa.types.is_null(column.type):
            fields.append(Field(name=name, kind=Kind.NUMBER))
            columns.append(column.cast(pa.float64()))
    n = table.num_rows
    entity = np.array([f"r{i}" for i in range(n)])
    return TrainingSet(
        fields=tuple(fields),
        rows=pa.table(dict(zip([f.name for f in fields], columns, strict=True))),
        entity_id=entity,
        as_of=np.full(n, np.datetime64("NaT", "us")),
        position=np.arange(n, dtype=np.float64),
        label=label,
        group=entity,
        value=np.full(n, np.nan),
        event="converted",
        horizon_days=None,
        gap_days=None,
    )


def _read(path: Path, missing: list[str], delimiter: str) -> pa.Table:
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    with gzip.open(path) as file:
        return csv.read_csv(
            file,
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                null_values=missing, strings_can_be_null=True, true_values=[], false_values=[]
            ),
        )


def x_education(*, everything: bool = False) -> TrainingSet:
    table = _read(shared_data() / "xeducation_leads" / "Leads.csv.gz", ["", "Select"], ",").sort_by("Lead Number")
    label = table.column("Converted").to_numpy().astype(np.float64)
    known = {"Prospect ID", "Lead Number", "Converted"}
    late = {n for n in table.column_names if n.startswith("Asymmetrique")} | AGENT_WRITTEN
    return read_flat(table, label, leave=frozenset(known if everything else known | late))


def bank_marketing(*, duration: bool = False) -> TrainingSet:
    table = _read(shared_data() / "bank_marketing" / "bank-additional-full.csv.gz", ["", "unknown"], ";")
    label = np.array([value == "yes" for value in table.column("y").to_pylist()], dtype=np.float64)
    return read_flat(table, label, leave=frozenset({"y"} if duration else {"y", "duration"}))
