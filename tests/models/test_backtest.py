"""The replay by itself: the figures of a training without its model, and what a trained forecast draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crm.config import Config, DatabaseSection, MlflowSection, StoreSection
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.money import Measure
from crm.store import Store
from features.nodes import Level
from models.backtest import RowsShare, TooShort, backtest_series, rows_shares
from models.series_bundle import COMPONENTS, FAN, SeriesModel
from models.series_combine import Radii, Rule
from models.series_task import QUANTILES, Origins
from models.tasks.sales_forecast import TASK
from models.train_series import train_series

SHORT = replace(
    TASK,
    measures=(Measure.BOOKINGS,),
    levels=(Level.COMPANY, Level.REGION),
    candidates=("seasonal_naive", "recent_mean", "pipeline"),
    origins=Origins(n_origins=5, min_months=15, n_test=3),
)


def test_the_share_of_the_rows_is_told_once_a_measure_and_stretch_of_months() -> None:
    radii = Radii(n=40, at=(-2, -1.5, -1, 0, 1, 2, 3))
    both = Rule(weights={"seasonal_naive": 0.25, "pipeline": 0.75}, radii=radii)
    past = Rule(weights={"seasonal_naive": 1.0}, radii=radii)
    model = SeriesModel(
        task=TASK.name,
        fitted_until="2026-05",
        quantiles=QUANTILES,
        bucket_ends=(3, 6, 12, 18),
        candidates=("seasonal_naive", "pipeline"),
        country="CN",
        seed=1,
        rules={("bookings", "company", 0): both, ("bookings", "region", 0): both, ("own", "series", 1): past},
        baseline_rules={},
        answers={},
    )
    assert rows_shares(model, TASK) == (RowsShare(measure="bookings", bucket="1-3", share=0.75),)


@pytest.mark.slow
def test_a_replay_says_what_a_training_says_and_keeps_nothing(tmp_path: Path) -> None:
    company = make_company("tiny", 1)
    config = Config(
        store=StoreSection(folder=tmp_path),
        database=DatabaseSection(url=f"sqlite:///{tmp_path / 'app.db'}"),
        mlflow=MlflowSection(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=tmp_path / "artifacts"),
    )
    write_company(company, Store(config.record_folder))
    generation = Store(config.record_folder).current()

    found = backtest_series(SHORT, generation, config=config, seed=1)
    kept_before = {path.name for path in tmp_path.iterdir()}
    report = train_series(SHORT, generation, config=config, seed=1)

    assert kept_before == {config.record_folder.name}
    assert found.accuracy == report.accuracy
    assert {share.measure for share in found.rows_shares} == {"bookings"}
    drawn = {
        name: (Path(report.bundle) / name).read_text(encoding="utf-8") for name in (*FAN.values(), *COMPONENTS.values())
    }
    people = [*company.tables["accounts"]["name"].to_pylist(), *company.tables["accounts"]["account_id"].to_pylist()]
    assert all(svg.startswith("<svg") and not any(name in svg for name in people) for svg in drawn.values())
    in_mlflow = {path.name for path in (tmp_path / "artifacts").rglob("*.svg")}
    assert in_mlflow == set(drawn)


@pytest.mark.slow
def test_a_record_without_an_origin_is_too_short_to_replay(tmp_path: Path) -> None:
    write_company(make_company("tiny", 1, months=3), Store(tmp_path / "record"))
    task = replace(SHORT, origins=replace(SHORT.origins, n_origins=0))
    with pytest.raises(TooShort, match="closed months are too few"):
        backtest_series(task, Store(tmp_path / "record").current(), config=Config(), seed=1)
