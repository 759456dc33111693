"""The application database: migrations and moments."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, delete, inspect, select, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from crm.app_database import BadDatabase, Base, ForecastRow, ForecastRun, User, connect_database, migrate, open_database


@pytest.fixture
def engine(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/below/app.db")
    yield engine
    engine.dispose()


def test_migrations_make_the_tables_that_the_classes_state(engine: Engine) -> None:
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    before = set(inspect(engine).get_table_names())
    migrate(engine)
    assert set(inspect(engine).get_table_names()) == before


def test_sqlite_runs_in_wal_mode_with_foreign_keys(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_workers_that_start_at_once_all_get_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    program = f"from crm.app_database import open_database; open_database({url!r}).dispose()"
    root = Path(__file__).parents[2]
    workers = [subprocess.Popen([sys.executable, "-c", program], cwd=root) for _ in range(3)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]


def test_moments_come_back_in_utc(engine: Engine) -> None:
    shanghai = timezone(timedelta(hours=8))
    with Session(engine) as session:
        made = datetime(2026, 1, 1, 8, tzinfo=shanghai)
        session.add(User(user_id="u", login="l", role="rep", sees="none", created_at=made))
        session.commit()
        assert session.scalars(select(User.created_at)).one() == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_moment_without_zone_is_refused(engine: Engine) -> None:
    with Session(engine) as session:
        naive = datetime(2026, 1, 1)  # noqa: DTZ001
        session.add(User(user_id="u", login="l", role="rep", sees="none", created_at=naive))
        with pytest.raises(Exception, match="time zone"):
            session.commit()


def test_an_unreadable_url_is_named_without_its_password() -> None:
    with pytest.raises(BadDatabase) as caught:
        connect_database("hunter2 no url")
    assert "hunter2" not in str(caught.value)


def test_postgresql_gets_the_same_tables_from_workers_that_start_at_once(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    program = f"from crm.app_database import open_database; open_database({url!r}).dispose()"
    root = Path(__file__).parents[2]
    workers = [subprocess.Popen([sys.executable, "-c", program], cwd=root) for _ in range(3)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    engine = open_database(url)
    with engine.connect() as connection:
        # Tests of the reader keep tables of their own in the same database.
        options = {
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or name in Base.metadata.tables,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def published_run() -> ForecastRun:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    told = {"task": "sales_forecast", "made_by": "b", "record_digest": "d", "model_version": "1", "model_digest": "e"}
    return ForecastRun(run_id="r", made_at=now, as_of=now, n_rows=0, **told)


def assert_forecasts_stay(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(published_run())
        session.commit()
    for statement in (update(ForecastRun).values(n_rows=1), delete(ForecastRun)):
        with Session(engine) as session, pytest.raises(DatabaseError, match="never changed"):
            session.execute(statement)
    with Session(engine) as session:
        assert session.scalars(select(ForecastRun.n_rows)).all() == [0]


def test_sqlite_refuses_to_change_a_published_forecast(engine: Engine) -> None:
    assert_forecasts_stay(engine)


@pytest.mark.slow
def test_postgresql_refuses_to_change_a_published_forecast(postgres_url: str) -> None:
    engine = open_database(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    assert_forecasts_stay(engine)
    engine.dispose()


def ledger_row(month: date, period: str = "month") -> ForecastRow:
    where = {"measure": "bookings", "node_id": "company", "level": "company", "step": 1, "status": "forecast"}
    return ForecastRow(run_id="r", month=month, period=period, expected=1, baseline=2, quantiles={"0.1": 0.5}, **where)


def test_a_quarter_stands_beside_its_first_month(engine: Engine) -> None:
    first = date(2026, 1, 1)
    with Session(engine) as session:
        session.add(published_run())
        session.flush()
        session.add_all([ledger_row(first), ledger_row(first, "quarter")])
        session.commit()
        assert sorted(session.scalars(select(ForecastRow.period))) == ["month", "quarter"]


def test_what_was_published_before_outlives_the_migration(tmp_path: Path) -> None:
    engine = connect_database(f"sqlite:///{tmp_path}/app.db")
    migrate(engine, "0002")
    now = "2026-01-01 00:00:00.000000"
    with engine.begin() as connection:
        run = ("r", "sales_forecast", now, "b", now, "d", "1", "e", 1)
        connection.exec_driver_sql("INSERT INTO forecast_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", run)
        row = ("r", "bookings", "company", "2026-01-01", "company", 1, "forecast", 5.0, 6.0, '{"0.1": 4.0}')
        connection.exec_driver_sql("INSERT INTO forecast_ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    migrate(engine)
    with Session(engine) as session:
        kept = session.scalars(select(ForecastRow)).one()
        assert (kept.period, kept.expected, kept.quantiles, kept.committed) == ("month", 5.0, {"0.1": 4.0}, None)
        with pytest.raises(DatabaseError, match="never changed"):
            session.execute(delete(ForecastRow))
    engine.dispose()
