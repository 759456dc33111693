import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crm.config import Config, MlflowSection, StoreSection
from features.matrix import TrainingSet
from models import champions
from models.challengers import Challenger, NoChallenger, find_challenger
from models.promote import Refused, check_gates, models_folder, promote, rollback
from models.registry import CHALLENGER, CHAMPION, Registry, RegistryAway
from models.tasks.lead_score import TASK
from models.train import train

Make = Callable[..., TrainingSet]
SMALL_TASK = replace(TASK, candidates=("base_rate", "logistic"))


def make_config(folder: Path, *, has_registry: bool = False) -> Config:
    address = f"sqlite:///{folder}/mlflow.db"
    if not has_registry:
        # A file where a folder would have to be: nothing can be opened there.
        (folder / "blocked").touch()
        address = f"sqlite:///{folder}/blocked/mlflow.db"
    mlflow = MlflowSection(tracking_uri=address, artifacts=folder / "artifacts")
    return Config(store=StoreSection(folder=folder), mlflow=mlflow)


def test_training_is_registered_promoted_and_rolled_back_with_aliases(tmp_path: Path, make_training_set: Make) -> None:
    config = make_config(tmp_path, has_registry=True)
    first = train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=())
    assert (first.model_version, first.alias) == ("1", CHALLENGER)
    promoted = promote(SMALL_TASK, config=config, by="a data scientist")
    assert promoted.registry == ""
    assert promoted.published.digest == first.digest
    registry = Registry(config)
    assert [row.alias for row in registry.versions("lead_score")] == [CHAMPION]
    fetched = registry.fetch("lead_score", "1", tmp_path)
    files = [path for path in config.mlflow.artifacts.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".md", ".svg", ".txt"}
    assert (fetched / "manifest.json").read_bytes() == (Path(first.bundle) / "manifest.json").read_bytes()

    second = train(SMALL_TASK, make_training_set(2600), config=config, seed=1, findings=())
    assert second.versus_champion is not None
    assert second.versus_champion.is_newer
    promote(SMALL_TASK, "2", config=config)
    assert [row.alias for row in registry.versions("lead_score")] == [CHAMPION, ""]
    back, complaint = rollback(SMALL_TASK, config=config)
    assert (back.digest, complaint) == (first.digest, "")
    assert [row.alias for row in registry.versions("lead_score")] == ["", CHAMPION]


def test_a_champion_of_another_event_is_compared_as_a_recipe_and_may_be_followed(
    tmp_path: Path, make_training_set: Make
) -> None:
    config = make_config(tmp_path)
    train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=())
    promote(SMALL_TASK, config=config)
    # The same rows, asked for an event that happens where the first one does not.
    rows = make_training_set()
    other = replace(rows, label=1 - rows.label, event="another event")
    report = train(SMALL_TASK, other, config=config, seed=1, findings=())
    versus = report.versus_champion
    assert versus is not None
    assert versus.basis == "both recipes fitted on the same rows"
    assert versus.is_newer
    promote(SMALL_TASK, config=config)


@pytest.mark.slow
def test_nothing_that_is_registered_holds_a_row_of_the_training_set(tmp_path: Path, make_training_set: Make) -> None:
    config = make_config(tmp_path, has_registry=True)
    training_set = make_training_set()
    names = [f"13900{place:06d}" for place in range(len(training_set.label))]
    rows = training_set.rows.set_column(2, "channel", [[f"{name}" for name in names]])
    train(SMALL_TASK, replace(training_set, rows=rows), config=config, seed=1, findings=())
    for path in [*tmp_path.rglob("*.json"), *tmp_path.rglob("*.md"), *tmp_path.rglob("*.db"), *tmp_path.rglob("*.txt")]:
        assert b"13900" not in path.read_bytes(), path


def test_promotion_and_serving_work_while_the_registry_is_away(tmp_path: Path, make_training_set: Make) -> None:
    config = make_config(tmp_path)
    with pytest.raises(RegistryAway):
        Registry(config)
    report = train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=())
    assert (report.model_version, report.run_id) == ("", "")
    assert any("not registered" in limit for limit in report.limits)
    promoted = promote(SMALL_TASK, report.digest[:12], config=config)
    assert "away" in promoted.registry
    found = champions.load_champion(config.champions_folder, "lead_score")
    assert found is not None
    assert 0 < found[1].predict({}).probability < 1


def fake_challenger(kept: Challenger, **changes: object) -> Challenger:
    return replace(kept, report={**kept.report, **changes})


def test_gates_close_on_calibration_baseline_leakage_and_champion(tmp_path: Path, make_training_set: Make) -> None:
    config = make_config(tmp_path)
    train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=())
    kept = find_challenger(models_folder(config, "lead_score"), None)
    assert check_gates(SMALL_TASK, kept, None).passed
    intervals = kept.report["intervals"]
    assert isinstance(intervals, dict)
    finding = {"column": "visits", "verdict": "suspected", "check": "c", "evidence": "e"}
    other = champions.Published(digest="0" * 64, version="", published_at="", action="promote", by="")
    closed = {
        "calibration": (fake_challenger(kept, intervals=intervals | {"ece": [0.04, 0.06]}), None),
        "baseline": (fake_challenger(kept, intervals=intervals | {"log_loss_minus_baseline": [0.001, 0.02]}), None),
        "leakage": (fake_challenger(kept, leakage=[finding]), None),
        "champion": (kept, other),
    }
    for name, (challenger, champion) in closed.items():
        verdict = check_gates(SMALL_TASK, challenger, champion)
        assert [check.name for check in verdict.checks if not check.passed] == [name]


def test_same_model_again_is_no_gain_but_changes_nothing(tmp_path: Path, make_training_set: Make) -> None:
    config = make_config(tmp_path)
    first = train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=())
    promote(SMALL_TASK, config=config)
    worse = train(replace(TASK, candidates=("base_rate",)), make_training_set(), config=config, seed=1, findings=())
    with pytest.raises(Refused, match=r"champion.*worse"):
        promote(SMALL_TASK, config=config)
    now = champions.current(config.champions_folder, "lead_score")
    assert now is not None
    assert now.digest == first.digest
    assert promote(SMALL_TASK, config=config, is_forced=True).published.digest == worse.digest


def test_unknown_version_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoChallenger, match="'7'"):
        find_challenger(models_folder(make_config(tmp_path), "lead_score"), "7")


def test_report_prints_the_fields_that_people_wait_for(tmp_path: Path, make_training_set: Make) -> None:
    config = make_config(tmp_path)
    printed = json.loads(train(SMALL_TASK, make_training_set(), config=config, seed=1, findings=()).to_json())
    expected = (
        "task status reason n_train n_test base_rate metrics intervals leakage segments model_version run_id alias"
    )
    assert set(expected.split()) <= set(printed)
    assert {"test", "baseline"} <= set(printed["metrics"])
