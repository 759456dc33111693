"""What is known of every step that lies ahead of a row: its age then, the lines it will have crossed, the calendar.

A column is stated by name, made of named fields of the row and of the row's local day, and computed where it is
asked for: a bundle keeps the names alone. A step is judged on its last day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from crm.settlements import MONTH_TAIL_DAYS
from crm.tables_derived import WEEKDAYS
from features.calendar import days_to_spring_festival
from features.matrix import Kind
from models.encoding import Encoder
from models.person_period import Grid

Floats: TypeAlias = npt.NDArray[np.float64]
Days: TypeAlias = npt.NDArray[np.datetime64]
Places: TypeAlias = npt.NDArray[np.intp]

FURTHEST_DAYS = 90.0
"""Beyond so many days a distance to a line says no more."""
SOON_DAYS = 14.0
"""A tender is decided within about so many days."""
PUBLIC_BUYERS = ("government", "state_owned")
_OWN_PAYMENTS = 5.0
"""A customer's own pay days weigh as much as everybody's after so many payments."""
_DAY = np.timedelta64(1, "D")
_ON = tuple(f"share_paid_on_{day}" for day in WEEKDAYS[:5])


class Ahead(Protocol):
    """Columns of the steps ahead: an array of shape (n_rows, n_steps, n_columns), or what can be read like one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, steps, columns."""
        ...

    def __getitem__(self, key: Any, /) -> Any:
        """Columns of chosen periods by `[row, step]`, shape (n_periods, n_columns); some rows by their places."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Periods:
    """Periods asked about; all arrays of shape (n_periods,).

    Attributes
    ----------
    days : ndarray of datetime64[D]
        The last day of each.
    after : ndarray of float64
        Days from the row's day to it.
    width : ndarray of float64
        Days that the step lasts.
    """

    days: Days
    after: Floats
    width: Floats


