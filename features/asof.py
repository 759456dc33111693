"""The one door to history: which rows and values were known at a moment, as SQL and row by row.

The SQL form joins a spine (`k` key, `as_of` UTC timestamp, `as_of_on` local day) to the rows of a table; the
array form judges one row. Both follow `crm.clocks`: a timestamp counts from its very moment, a day from the day
after, and nothing counts before it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.clocks import AsOf, is_visible, value_as_known
from crm.engine import quote_name
from crm.schema import Column, DType, Table
from crm.store import Generation
from crm.tables import table

SPINE_AS_OF = AsOf(at="p.as_of", on="p.as_of_on")
DAY_SECONDS = 86_400
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the record's timestamps are naive UTC
_EPOCH_DAY = date(1970, 1, 1)
_SECOND = timedelta(seconds=1)

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One `as_of` in the forms that visibility needs: naive UTC, local day, and both in whole seconds."""

    at: datetime
    on: date
    at_seconds: int
    on_seconds: int


def moment_of(as_of: datetime, zone: ZoneInfo) -> Moment:
    """The moment of a row.

    Parameters
    ----------
    as_of : datetime
        With a time zone, or naive UTC.
    zone : ZoneInfo
        Where the company's days begin.

    Examples
    --------
    >>> moment_of(datetime(2026, 1, 1, 20, tzinfo=UTC), ZoneInfo("Asia/Shanghai")).on
    datetime.date(2026, 1, 2)
    """
    at = naive_utc(as_of)
    on = at.replace(tzinfo=UTC).astimezone(zone).date()
    return Moment(at=at, on=on, at_seconds=seconds_of(at), on_seconds=seconds_of(on))


def naive_utc(value: datetime) -> datetime:
    """The same moment as the record writes it: UTC without a time zone."""
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def seconds_of(value: date) -> int:
    """Whole seconds since 1970 of a timestamp (naive UTC) or of the start of a day; fractions are cut off."""
    if isinstance(value, datetime):
        return (naive_utc(value) - _EPOCH) // _SECOND
    return (value - _EPOCH_DAY).days * DAY_SECONDS


def happened(value: object, moment: Moment) -> bool:
    """Whether the moment in a cell lies at or before `moment`; an empty cell never has.

    Raises
    ------
    TypeError
        The cell holds neither a date nor a timestamp.
    """
    if value is None:
        return False
    if isinstance(value, datetime):
        return naive_utc(value) <= moment.at
    if isinstance(value, date):
        return value < moment.on
    raise TypeError(f"expected a date or a timestamp, got {type(value).__name__}")


def row_is_visible(stated: Table, row: Row, moment: Moment) -> bool:
    """Whether a row of a table is visible at a moment, on both clocks.

    A row without `recorded_at`, as a request hands it over, counts as recorded when it happened.
    """
    recorded = row.get("recorded_at")
    if recorded is not None and not happened(recorded, moment):
        return False
    return stated.clock is None or happened(row.get(stated.clock), moment)


def cell_as_known(column: Column, row: Row, moment: Moment) -> object:
    """A cell as known at a moment, before changes are rolled back."""
    if column.known_at is not None and not happened(row.get(column.known_at), moment):
        return None
    return row.get(column.name)


@lru_cache(maxsize=4096)
def column_of(table_name: str, name: str, dtype: DType | None = None) -> Column:
    """A stated column, a system timestamp, or a custom one of `dtype`, which may change like a mutable one."""
    stated = table(table_name)
    if stated.has(name):
        return stated.column(name)
    if name == "recorded_at":
        return Column(name=name, dtype=DType.TIMESTAMP, doc="")
    return Column(name=name, dtype=dtype or DType.TEXT, doc="custom", mutable=True)


def visible_sql(stated: Table) -> str:
    """SQL that is true when row `e` of the table is visible at the moment of spine row `p`."""
    return is_visible(stated, "e", SPINE_AS_OF)


def known_sql(stated: Table, column: Column) -> str:
    """SQL of a value of row `e` as known at the moment of spine row `p`, before changes are rolled back."""
    if not stated.has(column.name):
        return f"e.{quote_name(column.name)}"
    return value_as_known(stated, column, "e", SPINE_AS_OF)


def age_sql(column: Column, value: str) -> str:
    """SQL of whole seconds from a moment to that of spine row `p`: 0 when it just became visible.

    A day becomes visible on the day after, so that windows of days hold the same number of days for both clocks.
    """
    if column.dtype is DType.DATE:
        return f"(unix_timestamp(p.as_of_on) - unix_timestamp({value}) - {DAY_SECONDS})"
    return f"(unix_timestamp(p.as_of) - unix_timestamp({value}))"


def age_seconds(value: date, moment: Moment) -> int:
    """Whole seconds from a moment to `moment`, as `age_sql`."""
    if isinstance(value, datetime):
        return moment.at_seconds - seconds_of(value)
    return moment.on_seconds - seconds_of(value) - DAY_SECONDS


def local_days(as_of: npt.NDArray[np.datetime64], zone: ZoneInfo) -> npt.NDArray[np.datetime64]:
    """The company's day of each moment, shape as given, datetime64[D]."""
    values, place = np.unique(as_of.astype("datetime64[s]"), return_inverse=True)
    days = [value.replace(tzinfo=UTC).astimezone(zone).date() for value in values.tolist()]
    return np.array(days, dtype="datetime64[D]")[place] if days else np.empty(0, dtype="datetime64[D]")


def read_flat(generation: Generation, name: str) -> pa.Table:
    """All rows of a table that has no history: one row per entity, as a flat source gave it.

    Raises
    ------
    ValueError
        The table has a clock and is read through a spine.
    """
    if table(name).clock is not None:
        raise ValueError(f"table {name} has a history; it is read as of a moment through a spine")
    return generation.read(name)
