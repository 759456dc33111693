"""How fast the forecast's own arithmetic is, beside the libraries that do the same, equal before it is timed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.bench import run_side
from benchmarks.figures import Figure
from benchmarks.sides_forecast import (
    N_EQUAL,
    N_MONTHS,
    N_NODES,
    N_RESIDUALS,
    N_SERIES,
    N_STEPS,
    Floats,
    boosting_library,
    boosting_ours,
    make_hierarchy,
    reconcile_library,
    reconcile_ours,
)

N_ROUNDS = 3
EQUAL = 1e-8
_EACH = f"each side in a process of its own, in turn, {N_ROUNDS} rounds, CPU time without loading; median, least, most"


def measure_speed(seed: int) -> Iterator[Figure]:
    """CPU of reconciling and of the booster over that of the libraries; the seed is not used."""
    difference = require_equal_reconciliation()
    ratios = ratios_of("reconcile_library", "reconcile_ours")
    yield Figure(
        name="forecast/reconcile_library_over_ours",
        value=float(np.median(ratios)),
        low=min(ratios),
        high=max(ratios),
        baseline=1.0,
        goal=20.0,
        protocol=f"MinT-shrink of a grouped hierarchy of {N_NODES:,} nodes, {N_STEPS} steps, {N_RESIDUALS} residuals: "
        f"CPU of hierarchicalforecast over ours; {_EACH}; equal at {N_EQUAL:,} nodes to {difference:.0e} of the "
        "greatest value",
    )
    difference = require_equal_boosters()
    ratios = ratios_of("boosting_ours", "boosting_library")
    yield Figure(
        name="forecast/forecast_cpu_vs_mlforecast",
        value=float(np.median(ratios)),
        low=min(ratios),
        high=max(ratios),
        baseline=1.0,
        goal=1.3,
        protocol=f"{N_SERIES:,} series x {N_MONTHS} months, {N_STEPS} ahead: CPU of our booster candidate from amounts "
        "to forecasts, over that of mlforecast with the same trees and features on a frame made ready beforehand; "
        f"{_EACH}; equal to {difference:.0e} of the greatest value",
    )


def require_equal_reconciliation() -> float:
    """The greatest difference at `N_EQUAL` nodes as a share of the greatest value.

    Raises
    ------
    RuntimeError
        It is above `EQUAL`.
    """
    hierarchy = make_hierarchy(N_EQUAL)
    return _require(reconcile_ours(hierarchy), reconcile_library(hierarchy, hierarchy.S.toarray()), "reconciliations")


def require_equal_boosters() -> float:
    """The same of the forecasts of 200 series by either booster.

    Raises
    ------
    RuntimeError
        It is above `EQUAL`.
    """
    return _require(_floats(boosting_ours(200)), _floats(boosting_library(200)), "boosters")


def _floats(work: Callable[[], object]) -> Floats:
    return np.asarray(work(), dtype=np.float64)


def _require(ours: Floats, theirs: Floats, what: str) -> float:
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not difference <= EQUAL:
        raise RuntimeError(f"{what} differ by {difference:.1e} of the greatest value; nothing was timed")
    return difference


def ratios_of(above: str, below: str) -> list[float]:
    """CPU of one side over that of the other, one a round.

    Parameters
    ----------
    above, below : str
        Names of `benchmarks.sides.SIDES`.
    """
    found = []
    for turn in range(N_ROUNDS):
        taken = [float(run_side(name, Path())["cpu"] or 0.0) for name in (above, below)]
        print(f"{above} {taken[0]:.3g} s, {below} {taken[1]:.3g} s in round {turn + 1}", file=sys.stderr)
        found.append(taken[0] / taken[1])
    return found
