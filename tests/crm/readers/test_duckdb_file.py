"""DuckDB files."""

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.duckdb_file import read_duckdb
from crm.readers.source import read_source

TABLES = """
CREATE SCHEMA sales;
CREATE TYPE kind AS ENUM ('lost', 'won');
CREATE TABLE sales."Leads & co" AS
  SELECT '0007' AS id, 1 AS n, 1.50::DECIMAL(10, 2) AS amount, DATE '2026-01-31' AS day, 'won'::kind AS kind,
         9007199254740993::HUGEINT AS huge, uuid '00000000-0000-0000-0000-000000000007' AS code
  UNION ALL SELECT 'NA', NULL, NULL, DATE 'infinity', NULL, NULL, NULL;
CREATE VIEW peeking AS SELECT * FROM read_text('{other}');
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "other.txt").write_text("secret")
    with duckdb.connect(str(tmp_path / "f.duckdb")) as connection:
        connection.execute(TABLES.format(other=tmp_path / "other.txt"))
    return tmp_path


def read(folder, **options):
    return read_duckdb(folder / "f.duckdb", SourceSpec(name="s", file="f.duckdb", **options))


def test_a_table_keeps_its_types(folder):
    raw = read(folder, table="sales.Leads & co")
    row = raw.rows.to_pylist()[0]
    assert (row["id"], row["n"], row["amount"], row["day"]) == ("0007", 1, Decimal("1.50"), date(2026, 1, 31))
    assert (row["kind"], int(row["huge"]), row["code"]) == ("won", 2**53 + 1, "00000000-0000-0000-0000-000000000007")
    assert [(reject.line, reject.column) for reject in raw.rejects] == [(2, "day")]


def test_a_query_selects(folder):
    rows = read(folder, query='SELECT id FROM sales."Leads & co" ORDER BY id').rows
    assert rows.to_pydict() == {"id": ["0007", "NA"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "holds 2 tables .*; state `from_table:`"),
        ({"table": "absent"}, "no such table"),
        ({"table": "peeking"}, "outside the file"),
        ({"query": "SELECT * FROM read_text('/etc/hostname')"}, "outside the file"),
        ({"query": "SELECT * FROM '/etc/hostname.csv'"}, "outside the file|no such table"),
        ({"query": "COPY (SELECT 1) TO 'out.csv'"}, "expected `query:` to be one SELECT"),
        ({"query": "ATTACH 'x.duckdb'"}, "expected `query:` to be one SELECT"),
        ({"query": "SELECT 1; SELECT 2"}, "expected `query:` to be one SELECT"),
        ({"query": "SET enable_external_access = true"}, "expected `query:` to be one SELECT"),
        ({"query": "SELEKT"}, "no valid SQL"),
        ({"query": "SELECT absent FROM sales.\"Leads & co\""}, "column that is not there"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "repeats 'a'"),
        ({"query": "SELECT {'a': 1} AS odd"}, "column 'odd' holds struct"),
        ({"query": "SELECT range FROM range(1000)", "limits": {"max_rows": 10}}, "more rows or bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_reason(folder, options, message):
    with pytest.raises(BadSource, match=message) as refused:
        read(folder, **options)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("kept", [4_096, 13_000])
def test_a_cut_file_is_refused_and_this_process_lives(folder, kept):
    path = folder / "f.duckdb"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadSource, match=r"^f\.duckdb: "):
        read_source(SourceSpec(name="s", file="f.duckdb", table="sales.Leads & co"), folder)


def test_a_file_is_read_through_the_child_and_stays_unchanged(folder):
    before = (folder / "f.duckdb").read_bytes()
    raw = read_source(SourceSpec(name="s", file="f.duckdb", query="SELECT '0007' AS id"), folder)
    assert raw.rows.to_pylist() == [{"id": "0007"}]
    assert (folder / "f.duckdb").read_bytes() == before
