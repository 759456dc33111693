"""What a training of the forecast found: the report of every task, with accuracy by measure, level and months ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.metrics import Interval
from models.report import TrainReport
from models.series_judge import Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesVersus:
    """The challenger's rules against the champion's, on the same origins and candidates, in months new to both.

    Parameters
    ----------
    champion : str
        Digest of the champion.
    is_newer : bool
        The challenger knows later months, or other measures.
    n : int
        Points.
    mase : Interval
        Mean scaled error less that of the champion, negative when better.
    """

    champion: str
    is_newer: bool
    n: int
    mase: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesReport(TrainReport):
    """The result of one training of a forecast.

    `n_train` counts months of series, `n_test` judged points, `n_censored` points whose month has not closed yet;
    `base_rate` has no meaning here and is NaN.

    Parameters
    ----------
    accuracy : tuple of Accuracy
        By measure, level and months ahead, on the newest origins.
    level_coverage : mapping of str to Interval
        Share of outcomes inside the 80 % range at each level, all measures together; the intervals hold for all levels
        at once (Bonferroni).
    answers : mapping of str to str
        `measure/level` to `forecast` or `base_rate`.
    origins : tuple of str
        Months after which the past was forecast.
    n_series : int
        Series that are forecast.
    silent : mapping of str to str
        Nodes without a series, and why.
    revisions : mapping of str to float
        By measure: mean change of a month's amount from when it closed to now, over the amount.
    versus : SeriesVersus or None
        Against the present champion.
    """

    accuracy: tuple[Accuracy, ...] = ()
    level_coverage: Mapping[str, Interval] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    origins: tuple[str, ...] = ()
    n_series: int = 0
    silent: Mapping[str, str] = field(default_factory=dict)
    revisions: Mapping[str, float] = field(default_factory=dict)
    versus: SeriesVersus | None = None
