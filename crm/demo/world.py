"""What every part of the simulation shares: size, laws, clock, random streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from crm.demo.frames import ids, moments, same
from crm.demo.parameters import Parameters
from crm.demo.sizes import Size
from crm.demo.working_time import Ints, WorkClock, at_hour, epoch_day, make_clock

# The clock runs on beyond the record, so that windows reaching past its end can be integrated.
_CLOCK_TAIL_DAYS = 900
PARTS: tuple[str, ...] = (
    "people",
    "leads",
    "lead_contacts",
    "deals",
    "deal_history",
    "deal_contacts",
    "accounts",
    "agreements",
    "billing",
    "payment",
    "service",
    "market",
    "leaks",
    "names",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """The stage on which one company is simulated.

    Attributes
    ----------
    size : Size
        Dimensions.
    laws : Parameters
        What drives the company.
    clock : WorkClock
        Working time.
    first_day, last_day : int
        First and last local epoch day of the record.
    streams : dict of str to Generator
        One independent random stream a part, so that parts can change without moving the others.
    """

    size: Size
    laws: Parameters
    clock: WorkClock
    first_day: int
    last_day: int
    streams: dict[str, np.random.Generator]

    @property
    def start_us(self) -> int:
        """First moment of the record, UTC microseconds."""
        return int(at_hour(np.array([self.first_day]), 0.0)[0])

    @property
    def end_us(self) -> int:
        """Last moment of the record, UTC microseconds."""
        return int(at_hour(np.array([self.last_day + 1]), 0.0)[0]) - 1

    @property
    def end_work(self) -> float:
        """Working time at the end of the record."""
        return float(self.clock.at(np.array([self.end_us]))[0])

    def month_starts(self) -> Ints:
        """Epoch days of the firsts of all months of the record."""
        first = np.datetime64(self.first_day, "D").astype("datetime64[M]")
        months = first + np.arange(self.size.months)
        return np.asarray(months.astype("datetime64[D]").astype(np.int64))


def make_world(size: Size, seed: int, effects: float, ends_on: date) -> World:
    """The stage for one company; the record ends with `ends_on` and begins on the first of a month."""
    after = ends_on + timedelta(days=1)
    month = after.year * 12 + after.month - 1 - size.months + (0 if after.day == 1 else 1)
    first = date(month // 12, month % 12 + 1, 1)
    children = np.random.SeedSequence(seed).spawn(len(PARTS))
    return World(
        size=size,
        laws=Parameters(effects=effects),
        clock=make_clock(first, ends_on + timedelta(days=_CLOCK_TAIL_DAYS)),
        first_day=epoch_day(first),
        last_day=epoch_day(ends_on),
        streams={part: np.random.default_rng(child) for part, child in zip(PARTS, children, strict=True)},
    )


def change_rows(entity: str, entity_id: pa.Array, at: Ints, field: str, old: pa.Array, new: pa.Array) -> pa.Table:
    """Changes of one field, still without identifiers.

    Parameters
    ----------
    entity : str
        Table that changes.
    entity_id : pa.Array of string, shape (n_rows,)
        Which row.
    at : ndarray of int64, shape (n_rows,)
        When, UTC microseconds.
    field : str
        Column that changes.
    old, new : pa.Array of string, shape (n_rows,)
        Its value before and after as text.
    """
    n = len(at)
    return pa.table(
        {
            "entity": same(entity, n),
            "entity_id": entity_id,
            "occurred_at": moments(at),
            "field": same(field, n),
            "old_value": old,
            "new_value": new,
        }
    )


def number_changes(parts: list[pa.Table], end_us: int) -> dict[str, pa.Array]:
    """All changes in order of time with their identifiers; those after the end of the record fall away."""
    rows = pa.concat_tables(parts)
    at = rows.column("occurred_at").cast(pa.int64()).to_numpy()
    order = np.argsort(at, kind="stable")
    order = order[at[order] <= end_us]
    rows = rows.take(pa.array(order)).combine_chunks()
    return {"change_id": ids("CH", np.arange(1, len(order) + 1), width=8)} | {
        name: rows.column(name) for name in rows.column_names
    }
