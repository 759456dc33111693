"""The public panels of the forecast: named when absent, and parts that hold by hand."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.forecast_panels import measure_panels
from benchmarks.forecast_tourism import measure_tourism
from benchmarks.shared_data import VARIABLE


def test_figures_are_named_without_a_value_where_the_data_are_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    figures = [*measure_tourism(1), *measure_panels(1)]

    assert {figure.value for figure in figures} == {None}
    assert {figure.name for figure in figures} >= {
        "forecast/tourism_rmse",
        "forecast/tourism_rmse_oracle_library",
        "forecast/tourism_coherence_error",
        "forecast/superstore_total_wape",
        "forecast/online_retail_verdict",
    }
    assert np.unique([figure.name for figure in figures]).size == len(figures)
