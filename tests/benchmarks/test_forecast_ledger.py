"""The ledger replayed over eight quarters: an edited past changes none of its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.forecast_ledger import N_QUARTERS, replay_ledger


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
