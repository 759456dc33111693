"""A company's own field history reads back like the changes salescast logs itself."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from crm.config import Config
from crm.ingest import IngestReport, ingest
from crm.mapping import parse_mapping
from crm.reading import read_as_of
from crm.store import Store

MAPPING = """
company: {currency: EUR, time_zone: UTC, date_formats: ["D.M.YYYY", "D.M.YYYY HH:mm"]}
sources:
  - name: deals
    file: deals.csv
    table: opportunities
    recorded_at: {from: Created}
    columns: {opportunity_id: Id, created_at: Created, net_amount: Amount, expected_close_on: Close, stage: Stage}
  - name: history
    file: history.csv
    table: changes
    recorded_at: {from: When}
    columns:
      change_id: {row_number: true}
      entity: {constant: opportunities}
      entity_id: Deal
      occurred_at: When
      field: {from: Field, values: {Amount: net_amount, Close: expected_close_on, Stage: stage}}
      old_value: Old
      new_value: New
"""
DEALS = "Id,Created,Amount,Close,Stage\n7,01.01.2026 08:00,2000,31.03.2026,Offer\n"
HISTORY = (
    "Deal,When,Field,Old,New\n"
    '7,05.01.2026 09:00,Amount,"1,000.50",1500\n'
    "7,06.01.2026 09:00,Amount,1500,2000\n"
    "7,07.01.2026 09:00,Close,28.02.2026,31.03.2026\n"
    "7,08.01.2026 09:00,Stage,New,Offer\n"
)


def _ingest(folder: Path, history: str) -> IngestReport:
    (folder / "deals.csv").write_text(DEALS, encoding="utf-8")
    (folder / "history.csv").write_text(history, encoding="utf-8")
    store = Store(folder / "record")
    now = datetime(2026, 2, 1, tzinfo=UTC)
    return ingest(store, parse_mapping(MAPPING), folder, config=Config(), now=now)


def _known(folder: Path, day: int) -> dict[str, object]:
    generation = Store(folder / "record").current()
    at = datetime(2026, 1, day, 12, tzinfo=UTC)
    row: dict[str, object] = read_as_of(generation, "opportunities", at, ZoneInfo("UTC")).to_pylist()[0]
    return row


def test_amounts_and_days_of_a_mapped_history_are_rolled_back_in_the_record_s_own_units(tmp_path: Path) -> None:
    report = _ingest(tmp_path, HISTORY)

    assert not report.rejects
    assert _known(tmp_path, 3)["net_amount"] == 100_050
    assert _known(tmp_path, 5)["net_amount"] == 150_000
    assert _known(tmp_path, 6)["net_amount"] == 200_000
    assert _known(tmp_path, 6)["expected_close_on"] == date(2026, 2, 28)
    assert _known(tmp_path, 7)["expected_close_on"] == date(2026, 3, 31)
    assert _known(tmp_path, 7)["stage"] == "New"


def test_a_value_that_its_column_cannot_hold_is_rejected_with_its_line_and_not_shown(tmp_path: Path) -> None:
    report = _ingest(tmp_path, HISTORY + "7,09.01.2026 09:00,Amount,2000,plenty\n")

    (reject,) = report.rejects
    assert (reject.line, reject.column, reject.value) == (6, "New", "")
    assert "expected" in reject.reason
    assert _known(tmp_path, 10)["net_amount"] == 200_000
