"""The ledger by quarter and year too, what came of it, what was known beside it, and what people said instead."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CELL = ("run_id", "measure", "node_id", "period", "month")
_ADDED = ("forecast_scores", "forecast_revisions", "forecast_overrides")
_SAYS = "a published forecast is never changed"


def upgrade() -> None:
    """Widen the ledger and make the tables beside it."""
    dialect = op.get_bind().dialect.name
    _widen_ledger()
    op.create_table(
        "forecast_scores",
        *_cell(),
        sa.Column("actual", sa.Float(), nullable=True),
        sa.Column("is_inside_80", sa.Boolean(), nullable=True),
        sa.Column("scored_at", sa.DateTime(), nullable=False),
        sa.Column("record_digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint(*_CELL, name="pk_forecast_scores"),
        _of_ledger("fk_forecast_scores_forecast_ledger"),
    )
    op.create_index("ix_forecast_scores_cell", "forecast_scores", _CELL[1:])
    op.create_table(
        "forecast_revisions",
        *_cell()[1:],
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.Column("level", sa.String(20), nullable=False),
        sa.Column("record_digest", sa.String(64), nullable=False),
        sa.Column("actual_before", sa.Float(), nullable=False),
        sa.Column("actual_now", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint(*_CELL[1:], "found_at", name="pk_forecast_revisions"),
    )
    _make_overrides()
    for table in _ADDED if dialect == "postgresql" else (*_ADDED, "forecast_ledger"):
        _guard(dialect, table)


def _cell() -> list[sa.Column[object]]:
    return [
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("measure", sa.String(80), nullable=False),
        sa.Column("node_id", sa.String(400), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
    ]


def _of_ledger(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(_CELL, [f"forecast_ledger.{column}" for column in _CELL], name=name)


def _widen_ledger() -> None:
    """Add columns and the period to the key; SQLite copies the rows into a new table, whose guards are made anew."""
    with op.batch_alter_table("forecast_ledger") as ledger:
        ledger.add_column(sa.Column("period", sa.String(10), nullable=False, server_default="month"))
        for name in ("stage_weighted", "committed", "best_case"):
            ledger.add_column(sa.Column(name, sa.Float(), nullable=True))
        ledger.drop_constraint("pk_forecast_ledger", type_="primary")
        ledger.create_primary_key("pk_forecast_ledger", ["run_id", "measure", "node_id", "period", "month"])
    op.create_index("ix_forecast_ledger_month", "forecast_ledger", ["period", "month"])


def _make_overrides() -> None:
    op.create_table(
        "forecast_overrides",
        sa.Column("override_id", sa.String(40), nullable=False),
        *_cell(),
        sa.Column("level", sa.String(20), nullable=False),
        sa.Column("author", sa.String(120), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("replaces", sa.String(40), nullable=True),
        sa.PrimaryKeyConstraint("override_id", name="pk_forecast_overrides"),
        _of_ledger("fk_forecast_overrides_forecast_ledger"),
        sa.ForeignKeyConstraint(
            ["replaces"], ["forecast_overrides.override_id"], name="fk_forecast_overrides_replaces"
        ),
    )
    op.create_index("ix_forecast_overrides_cell", "forecast_overrides", _CELL)
    op.create_index("ix_forecast_overrides_author", "forecast_overrides", ["author"])
    op.create_index("ix_forecast_overrides_made_at", "forecast_overrides", ["made_at"])


def _guard(dialect: str, table: str) -> None:
    """Let the database refuse changes; another one than these two keeps the tables without a guard."""
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END"
            )
    elif dialect == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_forecast_change()"
        )


def downgrade() -> None:
    """Take the tables and columns away again; rows of quarters and years go with them."""
    dialect = op.get_bind().dialect.name
    for table in reversed(_ADDED):
        op.drop_table(table)
    if dialect == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER forecast_ledger_no_{verb}")
    elif dialect == "postgresql":
        op.execute("DROP TRIGGER forecast_ledger_no_change ON forecast_ledger")
    op.execute("DELETE FROM forecast_ledger WHERE period <> 'month'")
    op.drop_index("ix_forecast_ledger_month", "forecast_ledger")
    with op.batch_alter_table("forecast_ledger") as ledger:
        ledger.drop_constraint("pk_forecast_ledger", type_="primary")
        for name in ("period", "stage_weighted", "committed", "best_case"):
            ledger.drop_column(name)
        ledger.create_primary_key("pk_forecast_ledger", ["run_id", "measure", "node_id", "month"])
    _guard(dialect, "forecast_ledger")
