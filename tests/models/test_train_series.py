"""The forecast from the record to a bundle: kept, verified, gated; and what the bundle says again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crm.config import Config, DatabaseSection, MlflowSection, StoreSection
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from models.bundle import MODEL, read_card
from models.challengers import Challenger
from models.champions import Published
from models.inspect_bundle import inspect_bundle
from models.predictor import BadBundle
from models.promote import promote, rollback
from models.series_bundle import FAN, SeriesModel, load_series, require_series_golden, save_series
from models.series_combine import Radii, Rule
from models.series_forecast import forecast_batch
from models.series_gates import check_series_gates
from models.series_past import read_past
from models.series_points import make_batch
from models.series_task import QUANTILES
from models.tasks.sales_forecast import TASK
from models.train_series import train_series

PLAIN = replace(TASK, candidates=("seasonal_naive", "recent_mean"))


def config_below(folder: Path) -> Config:
    return Config(
        store=StoreSection(folder=folder),
        database=DatabaseSection(url=f"sqlite:///{folder / 'app.db'}"),
        mlflow=MlflowSection(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=folder / "artifacts"),
    )


def small_model(**changes: object) -> SeriesModel:
    rule = Rule(weights={"seasonal_naive": 0.25, "recent_mean": 0.75}, radii=Radii(n=40, at=(-2, -1.5, -1, 0, 1, 2, 3)))
    naive = Rule(weights={"seasonal_naive": 1.0}, radii=rule.radii)
    cells = [("bookings", "company", bucket) for bucket in range(4)]
    model = SeriesModel(
        task=TASK.name,
        fitted_until="2026-05",
        quantiles=QUANTILES,
        bucket_ends=(3, 6, 12, 18),
        candidates=("seasonal_naive", "recent_mean"),
        country="CN",
        seed=1,
        rules=dict.fromkeys(cells, rule),
        baseline_rules=dict.fromkeys(cells, naive),
        answers={("bookings", "company"): "forecast"},
    )
    return replace(model, **changes)  # type: ignore[arg-type]


def save(model: SeriesModel, folder: Path) -> str:
    return save_series(
        model, folder, cards={"en": "# Card", "zh": "# 卡"}, report="{}", plots={FAN["en"]: "", FAN["zh"]: ""}
    )


def test_a_bundle_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    model = small_model()
    digest = save(model, tmp_path / "bundle")
    loaded = load_series(tmp_path / "bundle", digest)

    assert loaded == model
    assert require_series_golden(loaded, tmp_path / "bundle") == 1
    assert inspect_bundle(tmp_path / "bundle") == digest


def test_a_changed_bundle_is_refused(tmp_path: Path) -> None:
    save(small_model(), tmp_path / "bundle")
    path = tmp_path / "bundle" / MODEL
    path.write_text(path.read_text(encoding="utf-8").replace("0.75", "0.74"), encoding="utf-8")

    with pytest.raises(BadBundle, match="was changed after training"):
        load_series(tmp_path / "bundle")


def test_a_model_that_answers_differently_than_it_did_is_refused(tmp_path: Path) -> None:
    save(small_model(), tmp_path / "bundle")

    with pytest.raises(BadBundle, match="golden row 0"):
        require_series_golden(small_model(answers={("bookings", "company"): "base_rate"}), tmp_path / "bundle")


def test_seasonal_naive_answers_where_the_forecast_was_worse() -> None:
    said = {"seasonal_naive": np.full(18, 10.0), "recent_mean": np.full(18, 20.0)}
    forecast, _ = small_model().answer("bookings", "company", said, 2.0, is_positive=True)
    naive, quantiles = small_model(answers={("bookings", "company"): "base_rate"}).answer(
        "bookings", "company", said, 2.0, is_positive=True
    )

    assert set(forecast) == {17.5}
    assert set(naive) == {10.0}
    assert quantiles[0].tolist() == [6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 16.0]


def report(**changes: object) -> dict[str, object]:
    coverage = {"company": {"value": 0.78, "low": 0.7, "high": 0.86}}
    return {"intervals": {"mase_minus_baseline": [-0.2, -0.1]}, "level_coverage": coverage, "versus": None, **changes}


@pytest.mark.parametrize(
    ("changes", "closed"),
    [
        ({}, []),
        ({"intervals": {"mase_minus_baseline": [0.1, 0.3]}}, ["baseline"]),
        ({"level_coverage": {"rep": {"value": 0.5, "low": 0.4, "high": 0.6}}}, ["coverage of rep"]),
        ({"level_coverage": {"rep": {"value": 0.95, "low": 0.9, "high": 0.98}}}, []),
        ({"level_coverage": {}}, ["coverage"]),
    ],
)
def test_gates_close_on_worse_forecasts_and_on_ranges_that_hold_too_little(
    tmp_path: Path, changes: dict[str, object], closed: list[str]
) -> None:
    challenger = Challenger(bundle=tmp_path, digest="d", version="1", run_id="", report=report(**changes))
    verdict = check_series_gates(challenger, None)

    assert [check.name for check in verdict.checks if not check.passed] == closed


def test_a_champion_is_replaced_only_by_what_was_compared_with_it(tmp_path: Path) -> None:
    champion = Published(digest="old", version="1", published_at="", action="promote", by="")
    versus = {"champion": "old", "is_newer": False, "n": 5, "mase": {"value": 0.0, "low": -0.1, "high": 0.1}}
    for told, passed in ((None, False), (versus, False), ({**versus, "is_newer": True}, True)):
        challenger = Challenger(bundle=tmp_path, digest="new", version="2", run_id="", report=report(versus=told))
        assert check_series_gates(challenger, champion).passed is passed


def test_a_short_history_is_refused_with_its_length(tmp_path: Path) -> None:
    config = config_below(tmp_path)
    write_company(make_company("tiny", 1, months=3), Store(config.record_folder))
    past = read_past(TASK, Store(config.record_folder).current(), config=config, seed=1)
    assert past is not None
    generation = Store(config.record_folder).current()
    short = replace(TASK, origins=replace(TASK.origins, n_origins=0))

    found = train_series(short, generation, config=config, seed=1)

    assert found.status == "refused"
    assert f"{len(past.present.months)} closed months" in found.reason


@pytest.mark.slow
def test_a_company_is_trained_promoted_and_rolled_back(tmp_path: Path) -> None:
    config = config_below(tmp_path)
    write_company(make_company("tiny", 1), Store(config.record_folder))
    generation = Store(config.record_folder).current()

    first = train_series(PLAIN, generation, config=config, seed=1)
    promote(TASK, config=config, is_forced=True)
    second = train_series(PLAIN, generation, config=config, seed=2)
    promote(TASK, config=config, is_forced=True)
    back, registry = rollback(TASK, config=config)

    assert first.model_version == "1"
    assert second.versus is not None
    assert second.versus.champion == first.digest
    assert back.digest == first.digest
    assert registry == ""
    for language in ("en", "zh"):
        assert "|" in read_card(Path(first.bundle), language)
        assert (Path(first.bundle) / FAN[language]).read_text(encoding="utf-8").startswith("<svg")
    assert {"metrics", "accuracy", "level_coverage"} <= set(json.loads(first.to_json()))


@pytest.mark.slow
def test_every_series_of_a_company_gets_rising_quantiles_without_gaps(tmp_path: Path) -> None:
    config = config_below(tmp_path)
    write_company(make_company("tiny", 2), Store(config.record_folder))
    generation = Store(config.record_folder).current()
    found = train_series(PLAIN, generation, config=config, seed=1)
    past = read_past(PLAIN, generation, config=config, seed=1)
    assert past is not None
    batch = make_batch(past.panels)
    assert batch is not None

    for one in forecast_batch(load_series(Path(found.bundle)), batch):
        assert len(one.months) == TASK.horizon_months
        assert np.isfinite(one.expected).all(), one.node.node_id
        assert np.isfinite(one.quantiles).all(), one.node.node_id
        assert (np.diff(one.quantiles, axis=1) >= 0).all()
        assert (one.quantiles >= 0).all()
