"""The ledger's tables on both databases: the same rows give the same figures, and no row can be changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine, delete, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from crm.app_database import ForecastOverride, ForecastRevision, ForecastRow, ForecastRun, ForecastScore, open_database
from serving.forecast_accuracy import Seen, ledger_figures
from serving.forecast_overrides import Call, value_added, write_override
from serving.forecast_recount import recount

NOW = datetime(2026, 7, 1, tzinfo=UTC)
KINDS = (ForecastRun, ForecastRow, ForecastScore, ForecastRevision, ForecastOverride)


def fill(engine: Engine) -> None:
    """Five months of two regions, forecast, called and scored; one region left, one outcome was corrected."""
    told = {"task": "sales_forecast", "made_by": "t", "record_digest": "d", "model_version": "1", "model_digest": "e"}
    with Session(engine) as session, session.begin():
        session.add(ForecastRun(run_id="r", made_at=NOW, as_of=NOW, n_rows=10, **told))
        session.flush()
        for step in range(1, 6):
            for place, node in enumerate(("region:East", "region:West")):
                cell = {"run_id": "r", "measure": "bookings", "node_id": node, "period": "month"}
                row = {"level": "region", "step": step, "status": "forecast", "expected": 100.25 * step}
                weighted = None if step == 4 else 55.5 * step
                ranges = {} if step == 5 else {"0.1": 80.0 * step, "0.9": 120.0 * step}
                month = date(2026, step, 1)
                session.add(
                    ForecastRow(**cell, **row, baseline=90.1, month=month, quantiles=ranges, stage_weighted=weighted)
                )
                session.flush()
                actual = None if place and step == 3 else 110.4 * step + 7 * place
                inside = bool(80 * step <= actual <= 120 * step) if actual is not None and ranges else None
                seen = {"scored_at": NOW, "record_digest": "d", "actual": actual, "is_inside_80": inside}
                session.add(ForecastScore(**cell, **seen, month=month))
        found = {"found_at": NOW, "level": "region", "record_digest": "f", "actual_before": 1.0, "actual_now": 2.0}
        where = {"measure": "bookings", "node_id": "region:East", "period": "month", "month": date(2026, 1, 1)}
        session.add(ForecastRevision(**where, **found))
    for step, value in ((1, 99.5), (1, 111.0), (2, 240.0)):
        call = Call(
            measure="bookings",
            node_id="region:East",
            period="month",
            month=date(2026, step, 1),
            value=value,
            reason="a tender",
        )
        assert write_override(engine, "r", call, author="wang", now=NOW + timedelta(hours=step)) is not None


@pytest.mark.slow
def test_postgresql_tells_the_figures_that_sqlite_tells_and_refuses_changes(postgres_url: str) -> None:
    # A database of its own: others count the rows of theirs.
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE ledger")
    own = postgres_url.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", "/ledger?")
    engines = [open_database(url) for url in ("sqlite://", own)]
    for engine in engines:
        fill(engine)
        figures = ledger_figures(engine, Seen(), seed=1)
        assert figures == ledger_figures(engines[0], Seen(), seed=1) == recount(engine, Seen(), seed=1)
        assert value_added(engine, Seen(), seed=1) == value_added(engines[0], Seen(), seed=1)
        assert (figures[0]["n"], figures[0]["n_gone"], figures[0]["n_revised"]) == (9, 1, 1)
        for kind in KINDS:
            column = kind.__table__.primary_key.columns.keys()[0]
            for statement in (update(kind).values({column: "x"}), delete(kind)):
                with Session(engine) as session, pytest.raises(DatabaseError, match="never changed"):
                    session.execute(statement)
    for engine in engines:
        engine.dispose()
