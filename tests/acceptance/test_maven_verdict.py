"""On a pipeline without signal the final stage is named as a leak and no model is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.families_maven import TASK, decided, first_moments
from benchmarks.shared_data import taken_in
from crm.config import Config
from features.leakage_record import find_leaks_of_record
from models.train import fit_task


@pytest.mark.slow
def test_mavens_deals_get_the_base_rate_and_the_verdict(shared_data: Path) -> None:
    config = Config.model_validate({"company": {"currency": "USD", "time_zone": "America/New_York"}})
    with taken_in("maven_crm", config) as generation:
        assert generation is not None
        rows = first_moments(generation, config)
        findings = find_leaks_of_record(generation, TASK.question, rows, config=config, seed=3)
        rows = decided(generation, rows)
    assert "stage" in {finding.column for finding in findings if finding.verdict == "quarantined"}
    report = fit_task(TASK, rows, seed=3, findings=findings).report
    assert (report.status, report.learner) == ("fallback", "base_rate")
    assert report.reason.startswith("no signal")
