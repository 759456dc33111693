"""Every series that has begun is answered: a number for every month, and ranges in order where they were learned."""

from __future__ import annotations

import numpy as np
import pytest

from features.nodes import Level, Node
from features.panel import Panel
from models.series_bundle import SeriesModel
from models.series_combine import Radii, Rule
from models.series_forecast import FORECAST, INSUFFICIENT, forecast_batch
from models.series_points import make_batch
from models.series_task import QUANTILES

RULE = Rule(weights={"seasonal_naive": 1.0}, radii=Radii(n=40, at=(-2.0, -1.5, -1.0, 0.0, 1.0, 2.0, 3.0)))
COMPANY = ("bookings", "company", 0)


def model() -> SeriesModel:
    """Learned of the company's next quarter alone."""
    return SeriesModel(
        task="sales_forecast",
        fitted_until="2026-01",
        quantiles=QUANTILES,
        bucket_ends=(3, 6, 12, 18),
        candidates=("seasonal_naive",),
        country="CN",
        seed=1,
        rules={COMPANY: RULE},
        baseline_rules={COMPANY: RULE},
        answers={("bookings", "company"): "forecast"},
    )


@pytest.mark.parametrize("n_months", [1, 11, 30])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_every_month_has_a_number_and_ranges_are_in_order(n_months: int, sign: float) -> None:
    values = sign * (1e12 + 1e10 * np.arange(2.0 * n_months).reshape(2, n_months))
    values[1, : n_months // 2] = 0.0
    nodes = (Node(level=Level.COMPANY), Node(level=Level.TEAM, team="T1"))
    months = np.datetime64("2024-01", "M") + np.arange(n_months)
    batch = make_batch({"bookings": Panel(measure="bookings", months=months, nodes=nodes, values=values)})
    assert batch is not None

    company, team = forecast_batch(model(), batch)

    for one in (company, team):
        assert np.isfinite(one.expected).all()
        assert np.isfinite(one.baseline).all()
    assert (np.diff(company.quantiles[:3], axis=1) >= 0).all()
    # What was never learned has no range, and says so.
    assert np.isnan(company.quantiles[3:]).all()
    assert np.isnan(team.quantiles).all()
    assert team.status == INSUFFICIENT
    assert company.status == (FORECAST if n_months >= 12 else INSUFFICIENT)
