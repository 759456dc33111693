"""Reading a real MariaDB."""

from datetime import date, datetime
from decimal import Decimal

import pymysql
import pytest
from sqlalchemy import make_url

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.source import read_source

TABLES = (
    "CREATE TABLE `leads & co` (id varchar(20), n int, amount decimal(14,2), share double, active bit(1), born date, "
    "seen datetime, kind enum('a','b'), extra json)",
    "INSERT INTO `leads & co` VALUES ('0007', 1, 10.50, .25, 1, '2026-01-31', '2026-01-31 08:00', 'a', '{\"k\": 1}'), "
    "('张伟', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "CREATE TABLE faults (id int, due date)",
    "INSERT INTO faults VALUES (1, '0000-00-00'), (2, '2026-01-31'), (3, '2026-02-00')",
    "CREATE TABLE many AS SELECT seq AS id, seq / 4 AS amount FROM seq_1_to_60000",
    "CREATE USER reader@localhost",
    "GRANT SELECT ON crm.many TO reader@localhost",
)


@pytest.fixture(scope="module")
def filled(mariadb_url):
    socket = make_url(mariadb_url).query["unix_socket"]
    with pymysql.connect(unix_socket=socket, user="root", database="crm", autocommit=True) as connection:
        for statement in TABLES:
            connection.cursor().execute(statement)
    return mariadb_url


@pytest.fixture
def read(filled, monkeypatch, tmp_path):
    def read_with(url=filled, **options):
        monkeypatch.setenv("CRM_URL", url)
        return read_source(SourceSpec(name="crm", url_env="CRM_URL", **options), tmp_path)

    return read_with


def test_types_arrive_as_the_database_has_them(read):
    assert read(table="leads & co").rows.to_pylist() == [
        {
            "id": "0007",
            "n": 1,
            "amount": Decimal("10.50"),
            "share": 0.25,
            "active": 1,
            "born": date(2026, 1, 31),
            "seen": datetime(2026, 1, 31, 8),  # noqa: DTZ001 - the column has no zone
            "kind": "a",
            "extra": '{"k": 1}',
        },
        {"id": "张伟", **dict.fromkeys(("n", "amount", "share", "active", "born", "seen", "kind", "extra"))},
    ]


def test_zero_and_impossible_dates_are_rejects(read):
    raw = read(query="SELECT * FROM faults ORDER BY id")
    assert raw.rows.to_pylist() == [{"id": 2, "due": date(2026, 1, 31)}]
    assert [(reject.line, reject.column) for reject in raw.rejects] == [(1, "due"), (3, "due")]


def test_many_rows_come_in_batches(read):
    rows = read(table="many").rows
    assert rows.num_rows == 60_000
    assert max(rows.column("amount").to_pylist()) == 15_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "absent"}, "no such table"),
        ({"query": "SELECT absent FROM many"}, "no such column"),
        ({"query": "SELECT FROM WHERE"}, "does not understand"),
        ({"query": "SELECT 1; DROP TABLE many"}, "without a semicolon"),
        ({"query": "SELECT 1 INTO OUTFILE 'salescast-out'"}, "to be one SELECT"),
        ({"query": "SELECT sleep(20)", "limits": {"seconds": 1}}, "took too long"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(read, options, message):
    with pytest.raises(BadSource, match=message):
        read(**options)
    assert read(query="SELECT count(*) AS n FROM many").rows.to_pylist() == [{"n": 60_000}]


def test_a_user_without_the_right_is_told_so(read, filled):
    with pytest.raises(BadSource, match="may not read it"):
        read(url=filled.replace("root", "reader"), table="faults")


def test_no_error_shows_the_password(read, filled):
    for url in (filled.replace("root", "root:s3cretword"), "mariadb://root:s3cretword@127.0.0.1:1/crm"):
        with pytest.raises(BadSource) as refused:
            read(url=url, table="many")
        assert "s3cretword" not in str(refused.value)
        assert "127.0.0.1" not in str(refused.value)
