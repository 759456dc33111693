"""Reading a real PostgreSQL."""

from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.source import read_source

TABLES = """
CREATE SCHEMA sales;
CREATE TABLE sales."Leads & co" (
    id text, n integer, big bigint, amount numeric(14, 2), share double precision, open boolean, born date,
    seen timestamptz, noted timestamp, tags text[], extra jsonb, code uuid);
INSERT INTO sales."Leads & co" VALUES
 ('0007', 1, 9007199254740993, 10.50, .25, true, '2026-01-31', '2026-01-31 08:00+08', '2026-01-31 08:00',
  '{a,b}', '{"k": 1}', '00000000-0000-0000-0000-000000000007'),
 ('1E5', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 ('NA', 3, 3, 0.01, 1, false, '1999-12-31', '1999-12-31 23:59:59+00', NULL, '{}', NULL, NULL);
CREATE TABLE faults (id text, amount numeric, share float8, due date, seen timestamptz);
INSERT INTO faults VALUES
 ('a', 'NaN', 1, '2026-01-01', NULL), ('b', 'Infinity', 1, NULL, NULL), ('c', 1, 'NaN', NULL, NULL),
 ('d', 1, '-Infinity', NULL, NULL), ('e', 1, 1, 'infinity', NULL), ('f', 1, 1, '0044-03-15 BC', NULL),
 ('g', 1, 1, NULL, '-infinity'), ('h', 2.125, 1, '2026-02-28', '2026-02-28 12:00+00');
CREATE TABLE many AS SELECT i AS id, i / 4.0 AS amount, NULLIF(i, 60000)::text AS name FROM generate_series(1, 60000) i;
CREATE TABLE files (id int, content bytea); INSERT INTO files VALUES (1, '\\x00');
CREATE ROLE reader LOGIN; GRANT SELECT ON many TO reader;
"""


@pytest.fixture(scope="module")
def filled(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(TABLES)
    return postgres_url


@pytest.fixture
def read(filled, monkeypatch, tmp_path):
    def read_with(url=filled, **options):
        monkeypatch.setenv("CRM_URL", url)
        return read_source(SourceSpec(name="crm", url_env="CRM_URL", **options), tmp_path)

    return read_with


def test_types_arrive_as_the_database_has_them(read):
    first, second, third = read(table="sales.Leads & co").rows.to_pylist()
    assert first == {
        "id": "0007",
        "n": 1,
        "big": 9007199254740993,
        "amount": Decimal("10.50"),
        "share": 0.25,
        "open": True,
        "born": date(2026, 1, 31),
        "seen": datetime(2026, 1, 31, tzinfo=UTC),
        "noted": datetime(2026, 1, 31, 8),  # noqa: DTZ001 - the column has no zone
        "tags": ["a", "b"],
        "extra": '{"k": 1}',
        "code": "00000000-0000-0000-0000-000000000007",
    }
    assert second == {**dict.fromkeys(first), "id": "1E5"}
    assert third["id"] == "NA"


def test_nan_infinity_and_dates_beyond_the_calendar_are_rejects(read):
    raw = read(query="SELECT * FROM faults ORDER BY id")
    assert raw.rows.column("id").to_pylist() == ["h"]
    assert raw.line.tolist() == [8]
    assert [(reject.line, reject.column) for reject in raw.rejects] == [
        (1, "amount"),
        (2, "amount"),
        (3, "share"),
        (4, "share"),
        (5, "due"),
        (6, "due"),
        (7, "seen"),
    ]


def test_many_rows_come_in_batches_of_one_type(read):
    rows = read(query="SELECT * FROM many ORDER BY id;").rows
    assert rows.num_rows == 60_000
    assert rows.column("amount").to_pylist()[-1] == Decimal(15_000)
    assert rows.column("name").null_count == 1
    assert sum(rows.column("id").to_pylist()) == 60_000 * 60_001 // 2


def test_a_per_cent_sign_or_colon_in_a_query_is_no_parameter(read):
    assert read(query="SELECT count(*) AS n FROM many WHERE name LIKE '%9' AND id::text = name").rows.to_pylist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "absent"}, "no such table"),
        ({"query": "SELECT absent FROM many"}, "no such column"),
        ({"query": "SELECT FROM WHERE"}, "does not understand"),
        ({"query": "DELETE FROM many"}, "expected `query:` to be one SELECT"),
        ({"query": "SELECT 1; DROP TABLE many"}, "without a semicolon"),
        (
            {"query": "WITH gone AS (DELETE FROM many RETURNING *) SELECT * FROM gone"},
            "only reads may not",
        ),
        ({"query": "SELECT nextval('s') FROM setval('s', 1) s"}, "no such table"),
        ({"query": "SELECT pg_sleep(20)", "limits": {"seconds": 1}}, "took too long"),
        ({"table": "files"}, "holds bytes"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "repeats 'a'"),
        ({"query": "SELECT id FROM many", "limits": {"max_rows": 10}}, "more rows or bytes"),
        ({}, "state `from_table:` or `query:`"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(read, options, message):
    with pytest.raises(BadSource, match=message):
        read(**options)
    assert read(query="SELECT count(*) AS n FROM many").rows.to_pylist() == [{"n": 60_000}]


def test_a_user_without_the_right_is_told_so(read, filled):
    with pytest.raises(BadSource, match="may not read it"):
        read(url=filled.replace("owner", "reader"), table="faults")


def test_no_error_shows_the_address_or_the_password(read, filled):
    for url in (
        "postgresql://owner:s3cretword@127.0.0.1:1/postgres",
        filled.replace("/postgres?", ":s3cretword@/absent?").replace("owner@:", "owner:"),
        "mssql://owner:s3cretword@somewhere/x",
        "s3cretword",
    ):
        with pytest.raises(BadSource) as refused:
            read(url=url, table="many")
        shown = str(refused.value)
        assert "s3cretword" not in shown
        assert "127.0.0.1" not in shown
        assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_an_unset_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_URL", raising=False)
    with pytest.raises(BadSource, match="database of NO_SUCH_URL\\): the environment variable is not set"):
        read_source(SourceSpec(name="crm", url_env="NO_SUCH_URL", table="x"), tmp_path)
