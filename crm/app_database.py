"""What the application itself writes: users, keys, predictions, decisions, jobs, published forecasts.

SQLite in WAL mode by default, PostgreSQL by setting. `open_database` brings the tables up to date by itself;
several workers may start at once.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import orjson
from sqlalchemy import JSON, Engine, ForeignKey, Index, String, create_engine, event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.orm import Mapped, mapped_column

from crm.app_base import Base as Base
from crm.app_base import Moment as Moment
from crm.forecast_tables import ForecastOverride as ForecastOverride
from crm.forecast_tables import ForecastRevision as ForecastRevision
from crm.forecast_tables import ForecastRow as ForecastRow
from crm.forecast_tables import ForecastRun as ForecastRun
from crm.forecast_tables import ForecastScore as ForecastScore

MIGRATIONS = Path(__file__).parent / "migrations"
_POSTGRES_LOCK = 0x5A1E5CA5  # any fixed number: workers that start together wait for one another on it
_BUSY_SECONDS = 15


class BadDatabase(RuntimeError):
    """The application database cannot be opened; the message names the setting, never a password."""


class User(Base):
    """One person or program that may ask.

    `sees` says whose rows: `all`, `unit` (that unit and those below it), `rep` (one person's own), `none`.
    `scopes` replaces what the role allows, for services that are granted less or more; null takes the role's.
    """

    __tablename__ = "users"

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    login: Mapped[str] = mapped_column(String(120), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    sees: Mapped[str] = mapped_column(String(10))
    unit_id: Mapped[str | None] = mapped_column(String(200))
    rep_id: Mapped[str | None] = mapped_column(String(200))
    scopes: Mapped[list[str] | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)


class ApiKey(Base):
    """One key of one user: a public prefix and the SHA-256 of its 256-bit random secret."""

    __tablename__ = "api_keys"

    prefix: Mapped[str] = mapped_column(String(16), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"), index=True)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)


class PredictionRow(Base):
    """One answered row of one request: who asked, what was answered, by which model. No personal data."""

    __tablename__ = "predictions"
    __table_args__ = (Index("ix_predictions_entity", "task", "entity_id", "created_at"),)

    prediction_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    task: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[str] = mapped_column(String(200))
    as_of: Mapped[datetime | None] = mapped_column(Moment)
    model_version: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(64))
    asked_by: Mapped[str] = mapped_column(String(40), index=True)
    request_id: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Moment, index=True)
    answer: Mapped[dict[str, object]] = mapped_column(JSON)


class Decision(Base):
    """One thing a person decided: a key made, a champion promoted, a plan approved. Only ever appended."""

    __tablename__ = "decisions"

    decision_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(200))
    decided_by: Mapped[str] = mapped_column(String(40))
    decided_at: Mapped[datetime] = mapped_column(Moment, index=True)
    reason: Mapped[str] = mapped_column(String(2000))
    content: Mapped[dict[str, object]] = mapped_column(JSON)


class Job(Base):
    """One long piece of work that somebody asked for."""

    __tablename__ = "jobs"

    job_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(60), index=True)
    status: Mapped[str] = mapped_column(String(20), index=True)
    asked_by: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(Moment, index=True)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    request: Mapped[dict[str, object]] = mapped_column(JSON)
    result: Mapped[dict[str, object] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(String(2000))


def open_database(url: str) -> Engine:
    """An engine on the application database, with all tables up to date.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, `sqlite:///var/salescast.db` or `postgresql+psycopg://...`.

    Raises
    ------
    BadDatabase
        The URL cannot be read or its database cannot be opened.

    Examples
    --------
    >>> engine = open_database("sqlite://")
    >>> with engine.connect() as connection:
    ...     connection.execute(text("SELECT COUNT(*) FROM users")).scalar_one()
    0
    >>> engine.dispose()
    """
    engine = connect_database(url)
    try:
        migrate(engine)
    except Exception as error:
        engine.dispose()
        if isinstance(error, BadDatabase):
            raise
        name = engine.url.render_as_string(hide_password=True)
        raise BadDatabase(f"database.url: {name} cannot be brought up to date ({type(error).__name__})") from error
    return engine


def connect_database(url: str) -> Engine:
    """An engine on the application database as it stands; nothing is read or written yet."""
    try:
        parsed = make_url(url)
    except Exception:
        raise BadDatabase("database.url: expected a SQLAlchemy URL such as sqlite:///var/salescast.db") from None
    if parsed.get_backend_name() != "sqlite":
        return create_engine(
            parsed, pool_pre_ping=True, pool_size=5, max_overflow=5, pool_timeout=5, json_serializer=_as_json
        )
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = _sqlite_engine(parsed)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _as_json(value: object) -> str:
    # orjson writes dataclasses as they are, and refuses NaN where json would write what is no JSON.
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC).decode()


def _sqlite_engine(url: URL) -> Engine:
    arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
    if url.database and url.database != ":memory:":
        return create_engine(url, connect_args=arguments, json_serializer=_as_json)
    from sqlalchemy.pool import StaticPool

    return create_engine(url, connect_args=arguments, poolclass=StaticPool, json_serializer=_as_json)


def _set_up_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    # NORMAL in WAL mode survives a killed process; only a power cut may lose the last commits.
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "secure_delete = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to date; does nothing when they are, and waits while another worker does it."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _one_at_a_time(engine), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[None]:
    if engine.url.get_backend_name() == "sqlite":
        database = engine.url.database
        if not database or database == ":memory:":
            yield
            return
        with Path(f"{database}.lock").open("a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with engine.connect() as connection, _advisory_lock(connection):
        yield


@contextmanager
def _advisory_lock(connection: Connection) -> Iterator[None]:
    connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _POSTGRES_LOCK})
    try:
        yield
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": _POSTGRES_LOCK})
        connection.rollback()
