"""Figures of published forecasts from sums by month: errors beside what was known without a model, bias, coverage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.metrics import Interval
from models.series_judge import ALL, MIN_MONTHS, block_interval, coverage_of, draw_months
from models.tasks.sales_forecast import TASK

# Measure, level, period and bucket of months ahead.
Group: TypeAlias = tuple[str, str, str, str]
# Counts and whole hundredths.
Sums: TypeAlias = dict[str, int]
Floats: TypeAlias = npt.NDArray[np.float64]
ByMonth: TypeAlias = dict[Group, dict[date, Sums]]

SIDES = ("last_year", "stage_weighted", "committed", "best_case", "override")
_PLAIN = ("n", "outcomes", "gone", "amount", "error", "signed", "told", "inside")
PAIRED = ("n", "amount", "theirs", "ours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a row of the ledger counts in.

    Parameters
    ----------
    measure, level, period : str
        What, of whom, and over how long.
    step : int
        How many periods ahead.
    month : date
        First day of the period.
    """

    measure: str
    level: str
    period: str
    step: int
    month: date


def bucket_of(period: str, step: int) -> str:
    """The name of the stretch of months ahead that a row counts in; quarters and years count by their number.

    Examples
    --------
    >>> bucket_of("month", 5), bucket_of("quarter", 2)
    ('4-6', '2')
    """
    if period == "month":
        return next((one.name for one in TASK.buckets if one.first <= step <= one.last), str(step))
    return str(step)


def sum_names() -> tuple[str, ...]:
    """What is summed of every group and month."""
    return (*_PLAIN, *(f"{side}_{name}" for side in SIDES for name in PAIRED))


def add_sums(sums: ByMonth, row: Place, values: Sums) -> None:
    """Add sums to their own group and to that of all months ahead together."""
    for bucket in (ALL, bucket_of(row.period, row.step)):
        months = sums.setdefault((row.measure, row.level, row.period, bucket), {})
        held = months.setdefault(row.month, dict.fromkeys(sum_names(), 0))
        for name, value in values.items():
            # One outcome is forecast several times and is one outcome all the same.
            held[name] = max(held[name], value) if name == "outcomes" else held[name] + value


def figures_of(
    sums: ByMonth, runs: Mapping[Group, Collection[str]], revised: Mapping[tuple[str, str, str], int], *, seed: int
) -> list[dict[str, object]]:
    """The figures of sums by group and month.

    Parameters
    ----------
    sums : mapping
        By measure, level, period and bucket, then by month.
    runs : mapping
        By the same, the runs that were summed.
    revised : mapping
        By measure, level and period, how many outcomes the record has corrected since they were scored.
    seed : int
        Random state of the intervals.
    """
    found: list[dict[str, object]] = []
    for group in in_order(sums):
        months = sums[group]
        stacked = {name: np.array([float(months[month][name]) for month in sorted(months)]) for name in sum_names()}
        told = {name: float(values.sum()) for name, values in stacked.items()}
        amount = told["amount"] or None
        inside = _coverage(stacked, int(told["outcomes"]), seed) if told["told"] else None
        found.append(
            {
                **dict(zip(("measure", "level", "period", "bucket"), group, strict=True)),
                "n_runs": len(runs.get(group, ())),
                "n": int(told["n"]),
                "n_months": int((stacked["n"] > 0).sum()),
                "n_gone": int(told["gone"]),
                "n_revised": revised.get(group[:3], 0),
                "wape": told["error"] / amount if amount else None,
                "baseline_wape": told["last_year_theirs"] / amount if amount else None,
                "bias": told["signed"] / amount if amount else None,
                "coverage_80": inside.value if inside else None,
                "coverage_80_low": inside.low if inside else None,
                "coverage_80_high": inside.high if inside else None,
                "beside": [beside(side, _side(stacked, side), seed) for side in SIDES if told[f"{side}_n"]],
            }
        )
    return found


def in_order(groups: Iterable[Group]) -> list[Group]:
    """Groups by measure, level and period, all months ahead together first."""
    return sorted(groups, key=_order)


def _order(group: Group) -> tuple[str, str, str, int, str]:
    return *group[:3], 0 if group[3] == ALL else 1 + int(group[3].partition("-")[0]), group[3]


def _side(stacked: Mapping[str, Floats], side: str) -> dict[str, Floats]:
    return {name: stacked[f"{side}_{name}"] for name in PAIRED}


def beside(name: str, sums: Mapping[str, Floats], seed: int) -> dict[str, object]:
    """Our error beside that of something else on the same rows, as `BesideFigures`.

    Parameters
    ----------
    name : str
        What stands beside the forecast.
    sums : mapping of str to ndarray of float64, shape (n_months,)
        `n`, `amount`, `theirs` and `ours` by month.
    seed : int
        Random state of the interval.
    """
    told = {key: float(values.sum()) for key, values in sums.items()}
    amount = told["amount"]
    gain = _gain(sums, seed) if amount else None
    return {
        "name": name,
        "n": int(told["n"]),
        "wape": told["theirs"] / amount if amount else None,
        "forecast_wape": told["ours"] / amount if amount else None,
        "gain": gain.value if gain else None,
        "gain_low": gain.low if gain and (sums["n"] > 0).sum() >= MIN_MONTHS else None,
        "gain_high": gain.high if gain and (sums["n"] > 0).sum() >= MIN_MONTHS else None,
    }


def _gain(sums: Mapping[str, Floats], seed: int) -> Interval:
    """Our WAPE less theirs, negative when we are better, by a paired bootstrap of blocks of months."""
    kept = sums["n"] > 0
    difference, amount = (sums["ours"] - sums["theirs"])[kept], sums["amount"][kept]
    draws = draw_months(len(amount), seed)
    drawn = amount[draws].sum(axis=1)
    ratios = difference[draws].sum(axis=1) / np.where(drawn > 0, drawn, 1.0)
    return block_interval(float(difference.sum() / amount.sum()), ratios, len(amount))


def _coverage(stacked: Mapping[str, Floats], n_outcomes: int, seed: int) -> Interval:
    kept = stacked["told"] > 0
    sums = {"told": stacked["told"][kept], "inside_80": stacked["inside"][kept]}
    return coverage_of(sums, 80, draw_months(int(kept.sum()), seed), n_outcomes=n_outcomes)
