"""The company's quarter on demo companies that were used for nothing before, beside what sales managers go by."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from benchmarks.demo_sample import recorded
from benchmarks.families_demo import WORLDS
from benchmarks.figures import Figure
from crm.config import Config
from crm.demo.company import make_company
from crm.engine import DuckDBEngine
from crm.money import Measure
from crm.store import Generation
from features.call_yields import read_yield, scale_call
from features.calls import read_calls
from features.nodes import Level, Node
from features.panel import Panel, read_panels
from models.joint import Joint
from models.joint_forecast import forecast_jointly, sums_of
from models.series_bundle import SeriesModel
from models.series_forecast import forecast_batch
from models.series_past import read_past
from models.series_points import Batch, read_batch
from models.tasks.sales_forecast import TASK
from models.train_series import learn_series

Floats = npt.NDArray[np.float64]

N_QUARTERS = 12
DAYS = (0, 44)
N_DRAWS = 200
JUDGED = (Level.COMPANY, Level.REGION, Level.LINE, Level.REGION_LINE, Level.TEAM, Level.REP)
COMPANY = Node(level=Level.COMPANY)
# The first three are calls; calls that know what came true of them before are fairer to compare with.
CALLED = ("stage_weighted", "commit", "last_year")
YIELDED = ("stage_weighted", "commit")
BESIDE = (*CALLED, *(f"{name}_scaled" for name in YIELDED), "history")


@dataclass(slots=True, kw_only=True)
class Judged:
    """What was said of quarters and what came, in the order of the moments.

    Attributes
    ----------
    day : list of int
        Days into the quarter.
    quarter : list of str
        Which quarter, and of which company.
    actual, said : list of float
        The company's bookings and their forecast.
    beside : dict of str to list of float
        By the name of what stands beside it.
    inside : dict of str to list of (str, float, int)
        By level and measure: quarter, how many of its nodes lay in the 80 % range, of how many.
    """

    day: list[int] = field(default_factory=list)
    quarter: list[str] = field(default_factory=list)
    actual: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    beside: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in BESIDE})
    inside: dict[str, list[tuple[str, float, int]]] = field(default_factory=dict)


def measure_demo_quarters(seed: int) -> Iterator[Figure]:
    """The figures of the company's quarter and of the ranges at every level; two companies at a time."""
    judged = Judged()
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        for found in pool.map(judge_world, *zip(*WORLDS, strict=True), [seed] * len(WORLDS)):
            join_judged(judged, found)
    yield from figures_of(judged, seed)


