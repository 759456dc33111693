"""Taking files in: counts, history, backfill, and that the same data twice changes nothing."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crm.config import Config
from crm.ingest import IngestReport, SourceReport, ingest
from crm.mapping import parse_mapping
from crm.reading import read_as_of
from crm.store import NoRecord, Store

HEADER = ["Number", "Created", "Channel", "Region", "Score", "Member"]
ROWS = [
    ["0007", "2024-01-05 08:00:00", "web", "North", "1.5", "Yes"],
    ["1E5", "2024-01-06 09:30:00", "fair", "South", "2", "No"],
    ["NA", "2024-02-01 10:00:00", "", "North", "", "Yes"],
    ["9", "2024-02-03 11:00:00", "web", "West", "4", ""],
]
MAPPING = """
company: {currency: EUR, time_zone: UTC}
sources:
  - name: leads
    file: FILE
    table: leads
    columns:
      lead_id: Number
      created_at: Created
      channel: Channel
      region: Region
"""
DAY_ONE = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY_TWO = datetime(2026, 1, 2, 12, tzinfo=UTC)


def _write(path: Path, rows: list[list[str]], header: list[str] = HEADER) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def _ingest(folder: Path, *, file: str = "leads.csv", now: datetime = DAY_ONE, mapping: str = MAPPING) -> IngestReport:
    return ingest(
        Store(folder / "record"), parse_mapping(mapping.replace("FILE", file)), folder, config=Config(), now=now
    )


def _counts(report: SourceReport) -> tuple[int, int, int, int]:
    return report.inserted, report.changed, report.unchanged, report.rejected


def _leads(folder: Path) -> dict[str, dict[str, object]]:
    rows = Store(folder / "record").current().read("leads").to_pylist()
    return {str(row["lead_id"]): row for row in rows}


def test_first_load_inserts_every_row_and_keeps_keys_as_text(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    report = _ingest(tmp_path)
    assert _counts(report.sources[0]) == (4, 0, 0, 0)
    assert sorted(_leads(tmp_path)) == ["0007", "1E5", "9", "NA"]


def test_unknown_columns_are_kept_under_their_own_names_with_their_dtypes(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path)
    custom = Store(tmp_path / "record").current().custom("leads")
    assert {name: dtype.value for name, dtype in custom.items()} == {"Score": "number", "Member": "flag"}
    assert _leads(tmp_path)["0007"]["Member"] is True


def test_first_load_is_a_backfill_known_from_its_own_clock(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path, mapping=MAPPING + "    recorded_at: {latency_days: 1}\n")
    row = _leads(tmp_path)["0007"]
    assert (str(row["recorded_at"]), row["backfilled"]) == ("2024-01-06 08:00:00", True)
    assert str(row["ingested_at"]) == "2026-01-01 12:00:00"


def test_rows_that_come_later_are_known_from_the_moment_of_ingest(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS[:2])
    _ingest(tmp_path)
    _write(tmp_path / "leads.csv", ROWS)
    report = _ingest(tmp_path, now=DAY_TWO)
    row = _leads(tmp_path)["9"]
    assert _counts(report.sources[0]) == (2, 0, 2, 0)
    assert (str(row["recorded_at"]), row["backfilled"]) == ("2026-01-02 12:00:00", False)


def test_mapped_recorded_at_holds_in_every_load(tmp_path: Path) -> None:
    mapping = MAPPING + "    recorded_at: {from: Seen}\n"
    header = [*HEADER, "Seen"]
    _write(tmp_path / "leads.csv", [[*row, "2024-03-01"] for row in ROWS], header)
    _ingest(tmp_path, mapping=mapping)
    row = _leads(tmp_path)["9"]
    assert (str(row["recorded_at"]), row["backfilled"]) == ("2024-03-01 00:00:00", False)
    assert "Seen" not in row


@pytest.mark.parametrize("how", ["same", "renamed", "shuffled", "split", "overlapping"])
def test_the_same_rows_again_change_nothing(tmp_path: Path, how: str) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    first = _ingest(tmp_path)
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    if how == "renamed":
        _write(tmp_path / "again.csv", ROWS)
    elif how == "shuffled":
        _write(tmp_path / "again.csv", shuffled)
    elif how == "split":
        for number, row in enumerate(ROWS):
            _write(tmp_path / f"again_{number}.csv", [row])
    elif how == "overlapping":
        _write(tmp_path / "again_1.csv", ROWS[:3])
        _write(tmp_path / "again_2.csv", ROWS[1:])
    file = {"same": "leads.csv", "renamed": "again.csv", "shuffled": "again.csv"}.get(how, "again_*.csv")
    second = _ingest(tmp_path, file=file, now=DAY_TWO)
    assert second.generation == first.generation == 1
    assert (second.sources[0].inserted, second.sources[0].changed) == (0, 0)


def test_parts_of_a_file_one_after_another_change_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path)
    for row in ROWS:
        _write(tmp_path / "part.csv", [row])
        assert _ingest(tmp_path, file="part.csv", now=DAY_TWO).generation == 1


def test_a_changed_value_leaves_history(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path)
    _write(tmp_path / "leads.csv", [["0007", "2024-01-05 08:00:00", "web", "East", "2.5", "Yes"], *ROWS[1:]])
    report = _ingest(tmp_path, now=DAY_TWO)
    assert _counts(report.sources[0]) == (0, 1, 3, 0)
    assert _leads(tmp_path)["0007"]["region"] == "East"
    changes = Store(tmp_path / "record").current().read("changes").sort_by("field").to_pylist()
    assert [(c["entity"], c["entity_id"], c["field"], c["old_value"], c["new_value"]) for c in changes] == [
        ("leads", "0007", "Score", "1.5", "2.5"),
        ("leads", "0007", "region", "North", "East"),
    ]
    assert {str(c["occurred_at"]) for c in changes} == {"2026-01-02 12:00:00"}


def test_a_change_happened_when_the_source_says_it_did(tmp_path: Path) -> None:
    header, mapping = [*HEADER, "Updated"], MAPPING + "    updated_at: Updated\n"
    _write(tmp_path / "leads.csv", [[*row, "2024-03-01 00:00:00"] for row in ROWS], header)
    _ingest(tmp_path, mapping=mapping)
    changed = [[*ROWS[0][:3], "East", *ROWS[0][4:], "2025-12-24 07:00:00"]]
    _write(tmp_path / "leads.csv", changed, header)
    _ingest(tmp_path, now=DAY_TWO, mapping=mapping)
    change = Store(tmp_path / "record").current().read("changes").to_pylist()[0]
    assert str(change["occurred_at"]) == "2025-12-24 07:00:00"
    assert str(change["recorded_at"]) == "2026-01-02 12:00:00"


def test_a_source_that_brings_fewer_columns_leaves_the_others_alone(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path)
    narrow = MAPPING.replace("name: leads", "name: other").replace("      channel: Channel\n", "")
    _write(
        tmp_path / "few.csv",
        [["0007", "2024-01-05 08:00:00", "North"], ["5", "2024-05-05", "West"]],
        ["Number", "Created", "Region"],
    )
    report = _ingest(tmp_path, file="few.csv", mapping=narrow, now=DAY_TWO)
    assert _counts(report.sources[0]) == (1, 0, 1, 0)
    assert (_leads(tmp_path)["0007"]["channel"], _leads(tmp_path)["0007"]["Score"]) == ("web", 1.5)


def test_custom_column_of_two_dtypes_widens_to_text_as_it_was_written(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path)
    _write(tmp_path / "leads.csv", [["12", "2024-03-01", "web", "West", "high", "maybe"]])
    _ingest(tmp_path, now=DAY_TWO)
    rows = _leads(tmp_path)
    assert [rows[key]["Score"] for key in ("0007", "1E5", "12")] == ["1.5", "2", "high"]
    assert [rows[key]["Member"] for key in ("0007", "1E5", "12")] == ["Yes", "No", "maybe"]
    _write(tmp_path / "leads.csv", ROWS)
    assert _ingest(tmp_path, now=DAY_TWO).sources[0].changed == 0


def test_on_change_earliest_keeps_the_earlier_value(tmp_path: Path) -> None:
    mapping = MAPPING.replace("created_at: Created", "created_at: {from: Created, on_change: earliest}")
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path, mapping=mapping)
    _write(tmp_path / "leads.csv", [["0007", "2025-01-01 00:00:00", *ROWS[0][2:]], ["1E5", "2023-01-01", *ROWS[1][2:]]])
    report = _ingest(tmp_path, now=DAY_TWO, mapping=mapping)
    assert (report.sources[0].changed, report.sources[0].unchanged) == (1, 1)
    assert str(_leads(tmp_path)["1E5"]["created_at"]) == "2023-01-01 00:00:00"


def test_references_that_lead_nowhere_are_counted_and_kept(tmp_path: Path) -> None:
    mapping = MAPPING.replace("region: Region", "rep_id: Region")
    _write(tmp_path / "leads.csv", ROWS)
    report = _ingest(tmp_path, mapping=mapping)
    assert [(d.table, d.column, d.refers_to, d.rows) for d in report.dangling] == [("leads", "rep_id", "reps", 4)]
    assert report.sources[0].inserted == 4


def test_progress_tells_source_and_step(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    steps: list[str] = []
    mapping = parse_mapping(MAPPING.replace("FILE", "leads.csv"))
    ingest(
        Store(tmp_path / "record"),
        mapping,
        tmp_path,
        config=Config(),
        now=DAY_ONE,
        on_progress=lambda progress: steps.append(f"{progress.source}: {progress.step}"),
    )
    assert steps == ["leads: read", "leads: parse", "leads: merge leads", "leads: write"]


def test_nothing_is_made_when_the_only_source_is_refused(tmp_path: Path) -> None:
    report = _ingest(tmp_path, file="absent.csv")
    assert report.generation == 0
    assert "no such file" in report.refused[0].refused
    with pytest.raises(NoRecord):
        Store(tmp_path / "record").current()


def test_file_with_a_header_alone_brings_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", [])
    report = _ingest(tmp_path)
    assert not report.refused
    assert (report.generation, report.sources[0].read) == (0, 0)


def test_custom_column_of_another_case_is_the_same_column(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    _ingest(tmp_path)
    _write(tmp_path / "leads.csv", ROWS, [*HEADER[:4], "SCORE", "member"])
    assert _ingest(tmp_path, now=DAY_TWO).generation == 1


def test_moment_of_ingest_needs_a_time_zone(tmp_path: Path) -> None:
    _write(tmp_path / "leads.csv", ROWS)
    with pytest.raises(ValueError, match="time zone"):
        _ingest(tmp_path, now=DAY_ONE.replace(tzinfo=None))


def test_nothing_is_recorded_after_the_moment_of_ingest(tmp_path: Path) -> None:
    header = [*HEADER, "Seen"]
    _write(tmp_path / "leads.csv", [[*row, "2031-03-01"] for row in ROWS], header)
    _ingest(tmp_path, mapping=MAPPING + "    recorded_at: {from: Seen}\n")
    assert Store(tmp_path / "record").current().recorded_to == DAY_ONE


CHILDREN = """
company: {currency: EUR, time_zone: UTC}
sources:
  - name: nodes
    file: nodes.csv
    table: installments
    columns: {installment_id: id, agreement_id: agreement, gross_amount: amount}
  - name: agreements
    file: agreements.csv
    table: agreements
    columns: {agreement_id: id, signed_on: day}
  - name: products
    file: products.csv
    table: products
    columns: {product: id}
