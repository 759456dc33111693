"""The demo company from nothing to an answer."""

from pathlib import Path

import pytest

from crm.config import Config, DatabaseSection, MlflowSection, StoreSection
from models.promote import Check, Refused, Verdict
from models.tasks.lead_score import TASK
from serving import demo_tasks
from serving.demo_company import build_demo


@pytest.mark.slow
def test_a_company_whose_model_is_refused_is_served_with_the_base_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Refused(Verdict(checks=(Check(name="log loss", passed=False, evidence="worse than the constant"),)))

    monkeypatch.setattr(demo_tasks, "promote", refuse)
    config = Config(
        store=StoreSection(folder=tmp_path),
        database=DatabaseSection(url=f"sqlite:///{tmp_path / 'salescast.db'}"),
        mlflow=MlflowSection(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=tmp_path / "artifacts"),
    )
    told: list[str] = []

    ready = build_demo(config, [TASK], size="tiny", tell=told.append)

    assert ready.champions == {}
    assert ready.likeliest == {}
    assert ready.keys
    assert "  refused: worse than the constant" in told
