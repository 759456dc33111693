"""Rows of money behind the calls, as arrays: what was signed, what open deals are worth, in one currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.amounts import add_taxes
from crm.engine import DuckDBEngine
from crm.money import SOURCES, Measure, NoMeasure, in_reporting_currency
from crm.money_rows import column_of
from crm.reading import read_as_of
from crm.store import Generation
from features.asof import local_days

Floats: TypeAlias = npt.NDArray[np.float64]
Days: TypeAlias = npt.NDArray[np.datetime64]
_DAY_OF = {"agreements": "signed_on", "opportunities": "closed_at", "orders": "ordered_at"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Money:
    """Amounts with their day, one a row.

    Attributes
    ----------
    rows : pa.Table
        What `features.attribution.label_rows` reads.
    on : ndarray of datetime64[D], shape (n_rows,)
        The day; NaT where there is none.
    amount : ndarray of float64, shape (n_rows,)
        Hundredths of the reporting currency, whole.
    """

    rows: pa.Table
    on: Days
    amount: Floats

    def take(self, kept: npt.NDArray[np.bool_]) -> Money:
        """The chosen rows."""
        return Money(rows=self.rows.filter(pa.array(kept)), on=self.on[kept], amount=self.amount[kept])


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a read needs: the record, the moment, and how money is told.

    Attributes
    ----------
    generation : Generation
        The record.
    as_of : datetime
        With a time zone.
    zone : ZoneInfo
        Where days begin.
    currency : str
        The reporting currency.
    amounts : str
        With tax (`gross`) or without it (`net`).
    engine : DuckDBEngine
        Open over the same generation.
    """

    generation: Generation
    as_of: datetime
    zone: ZoneInfo
    currency: str
    amounts: Literal["net", "gross"]
    engine: DuckDBEngine

    @property
    def on(self) -> date:
        """The company's day."""
        return self.as_of.astimezone(self.zone).date()

    def read(self, name: str) -> pa.Table:
        """A table as it was known."""
        return read_as_of(self.generation, name, self.as_of, self.zone, engine=self.engine)


def read_signed(known: Moment) -> tuple[str, Money]:
    """What was booked by the moment, and the table that told it.

    Raises
    ------
    crm.money.NoMeasure
        The company keeps no table that tells bookings.
    crm.money.NoRate
        An amount's currency has no exchange rate by its day.
    """
    for name in SOURCES[Measure.BOOKINGS]:
        rows = known.read(name)
        if rows.num_rows:
            return name, _booked(known, name, rows)
    raise NoMeasure(f"bookings need one of the tables {', '.join(SOURCES[Measure.BOOKINGS])}; none has rows")


def _booked(known: Moment, name: str, rows: pa.Table) -> Money:
    counts = pc.is_valid(rows.column("net_amount"))
    if name == "agreements":
        counts = pc.and_(counts, pc.fill_null(pc.not_equal(rows.column("kind"), "framework"), True))
    elif name == "opportunities":
        won = pc.fill_null(pc.equal(rows.column("outcome"), "won"), False)
        counts = pc.and_(counts, pc.and_(won, pc.is_valid(rows.column("closed_at"))))
    rows = rows.filter(counts)
    on = _days(rows, _DAY_OF[name], known.zone)
    return Money(rows=rows, on=on, amount=_converted(known, rows, on))


def money_of_deals(known: Moment, deals: pa.Table) -> Money:
    """Amounts of deals at the rate of the day, and the day on which they are expected to close."""
    today = np.full(deals.num_rows, np.datetime64(known.on, "D"))
    on = deals.column("expected_close_on").to_numpy().astype("datetime64[D]")
    return Money(rows=deals, on=on, amount=_converted(known, deals, today))


def _days(rows: pa.Table, name: str, zone: ZoneInfo) -> Days:
    values = rows.column(name)
    if pa.types.is_date(values.type):
        return np.asarray(values.to_numpy().astype("datetime64[D]"))
    return local_days(values.to_numpy().astype("datetime64[us]"), zone)


def _converted(known: Moment, rows: pa.Table, on: Days) -> Floats:
    """Amounts in hundredths of the reporting currency, at the last rate on or before each day; 0 where unknown."""
    amount = pc.fill_null(column_of(rows, "net_amount"), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if known.amounts == "gross":
        amount = add_taxes(amount, column_of(rows, "tax_rate").to_numpy(zero_copy_only=False).astype(np.float64))
    currency = column_of(rows, "currency")
    found = in_reporting_currency(amount, currency, on, to=known.currency, rates=known.read("fx_rates"))
    return found.astype(np.float64)
