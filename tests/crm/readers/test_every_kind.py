"""The same rows by every kind of source: the record is the same, and taking them in again changes nothing."""

import csv
import gzip
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import openpyxl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
import pytest
from sqlalchemy import make_url

from crm.config import Config
from crm.ingest import ingest
from crm.mapping import parse_mapping
from crm.store import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = {
    "Number": ["0007", "1E5", "NA"],
    "Created": [datetime(2026, 1, 5, 8, 30), datetime(2026, 1, 6), datetime(2026, 2, 1, 23, 59, 59)],  # noqa: DTZ001
    "Close": [date(2026, 4, 1), None, date(2026, 12, 31)],
    "Amount": [Decimal("1250.50"), Decimal("0.01"), None],
    "Score": [0.5, 1.25, None],
    "Seats": [3, None, 12],
    "Region": ["北京", None, "North"],
}
POSTGRES = (
    '"Number" text, "Created" timestamp, "Close" date, "Amount" numeric(14, 2), '
    '"Score" float8, "Seats" int, "Region" text'
)
MARIADB = POSTGRES.replace('"', "`").replace("timestamp", "datetime").replace("float8", "double")
MAPPING = """
company: {currency: EUR, time_zone: Asia/Shanghai}
sources:
  - name: deals
    PLACE
    table: opportunities
    columns:
      opportunity_id: Number
      created_at: Created
      expected_close_on: Close
      net_amount: Amount
"""


def records():
    return list(zip(*ROWS.values(), strict=True))


def write_csv(folder, compressed=False):
    path = folder / ("f.csv.gz" if compressed else "f.csv")
    with gzip.open(path, "wt") if compressed else path.open("w", newline="") as stream:
        csv.writer(stream).writerows([ROWS, *records()])
    return f"file: {path.name}"


def write_excel(folder):
    book = openpyxl.Workbook()
    for row in [list(ROWS), *records()]:
        book.active.append(row)
    book.save(folder / "f.xlsx")
    return "file: f.xlsx"


def write_parquet(folder):
    pq.write_table(pa.table(ROWS), folder / "f.parquet")
    return "file: f.parquet"


def write_duckdb(folder):
    with duckdb.connect(str(folder / "f.duckdb")) as connection:
        connection.register("source", pa.table(ROWS))
        connection.execute("CREATE TABLE deals AS SELECT * FROM source")
    return "file: f.duckdb, from_table: deals"


def fill(cursor, columns):
    cursor.execute(f"CREATE TABLE deals ({columns})")
    for row in records():
        cursor.execute("INSERT INTO deals VALUES (%s, %s, %s, %s, %s, %s, %s)", row)


def take_in(folder, place):
    mapping = MAPPING.replace("PLACE", place.replace(", ", "\n    "))
    store = Store(folder / "record")
    report = ingest(store, parse_mapping(mapping), folder, config=Config(), now=NOW).sources[0]
    rows = store.current().read("opportunities").sort_by("opportunity_id")
    return (report.inserted, report.changed, report.unchanged, report.rejected), rows


def require_same_as_csv(folder, place):
    counts, expected = take_in(folder, write_csv(folder))
    assert counts == (3, 0, 0, 0)
    counts, rows = take_in(folder, place)
    assert counts == (0, 0, 3, 0)
    (folder / "fresh").mkdir()
    for path in folder.glob("f.*"):
        path.rename(folder / "fresh" / path.name)
    counts, rows = take_in(folder / "fresh", place)
    assert counts == (3, 0, 0, 0)
    assert rows.equals(expected)
    assert rows.column("opportunity_id").to_pylist() == ["0007", "1E5", "NA"]
    assert rows.column("net_amount").to_pylist() == [125_050, 1, None]


@pytest.mark.parametrize(
    "write",
    [lambda folder: write_csv(folder, compressed=True), write_excel, write_parquet, write_duckdb],
    ids=["gzip", "excel", "parquet", "duckdb"],
)
def test_a_file_of_any_kind_gives_the_same_record(tmp_path, write):
    require_same_as_csv(tmp_path, write(tmp_path))


def test_postgres_gives_the_same_record(tmp_path, postgres_url, monkeypatch):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        fill(connection.cursor(), POSTGRES)
    monkeypatch.setenv("DEALS_URL", postgres_url)
    require_same_as_csv(tmp_path, "url_env: DEALS_URL, from_table: deals")


def test_mariadb_gives_the_same_record(tmp_path, mariadb_url, monkeypatch):
    socket = make_url(mariadb_url).query["unix_socket"]
    with pymysql.connect(unix_socket=socket, user="root", database="crm", autocommit=True) as connection:
        fill(connection.cursor(), MARIADB)
    monkeypatch.setenv("DEALS_URL", mariadb_url)
    require_same_as_csv(tmp_path, "url_env: DEALS_URL, from_table: deals")