Values: TypeAlias = Mapping[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the steps ahead.

    Parameters
    ----------
    fields : tuple of str
        Fields of the row it is made of; the first is credited with what it adds.
    is_season : bool
        It tells one part of the year from another, which one year cannot teach.
    compute : callable
        From fields by name and periods, both by period, to the column.
    """

    fields: tuple[str, ...]
    compute: Callable[[Values, Periods], Floats]
    is_season: bool = False


def _past(days: Floats) -> Floats:
    return np.asarray(np.clip(days, -FURTHEST_DAYS, FURTHEST_DAYS))


def _weekday(days: Days) -> Places:
    return ((days.astype(np.int64) + 3) % 7).astype(np.intp)


def _to_end(days: Days, unit: str, n: int = 1) -> Floats:
    """Days to the end of the month (`M`, 1), quarter (`M`, 3) or year (`Y`, 1)."""
    number = days.astype(f"datetime64[{unit}]").astype(np.int64)
    first_after = ((number // n + 1) * n).astype(f"datetime64[{unit}]").astype("datetime64[D]")
    return (first_after.astype(np.int64) - days.astype(np.int64) - 1).astype(np.float64)


def _drawn(own: Floats, n: Floats, usual: Floats | float) -> Floats:
    """A customer's share drawn to everybody's by how little it paid so far."""
    n = np.nan_to_num(n)
    return np.asarray((np.nan_to_num(own) * n + usual * _OWN_PAYMENTS) / (n + _OWN_PAYMENTS))


def _own_weekday(values: Values, periods: Periods) -> Floats:
    """Share of the customer's payments on the weekday; for steps of a week the same for everyone."""
    day = _weekday(periods.days)
    own = np.column_stack([*(values[name] for name in _ON), np.zeros((len(day), 2))])
    usual = np.where(day < 5, 0.2, 0.0)
    found = _drawn(own[np.arange(len(day)), day], values["n_settled"], usual)
    return np.where(periods.width < 7, found, 1.0 / 7)


def _own_month_end(values: Values, periods: Periods) -> Floats:
    """Share of the customer's payments in the last days of months where the day is one of them, else 0."""
    share = _drawn(values["share_paid_at_month_end"], values["n_settled"], MONTH_TAIL_DAYS / 30)
    return np.where(_to_end(periods.days, "M") < MONTH_TAIL_DAYS, share, 0.0)


def _of_public(values: Values, found: Floats) -> Floats:
    return np.where(values["account_buyer_type"] > 0, found, np.nan)


def _to_festival(days: Days) -> Floats:
    asked, place = np.unique(days, return_inverse=True)
    return np.array([days_to_spring_festival(day) for day in asked.tolist()], dtype=np.float64)[place]


COLUMNS: dict[str, Column] = {
    "age": Column(fields=("days_since_issue",), compute=lambda v, p: v["days_since_issue"] + p.after),
    "past_due": Column(fields=("days_past_due",), compute=lambda v, p: _past(v["days_past_due"] + p.after)),
    "is_past_due": Column(
        fields=("days_past_due",), compute=lambda v, p: (v["days_past_due"] + p.after > 0).astype(np.float64)
    ),
    "past_usual": Column(
        fields=("shrunk_days_to_pay", "days_since_issue"),
        compute=lambda v, p: _past(v["days_since_issue"] + p.after - v["shrunk_days_to_pay"]),
    ),
    "past_promise": Column(
        fields=("promised_within_days", "days_since_promise"),
        compute=lambda v, p: _past(v["days_since_promise"] + p.after - v["promised_within_days"]),
    ),
    "past_expected_close": Column(
        fields=("days_past_expected_close",), compute=lambda v, p: _past(v["days_past_expected_close"] + p.after)
    ),
    "past_tender": Column(fields=("days_past_tender",), compute=lambda v, p: _past(v["days_past_tender"] + p.after)),
    "since_tender": Column(
        fields=("days_past_tender",), compute=lambda v, p: np.clip(v["days_past_tender"] + p.after, 0.0, SOON_DAYS)
    ),
    "weekday": Column(fields=(), compute=lambda _, p: (_weekday(p.days) + 1).astype(np.float64)),
    "to_month_end": Column(fields=(), compute=lambda _, p: _to_end(p.days, "M")),
    "own_weekday": Column(fields=(*_ON, "n_settled"), compute=_own_weekday),
    "own_month_end": Column(fields=("share_paid_at_month_end", "n_settled"), compute=_own_month_end),
    "to_year_end": Column(fields=(), compute=lambda _, p: _to_end(p.days, "Y"), is_season=True),
    "to_festival": Column(fields=(), compute=lambda _, p: _to_festival(p.days), is_season=True),
    "public_to_quarter_end": Column(
        fields=("account_buyer_type",), compute=lambda v, p: _of_public(v, _to_end(p.days, "M", 3))
    ),
    "public_to_year_end": Column(
        fields=("account_buyer_type",), compute=lambda v, p: _of_public(v, _to_end(p.days, "Y")), is_season=True
    ),
}
"""Every column of the steps ahead by name."""


def usable_columns(names: Sequence[str], encoder: Encoder, *, has_season: bool) -> tuple[str, ...]:
    """Those of the named columns whose fields the encoder has, without those of the season unless it is known."""
    known = {field.name for field in encoder.fields}
    return tuple(
        name for name in names if known.issuperset(COLUMNS[name].fields) and has_season >= COLUMNS[name].is_season
    )


class StepsAhead:
    """Named columns of the steps ahead of encoded rows, computed when they are read.

    Parameters
    ----------
    names : sequence of str
        Names in `COLUMNS`.
    encoder : Encoder
        Says which column of `rows` is which field.
    rows : ndarray of float64, shape (n_rows, n_fields)
        Encoded rows.
    on : ndarray of datetime64[D], shape (n_rows,)
        Their local days: a payment on that day falls into the first day ahead.
    grid : Grid
        The steps.
    """

    def __init__(self, names: Sequence[str], encoder: Encoder, rows: Floats, on: Days, grid: Grid) -> None:
        self._names, self._encoder, self._rows, self._on, self._grid = tuple(names), encoder, rows, on, grid
        self._ends = np.asarray(grid.edges[1:]) - 1.0
        self._widths = np.diff(np.asarray(grid.edges))
        wanted = dict.fromkeys(field for name in self._names for field in COLUMNS[name].fields)
        place = {field.name: at for at, field in enumerate(encoder.fields)}
        self._fields = {name: self._field(place[name]) for name in wanted}

    def _field(self, place: int) -> Floats:
        coding, column = self._encoder.codings[place], self._rows[:, place]
        if coding.field.kind is not Kind.CATEGORY:
            return column
        # Of a category a column asks only whether it is one of the public buyers.
        codes = [at for at, name in enumerate(coding.categories) if name in PUBLIC_BUYERS]
        return np.isin(column, codes).astype(np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, steps, columns."""
        return (len(self._rows), self._grid.n_steps, len(self._names))

    def __getitem__(self, key: tuple[Places, Places] | Places | slice) -> Floats | StepsAhead:
        """Columns of chosen periods by `[row, step]`, shape (n_periods, n_columns); some rows by their places."""
        if not isinstance(key, tuple):
            return StepsAhead(self._names, self._encoder, self._rows[key], self._on[key], self._grid)
        row, step = key
        after = self._ends[step]
        days = self._on[row] + after.astype("timedelta64[D]")
        periods = Periods(days=days, after=after, width=self._widths[step])
        values = {name: column[row] for name, column in self._fields.items()}
        return np.column_stack([COLUMNS[name].compute(values, periods) for name in self._names])


def steps_ahead(names: Sequence[str], encoder: Encoder, rows: Floats, on: Days | None, grid: Grid) -> StepsAhead | None:
    """The named columns of encoded rows; None when there are none.

    Raises
    ------
    ValueError
        The rows' days are not known.
    """
    if not names:
        return None
    if on is None:
        raise ValueError("the rows' local days are needed: the model knows the calendar ahead")
    return StepsAhead(names, encoder, rows, on, grid)


def credited_fields(names: Sequence[str], encoder: Encoder) -> tuple[int | None, ...]:
    """The place of the field that is credited with what each column adds; None for the calendar's own."""
    place = {field.name: at for at, field in enumerate(encoder.fields)}
    return tuple(place[COLUMNS[name].fields[0]] if COLUMNS[name].fields else None for name in names)
