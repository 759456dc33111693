"""Figures of the sales forecast: public panels, the demo company, the ledger, the bridge, speed. One part a line."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.forecast_bridge import measure_bridge
from benchmarks.forecast_demo import measure_demo_quarters
from benchmarks.forecast_hygiene import measure_hygiene
from benchmarks.forecast_ledger import measure_ledger
from benchmarks.forecast_panels import measure_panels
from benchmarks.forecast_speed import measure_speed
from benchmarks.forecast_tourism import measure_tourism


def measure_forecast(seed: int) -> Iterator[Figure]:
    """The figures of the group `forecast`, one part after the other."""
    yield from measure_tourism(seed)
    yield from measure_panels(seed)
    yield from measure_demo_quarters(seed)
    yield from measure_ledger(seed)
    yield from measure_hygiene(seed)
    yield from measure_bridge(seed)
    yield from measure_speed(seed)
