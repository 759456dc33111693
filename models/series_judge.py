"""How good the replayed forecasts were on the newest origins: errors beside seasonal naive, bias, measured coverage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.metrics import Interval
from models.series_learn import Replayed
from models.series_points import Points
from models.series_task import QUANTILES, SeriesTask

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

ALL = "all"
N_DRAWS = 1_000
# Months that are drawn together: neighbours share their surprises.
BLOCK_MONTHS = 2
NOMINAL = {50: (0.25, 0.75), 80: (0.1, 0.9), 90: (0.05, 0.95)}
BETTER, NO_BETTER, WORSE = "better", "no_better", "worse"
MIN_MONTHS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """One measure, level and stretch of months ahead on the newest origins.

    Parameters
    ----------
    measure, level, bucket : str
        What; bucket `all` takes every month ahead together.
    n, n_months : int
        Points, and the different months that they lie in.
    wape, mase, bias : float
        Sum of absolute errors over the sum of amounts; mean absolute error over the series' scale; sum of forecast less
        outcome over the sum of amounts, positive when too high.
    baseline_wape, baseline_mase, baseline_bias : float
        The same of seasonal naive.
    gain : Interval
        WAPE less that of the baseline, negative when better, 95 % by a paired bootstrap of blocks of months.
    coverage : mapping of int to Interval
        Share of outcomes inside the 50, 80 and 90 % range, with its own 95 % interval.
    verdict : str
        `better`, `no_better` or `worse` than seasonal naive.
    """

    measure: str
    level: str
    bucket: str
    n: int
    n_months: int
    wape: float
    mase: float
    bias: float
    baseline_wape: float
    baseline_mase: float
    baseline_bias: float
    gain: Interval
    coverage: Mapping[int, Interval]
    verdict: str


def judge_replay(points: Points, replayed: Replayed, task: SeriesTask, *, seed: int) -> tuple[Accuracy, ...]:
    """Figures of every measure, level and bucket, from the newest origins.

    Parameters
    ----------
    points : Points
        The past replayed.
    replayed : Replayed
        What would have been published.
    task : SeriesTask
        Buckets, and how many origins are newest.
    seed : int
        Random state of the bootstrap.
    """
    tested = is_tested(points, task)
    found = []
    groups = dict.fromkeys((measure, level) for measure, level, _ in points.cells)
    for measure, level in groups:
        places = [place for place, cell in enumerate(points.cells) if cell[:2] == (measure, level)]
        stretches = {ALL: places} | {task.buckets[points.cells[p][2]].name: [p] for p in places}
        for name, chosen in stretches.items():
            rows = tested & np.isin(points.cell, chosen)
            if len(np.unique(points.month[rows])) >= MIN_MONTHS:
                found.append(_accuracy(points, replayed, rows, (measure, level, name), seed))
    return tuple(found)


def is_tested(points: Points, task: SeriesTask) -> Mask:
    """The points of the newest origins whose outcome is known and whose range was.

    Notes
    -----
    Months that lie far ahead have not come yet as seen from the newest origins; of each number of months ahead the
    newest origins that have an outcome count.
    """
    known = np.isfinite(points.outcome) & np.isfinite(replayable(points))
    tested = np.zeros(len(known), dtype=np.bool_)
    for step in range(1, task.horizon_months + 1):
        here = known & (points.step == step)
        newest = np.unique(points.origin[here])[-task.origins.n_test :]
        tested |= here & np.isin(points.origin, newest)
    return tested


def replayable(points: Points) -> Floats:
    """The baseline's forecasts: every series that has begun has one."""
    return np.asarray(next(iter(points.said.values())))


