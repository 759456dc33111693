"""What a forecast task states: measures, levels, horizon, candidates, origins and gates."""

from __future__ import annotations

from dataclasses import dataclass

from crm.money import Measure
from features.nodes import Level
from models.task import BaseTask

# What is said of every month, as shares of the possible outcomes below.
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Months ahead that are judged, weighted and widened together.

    Examples
    --------
    >>> Bucket(first=1, last=3).name
    '1-3'
    """

    first: int
    last: int

    @property
    def name(self) -> str:
        """First and last month."""
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """How the past is replayed.

    Parameters
    ----------
    n_origins : int
        Most moments from which the past is forecast.
    min_months : int
        Closed months that must lie before the first of them; fewer are asked for where the record is short.
    n_test : int
        The newest moments; figures come from them alone, and nothing is chosen on them.
    """

    n_origins: int
    min_months: int
    n_test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTask(BaseTask):
    """How much, by month and node.

    Parameters
    ----------
    measures : tuple of Measure
        What is counted; a panel of the company's own by month or quarter is forecast beside them.
    levels : tuple of Level
        What is summed over.
    horizon_months : int
        Months ahead; the first is the running month.
    buckets : tuple of Bucket
        Cover the horizon without a gap.
    origins : Origins
        The backtest.
    """

    measures: tuple[Measure, ...]
    levels: tuple[Level, ...]
    horizon_months: int
    buckets: tuple[Bucket, ...]
    origins: Origins

    def bucket_of(self, step: int) -> int:
        """Place of the bucket that holds a number of months ahead, 1 being the next.

        Raises
        ------
        ValueError
            The horizon does not reach so far.
        """
        for place, bucket in enumerate(self.buckets):
            if bucket.first <= step <= bucket.last:
                return place
        raise ValueError(f"{self.name} looks {self.horizon_months} months ahead, asked for month {step}")
