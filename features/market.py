"""Market signals as known at a cutoff: what is expected of each for past and future months, never peeked.

A signal that is known ahead tells a month itself, as far as it is on record. Any other signal tells a month by what
could be expected of it when the month before had closed: its last value, or the value of the same month of the year
before where that was nearer in its own past. Training and forecast therefore see the same kind of number, and what a
signal came to in the very month is never used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from crm.engine import DuckDBEngine
from crm.reading import read_as_of
from crm.store import Generation

Floats: TypeAlias = npt.NDArray[np.float64]
Months: TypeAlias = npt.NDArray[np.datetime64]

EVERYWHERE = "*"
_YEAR = 12
# Two years of a signal before anything is learned from it.
_LEAST_MONTHS = 24
# More than these would be learned by chance from a few years of months; the first by name are kept.
_MOST_SIGNALS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """One signal of one region or industry.

    Attributes
    ----------
    first : numpy.datetime64
        Month of the first value.
    values : ndarray of float64, shape (n_months,)
        By month from the first on; NaN where none is on record.
    known_ahead : bool
        Whether a month's value is on record before the month begins.
    """

    first: np.datetime64
    values: Floats
    known_ahead: bool

    def expected(self, months: Months, last: np.datetime64) -> Floats:
        """What could be expected of months, knowing nothing of a month that had not closed before it.

        Parameters
        ----------
        months : ndarray of datetime64[M], shape (n_months,)
            Past or future, in a row.
        last : numpy.datetime64
            The last closed month of the cutoff.
        """
        newest = self.first + (len(self.values) - 1)
        if self.known_ahead:
            told = self._at(months)
            return np.where(np.isfinite(told), told, self._forecast(months, np.minimum(months - 1, newest)))
        # Months are told as late in the past as the newest one is now: what comes out weeks later was not known either.
        late = max(int((last - newest).astype(np.int64)), 0)
        return self._forecast(months, np.minimum(months - (1 + late), min(last, newest)))

    def _at(self, months: Months) -> Floats:
        place = (months - self.first).astype(np.intp)
        there = (place >= 0) & (place < len(self.values))
        return np.where(there, self.values[np.clip(place, 0, len(self.values) - 1)], np.nan)

    def _forecast(self, months: Months, known: Months) -> Floats:
        """The last value up to `known`, or that of the same month a year or more before."""
        if not self._is_seasonal():
            return self._last(known)
        years = (-((known - months).astype(np.int64)) + _YEAR - 1) // _YEAR
        found = self._at(months - _YEAR * np.maximum(years, 1))
        return np.where(np.isfinite(found), found, self._last(known))

    def _last(self, known: Months) -> Floats:
        """The newest value on record up to months; NaN before the first."""
        filled = np.maximum.accumulate(np.where(np.isfinite(self.values), np.arange(len(self.values)), 0))
        place = np.clip((known - self.first).astype(np.intp), -1, len(self.values) - 1)
        return np.where(place >= 0, self.values[filled[np.maximum(place, 0)]], np.nan)

    def _is_seasonal(self) -> bool:
        """Whether the same month of the year before was nearer than the month before, in two years or more."""
        if len(self.values) < _LEAST_MONTHS:
            return False
        now = self.values[_YEAR:]
        year, month = np.abs(now - self.values[:-_YEAR]), np.abs(now - self.values[_YEAR - 1 : -1])
        both = np.isfinite(year) & np.isfinite(month)
        return bool(both.any()) and float(year[both].mean()) < float(month[both].mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signals:
    """The signals of one cutoff.

    Attributes
    ----------
    last : numpy.datetime64
        The last closed month.
    by_name : mapping of str to mapping of str to Signal
        By name, then by region or industry; `*` for all.
    """

    last: np.datetime64
    by_name: Mapping[str, Mapping[str, Signal]]

    def expected(self, segments: Sequence[Sequence[str]], months: Months) -> dict[str, Floats]:
        """What could be expected of every signal in months, for series of some regions and industries.

        Parameters
        ----------
        segments : sequence of sequence of str
            By series, its region and industry as far as it has them.
        months : ndarray of datetime64[M], shape (n_months,)
            Past or future, in a row.

        Returns
        -------
        dict of str to ndarray of float64, shape (n_series, n_months)
            By signal: of the series' own region or industry, else of all, else the mean over all regions or
            industries; NaN before a signal begins.
        """
        found = {}
        for name, of_segment in sorted(self.by_name.items()):
            told = {segment: one.expected(months, self.last) for segment, one in of_segment.items()}
            mean = told.get(EVERYWHERE, _mean(list(told.values())))
            rows = [next((told[segment] for segment in own if segment in told), mean) for own in segments]
            found[name] = np.array(rows).reshape(len(segments), len(months))
        return found

    def only(self, names: Collection[str]) -> Signals | None:
        """The signals of some names, None when none is left."""
        kept = {name: one for name, one in self.by_name.items() if name in names}
        return Signals(last=self.last, by_name=kept) if kept else None


def _mean(values: Sequence[Floats]) -> Floats:
    """Month by month the mean of what is known."""
    stacked = np.array(values)
    known = np.isfinite(stacked)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def read_signals(
    generation: Generation,
    as_of: datetime,
    last: np.datetime64,
    zone: ZoneInfo,
    *,
    engine: DuckDBEngine | None = None,
) -> Signals | None:
    """The market signals recorded by a cutoff, None when there are none to learn from.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        The cutoff, with a time zone.
    last : numpy.datetime64
        The last closed month.
    zone : ZoneInfo
        The company's time zone.
    engine : DuckDBEngine or None
        An open engine over the same generation.
    """
    if not generation.has("market_signals"):
        return None
    columns = ("name", "segment", "signal_month", "value", "known_ahead")
    rows = read_as_of(generation, "market_signals", as_of, zone, engine=engine, columns=columns).to_pylist()
    told: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in rows:
        if row["value"] is not None and np.isfinite(row["value"]):
            told.setdefault((row["name"], row["segment"]), []).append(row)
    by_name: dict[str, dict[str, Signal]] = {}
    for (name, segment), values in told.items():
        signal = _signal(values)
        if len(signal.values) >= _LEAST_MONTHS and np.ptp(signal.values[np.isfinite(signal.values)]) > 0:
            by_name.setdefault(name, {})[segment] = signal
    kept = {name: by_name[name] for name in sorted(by_name)[:_MOST_SIGNALS]}
    return Signals(last=last, by_name=kept) if kept else None


def _signal(rows: Sequence[Mapping[str, object]]) -> Signal:
    months = np.array([row["signal_month"] for row in rows], "datetime64[M]")
    values = np.full(int((months.max() - months.min()).astype(int)) + 1, np.nan)
    values[(months - months.min()).astype(np.intp)] = [float(str(row["value"])) for row in rows]
    return Signal(first=months.min(), values=values, known_ahead=all(bool(row["known_ahead"]) for row in rows))
