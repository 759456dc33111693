"""Flat observations, panels, event logs and several tables of one file."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from crm.config import Config
from crm.facts import known_at_entry
from crm.ingest import IngestReport, ingest
from crm.mapping import parse_mapping
from crm.store import Generation, Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _ingest(folder: Path, mapping: str, **files: str) -> tuple[IngestReport, Generation]:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    store = Store(folder / "record")
    report = ingest(store, parse_mapping(mapping), folder, config=Config(), now=NOW)
    assert not report.refused, report.refused
    return report, store.current()


OBSERVATIONS = """
sources:
  - name: flat
    file: flat.csv
    missing_in: {days: 999}
    exclude: note
    written_after_outcome: [duration]
    known_at_entry: [age]
    observations:
      task: lead_score
      row_number: true
      label: {from: "y", positive: "yes", negative: "no"}
      order: ORDER
"""
FLAT = "age,days,duration,note,when,y\n30,999,10,a,3/1/2024,yes\n40,5,20,b,1/1/2024,no\n50,7,30,c,2/1/2024,\n"


def test_observations_keep_outcome_order_and_unknown_columns(tmp_path: Path) -> None:
    _, generation = _ingest(tmp_path, OBSERVATIONS.replace("ORDER", "row_number"), flat=FLAT)
    rows = generation.read("observations").to_pylist()
    assert [(row["entity_id"], row["position"], row["label"]) for row in rows] == [
        ("1", 1.0, True),
        ("2", 2.0, False),
        ("3", 3.0, None),
    ]
    assert [row["days"] for row in rows] == [None, 5.0, 7.0]
    assert sorted(generation.custom("observations")) == ["age", "days", "duration", "when"]


def test_facts_say_what_the_mapping_knows_of_observations(tmp_path: Path) -> None:
    _, generation = _ingest(tmp_path, OBSERVATIONS.replace("ORDER", "row_number"), flat=FLAT)
    facts = generation.facts("observations")
    assert json.loads(facts["lead_score.written_after_outcome"]) == ["duration"]
    assert known_at_entry(generation, "observations", "lead_score") == {"age"}
    assert known_at_entry(generation, "observations", "churn_risk") == frozenset()
    assert json.loads(facts["lead_score.positive"]) == ["yes"]
    assert json.loads(facts["lead_score.columns"]) == ["age", "days", "duration", "when"]
    assert (facts["lead_score.label"], facts["lead_score.order"]) == ("y", "row_number")


def test_observations_are_ordered_by_a_date_column(tmp_path: Path) -> None:
    mapping = OBSERVATIONS.replace("ORDER", "when\n      order_format: D/M/YYYY")
    _, generation = _ingest(tmp_path, mapping, flat=FLAT)
    rows = generation.read("observations").to_pylist()
    assert [row["entity_id"] for row in sorted(rows, key=lambda row: row["position"])] == ["2", "3", "1"]
    assert "when" not in generation.custom("observations")


def test_positive_word_that_never_occurs_refuses_the_source(tmp_path: Path) -> None:
    (tmp_path / "flat.csv").write_text(FLAT)
    mapping = OBSERVATIONS.replace("ORDER", "row_number").replace('"yes"', '"Yes"')
    report = ingest(Store(tmp_path / "record"), parse_mapping(mapping), tmp_path, config=Config(), now=NOW)
    assert "never holds 'Yes'" in report.refused[0].refused
    assert "'no', 'yes'" in report.refused[0].refused


PANEL = """
sources:
  - name: trips
    file: trips.csv
    panel: {name: trips, nodes: [State, Region], period: Quarter, value: Trips, frequency: quarter, aggregate: sum}
"""


def test_panel_has_a_row_a_node_and_period_known_when_the_period_has_ended(tmp_path: Path) -> None:
    trips = "Quarter,State,Region,Trips\n1998Q1,NSW,Sydney,1.5\n1998Q1,NSW,Sydney,2\n1998Q2,NSW,Sydney,3\n"
    report, generation = _ingest(tmp_path, PANEL, trips=trips)
    rows = generation.read("panel").sort_by("ds").to_pylist()
    assert [(row["unique_id"], str(row["ds"]), row["y"]) for row in rows] == [
        ("NSW/Sydney", "1998-01-01", 3.5),
        ("NSW/Sydney", "1998-04-01", 3.0),
    ]
    assert (report.sources[0].read, report.sources[0].skipped) == (3, 1)
    assert [str(row["recorded_at"]) for row in rows] == ["1998-03-31 16:00:00", "1998-06-30 16:00:00"]


EVENTS = """
company: {time_zone: UTC}
sources:
  - name: log
    file: log.csv
    events:
      case: case
      activity: activity
      time: {from: at, format: DD-MM-YYYY HH:mm}
      outputs:
        - table: opportunities
          per: case
          columns:
            opportunity_id: case
            created_at: {from: at, event: first, format: DD-MM-YYYY HH:mm}
            stage: {from: activity, event: last, among: S_*}
            rep_id: {from: who, event: last}
            closed_at: {from: at, event: first, among: [S_WON, S_LOST], format: DD-MM-YYYY HH:mm}
            outcome:
              from: activity
              event: first
              among: [S_WON, S_LOST]
              values: {S_WON: won, S_LOST: lost}
              default: open
        - table: changes
          where: {activity: S_*}
          columns:
            change_id: {fingerprint: true}
            entity: {constant: opportunities}
            entity_id: case
            occurred_at: {from: at, format: DD-MM-YYYY HH:mm}
            field: {constant: stage}
            old_value: {from: activity, event: previous}
            new_value: activity
