"""The monthly totals of two public shops, forecast as a company is, beside seasonal naive and ETS."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure
from benchmarks.shared_data import taken_in
from crm.config import Config
from crm.money import Measure
from features.nodes import Level
from models.metrics import Interval
from models.series_candidates import BASELINE
from models.series_judge import block_interval, draw_months, is_tested
from models.series_learn import learn
from models.series_past import Past, read_past
from models.series_points import Points, replay
from models.series_task import SeriesTask
from models.tasks.sales_forecast import TASK
from models.train_series import train_series

Floats: TypeAlias = npt.NDArray[np.float64]

MONTHS_AHEAD = 6
LEAST_MONTHS = 3
OURS, ETS = "ours", "ets"
_SHOP = replace(TASK, measures=(Measure.BOOKINGS,), levels=(Level.COMPANY, Level.REGION, Level.LINE))


def measure_panels(seed: int) -> Iterator[Figure]:
    """The error of the shops' totals and whether there is skill."""
    yield from _superstore(seed)
    yield _retail(seed)


def _superstore(seed: int) -> Iterator[Figure]:
    config = Config.model_validate(
        {"company": {"currency": "USD", "time_zone": "America/New_York", "holidays": "US"}},
    )
    with taken_in("superstore", config) as generation:
        past = None if generation is None else read_past(_SHOP, generation, config=config, seed=seed)
    if past is None:
        yield Figure(name="forecast/superstore_total_wape", value=None)
        yield Figure(name="forecast/superstore_verdict", value=None)
        return
    points = replay(past.batches, past.present, _SHOP, country=config.company.holidays, seed=seed)
    said = {OURS: learn(points, _SHOP).expected, **points.said}
    rows = _tested(points, _SHOP)
    # The shop keeps orders alone: of a pipeline there is nothing to say.
    said = {name: values for name, values in said.items() if np.isfinite(values[rows]).all()}
    errors = {name: _wape(points, values, rows, seed=seed) for name, values in said.items()}
    gains = {name: _wape(points, said[OURS], rows, said[name], seed=seed) for name in (BASELINE, ETS)}
    yield _total(errors, gains, past, points, rows)
    yield _verdict(gains)


def _tested(points: Points, task: SeriesTask) -> npt.NDArray[np.bool_]:
    """The points of the whole company up to half a year ahead, from the newest origins."""
    is_company = np.array([node.level is Level.COMPANY for _, node in points.keys])[points.series]
    return is_tested(points, task) & is_company & (points.step <= MONTHS_AHEAD)


def _wape(
    points: Points, said: Floats, rows: npt.NDArray[np.bool_], other: Floats | None = None, *, seed: int
) -> Interval:
    """Sum of absolute errors over the sum of outcomes, or its difference to that of another forecast."""
    error = np.abs(said - points.outcome)
    if other is not None:
        error = error - np.abs(other - points.outcome)
    _, month = np.unique(points.month[rows], return_inverse=True)
    missed, came = np.bincount(month, error[rows]), np.bincount(month, points.outcome[rows])
    draws = draw_months(len(came), seed)
    drawn = missed[draws].sum(axis=1) / came[draws].sum(axis=1)
    return block_interval(float(missed.sum() / came.sum()), drawn, len(came))


def _total(
    errors: Mapping[str, Interval],
    gains: Mapping[str, Interval],
    past: Past,
    points: Points,
    rows: npt.NDArray[np.bool_],
) -> Figure:
    told = ", ".join(f"{name} {one.value:.3f} ({one.low:.3f} to {one.high:.3f})" for name, one in errors.items())
    differences = ", ".join(f"to {name} {one.low:+.3f} to {one.high:+.3f}" for name, one in gains.items())
    months = points.month[rows]
    return Figure(
        name="forecast/superstore_total_wape",
        value=errors[OURS].value,
        low=errors[OURS].low,
        high=errors[OURS].high,
        baseline=min(errors[BASELINE].value, errors[ETS].value),
        goal=min(errors[BASELINE].value, errors[ETS].value),
        protocol=f"superstore by its mapping, {len(past.present.months)} closed months of orders; WAPE of the "
        f"company's total, 1 to {MONTHS_AHEAD} months ahead, {months.min()} to {months.max()}, from the newest "
        f"{len(np.unique(points.origin[rows]))} origins, weights and level learned on what was closed by each; "
        f"interval: blocks of months; baseline: the better of seasonal naive and ETS; difference {differences}; {told}",
    )


def _verdict(gains: Mapping[str, Interval]) -> Figure:
    """A word on skill: what was beaten beyond chance."""
    beaten = [name.replace("_", " ") for name, gain in gains.items() if gain.high < 0]
    word = f"better than {' and '.join(beaten)}" if beaten else "no skill shown"
    if 0 < len(beaten) < len(gains):
        word += ", not than " + " or ".join(name.replace("_", " ") for name, gain in gains.items() if gain.high >= 0)
    return Figure(
        name="forecast/superstore_verdict",
        value=word,
        protocol="what the whole 95 % interval of the difference lies below; noisy data: a demonstration, no proof",
    )


def _retail(seed: int) -> Figure:
    """What the product says of a history of nine months."""
    config = Config.model_validate({"company": {"currency": "GBP", "time_zone": "Europe/London", "holidays": "GB"}})
    task = replace(_SHOP, levels=(Level.COMPANY,))
    protocol = "Online Retail by its mapping, orders by month; what the training of the forecast answers"
    with taken_in("online_retail", config) as generation:
        if generation is None:
            return Figure(name="forecast/online_retail_verdict", value=None, protocol=protocol)
        report = train_series(task, generation, config=config, seed=seed)
        past = read_past(task, generation, config=config, seed=seed)
    print(f"online retail: {report.status}: {report.reason}", file=sys.stderr)
    if past is None:
        raise RuntimeError("online retail: no closed month was read")
    return Figure(
        name="forecast/online_retail_verdict",
        value=f"{report.status}: {report.reason}",
        protocol=f"{protocol}; seasonal naive and a seasonal ETS need a year too; one month ahead since the fourth "
        f"month: WAPE of the {_short(past.present.raw[0])}",
    )


def _short(amounts: Floats) -> str:
    """WAPE of what can be said of so short a history, in words."""
    from statsforecast.models import SimpleExponentialSmoothingOptimized as Smoothing

    came = amounts[LEAST_MONTHS:]
    ways = {
        "mean so far": [amounts[:n].mean() for n in range(LEAST_MONTHS, len(amounts))],
        "last month": amounts[LEAST_MONTHS - 1 : -1].tolist(),
        "exponential smoothing": [
            float(Smoothing().forecast(y=amounts[:n], h=1)["mean"][0]) for n in range(LEAST_MONTHS, len(amounts))
        ],
    }
    return ", ".join(f"{way} {np.abs(np.array(said) - came).sum() / came.sum():.3f}" for way, said in ways.items())
