"""Columns that know the outcome are found on real and on made data; the others stay."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from crm.config import Config
from crm.demo.company import make_company
from crm.demo.leaks import PLANTED
from crm.demo.write import write_company
from crm.store import Store
from features.catalogue import GROUPS
from features.leakage import Finding, find_leaks
from features.leakage_record import find_leaks_of_record
from features.matrix import Field, Grade, Kind, TrainingSet
from features.question import Question
from features.training_set import build_training_set

Floats = npt.NDArray[np.float64]
WRITTEN_BY_AGENTS = {
    "Tags",
    "Lead Quality",
    "Lead Profile",
    "Asymmetrique Activity Index",
    "Asymmetrique Profile Index",
    "Asymmetrique Activity Score",
    "Asymmetrique Profile Score",
    "Last Activity",
    "Last Notable Activity",
}


def flat(columns: dict[str, Sequence[str | None]], label: Sequence[bool], *, grade: Grade = Grade.B) -> TrainingSet:
    """A flat training set: columns whose filled cells are all numbers become numbers; columns of one value go."""
    fields: list[Field] = []
    values: dict[str, pa.Array] = {}
    for name, cells in columns.items():
        if len(set(cells)) < 2:
            continue
        try:
            values[name] = pa.array([np.nan if cell is None else float(cell) for cell in cells], pa.float64())
            fields.append(Field(name=name, kind=Kind.NUMBER, grade=grade))
        except ValueError:
            values[name] = pa.array(cells, pa.string())
            fields.append(Field(name=name, kind=Kind.CATEGORY, grade=grade))
    n_rows = len(label)
    names = np.array([str(row) for row in range(n_rows)])
    return TrainingSet(
        fields=tuple(fields),
        rows=pa.table(values),
        entity_id=names,
        as_of=np.full(n_rows, np.datetime64("NaT", "us")),
        position=np.arange(n_rows, dtype=np.float64),
        label=np.array(label, dtype=np.float64),
        group=names,
        value=np.full(n_rows, np.nan),
        event="event",
        horizon_days=None,
        gap_days=None,
    )


def read(path: Path, *, delimiter: str = ",", missing: Sequence[str] = ("",)) -> dict[str, list[str | None]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream, delimiter=delimiter)
    return {
        name: [None if row[at].strip() in missing else row[at] for row in rows] for at, name in enumerate(head) if name
    }


def verdicts(found: Sequence[Finding]) -> dict[str, str]:
    return {finding.column: finding.verdict for finding in found}


def test_x_education_is_cleaned_unaided(shared_data: Path) -> None:
    columns = read(shared_data / "xeducation_leads" / "Leads.csv.gz", missing=("", "Select"))
    order = np.argsort([int(str(number)) for number in columns["Lead Number"]])
    columns = {name: [cells[at] for at in order] for name, cells in columns.items()}
    label = [cell == "1" for cell in columns.pop("Converted")]
    for name in ("Prospect ID", "Lead Number"):
        del columns[name]
    found = verdicts(find_leaks(flat(columns, label), seed=1))
    assert found["Tags"] == "quarantined"
    assert set(found) == WRITTEN_BY_AGENTS


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_bank_marketing_loses_the_duration_of_the_call_and_nothing_else(shared_data: Path, seed: int) -> None:
    path = shared_data / "bank_marketing" / "bank-additional-full.csv.gz"
    columns = read(path, delimiter=";", missing=("", "unknown"))
    label = [cell == "yes" for cell in columns.pop("y")]
    columns["pdays"] = [None if cell == "999" else cell for cell in columns["pdays"]]
    assert set(verdicts(find_leaks(flat(columns, label), seed=seed))) == {"duration"}


@pytest.mark.slow
def test_telco_keeps_every_column(shared_data: Path) -> None:
    columns = read(shared_data / "ibm_telco_churn" / "Telco-Customer-Churn.csv.gz")
    label = [cell == "Yes" for cell in columns.pop("Churn")]
    del columns["customerID"]
    assert find_leaks(flat(columns, label), seed=1) == ()


def noise(n_rows: int = 2000) -> tuple[dict[str, Sequence[str | None]], npt.NDArray[np.bool_]]:
    rng = np.random.default_rng(5)
    label = rng.random(n_rows) < 0.3
    plain = rng.normal(size=n_rows) + label
    kinds = np.array(["a", "b", "c"])[rng.integers(3, size=n_rows)]
    return {"plain": [str(x) for x in plain], "kind": kinds.tolist()}, label


def test_honest_columns_stay() -> None:
    columns, label = noise()
    assert find_leaks(flat(columns, label.tolist()), seed=1) == ()


def test_two_copies_of_a_leak_do_not_hide_each_other() -> None:
    columns, label = noise()
    rng = np.random.default_rng(6)
    leak = label * 3.0 + rng.normal(size=len(label))
    columns |= {"one": [str(x) for x in leak], "two": [str(x * 7 + 1) for x in leak]}
    assert set(verdicts(find_leaks(flat(columns, label.tolist()), seed=1))) == {"one", "two"}


@pytest.mark.parametrize(("strength", "is_found"), [(2.0, False), (3.5, True)])
def test_what_a_system_counted_may_be_strong_but_not_certain(strength: float, is_found: bool) -> None:
    columns, label = noise()
    told = label * strength + np.random.default_rng(6).normal(size=len(label))
    rows = flat(columns | {"use": [str(x) for x in told]}, label.tolist(), grade=Grade.A)
    assert "use" in verdicts(find_leaks(rows, seed=1)), "anything else as strong is a leak"
    assert ("use" in verdicts(find_leaks(rows, seed=1, counted={"use"}))) is is_found


def test_a_reason_of_loss_is_quarantined_since_it_is_filled_for_one_outcome_only() -> None:
    columns, label = noise()
    rng = np.random.default_rng(7)
    columns["reason"] = [None if event or rng.random() < 0.5 else "price" for event in label]
    found = find_leaks(flat(columns, label.tolist()), seed=1)
    assert verdicts(found) == {"reason": "quarantined"}
    assert "end alike" in found[0].evidence


def test_a_column_filled_for_old_rows_only_is_suspected_until_a_person_confirms_it() -> None:
    columns, label = noise()
    columns["rating"] = [str(row % 5) if row < 1000 else None for row in range(len(label))]
    rows = flat(columns, label.tolist())
    assert verdicts(find_leaks(rows, seed=1)) == {"rating": "suspected"}
    assert find_leaks(rows, seed=1, confirmed=["rating"]) == ()


def test_a_field_of_known_times_is_never_suspected() -> None:
    columns, label = noise()
    columns["rating"] = [str(row % 5) if row < 1000 else None for row in range(len(label))]
    assert find_leaks(flat(columns, label.tolist(), grade=Grade.A), seed=1) == ()


def test_what_the_mapping_says_is_written_afterwards_is_quarantined() -> None:
    columns, label = noise()
    found = find_leaks(flat(columns, label.tolist()), seed=1, after_outcome=["kind", "not a column"])
    assert verdicts(found) == {"kind": "quarantined"}


def test_a_column_that_knows_only_the_next_days_is_quarantined() -> None:
    columns, label = noise(4000)
    rng = np.random.default_rng(8)
    soon = label & (rng.random(len(label)) < 0.4)
    columns["knock"] = [str(x) for x in soon * 2.0 + rng.normal(size=len(label))]
    delayed = (label & ~soon).astype(np.float64)
    found = find_leaks(flat(columns, label.tolist()), seed=1, delayed_label=delayed)
    assert [(finding.column, finding.check) for finding in found] == [("knock", "near_the_label")]


@pytest.mark.slow
@pytest.mark.parametrize("event", ["qualified", "won"])
@pytest.mark.parametrize("seed", [11, 12])
def test_ten_planted_leaks_are_named_before_training(event: str, seed: int, tmp_path: Path) -> None:
    named = {finding.column for finding in found_in_company(tmp_path, event, seed, planted=True)}
    places = {place.removeprefix("leads.") for place in PLANTED}
    assert len(places) == 10
    assert {place for place in places if not named & {place, f"days_since_{place}"}} == set()


@pytest.mark.slow
@pytest.mark.parametrize("event", ["qualified", "won"])
def test_a_clean_company_keeps_every_field(event: str, tmp_path: Path) -> None:
    assert found_in_company(tmp_path, event, 11, planted=False) == ()


def found_in_company(folder: Path, event: str, seed: int, *, planted: bool) -> tuple[Finding, ...]:
    store = Store(folder)
    write_company(make_company("small", seed, planted_leaks=planted), store)
    groups = tuple(name for name, group in GROUPS.items() if group.entity == "leads")
    question = Question(task="lead_score", entity="leads", event=event, horizon_days=90, gap_days=1, groups=groups)
    rows = build_training_set(store.current(), question, config=Config())
    return find_leaks_of_record(store.current(), question, rows, config=Config(), seed=1)