"""
LOG = """case,activity,at,who
c1,S_NEW,01-03-2024 08:00,ann
c1,CALL,02-03-2024 08:00,bob
c2,S_NEW,05-03-2024 08:00,ann
c1,S_WON,09-03-2024 08:00,cy
c1,S_OFFER,04-03-2024 08:00,bob
"""


def test_event_log_becomes_cases_and_their_stage_history(tmp_path: Path) -> None:
    report, generation = _ingest(tmp_path, EVENTS, log=LOG)
    cases = {row["opportunity_id"]: row for row in generation.read("opportunities").to_pylist()}
    assert (cases["c1"]["outcome"], cases["c1"]["stage"], cases["c1"]["rep_id"]) == ("won", "S_WON", "cy")
    assert (str(cases["c1"]["created_at"]), str(cases["c1"]["closed_at"])) == (
        "2024-03-01 08:00:00",
        "2024-03-09 08:00:00",
    )
    assert (cases["c2"]["outcome"], cases["c2"]["closed_at"]) == ("open", None)
    changes = generation.read("changes").sort_by("occurred_at").to_pylist()
    assert [(c["entity_id"], c["old_value"], c["new_value"]) for c in changes] == [
        ("c1", None, "S_NEW"),
        ("c1", "S_NEW", "S_OFFER"),
        ("c2", None, "S_NEW"),
        ("c1", "S_OFFER", "S_WON"),
    ]
    assert [source.read for source in report.sources] == [5, 5]


def test_event_without_a_time_is_rejected_and_named(tmp_path: Path) -> None:
    report, _ = _ingest(tmp_path, EVENTS, log=LOG + "c2,CALL,yesterday,ann\n")
    assert [(reject.line, reject.column, reject.value) for reject in report.rejects] == [(7, "at", "yesterday")]


TABLES = """
company: {currency: EUR, time_zone: UTC}
sources:
  - name: agreements
    file: agreements.csv
    table: agreements
    columns: {agreement_id: id, account_id: customer, signed_on: day}
  - name: usage
    file: usage.csv
    table: usage
    one_row_per_key: sum
    columns:
      account_id: {from: agreement, lookup: {table: agreements, key: agreement_id, take: account_id}}
      used_on: day
      events: n
"""


def test_lookup_finds_the_account_and_equal_keys_are_added_up(tmp_path: Path) -> None:
    report, generation = _ingest(
        tmp_path,
        TABLES,
        agreements="id,customer,day\nS1,A,2024-01-01\nS2,A,2024-01-02\n",
        usage="agreement,day,n\nS1,2024-02-01,2\nS2,2024-02-01,3\nS9,2024-02-01,3\n",
    )
    assert generation.read("usage").select(["account_id", "events"]).to_pylist() == [{"account_id": "A", "events": 5.0}]
    assert (report.sources[1].rejected, report.rejects[0].line) == (1, 4)


def test_lines_without_a_number_get_one_that_does_not_depend_on_their_order(tmp_path: Path) -> None:
    mapping = """
company: {currency: EUR, time_zone: UTC}
sources:
  - name: lines
    file: lines.csv
    table: orders
    custom: none
    columns: {order_id: id, line: {fingerprint: true}, ordered_at: day, net_amount: {multiply: [n, price]}}
"""
    lines = ["1,2024-01-01,2,1.25", "1,2024-01-01,2,1.25", "1,2024-01-01,1,3"]
    report, generation = _ingest(tmp_path, mapping, lines="id,day,n,price\n" + "\n".join(lines) + "\n")
    assert sorted(generation.read("orders").column("net_amount").to_pylist()) == [250, 250, 300]
    again, _ = _ingest(tmp_path, mapping, lines="id,day,n,price\n" + "\n".join(reversed(lines)) + "\n")
    assert again.generation == report.generation


def test_the_same_rows_as_csv_parquet_and_duckdb_are_the_same_record(tmp_path: Path) -> None:
    mapping = """
company: {{currency: EUR, time_zone: Europe/Paris}}
sources:
  - name: invoices
    file: {file}
    table: invoices
    columns: {{invoice_id: id, issued_on: day, gross_amount: amount}}
"""
    typed = pa.table(
        {
            "id": ["007", "8"],
            "day": [date(2024, 1, 1), date(2024, 1, 2)],
            "amount": [Decimal("1.10"), Decimal("2.20")],
            "paid": [True, None],
            "weight": [1.5, 2.0],
        }
    )
    pq.write_table(typed, tmp_path / "invoices.parquet")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.register("typed", typed)
        connection.execute("CREATE TABLE bills AS SELECT * FROM typed")
    csv = "id,day,amount,paid,weight\n007,2024-01-01,1.10,true,1.5\n8,2024-01-02,2.20,,2.0\n"
    report, _ = _ingest(tmp_path, mapping.format(file="invoices.csv"), invoices=csv)
    for file in ("invoices.parquet", "warehouse.duckdb\n    from_table: bills"):
        again, _ = _ingest(tmp_path, mapping.format(file=file))
        assert (again.generation, again.sources[0].unchanged) == (report.generation, 2)
