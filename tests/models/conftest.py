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
from models.encoding import Encoder, make_encoder
from models.hazard import HazardModel, fit_hazard
from models.person_period import Durations, even_grid

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


CAUSES = ("won", "lost")
GRID = even_grid(8, 7.0)
FIELDS = (Field(name="x", kind=Kind.NUMBER), Field(name="team", kind=Kind.CATEGORY))


def simulate_hazards(n_rows, seed, *, n_steps=8, reach=None):
    """Rows, their true hazards (n_rows, n_steps, 2) and what became of them, censored at the end of the record."""
    random = np.random.default_rng(seed)
    x, team = random.normal(size=n_rows), random.integers(0, 2, n_rows)
    step = np.arange(n_steps)
    won = np.exp(-3.2 + 1.0 * x[:, None] + 0.15 * step)
    lost = np.exp(-2.4 - 0.5 * x[:, None] + 0.8 * team[:, None] - 0.1 * step)
    total = 1 + won + lost
    hazards = np.stack([won / total, lost / total], axis=2)
    duration, cause = np.full(n_rows, np.inf), np.zeros(n_rows, np.intp)
    for at in step:
        draw, is_open = random.random(n_rows), cause == 0
        first = is_open & (draw < hazards[:, at, 0])
        second = is_open & ~first & (draw < hazards[:, at].sum(axis=1))
        cause[first], cause[second] = 1, 2
        duration[first | second] = 7.0 * (at + random.random(int((first | second).sum())))
    end = 7.0 * n_steps if reach is None else reach
    follow_up = random.uniform(0, end, n_rows) * (1.0 if reach is None else 1.5)
    late = duration > follow_up
    outcome = Durations(
        duration=np.where(late, np.minimum(follow_up, 7.0 * n_steps), duration),
        cause=np.where(late, 0, cause),
        follow_up=follow_up,
    )
    table = pa.table({"x": x, "team": np.where(team == 1, "south", "north").tolist()})
    return table, hazards, outcome


def fit_simulated(learner, table, outcome, **more):
    encoder = make_encoder(FIELDS, table)
    rows = encoder.encode_table(table)
    return encoder, fit_hazard(learner, encoder, rows, outcome, grid=GRID, causes=CAUSES, seed=1, **more)


@pytest.fixture(scope="session")
def simulate() -> Callable[..., tuple[pa.Table, np.ndarray, Durations]]:
    """Draws rows with their true hazards and what became of them."""
    return simulate_hazards


@pytest.fixture(scope="session")
def fit() -> Callable[..., tuple[Encoder, HazardModel]]:
    """Fits a learner on what `simulate` drew."""
    return fit_simulated