def judge_world(company_seed: int, effects: float, seed: int) -> Judged:
    """What was said of one demo company and what came."""
    started, judged = time.monotonic(), Judged()
    with recorded(make_company("medium", company_seed, effects=effects)) as generation:
        judge_company(generation, judged, f"{company_seed} x{effects:g}", seed=seed)
    print(f"demo quarters: seed {company_seed} in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return judged


def join_judged(judged: Judged, found: Judged) -> None:
    """Add what was judged of one company to the others."""
    for name in ("day", "quarter", "actual", "said"):
        getattr(judged, name).extend(getattr(found, name))
    for name, values in found.beside.items():
        judged.beside[name].extend(values)
    for name, rows in found.inside.items():
        judged.inside.setdefault(name, []).extend(rows)


def judge_company(generation: Generation, judged: Judged, name: str, *, seed: int) -> None:
    """Forecast the last twelve quarters of one company from two moments each.

    The rules of the forecast (shares, factors, ranges) are learned once, from what was on record when the first of
    the quarters began; what is learned of rows is learned anew at each moment from what was on record by then.
    """
    config = Config()
    zone, currency = config.company.zone, config.company.currency
    final = read_panels(generation, TASK.measures, generation.recorded_to, zone=zone, currency=currency)
    last = final[Measure.BOOKINGS.value].months[-1]
    ends = last - (last.astype(np.int64) + 1) % 3
    firsts = [ends - 2 - 3 * number for number in range(N_QUARTERS)][::-1]
    begin = _moment(firsts[0], 0, zone)
    past = read_past(TASK, generation, config=config, seed=seed, as_of=begin)
    assert past is not None
    model = learn_series(TASK, past, country=config.company.holidays, seed=seed).model
    with generation.engine() as engine:
        for first in firsts:
            for day in DAYS:
                at = _moment(first, day, zone)
                batch = read_batch(TASK, generation, at, config.company, engine=engine)[1]
                assert batch is not None
                found = forecast_jointly(
                    model, TASK, batch, generation, at, config.company, engine=engine, n_draws=N_DRAWS
                )
                assert found.joint is not None
                beside = _beside(generation, at, first, zone, currency, engine)
                passed = _passed(batch, first)
                running = found.joint.month
                places = slice(0, int((first + 3 - running).astype(int)))
                for measure in found.joint.draws:
                    _judge_nodes(judged, found.joint, measure, final, first, places, passed, f"{name} {first}")
                key = (Measure.BOOKINGS.value, COMPANY)
                draws, _ = sums_of(found.joint, Measure.BOOKINGS, COMPANY, places, passed.get(key, 0.0))
                beside["history"] = _history(model, batch, key, places, passed.get(key, 0.0))
                judged.day.append(day)
                judged.quarter.append(f"{name} {first}")
                judged.actual.append(_came(final, Measure.BOOKINGS, COMPANY, first))
                judged.said.append(float(draws.mean()))
                for one, value in beside.items():
                    judged.beside[one].append(value)
                print(f"{name} {first} day {day + 1}: {judged.said[-1] / judged.actual[-1] - 1:+.3f}", file=sys.stderr)


def _moment(first: np.datetime64, day: int, zone: ZoneInfo) -> datetime:
    on = first.astype("datetime64[D]").item() + timedelta(days=day)
    return datetime(on.year, on.month, on.day, tzinfo=zone).astimezone(UTC)


def _beside(
    generation: Generation,
    at: datetime,
    first: np.datetime64,
    zone: ZoneInfo,
    currency: str,
    engine: DuckDBEngine,
) -> dict[str, float]:
    """The company's calls, as they are and scaled by what came true of them in the four quarters before."""
    months = first + np.arange(3)
    calls = read_calls(generation, at, months, zone=zone, currency=currency, engine=engine)
    found = {name: float(calls.of(name, ["company"]).sum()) for name in CALLED}
    for name in YIELDED:
        share = read_yield(generation, at, months, name, zone=zone, currency=currency, engine=engine)
        found[f"{name}_scaled"] = float(scale_call(calls, name, share)[calls.nodes.index("company")].sum())
    return found


def _passed(batch: Batch, first: np.datetime64) -> dict[tuple[str, Node], float]:
    """What closed months of the quarter brought."""
    months = (batch.months >= first) & (batch.months < first + 3)
    return {key: float(np.nansum(row[months])) for key, row in zip(batch.keys, batch.raw, strict=True)}


def _came(final: dict[str, Panel], measure: Measure, node: Node, first: np.datetime64) -> float:
    panel = final[measure.value]
    place = int((first - panel.months[0]).astype(int))
    row = panel.nodes.index(node) if node in panel.nodes else None
    return 0.0 if row is None else float(panel.values[row, place : place + 3].sum())


def _history(model: SeriesModel, batch: Batch, key: tuple[str, Node], places: slice, passed: float) -> float:
    """The weighted forecasters of past months alone, without the rows of the record."""
    for one in forecast_batch(model, replace(batch, pipeline=None)):
        if (one.measure, one.node) == key:
            return float(one.expected[places].sum()) + passed
    return float("nan")


def _judge_nodes(
    judged: Judged,
    joint: Joint,
    measure: Measure,
    final: dict[str, Panel],
    first: np.datetime64,
    places: slice,
    passed: dict[tuple[str, Node], float],
    quarter: str,
) -> None:
    counts: dict[Level, list[float]] = {level: [] for level in JUDGED}
    for node in joint.nodes:
        if node.level not in counts or node not in final[measure.value].nodes:
            continue
        draws, _ = sums_of(joint, measure, node, places, passed.get((measure.value, node), 0.0))
        counts[node.level].append(_held(draws, _came(final, measure, node, first)))
    for level, held in counts.items():
        judged.inside.setdefault(f"{measure.value}/{level.value}", []).append((quarter, sum(held), len(held)))


def _held(draws: Floats, came: float) -> float:
    """Whether the 80 % range held it; of draws that lie on it, the share that the range takes in."""
    below, upto = float((draws < came).mean()), float((draws <= came).mean())
    if upto == below:
        return float(0.1 <= below <= 0.9)
    return max(0.0, min(upto, 0.9) - max(below, 0.1)) / (upto - below)


def figures_of(judged: Judged, seed: int) -> Iterator[Figure]:
    """Errors, bias, paired differences and coverage, resampled by quarters of a company."""
    actual, said = np.array(judged.actual), np.array(judged.said)
    ape = np.abs(said / actual - 1)
    beside = {name: np.abs(np.array(values) / actual - 1) for name, values in judged.beside.items()}
    draws = _resampled(judged.quarter, seed)
    told = ", ".join(
        f"day {day + 1}: {ape[here].mean():.3f}, bias {(said[here] / actual[here] - 1).mean():+.3f}"
        for day in DAYS
        if (here := np.array(judged.day) == day).any()
    )
    paired = ", ".join(
        f"{name} {values.mean():.3f} (difference {_span(ape - values, draws)})" for name, values in beside.items()
    )
    worlds = sorted({quarter.rsplit(" ", 1)[0] for quarter in judged.quarter})
    low, high = _bounds(ape, draws)
    protocol = (
        f"Mean absolute percentage error of the company's quarterly bookings, {N_QUARTERS} quarters of medium "
        f"demo companies (seed and effects: {', '.join(worlds)}), from day 1 and day 45; rules learned once before the "
        f"first of them, rows as known at each moment. {told}. Beside it: {paired}. Intervals by a "
        "bootstrap of quarters."
    )
    yield Figure(
        name="forecast/demo_quarter_ape",
        value=float(ape.mean()),
        low=low,
        high=high,
        baseline=float(beside["stage_weighted_scaled"].mean()),
        goal=0.05,
        protocol=protocol,
    )
    for name, label in ((f"{one}_scaled", one) for one in YIELDED):
        spread = _bounds(beside[name], draws)
        yield Figure(
            name=f"forecast/demo_quarter_ape_{label}",
            value=float(beside[name].mean()),
            low=spread[0],
            high=spread[1],
            protocol="The same quarters and moments, by what managers go by, scaled by what came true of it in four "
            f"quarters before; as it stands {beside[label].mean():.3f}.",
        )
    error = said / actual - 1
    low, high = _bounds(error, draws)
    yield Figure(
        name="forecast/demo_bias",
        value=float(error.mean()),
        low=low,
        high=high,
        goal=0.02,
        protocol="Mean of forecast over outcome less one, the same quarters and moments; positive is too high.",
    )
    yield from _coverage(judged, seed)


def _coverage(judged: Judged, seed: int) -> Iterator[Figure]:
    by_level: dict[str, list[tuple[str, float, int]]] = {}
    for name, rows in judged.inside.items():
        by_level.setdefault(name.split("/")[1], []).extend(rows)
    told = []
    for level, rows in by_level.items():
        share, low, high = _share(rows, seed)
        told.append(f"{level} {share:.3f} ({low:.3f} to {high:.3f}, n {sum(row[2] for row in rows)})")
    share, low, high = _share([row for rows in judged.inside.values() for row in rows], seed)
    yield Figure(
        name="forecast/demo_coverage_80",
        value=share,
        low=low,
        high=high,
        goal=0.8,
        protocol="Share of quarterly outcomes inside the 80 % range, all measures and nodes, the same moments; 95 % "
        f"intervals by a bootstrap of quarters. By level: {', '.join(told)}.",
    )


def _share(rows: Sequence[tuple[str, float, int]], seed: int) -> tuple[float, float, float]:
    names = sorted({row[0] for row in rows})
    place = {name: number for number, name in enumerate(names)}
    held, n = np.zeros(len(names)), np.zeros(len(names))
    for name, inside, count in rows:
        held[place[name]] += inside
        n[place[name]] += count
    drawn = np.random.default_rng(seed).integers(len(names), size=(1000, len(names)))
    shares = held[drawn].sum(axis=1) / n[drawn].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(held.sum() / n.sum()), float(low), float(high)


def _resampled(quarters: Sequence[str], seed: int) -> npt.NDArray[np.intp]:
    """Rows of resampled quarters, both moments of a quarter together, shape (1000, n_rows)."""
    names, place = np.unique(quarters, return_inverse=True)
    rows = [np.flatnonzero(place == number) for number in range(len(names))]
    random = np.random.default_rng(seed)
    return np.array(
        [np.concatenate([rows[number] for number in random.integers(len(names), size=len(names))]) for _ in range(1000)]
    )


def _bounds(values: Floats, draws: npt.NDArray[np.intp]) -> tuple[float, float]:
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _span(values: Floats, draws: npt.NDArray[np.intp]) -> str:
    low, high = _bounds(values, draws)
    return f"{low:+.3f} to {high:+.3f}"