def _accuracy(points: Points, replayed: Replayed, rows: Mask, name: tuple[str, str, str], seed: int) -> Accuracy:
    sums = month_sums(points, replayed, rows)
    draws = draw_months(len(sums["n"]), seed)
    total = {key: float(values.sum()) for key, values in sums.items()}
    amount = total["amount"] or 1.0
    drawn = {key: values[draws].sum(axis=1) for key, values in sums.items()}
    difference = (total["error"] - total["naive_error"]) / amount
    gain = block_interval(difference, _ratio(drawn, "error", "naive_error"), len(sums["n"]))
    coverage = {share: coverage_of(sums, share, draws, n_outcomes=_n_outcomes(points, rows)) for share in NOMINAL}
    return Accuracy(
        measure=name[0],
        level=name[1],
        bucket=name[2],
        n=int(total["n"]),
        n_months=len(sums["n"]),
        wape=total["error"] / amount,
        mase=total["scaled"] / total["n"],
        bias=total["signed"] / amount,
        baseline_wape=total["naive_error"] / amount,
        baseline_mase=total["naive_scaled"] / total["n"],
        baseline_bias=total["naive_signed"] / amount,
        gain=gain,
        coverage=coverage,
        verdict=BETTER if gain.high < 0 else WORSE if gain.low > 0 else NO_BETTER,
    )


def month_sums(points: Points, replayed: Replayed, rows: Mask) -> dict[str, Floats]:
    """Everything that figures are made of, summed by the month that was forecast, in the order of time.

    Notes
    -----
    A month without any amount lies at the floor of its range, where many outcomes share one value. It counts as inside
    for the part of its chance that the range holds (the randomised probability integral transform in expectation,
    Czado, Gneiting & Held 2009); counted whole, every range of a sparse series would seem too wide.
    """
    _, month = np.unique(points.month[rows], return_inverse=True)
    outcome, scale = points.outcome[rows], points.scale[rows]
    error, naive = replayed.expected[rows] - outcome, replayed.baseline[rows] - outcome
    quantiles, zero = replayed.quantiles[rows], replayed.zero_share[rows]
    told = np.asarray(np.isfinite(quantiles).all(axis=1))
    values: dict[str, Floats] = {
        "n": np.ones(len(outcome)),
        "amount": np.abs(outcome),
        "error": np.abs(error),
        "signed": error,
        "scaled": np.abs(error) / scale,
        "naive_error": np.abs(naive),
        "naive_signed": naive,
        "naive_scaled": np.abs(naive) / scale,
        "told": np.where(told, 1.0, 0.0),
    }
    for share, (low, high) in NOMINAL.items():
        bounds = quantiles[:, [QUANTILES.index(low), QUANTILES.index(high)]]
        inside = ((outcome >= bounds[:, 0]) & (outcome <= bounds[:, 1])).astype(np.float64)
        at_floor = points.is_positive[rows] & (outcome == 0)
        part = np.clip(np.minimum(high, zero) - low, 0.0, None) / np.maximum(zero, 1e-9)
        values[f"inside_{share}"] = np.where(told, np.where(at_floor, part, inside), 0.0)
    n_months = int(month.max()) + 1 if len(month) else 0
    return {name: np.bincount(month, each, n_months).astype(np.float64) for name, each in values.items()}


