"""What the service counts about itself, in Prometheus's form. No label holds an id or a name of a person."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
REQUESTS = Counter("salescast_requests_total", "Requests answered.", ("route", "method", "status"), registry=REGISTRY)
SECONDS = Histogram(
    "salescast_request_seconds",
    "Time from the first byte to the answer.",
    ("route",),
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
ROWS = Counter("salescast_scored_rows_total", "Rows answered by status.", ("task", "status"), registry=REGISTRY)
CHAMPION = Gauge("salescast_champion_loaded", "1 while a champion is loaded.", ("task",), registry=REGISTRY)
SPOOLED = Gauge("salescast_predictions_waiting", "Predictions that wait for the database.", registry=REGISTRY)


def exposition() -> bytes:
    """All figures as Prometheus reads them."""
    return generate_latest(REGISTRY)
