"""Training sets: a small made-up one, and two public flat files when they lie beside the repository."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pytest

from features.matrix import Field, Kind, TrainingSet

AGENT_WRITTEN = frozenset({"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"})


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
    with gzip.open(path) as file:
        return csv.read_csv(
            file,
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                null_values=missing, strings_can_be_null=True, true_values=[], false_values=[]
            ),
        )


def x_education(folder: Path, *, everything: bool = False) -> TrainingSet:
    table = _read(folder / "xeducation_leads" / "Leads.csv.gz", ["", "Select"], ",").sort_by("Lead Number")
    label = table.column("Converted").to_numpy().astype(np.float64)
    known = {"Prospect ID", "Lead Number", "Converted"}
    late = {n for n in table.column_names if n.startswith("Asymmetrique")} | AGENT_WRITTEN
    return read_flat(table, label, leave=frozenset(known if everything else known | late))


def bank_marketing(folder: Path, *, duration: bool = False) -> TrainingSet:
    table = _read(folder / "bank_marketing" / "bank-additional-full.csv.gz", ["", "unknown"], ";")
    label = np.array([value == "yes" for value in table.column("y").to_pylist()], dtype=np.float64)
    return read_flat(table, label, leave=frozenset({"y"} if duration else {"y", "duration"}))


def made_up(n: int = 2000, *, effect: float = 1.0, seed: int = 5, with_time: bool = True) -> TrainingSet:
    random = np.random.default_rng(seed)
    visits, junk = random.poisson(3, n).astype(float), random.normal(size=n)
    channel = random.choice(["web", "fair", "partner"], n)
    log_odds = -1 + effect * (0.5 * (visits - 3) + 1.5 * (channel == "partner"))
    label = (random.random(n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return TrainingSet(
        fields=(
            Field(name="visits", kind=Kind.NUMBER),
            Field(name="junk", kind=Kind.NUMBER),
            Field(name="channel", kind=Kind.CATEGORY),
        ),
        rows=pa.table({"visits": visits, "junk": junk, "channel": channel}),
        entity_id=np.array([f"l{i}" for i in range(n)]),
        as_of=np.full(n, np.datetime64("NaT", "us")),
        position=np.arange(n, dtype=float) if with_time else np.full(n, np.nan),
        label=label,
        group=np.array([f"l{i}" for i in range(n)]),
        value=np.where(label == 1, random.lognormal(8, 1, n), np.nan),
        event="won",
        horizon_days=None,
        gap_days=None,
    )


@pytest.fixture(scope="session")
def make_training_set() -> Callable[..., TrainingSet]:
    return made_up


@pytest.fixture(scope="session")
def xeducation(shared_data: Path) -> TrainingSet:
    return x_education(shared_data)


@pytest.fixture(scope="session")
def bank(shared_data: Path) -> TrainingSet:
    return bank_marketing(shared_data)
