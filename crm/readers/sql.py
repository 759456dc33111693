"""PostgreSQL and MariaDB / MySQL: one table or query, read in one consistent read-only transaction."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pyarrow as pa
from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource, RawTable, Reject
from crm.readers.columns import build_column, join_columns
from crm.readers.sql_sessions import BIT_CODE, DRIVERS, MOMENT_CODES, Unreadable, why_failed
from crm.readers.typed import check_rows

_BATCH_ROWS = 20_000
_CONNECT_SECONDS = 10
_STARTS = ("SELECT", "WITH", "TABLE", "VALUES", "(")
# MariaDB writes a file even in a read-only transaction.
_WRITES = re.compile(r"\binto\s+(outfile|dumpfile)\b", re.IGNORECASE)


def read_sql(source: SourceSpec) -> RawTable:
    """The rows of a table or a query of a database; `line` is the number of the row in the answer.

    Parameters
    ----------
    source : SourceSpec
        `url_env` names the environment variable that holds the address; `table` (may be `schema.table`) or
        `query` says what to read.

    Returns
    -------
    RawTable
        Typed columns. A row with NaN, an infinite number, or a date that no calendar has is a reject.

    Raises
    ------
    BadSource
        The variable is not set, the database cannot be reached or refuses; no message holds the address.
    """
    name = f"{source.name} (database of {source.url_env})"
    engine = _engine(_url(source, name), source, name)
    try:
        with engine.connect() as connection:
            rows, numbers, rejects = _Answer(source, name).read(connection, _statement(engine, source, name))
    except DBAPIError as error:
        raise BadSource(f"{name}: {why_failed(error)}") from None
    except (SQLAlchemyError, ValueError, OverflowError, OSError) as error:
        if isinstance(error, BadSource):
            raise
        raise BadSource(f"{name}: could not be read ({type(error).__name__})") from None
    finally:
        engine.dispose()
    checked = check_rows(rows, source, file=name, lines=pa.array(numbers, pa.int64()).to_numpy())
    found = sorted((*rejects, *checked.rejects), key=lambda reject: reject.line)
    return RawTable(rows=checked.rows, line=checked.line, rejects=tuple(found))


def _url(source: SourceSpec, name: str) -> URL:
    text = os.environ.get(source.url_env or "")
    if not text:
        raise BadSource(f"{name}: the environment variable is not set; expected postgresql://... or mysql://...")
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise BadSource(f"{name}: the variable holds no address of a database; expected postgresql://...") from None
    if backend not in DRIVERS:
        raise BadSource(f"{name}: expected a postgresql, mysql or mariadb address, came another kind of database")
    return url.set(drivername=f"{backend}+{DRIVERS[backend].driver}")


def _engine(url: URL, source: SourceSpec, name: str) -> Engine:
    driver = DRIVERS[url.get_backend_name()]
    try:
        engine = create_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS, **driver.connect_options},
        )
    except ModuleNotFoundError:
        raise BadSource(f"{name}: the driver is not installed; install salescast[{driver.extra}]") from None

    def prepare(connection: object, _record: object) -> None:
        driver.prepare(connection, source.limits.seconds)

    event.listen(engine, "connect", prepare)
    return engine


def _statement(engine: Engine, source: SourceSpec, name: str) -> str:
    if source.table is not None:
        quote = engine.dialect.identifier_preparer.quote_identifier
        return "SELECT * FROM " + ".".join(quote(part) for part in source.table.split("."))
    if source.query is None:
        raise BadSource(f"{name}: state `from_table:` or `query:`")
    query = source.query.strip().rstrip(";").rstrip()
    if ";" in query or _WRITES.search(query) or not query.upper().startswith(_STARTS):
        raise BadSource(f"{name}: expected `query:` to be one SELECT without a semicolon inside")
    return query


class _Answer:
    """The rows of one statement, taken in batches."""

    def __init__(self, source: SourceSpec, name: str) -> None:
        self.source = source
        self.name = name
        self.rejects: list[Reject] = []
        self.numbers: list[int] = []
        self.chunks: list[list[pa.Array]] = []

    def read(self, connection: Connection, statement: str) -> tuple[pa.Table, list[int], list[Reject]]:
        """Run the statement; the rows, their numbers, and rejects for values that no column can hold."""
        streamed = connection.execution_options(stream_results=True, no_parameters=True, max_row_buffer=_BATCH_ROWS)
        with streamed.exec_driver_sql(statement) as result:
            names = list(result.keys())
            codes = [column[1] for column in result.cursor.description] if result.cursor is not None else []
            for batch in self._batches(result):
                self._take(batch, names, codes)
        columns = [join_columns([chunk[at] for chunk in self.chunks]) for at in range(len(names))]
        return pa.table(columns, names=names), self.numbers, self.rejects

    def _batches(self, result: CursorResult[tuple[object, ...]]) -> Iterator[Sequence[Sequence[object]]]:
        rows = size = 0
        until = time.monotonic() + self.source.limits.seconds
        for batch in result.partitions(_BATCH_ROWS):
            yield batch
            rows += len(batch)
            size += sum(array.nbytes for array in self.chunks[-1]) if self.chunks else 0
            if rows > self.source.limits.max_rows or size > self.source.limits.max_bytes:
                raise BadSource(f"{self.name}: more rows or bytes than a source may have (`limits:`)")
            if time.monotonic() > until:
                raise BadSource(f"{self.name}: not read within {self.source.limits.seconds} s (`limits: seconds`)")

    def _take(self, batch: Sequence[Sequence[object]], names: list[str], codes: list[object]) -> None:
        start = len(self.numbers) + len({reject.line for reject in self.rejects}) + 1
        columns: list[list[object]] = [list(column) for column in zip(*batch, strict=True)]
        bad: set[int] = set()
        for at, name in enumerate(names):
            kinds = {type(value) for value in columns[at]}
            if kinds & {bytes, bytearray, memoryview}:
                columns[at] = self._bits(columns[at], name, codes[at])
            moment = codes[at] in MOMENT_CODES and str in kinds
            if not kinds & {Unreadable, Decimal, float} and not moment:
                continue
            for row, value in enumerate(columns[at]):
                reason = _fault(value, moment=moment)
                if reason and row not in bad:
                    bad.add(row)
                    self.rejects.append(
                        Reject(source=self.source.name, line=start + row, column=name, value="", reason=reason)
                    )
        good = [row for row in range(len(batch)) if row not in bad]
        self.numbers += [start + row for row in good]
        self.chunks.append([build_column([column[row] for row in good] if bad else column) for column in columns])

    def _bits(self, values: list[object], name: str, code: object) -> list[object]:
        if code != BIT_CODE:
            raise BadSource(f"{self.name}: column {name[:40]!r} holds bytes; leave it out by `query:`")
        return [int.from_bytes(value) if isinstance(value, bytes) else value for value in values]


def _fault(value: object, *, moment: bool) -> str:
    if isinstance(value, Unreadable):
        return "expected a date of the years 1 to 9999, came one outside or infinity"
    if moment and isinstance(value, str):
        return "expected a date, came a zero or impossible one"
    if isinstance(value, Decimal) and not value.is_finite():
        return "expected a finite number, came NaN or infinity"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "expected a finite number, came NaN or infinity"
    return ""
