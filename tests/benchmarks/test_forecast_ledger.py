"""The ledger replayed over eight quarters: an edited past changes none of its rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.families import MAPPING
from benchmarks.forecast_ledger import N_QUARTERS, database_of, promote_plain, replay_ledger, write_as_known
from crm.app_database import ForecastRow
from crm.config import CompanySection, Config, DatabaseSection, StoreSection
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Store
from models.tasks.sales_forecast import TASK
from serving.cli_errors import NotPossible
from serving.forecast_accuracy import Seen, ledger_figures
from serving.forecast_recount import recount
from serving.forecasting import publish_forecast


@pytest.mark.slow
def test_an_edited_past_changes_no_row_of_the_ledger_and_no_figure_but_is_written_down(tmp_path: Path) -> None:
    found = replay_ledger(tmp_path, size="tiny", seed=1)

    assert found.n_changed == 0
    assert found.n_rows > found.n_scored > 1_000
    assert found.n_edited > 100
    assert found.n_revised > 100
    assert found.accuracy == found.counted
    company = {
        (one["period"], one["bucket"]): one
        for one in found.accuracy
        if (one["measure"], one["level"]) == ("bookings", "company")
    }
    assert company["month", "all"]["n_runs"] == N_QUARTERS
    # A figure may tell of more revisions than before, and of nothing else.
    assert [{**one, "n_revised": 0} for one in found.accuracy] == [{**one, "n_revised": 0} for one in found.before]
    assert {side["name"] for side in company["quarter", "all"]["beside"]} == {
        "last_year",
        "stage_weighted",
        "committed",
        "best_case",
    }


@pytest.mark.slow
def test_the_ledger_runs_on_a_real_pipeline(tmp_path: Path, shared_data: Path) -> None:
    """Loan applications of three months: booked is what was approved, and no deal has a promised day or a call."""
    config = Config(
        company=CompanySection(currency="EUR", time_zone="Europe/Amsterdam"),
        store=StoreSection(folder=tmp_path / "var"),
        database=DatabaseSection(url=f"sqlite:///{tmp_path}/app.db"),
    )
    whole = Store(tmp_path / "whole")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ingest(whole, read_mapping(MAPPING), shared_data / "bpic2012", config=config, now=now)
    promote_plain(config, tmp_path / "bundle")
    zone = config.company.zone
    with database_of(config) as engine:
        write_as_known(Store(config.record_folder), whole.current(), datetime(2011, 10, 20, tzinfo=zone), config)
        with pytest.raises(NotPossible, match="no amounts by month"):
            publish_forecast(config, TASK, engine, now=now)
        for week in range(6):
            as_of = datetime(2011, 11, 3, tzinfo=zone) + timedelta(weeks=week)
            write_as_known(Store(config.record_folder), whole.current(), as_of, config)
            done = publish_forecast(config, TASK, engine, now=as_of)
        company = Seen(measure="bookings", level="company")
        figures = [one for one in ledger_figures(engine, company, seed=1) if one["bucket"] == "all"]
        with Session(engine) as session:
            rows = session.scalars(select(ForecastRow).where(ForecastRow.step == 1)).all()

        assert done.scored.n_scored > 0
        assert [(one["period"], one["n"], one["n_months"]) for one in figures] == [("month", 5, 1)]
        assert ledger_figures(engine, company, seed=1) == recount(engine, company, seed=1)
        # Weighed at the usual time to a win; nobody called anything.
        weighed = [row.stage_weighted for row in rows if (row.measure, row.level) == ("bookings", "company")]
        assert all(amount is not None and amount > 0 for amount in weighed)
        assert {row.committed for row in rows} == {None}
