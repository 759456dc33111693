"""Series that are forecast together, with what is known of the months ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.market import Signals
from features.months import FACTS, month_facts

Floats: TypeAlias = npt.NDArray[np.float64]

SEASON = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histories:
    """Series that are forecast together.

    Attributes
    ----------
    groups : tuple of str
        What each series is one of, for instance `bookings/region`; the booster may tell groups apart.
    months : ndarray of datetime64[M], shape (n_months,)
        Closed months in a row; of quarters the last month of each.
    amounts : ndarray of float64, shape (n_series, n_months)
        NaN before a series begins; no NaN after that.
    country : str
        Holiday calendar.
    year_starts : int
        First month of the fiscal year.
    segments : tuple of tuple of str
        By series, its region and industry as far as it has them; empty for series that signals say nothing of.
    signals : Signals or None
        Market signals as known at the same cutoff.
    period : int
        Months that one amount is of: 1, or 3 for quarters.
    """

    groups: tuple[str, ...]
    months: npt.NDArray[np.datetime64]
    amounts: Floats
    country: str
    year_starts: int = 1
    segments: tuple[tuple[str, ...], ...] = ()
    signals: Signals | None = None
    period: int = 1

    @property
    def season(self) -> int:
        """Periods of a year."""
        return SEASON // self.period

    def regressors(self, rows: npt.NDArray[np.intp], months: npt.NDArray[np.datetime64]) -> dict[str, Floats]:
        """What is known ahead or expected of months, by name, each of shape (n_rows, n_months)."""
        facts = month_facts(months, self.country, year_starts=self.year_starts)
        found = {name: np.tile(facts[:, place], (len(rows), 1)) for place, name in enumerate(FACTS)}
        if self.signals is not None:
            segments = [self.segments[row] if self.segments else () for row in rows]
            said = self.signals.expected(segments, months)
            # Numbered: a company may name a signal in letters that LightGBM refuses.
            found |= {f"signal_{number}": said[name] for number, name in enumerate(sorted(said))}
        return found