"""


def test_first_load_dates_rows_without_a_clock_by_the_rows_that_bear_them(tmp_path: Path) -> None:
    _write(tmp_path / "nodes.csv", [["n1", "a1", "5"], ["n2", "gone", "5"]], ["id", "agreement", "amount"])
    _write(tmp_path / "agreements.csv", [["a1", "2024-03-01"]], ["id", "day"])
    _write(tmp_path / "products.csv", [["p"]], ["id"])
    _ingest(tmp_path, mapping=CHILDREN)
    generation = Store(tmp_path / "record").current()
    recorded = {row["installment_id"]: str(row["recorded_at"]) for row in generation.read("installments").to_pylist()}
    assert recorded == {"n1": "2024-03-01 00:00:00", "n2": "2026-01-01 12:00:00"}
    assert str(generation.read("products").column("recorded_at")[0]) == "1970-01-01 00:00:00"
    _write(tmp_path / "products.csv", [["p"], ["q"]], ["id"])
    _ingest(tmp_path, mapping=CHILDREN, now=DAY_TWO)
    later = {
        row["product"]: str(row["recorded_at"])
        for row in Store(tmp_path / "record").current().read("products").to_pylist()
    }
    assert later["q"] == "2026-01-02 12:00:00"


SPEND = """
company: {currency: EUR, time_zone: UTC}
sources:
  - name: spend
    file: spend.csv
    table: channel_spend
    recorded_at: {latency_days: 2}
    columns: {channel: channel, spend_month: {from: month, format: YYYY-MM}, amount: amount}
"""


def test_an_overwritten_value_is_read_as_it_was_before(tmp_path: Path) -> None:
    header = ["channel", "month", "amount"]
    _write(tmp_path / "spend.csv", [["web", "2024-01", "100"]], header)
    _ingest(tmp_path, mapping=SPEND)
    _write(tmp_path / "spend.csv", [["web", "2024-01", "150"]], header)
    _ingest(tmp_path, mapping=SPEND, now=DAY_TWO)
    generation = Store(tmp_path / "record").current()

    def amounts(moment: datetime) -> list[int]:
        return list(read_as_of(generation, "channel_spend", moment, ZoneInfo("UTC")).column("amount").to_pylist())

    assert amounts(datetime(2024, 2, 2, tzinfo=UTC)) == []
    assert amounts(datetime(2024, 2, 4, tzinfo=UTC)) == [10_000]
    assert amounts(DAY_ONE) == [10_000]
    assert amounts(datetime(2026, 1, 3, tzinfo=UTC)) == [15_000]
