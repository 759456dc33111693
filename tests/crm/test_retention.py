"""Old generations go, the current and the recent ones stay, and who holds an old one is told so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.config import Config, StoreSection
from crm.ingest import ingest
from crm.mapping import parse_mapping
from crm.store import BrokenStore, Store

MAPPING = """
company: {time_zone: UTC}
sources:
  - {name: leads, file: leads.csv, table: leads, columns: {lead_id: id, created_at: day, channel: channel}}
  - {name: reps, file: reps.csv, table: reps, columns: {rep_id: id}}
"""


def _take_in(folder: Path, channel: str, *, keep: int = 3) -> Store:
    (folder / "leads.csv").write_text(f"id,day,channel\n1,2024-01-01,{channel}\n", encoding="utf-8")
    (folder / "reps.csv").write_text("id\nR1\n", encoding="utf-8")
    store = Store(folder / "record")
    config = Config(store=StoreSection(folder=folder, keep_generations=keep))
    ingest(store, parse_mapping(MAPPING), folder, config=config, now=datetime(2026, 1, 1, tzinfo=UTC))
    return store


def _numbers(store: Store) -> list[int]:
    return sorted(int(path.stem) for path in (store.folder / "generations").iterdir())


def test_only_the_newest_generations_stay_and_each_of_them_is_whole(tmp_path: Path) -> None:
    for number in range(6):
        store = _take_in(tmp_path, f"c{number}")
    assert _numbers(store) == [4, 5, 6]
    for number in (4, 5, 6):
        kept = store.generation(number)
        assert kept.read("leads").column("channel").to_pylist() == [f"c{number - 1}"]
        assert kept.read("reps").num_rows == 1
    named = {path for number in (4, 5, 6) for files in store.generation(number).tables.values() for path in files.files}
    assert set((store.folder / "objects").iterdir()) == named


def test_ingest_that_changes_nothing_makes_no_generation_but_honours_a_lower_setting(tmp_path: Path) -> None:
    for number in range(4):
        store = _take_in(tmp_path, f"c{number}", keep=30)
    assert _numbers(store) == [1, 2, 3, 4]
    _take_in(tmp_path, "c3", keep=2)
    assert _numbers(store) == [3, 4]


def test_who_holds_a_generation_that_is_gone_is_told_so(tmp_path: Path) -> None:
    store = _take_in(tmp_path, "web")
    held = store.current()
    for number in range(3):
        _take_in(tmp_path, f"c{number}")
    with pytest.raises(BrokenStore, match="table leads of generation 1 is no longer on record"):
        held.read("leads")
    with pytest.raises(BrokenStore, match="keep_generations"):
        held.engine()
    with pytest.raises(BrokenStore, match=r"generation 1 is no longer kept .* the current one is 4"):
        store.generation(1)
    # A table that no ingest changed is the same file in every generation.
    assert held.read("reps").num_rows == 1


def test_refused_ingest_removes_nothing_that_is_kept(tmp_path: Path) -> None:
    for number in range(3):
        store = _take_in(tmp_path, f"c{number}")
    with pytest.raises(RuntimeError), store.writing(keep=2):
        raise RuntimeError
    assert _numbers(store) == [1, 2, 3]
