"""What the candidates say of all series of a cutoff, by month and by quarter, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from models.series_candidates import CANDIDATES, forecast_candidates
from models.series_histories import Floats, Histories

if TYPE_CHECKING:
    from models.series_points import Batch

Ints: TypeAlias = npt.NDArray[np.intp]


def say(batch: Batch, names: Sequence[str], *, country: str, horizon: int, seed: int) -> dict[str, Floats]:
    """What each candidate of history says of the months after the last one, of quarters where they end.

    Parameters
    ----------
    batch : Batch
        The series.
    names : sequence of str
        Candidates; those that are none of history are left out.
    country : str
        Holiday calendar.
    horizon : int
        Months ahead.
    seed : int
        Random state.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_series, horizon)
        NaN where a candidate has nothing to say, and in the months within a quarter.
    """
    found = {name: np.full((len(batch.keys), horizon), np.nan) for name in names if name in CANDIDATES}
    for rows, columns in _by_period(batch):
        histories = histories_of(batch, country, rows, columns)
        first = int((histories.months[-1] - batch.month).astype(int)) + histories.period
        places = np.arange(first - 1, horizon, histories.period)
        if len(places):
            said = forecast_candidates(histories, names, horizon=len(places), seed=seed)
            for name, values in said.items():
                found[name][np.ix_(rows, places)] = values
    return found


def histories_of(batch: Batch, country: str, rows: Ints, columns: Ints) -> Histories:
    """Some series of a batch as candidates take them.

    Parameters
    ----------
    batch : Batch
        The series.
    country : str
        Holiday calendar.
    rows, columns : ndarray of intp
        Series of equal periods, and the months in which these end.
    """
    keys = [batch.keys[row] for row in rows]
    return Histories(
        groups=tuple(f"{measure}/{node.level.value}" for measure, node in keys),
        months=batch.months[columns],
        amounts=batch.values[np.ix_(rows, columns)],
        country=country,
        year_starts=batch.year_starts,
        segments=tuple(tuple(part for part in (n.industry, n.region) if part is not None) for _, n in keys),
        signals=batch.signals,
        period=int(batch.periods[rows[0]]),
    )


def _by_period(batch: Batch) -> Iterator[tuple[Ints, Ints]]:
    """Series whose periods end in the same months, and those months."""
    begins = np.isfinite(batch.values).argmax(axis=1)
    for period in np.unique(batch.periods):
        for phase in range(period):
            rows = np.flatnonzero((batch.periods == period) & (begins % period == phase))
            if len(rows):
                yield rows, np.arange(phase, len(batch.months), period)
