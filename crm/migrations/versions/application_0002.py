"""Published forecasts, kept by the database itself from being changed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = ("forecast_runs", "forecast_ledger")
_SAYS = "a published forecast is never changed"


def upgrade() -> None:
    """Make the tables and what guards them."""
    op.create_table(
        "forecast_runs",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("task", sa.String(40), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("made_by", sa.String(40), nullable=False),
        sa.Column("as_of", sa.DateTime(), nullable=False),
        sa.Column("record_digest", sa.String(64), nullable=False),
        sa.Column("model_version", sa.String(80), nullable=False),
        sa.Column("model_digest", sa.String(64), nullable=False),
        sa.Column("n_rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_forecast_runs"),
    )
    op.create_index("ix_forecast_runs_made_at", "forecast_runs", ["made_at"])
    op.create_index("ix_forecast_runs_as_of", "forecast_runs", ["as_of"])
    op.create_table(
        "forecast_ledger",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("measure", sa.String(80), nullable=False),
        sa.Column("node_id", sa.String(400), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("level", sa.String(20), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("baseline", sa.Float(), nullable=False),
        sa.Column("quantiles", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "measure", "node_id", "month", name="pk_forecast_ledger"),
        sa.ForeignKeyConstraint(["run_id"], ["forecast_runs.run_id"], name="fk_forecast_ledger_run_id"),
    )
    _guard(op.get_bind().dialect.name)


def _guard(dialect: str) -> None:
    """Let the database refuse changes; another one than these two keeps the tables without a guard."""
    if dialect == "sqlite":
        for table in _TABLES:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END"
                )
    elif dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_forecast_change() RETURNS trigger AS "
            f"$$ BEGIN RAISE EXCEPTION '{_SAYS}'; END $$ LANGUAGE plpgsql"
        )
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_forecast_change()"
            )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("forecast_ledger")
    op.drop_table("forecast_runs")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_forecast_change()")
