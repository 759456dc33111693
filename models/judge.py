"""Judging predictions on the test window: figures, intervals, segments, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.matrix import Kind, TrainingSet
from models.metrics import METRICS, Blocks, Interval, auc, interval, lift_ceiling, make_blocks, paired_interval
from models.report import CalibrationBin, Segment

Floats: TypeAlias = npt.NDArray[np.float64]

COMPARED = ("auc", "log_loss", "brier")
MOST_SEGMENT_FIELDS = 3
MOST_CATEGORIES = 12
MIN_SEGMENT_ROWS = 50
FAMILY_CHANCE = 0.05


def figures(y: Floats, p: Floats) -> dict[str, float]:
    """Every metric, with the ceilings of lift at this event rate."""
    found = {name: metric(y, p) for name, metric in METRICS.items()}
    return found | {"lift_at_10_ceiling": lift_ceiling(y, 0.1), "lift_at_20_ceiling": lift_ceiling(y, 0.2)}


def intervals(y: Floats, p: Floats, baseline: Floats, blocks: Blocks) -> dict[str, tuple[float, float]]:
    """95 % intervals of the metrics and of the differences to the baseline, from the same draws."""
    found: dict[str, tuple[float, float]] = {}
    for name, metric in METRICS.items():
        if name.startswith("calibration_"):
            continue
        spread = interval(metric, y, p, blocks)
        found[name] = (spread.low, spread.high)
    for name in COMPARED:
        spread = paired_interval(METRICS[name], y, p, baseline, blocks)
        found[f"{name}_minus_baseline"] = (spread.low, spread.high)
    constant = np.full(len(y), y.mean())
    spread = paired_interval(METRICS["log_loss"], y, p, constant, blocks)
    found["log_loss_minus_constant"] = (spread.low, spread.high)
    return found


def calibration_bins(y: Floats, p: Floats, blocks: Blocks) -> tuple[CalibrationBin, ...]:
    """Ten bins of equal mass, lowest scores first."""
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), 10) if len(part)]
    place = np.empty(len(p), dtype=np.intp)
    for number, part in enumerate(parts):
        place[part] = number
    drawn = np.array([_rates(place[rows], y[rows], len(parts)) for rows in blocks.draws])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return tuple(
        CalibrationBin(
            n=len(part),
            mean_probability=float(p[part].mean()),
            event_rate=float(y[part].mean()),
            low=float(low[number]),
            high=float(high[number]),
        )
        for number, part in enumerate(parts)
    )


def _rates(place: npt.NDArray[np.intp], y: Floats, n_places: int) -> Floats:
    """Event rate of each place; the overall one where a draw has no row."""
    n = np.bincount(place, minlength=n_places)
    hits = np.bincount(place, weights=y, minlength=n_places)
    return np.where(n > 0, hits / np.maximum(n, 1), y.mean())


def segments(training_set: TrainingSet, p: Floats, *, seed: int, n_draws: int) -> tuple[Segment, ...]:
    """Ranking and calibration of each category of the fields that divide the rows most evenly.

    Parameters
    ----------
    training_set : TrainingSet
        The test window.
    p : ndarray of float64, shape (n_rows,)
        Its probabilities.
    """
    found: list[Segment] = []
    for name in _dividing_fields(training_set):
        column = training_set.rows.column(name)
        for category in sorted(value for value in pc.unique(column).to_pylist() if value is not None):
            rows = np.flatnonzero(pc.fill_null(pc.equal(column, category), False).to_numpy())
            if len(rows) >= MIN_SEGMENT_ROWS:
                found.append(_segment(training_set, p, rows, name, category, seed=seed, n_draws=n_draws))
    return tuple(found)


def segments_off(segments: Sequence[Segment]) -> list[Segment]:
    """The segments whose mean probability misses the event rate beyond chance, the worst first.

    Notes
    -----
    Holm's procedure at 5 % over all segments, the error taken from the width of the 95 % interval.
    """
    from scipy.stats import norm

    chances = []
    for segment in segments:
        gap = segment.calibration_gap
        error = (gap.high - gap.low) / (2 * norm.ppf(0.975))
        if error > 0:
            chances.append((2 * float(norm.sf(abs(gap.value) / error)), segment))
    found: list[Segment] = []
    for place, (chance, segment) in enumerate(sorted(chances, key=lambda pair: pair[0])):
        if chance > FAMILY_CHANCE / (len(chances) - place):
            break
        found.append(segment)
    return found


def _segment(
    training_set: TrainingSet,
    p: Floats,
    rows: npt.NDArray[np.intp],
    name: str,
    category: str,
    *,
    seed: int,
    n_draws: int,
) -> Segment:
    y, chosen = training_set.label[rows], p[rows]
    blocks = make_blocks(training_set.group[rows], n_draws=n_draws, seed=seed)
    no_ranking = Interval(value=float("nan"), low=float("nan"), high=float("nan"))
    return Segment(
        field=name,
        category=category,
        n=len(rows),
        base_rate=float(y.mean()),
        mean_probability=float(chosen.mean()),
        auc=interval(auc, y, chosen, blocks) if 0 < y.sum() < len(y) else no_ranking,
        calibration_gap=interval(lambda a, b: float(b.mean() - a.mean()), y, chosen, blocks),
    )


def _dividing_fields(training_set: TrainingSet) -> list[str]:
    """Category fields by entropy of their shares: those that split the rows into a few comparable parts."""
    scored = []
    for field in training_set.fields:
        if field.kind is not Kind.CATEGORY:
            continue
        counts = _counts(training_set.rows.column(field.name))
        if 2 <= len(counts) <= MOST_CATEGORIES:
            shares = counts / counts.sum()
            scored.append((-float(-(shares * np.log(shares)).sum()), field.name))
    return [name for _, name in sorted(scored)[:MOST_SEGMENT_FIELDS]]


def _counts(column: pa.ChunkedArray) -> Floats:
    counts = [entry["counts"] for entry in column.value_counts().to_pylist() if entry["values"] is not None]
    return np.array([count for count in counts if count >= MIN_SEGMENT_ROWS], dtype=np.float64)
