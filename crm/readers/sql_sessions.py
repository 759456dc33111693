"""What differs between databases: driver, session settings, values their drivers cannot read, error codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy.exc import DBAPIError

# Type codes of the MySQL protocol: TIMESTAMP, DATE, DATETIME; BIT.
MOMENT_CODES = frozenset({7, 10, 12})
BIT_CODE = 16

_BY_STATE = {
    "08": "the database cannot be reached; check host, port and network",
    "28": "the database refused the sign-in; check user and password in the variable",
    "3D000": "there is no database of that name on the server",
    "42P01": "there is no such table; check `from_table:` or `query:`",
    "42703": "there is no such column; check `query:`",
    "42501": "the user may not read it; grant SELECT",
    "42": "the database does not understand the query",
    "57014": "the query took too long; raise `limits: seconds` or narrow the query",
    "0A000": "the query does what a query that only reads may not",
    "25006": "the query would write; only reading is allowed",
}
_BY_NUMBER = {
    1044: _BY_STATE["28"],
    1045: _BY_STATE["28"],
    1049: _BY_STATE["3D000"],
    1054: _BY_STATE["42703"],
    1064: _BY_STATE["42"],
    1142: _BY_STATE["42501"],
    1146: _BY_STATE["42P01"],
    1792: _BY_STATE["25006"],
    1969: _BY_STATE["57014"],
    2003: _BY_STATE["08"],
    2013: "the connection broke while reading; try again",
    3024: _BY_STATE["57014"],
}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A date or moment that Python cannot hold, such as infinity or a year before Christ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How to talk to one kind of database.

    Attributes
    ----------
    driver, extra : str
        The DB-API module, and the extra of salescast that installs it.
    connect_options : mapping of str to str
        Options of each connection.
    prepare : callable
        Makes a new connection read-only, consistent and bounded in seconds.
    """

    driver: str
    extra: str
    connect_options: dict[str, str]
    prepare: Callable[[object, int], None]


def _prepare_postgres(connection: object, seconds: int) -> None:
    from psycopg import Connection, DataError
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    session = cast("Connection[tuple[object, ...]]", connection)

    def lenient(loader: type[Any]) -> type[Any]:
        class Lenient(loader):  # type: ignore[misc]
            def load(self, data: bytes) -> object:
                try:
                    return super().load(data)
                except DataError:
                    return Unreadable()

        return Lenient

    for name, loader in (("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):
        session.adapters.register_loader(name, lenient(loader))
    with session.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET statement_timeout = {seconds * 1000:d}")
    session.commit()


def _prepare_mysql(connection: object, seconds: int) -> None:
    session = cast(Any, connection)
    with session.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        maria = "mariadb" in str(cursor.fetchone()[0]).lower()
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        limit = f"max_statement_time = {seconds:d}" if maria else f"max_execution_time = {seconds * 1000:d}"
        cursor.execute(f"SET SESSION {limit}")
    session.commit()


_MYSQL = Driver(driver="pymysql", extra="mysql", connect_options={"charset": "utf8mb4"}, prepare=_prepare_mysql)
DRIVERS = {
    "postgresql": Driver(
        driver="psycopg",
        extra="postgres",
        connect_options={"client_encoding": "utf8", "application_name": "salescast"},
        prepare=_prepare_postgres,
    ),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}


def why_failed(error: DBAPIError) -> str:
    """Why a database failed, in our words: its own may hold values, names or the address."""
    arguments = getattr(error.orig, "args", ())
    if arguments and isinstance(arguments[0], int):
        return _BY_NUMBER.get(arguments[0], f"the database failed with error {arguments[0]}")
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        reason = next((_BY_STATE[key] for key in (state, state[:2]) if key in _BY_STATE), None)
        return reason or f"the database failed with SQLSTATE {state}"
    # psycopg gives no SQLSTATE when it did not get as far as a session.
    return "the database cannot be reached or refused the sign-in; check the address in the variable"