def draw_months(n_months: int, seed: int, n_draws: int = N_DRAWS) -> npt.NDArray[np.intp]:
    """Places of months of a circular moving-block bootstrap (Politis & Romano 1992), shape (n_draws, n_months)."""
    random = np.random.default_rng(seed)
    length = min(BLOCK_MONTHS, n_months)
    starts = random.integers(n_months, size=(n_draws, -(-n_months // length)))
    places = (starts[:, :, None] + np.arange(length)[None, None, :]) % n_months
    return np.asarray(places.reshape(n_draws, -1)[:, :n_months])


def coverage_of(
    sums: Mapping[str, Floats], share: int, draws: npt.NDArray[np.intp], *, n_outcomes: int, outside: float = 0.05
) -> Interval:
    """Measured share of outcomes inside a range, with an interval that knows how few outcomes there were.

    Parameters
    ----------
    sums : mapping
        From `month_sums`.
    share : int
        50, 80 or 90.
    draws : ndarray of intp
        From `draw_months`.
    n_outcomes : int
        Different outcomes; the same one is forecast from several origins and counts once.
    outside : float
        Chance left outside the interval.

    Notes
    -----
    Wilson's interval (1927) of as many outcomes as the block bootstrap's variance is worth, at most `n_outcomes`, with
    Student's quantile of the number of blocks. The bootstrap's own quantiles would give a range without width where
    everything was inside.
    """
    told = float(sums["told"].sum()) or 1.0
    value = float(sums[f"inside_{share}"].sum()) / told
    drawn_told = sums["told"][draws].sum(axis=1)
    drawn = sums[f"inside_{share}"][draws].sum(axis=1) / np.where(drawn_told > 0, drawn_told, 1.0)
    reach, inflation = _few_blocks(len(sums["told"]), outside)
    variance, z = float(drawn.var()) * inflation, reach
    n = float(np.clip(value * (1 - value) / variance, 1.0, n_outcomes)) if variance > 0 else float(max(n_outcomes, 1))
    middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2)))
    return Interval(value=value, low=max(middle - half, 0.0), high=min(middle + half, 1.0))


def level_coverage(points: Points, replayed: Replayed, task: SeriesTask, *, seed: int) -> dict[str, Interval]:
    """Share of outcomes inside the 80 % range by level, all measures together; the intervals hold at once (Bonferroni).

    Parameters
    ----------
    points : Points
        The past replayed.
    replayed : Replayed
        What would have been published.
    task : SeriesTask
        How many origins are newest.
    seed : int
        Random state of the bootstrap.
    """
    tested = is_tested(points, task) & np.isfinite(replayed.quantiles[:, 0])
    level_of = np.array([level for _, level, _ in points.cells])[points.cell]
    levels = list(dict.fromkeys(level for _, level, _ in points.cells))
    found = {}
    for level in levels:
        rows = tested & (level_of == level)
        if len(np.unique(points.month[rows])) < MIN_MONTHS:
            continue
        sums = month_sums(points, replayed, rows)
        draws, outcomes = draw_months(len(sums["n"]), seed), _n_outcomes(points, rows)
        found[level] = coverage_of(sums, 80, draws, n_outcomes=outcomes, outside=0.05 / len(levels))
    return found


def _n_outcomes(points: Points, rows: Mask) -> int:
    return len(np.unique(np.stack([points.series[rows], points.month[rows].astype(np.int64)]), axis=1).T)


def _ratio(drawn: Mapping[str, Floats], name: str, other: str) -> Floats:
    return np.asarray((drawn[name] - drawn[other]) / np.where(drawn["amount"] > 0, drawn["amount"], 1.0))


def block_interval(value: float, drawn: Floats, n_months: int, *, outside: float = 0.05) -> Interval:
    """A figure with an interval of its block-bootstrap spread.

    Parameters
    ----------
    value : float
        The figure.
    drawn : ndarray of float64, shape (n_draws,)
        The same of each draw.
    n_months : int
        Months that were drawn from.
    outside : float
        Chance left outside the interval.

    Notes
    -----
    The spread of the draws times Student's quantile of the number of blocks: with a handful of blocks the quantiles of
    the draws themselves are far too sure.
    """
    reach, inflation = _few_blocks(n_months, outside)
    half = reach * float(np.sqrt(drawn.var() * inflation))
    return Interval(value=value, low=value - half, high=value + half)


def _few_blocks(n_months: int, outside: float) -> tuple[float, float]:
    """Student's quantile, and what the variance of a bootstrap lacks, for the number of blocks."""
    from scipy.stats import t

    n_blocks = max(n_months / BLOCK_MONTHS, 2.0)
    return float(t.ppf(1 - outside / 2, n_blocks - 1)), n_blocks / (n_blocks - 1)
