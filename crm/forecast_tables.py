"""The ledger: what was forecast, what came of it, what people said instead. Rows are added and never changed."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, Boolean, Date, Float, ForeignKey, ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.app_base import Base, Moment

_CELL = ("run_id", "measure", "node_id", "period", "month")


class ForecastRun(Base):
    """One published forecast: by which model, from which state of the record. Never changed."""

    __tablename__ = "forecast_runs"

    run_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    task: Mapped[str] = mapped_column(String(40))
    made_at: Mapped[datetime] = mapped_column(Moment, index=True)
    made_by: Mapped[str] = mapped_column(String(40))
    as_of: Mapped[datetime] = mapped_column(Moment, index=True)
    record_digest: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str] = mapped_column(String(80))
    model_digest: Mapped[str] = mapped_column(String(64))
    n_rows: Mapped[int] = mapped_column(Integer)


class ForecastRow(Base):
    """What one forecast said of one measure, node and period. Never changed, so that it can be held against what came.

    `period` is month, quarter or year; `month` is its first month and `step` how many such periods ahead it lies, 1 for
    the running one. Amounts in units of the reporting currency; `quantiles` maps a share such as `0.05` to an amount.
    Beside it stands what was known without a model at the same moment: `baseline` (last year's same period),
    `stage_weighted`, `committed` (the manager's call) and `best_case`, null where the measure has none.
    """

    __tablename__ = "forecast_ledger"
    __table_args__ = (Index("ix_forecast_ledger_month", "period", "month"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("forecast_runs.run_id"), primary_key=True)
    measure: Mapped[str] = mapped_column(String(80), primary_key=True)
    node_id: Mapped[str] = mapped_column(String(400), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True, server_default="month")
    level: Mapped[str] = mapped_column(String(20))
    step: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(20))
    expected: Mapped[float] = mapped_column(Float)
    baseline: Mapped[float] = mapped_column(Float)
    quantiles: Mapped[dict[str, float]] = mapped_column(JSON)
    stage_weighted: Mapped[float | None] = mapped_column(Float)
    committed: Mapped[float | None] = mapped_column(Float)
    best_case: Mapped[float | None] = mapped_column(Float)


class ForecastScore(Base):
    """What came of one row of the ledger, as known when its period was found closed. Scored once.

    `actual` is null where the node has no series any more, for instance a salesperson who left. `is_inside_80` is null
    where no range was told.
    """

    __tablename__ = "forecast_scores"
    __table_args__ = (
        ForeignKeyConstraint(
            _CELL, [f"forecast_ledger.{name}" for name in _CELL], name="fk_forecast_scores_forecast_ledger"
        ),
        Index("ix_forecast_scores_cell", "measure", "node_id", "period", "month"),
    )

    run_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    measure: Mapped[str] = mapped_column(String(80), primary_key=True)
    node_id: Mapped[str] = mapped_column(String(400), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    actual: Mapped[float | None] = mapped_column(Float)
    is_inside_80: Mapped[bool | None] = mapped_column(Boolean)
    scored_at: Mapped[datetime] = mapped_column(Moment)
    record_digest: Mapped[str] = mapped_column(String(64))


class ForecastRevision(Base):
    """A correction of a closed period that the record brought after it was scored; the scores stay as they are."""

    __tablename__ = "forecast_revisions"

    measure: Mapped[str] = mapped_column(String(80), primary_key=True)
    node_id: Mapped[str] = mapped_column(String(400), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    found_at: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    level: Mapped[str] = mapped_column(String(20))
    record_digest: Mapped[str] = mapped_column(String(64))
    actual_before: Mapped[float] = mapped_column(Float)
    actual_now: Mapped[float] = mapped_column(Float)


class ForecastOverride(Base):
    """A person's own call in place of one row of the ledger, with the reason. A later one of theirs replaces it.

    `expected` is what the forecast said that was overridden.
    """

    __tablename__ = "forecast_overrides"
    __table_args__ = (
        ForeignKeyConstraint(
            _CELL, [f"forecast_ledger.{name}" for name in _CELL], name="fk_forecast_overrides_forecast_ledger"
        ),
        Index("ix_forecast_overrides_cell", *_CELL),
    )

    override_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    run_id: Mapped[str] = mapped_column(String(40))
    measure: Mapped[str] = mapped_column(String(80))
    node_id: Mapped[str] = mapped_column(String(400))
    period: Mapped[str] = mapped_column(String(10))
    month: Mapped[date] = mapped_column(Date)
    level: Mapped[str] = mapped_column(String(20))
    author: Mapped[str] = mapped_column(String(120), index=True)
    made_at: Mapped[datetime] = mapped_column(Moment, index=True)
    value: Mapped[float] = mapped_column(Float)
    expected: Mapped[float] = mapped_column(Float)
    reason: Mapped[str] = mapped_column(String(2000))
    replaces: Mapped[str | None] = mapped_column(ForeignKey("forecast_overrides.override_id"))
