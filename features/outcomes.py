"""Outcomes as time and cause: how long after a row's moment an entity ended, and by what.

A row whose entity is still open at the end of the record is censored there: it is known to have lasted so long and
nothing else. Which outcome of `features.labels` is which cause stands in `CAUSES`; the causes exclude each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.store import Generation
from features.labels import EVENTS, happened_at, read_events
from features.question import BadQuestion

Floats: TypeAlias = npt.NDArray[np.float64]
Moments: TypeAlias = npt.NDArray[np.datetime64]

CAUSES: dict[str, tuple[str, ...]] = {"opportunities": ("won", "lost"), "invoices": ("paid",)}
"""How each entity may end, by its table; each is an event of `features.labels`."""
_DAY_US = 86_400e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """What became of each row.

    Attributes
    ----------
    causes : tuple of str
        Names of the causes 1, 2 and so on.
    duration_days : ndarray of float64, shape (n_rows,)
        Days from the row's moment to the event, or to the end of the record.
    cause : ndarray of intp, shape (n_rows,)
        0 censored, else the place of the cause, counted from 1.
    follow_up_days : ndarray of float64, shape (n_rows,)
        Days from the row's moment to the end of the record.
    told_days : ndarray of float64, shape (n_rows,), or None
        Days until the event, or the end of watching, was on record, infinite while it is not; None when events are
        known the moment they happen.
    """

    causes: tuple[str, ...]
    duration_days: Floats
    cause: npt.NDArray[np.intp]
    follow_up_days: Floats
    told_days: Floats | None = None

    def as_known(self, as_of: Moments, moment: np.datetime64) -> Outcomes:
        """What was known of the rows at an earlier moment; what happened at it or later is censored there.

        Parameters
        ----------
        as_of : ndarray of datetime64[us], shape (n_rows,)
            The moments of the rows.
        moment : datetime64
            Naive UTC, not before any row.
        """
        reach = (moment - as_of).astype("timedelta64[us]").astype(np.float64) / _DAY_US
        if len(reach) and reach.min() < 0:
            raise ValueError("a row lies after the moment at which it should be known")
        is_later = (self.duration_days if self.told_days is None else self.told_days) >= reach
        return Outcomes(
            causes=self.causes,
            duration_days=np.where(is_later, np.minimum(self.follow_up_days, reach), self.duration_days),
            cause=np.where(is_later, 0, self.cause),
            follow_up_days=np.minimum(self.follow_up_days, reach),
            told_days=None if self.told_days is None else np.where(is_later, np.inf, self.told_days),
        )

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Outcomes:
        """The outcomes of the chosen rows, in the given order."""
        return Outcomes(
            causes=self.causes,
            duration_days=self.duration_days[rows],
            cause=self.cause[rows],
            follow_up_days=self.follow_up_days[rows],
            told_days=None if self.told_days is None else self.told_days[rows],
        )


def time_outcomes(as_of: Moments, happened: dict[str, Moments], *, recorded_to: datetime) -> Outcomes:
    """Days until the first of the causes, censored at the end of the record.

    Parameters
    ----------
    as_of : ndarray of datetime64[us], shape (n_rows,)
        The moments of the rows.
    happened : dict of str to ndarray of datetime64[us]
        By cause, when it happened; NaT where it did not.
    recorded_to : datetime
        How far the record reaches.

    Raises
    ------
    ValueError
        An event lies before its row: the entity was no longer open.

    Examples
    --------
    >>> day = np.array(["2026-01-01", "2026-01-01"], dtype="datetime64[us]")
    >>> won = np.array(["2026-01-15", "NaT"], dtype="datetime64[us]")
    >>> lost = np.array(["NaT", "NaT"], dtype="datetime64[us]")
    >>> found = time_outcomes(day, {"won": won, "lost": lost}, recorded_to=datetime(2026, 2, 1, tzinfo=UTC))
    >>> found.duration_days.tolist(), found.cause.tolist()
    ([14.0, 31.0], [1, 0])
    """
    reach = np.datetime64(recorded_to.astimezone(UTC).replace(tzinfo=None), "us")
    follow_up = (reach - as_of).astype(np.float64) / _DAY_US
    duration, cause = follow_up.copy(), np.zeros(len(as_of), dtype=np.intp)
    for place, moments in enumerate(happened.values(), start=1):
        known = ~np.isnat(moments)
        days = np.where(known, (moments - as_of).astype(np.float64) / _DAY_US, np.inf)
        if (days < 0).any():
            raise ValueError("an event lies before its row: rows are open entities")
        is_first = days < duration if place > 1 else days <= duration
        duration, cause = np.where(is_first, days, duration), np.where(is_first, place, cause)
    return Outcomes(causes=tuple(happened), duration_days=duration, cause=cause, follow_up_days=follow_up)


def read_outcomes(generation: Generation, entity: str, spine: pa.Table) -> Outcomes:
    """What became of a spine's rows, from the record.

    Parameters
    ----------
    generation : Generation
        The record.
    entity : str
        Table of the entity, a key of `CAUSES`.
    spine : pa.Table
        `entity_id`, `as_of`.

    Raises
    ------
    BadQuestion
        The entity has no causes.
    """
    if entity not in CAUSES:
        raise BadQuestion(f"no causes are known for {entity}; there are those of {', '.join(CAUSES)}")
    name = spine.column("entity_id").to_numpy().astype(np.str_)
    with generation.engine() as engine:
        happened = {cause: happened_at(name, read_events(engine, EVENTS[entity, cause])) for cause in CAUSES[entity]}
    as_of = spine.column("as_of").to_numpy().astype("datetime64[us]")
    return time_outcomes(as_of, happened, recorded_to=generation.recorded_to)
