"""Rows of open invoices with what became of them: at issue and weekly while open, unknown outcomes censored.

A row lies at a local midnight: the first at which the invoice was known, and Mondays after it until the invoice was
known to be closed. Days are counted from the day of issue. An invoice that a red invoice took back was never paid:
it is watched until that was known, and censored there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.settlements import INPUTS, register_derived
from crm.store import Generation
from features.asof import local_days
from features.question import BadQuestion

Days: TypeAlias = npt.NDArray[np.datetime64]
Floats: TypeAlias = npt.NDArray[np.float64]

MOST_WEEKS = 52
_DAY = np.timedelta64(1, "D")
_DAY_US = 86_400e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvoiceRows:
    """A spine of invoices with their outcomes; all arrays of shape (n_rows,).

    Attributes
    ----------
    spine : pa.Table
        `entity_id` (string) and `as_of` (timestamp[us], naive UTC), sorted by both.
    account_id : ndarray of str
        The customer, empty when unknown.
    gross_amount : ndarray of float64
        Amount, currency units.
    issued_on, due_on, as_of_on : ndarray of datetime64[D]
        Day of issue, due day (NaT when there is none) and the row's local day.
    age_days : ndarray of float64
        Days from issue to the row's day: 1 for a row at issue.
    paid_days : ndarray of float64
        Days from issue to settlement; NaN while that is not known.
    watched_days : ndarray of float64
        The last day after issue of which it is known whether the invoice was settled on it.
    followed_days : ndarray of float64
        How many days after issue the record shows, whatever became of the invoice.
    told_days : ndarray of float64
        Days from the row's moment until it was known that the invoice was settled or taken back; infinite until then.
    """

    spine: pa.Table
    account_id: npt.NDArray[np.str_]
    gross_amount: Floats
    issued_on: Days
    due_on: Days
    as_of_on: Days
    age_days: Floats
    paid_days: Floats
    watched_days: Floats
    followed_days: Floats
    told_days: Floats

    @property
    def is_paid(self) -> npt.NDArray[np.bool_]:
        """Whether the settlement is known; else the row is censored."""
        return np.isfinite(self.paid_days)

    @property
    def late_days(self) -> Floats:
        """Days from issue to the due day; NaN without one."""
        days = (self.due_on - self.issued_on) / _DAY
        return np.asarray(np.where(np.isnat(self.due_on), np.nan, days), dtype=np.float64)

    def late(self, *, after_days: int = 0) -> Floats:
        """1 settled more than `after_days` past due or known to be open then, 0 settled before, NaN not known yet."""
        limit = self.late_days + after_days
        is_late = np.where(self.is_paid, self.paid_days > limit, self.watched_days > limit)
        is_known = np.isfinite(limit) & (self.is_paid | is_late)
        return np.where(is_known, is_late.astype(np.float64), np.nan)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> InvoiceRows:
        """The chosen rows, in the given order."""
        at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return InvoiceRows(
            spine=self.spine.take(pa.array(at)),
            account_id=self.account_id[at],
            gross_amount=self.gross_amount[at],
            issued_on=self.issued_on[at],
            due_on=self.due_on[at],
            as_of_on=self.as_of_on[at],
            age_days=self.age_days[at],
            paid_days=self.paid_days[at],
            watched_days=self.watched_days[at],
            followed_days=self.followed_days[at],
            told_days=self.told_days[at],
        )


def build_invoice_rows(
    generation: Generation, *, zone: ZoneInfo, until: datetime | None = None, weekly: bool = True
) -> InvoiceRows:
    """The rows of all invoices with outcomes as they were known at `until`.

    Parameters
    ----------
    generation : Generation
        The record.
    zone : ZoneInfo
        Where the company's days begin.
    until : datetime or None
        With a time zone: no row lies after it, and what became known later is censored. None for how far the
        record reaches.
    weekly : bool
        Also the Mondays while the invoice is open, at most a year's; else at issue alone.

    Raises
    ------
    BadQuestion
        The record has no invoices.
    """
    if not generation.has("invoices") and not generation.has("installments"):
        raise BadQuestion("invoices or installments are needed, and the record has neither")
    last = generation.recorded_to if until is None else until
    reach = np.datetime64(last.astimezone(UTC).replace(tzinfo=None), "us")
    with generation.engine() as engine:
        tables = [name for name in INPUTS if generation.has(name)]
        register_derived(engine, tables, ("settlements",), zone)
        found = engine.query(
            "SELECT invoice_id, account_id, issued_on, due_on, gross_amount, closed_at, settled_on, known_at "
            "FROM settlements ORDER BY invoice_id"
        )
    known = found.column("known_at").to_numpy().astype("datetime64[us]")
    closed = found.column("closed_at").to_numpy().astype("datetime64[us]")
    midnights, is_monday = _midnights(known, reach, zone)
    row, at = _moments(known, np.fmin(closed, reach + 1), midnights, is_monday, weekly=weekly)
    order = np.lexsort((at, row))
    row, at = row[order], at[order]
    # Of the day on which `until` lies, only the part before it was seen.
    last_day = local_days(np.array([reach]), zone)[0] - _DAY
    seen_closed = closed <= reach
    settled = np.where(seen_closed, _dates(found, "settled_on"), np.datetime64("NaT", "D"))
    issued = _dates(found, "issued_on")
    paid = np.where(np.isnat(settled), np.nan, np.fmax((settled - issued) / _DAY, 0.0))
    gone = np.where(seen_closed & np.isnat(settled), _last_seen(closed, zone), last_day)
    watched = np.where(np.isnan(paid), (gone - issued) / _DAY, paid)
    as_of_on = local_days(at, zone)
    names = found.column("invoice_id").take(pa.array(row))
    return InvoiceRows(
        spine=pa.table({"entity_id": names.cast(pa.string()), "as_of": pa.array(at, pa.timestamp("us"))}),
        account_id=np.array([name or "" for name in found.column("account_id").to_pylist()], dtype=np.str_)[row],
        gross_amount=found.column("gross_amount").to_numpy()[row] / 100.0,
        issued_on=issued[row],
        due_on=_dates(found, "due_on")[row],
        as_of_on=as_of_on,
        age_days=((as_of_on - issued[row]) / _DAY).astype(np.float64),
        paid_days=paid[row].astype(np.float64),
        watched_days=watched[row].astype(np.float64),
        followed_days=((last_day - issued) / _DAY)[row].astype(np.float64),
        told_days=np.where(seen_closed[row], (closed[row] - at).astype(np.float64) / _DAY_US, np.inf),
    )


def settled_moments(
    generation: Generation, entity_id: npt.NDArray[np.str_], *, zone: ZoneInfo
) -> npt.NDArray[np.datetime64]:
    """Noon of the day on which each invoice was settled, naive UTC, shape (n_rows,); NaT while it is not."""
    with generation.engine() as engine:
        register_derived(engine, [name for name in INPUTS if generation.has(name)], ("settlements",), zone)
        found = engine.query(
            "SELECT invoice_id, CAST(settled_on AS TIMESTAMP) + INTERVAL '12' HOUR AS t FROM settlements "
            "WHERE settled_on IS NOT NULL"
        )
    moments = dict(zip(found.column("invoice_id").to_pylist(), found.column("t").to_pylist(), strict=True))
    return np.array([moments.get(name) for name in entity_id.tolist()], dtype="datetime64[us]")


def _dates(rows: pa.Table, name: str) -> Days:
    return np.asarray(rows.column(name).cast(pa.date32()).to_numpy(), dtype="datetime64[D]")


def _last_seen(closed: Days, zone: ZoneInfo) -> Days:
    """The last whole local day before each moment; NaT stays NaT."""
    days = np.full(len(closed), np.datetime64("NaT", "D"))
    known = ~np.isnat(closed)
    days[known] = local_days(closed[known], zone) - _DAY
    return days


def _midnights(known: Days, reach: np.datetime64, zone: ZoneInfo) -> tuple[Days, npt.NDArray[np.bool_]]:
    """Every local midnight from the first invoice to the end, naive UTC, and which of them open a Monday."""
    if len(known) == 0 or known.min() > reach:
        return np.empty(0, "datetime64[us]"), np.empty(0, bool)
    first, end = (moment.astype("datetime64[D]").item() for moment in (known.min(), reach))
    days = list(_days(first - timedelta(days=1), end + timedelta(days=1)))
    moments = [datetime.combine(day, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for day in days]
    return np.array(moments, dtype="datetime64[us]"), np.array([day.weekday() == 0 for day in days])


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def _moments(
    known: Days, end: Days, midnights: Days, is_monday: npt.NDArray[np.bool_], *, weekly: bool
) -> tuple[npt.NDArray[np.intp], Days]:
    """Row numbers of invoices and their moments, `known` or later and before `end`."""
    if len(midnights) == 0:
        return np.empty(0, np.intp), np.empty(0, "datetime64[us]")
    padded = np.append(midnights, np.datetime64("NaT", "us"))
    row, at = [np.arange(len(known))], [padded[np.searchsorted(midnights, known)]]
    if weekly:
        mondays = np.append(midnights[is_monday], np.full(MOST_WEEKS, np.datetime64("NaT", "us")))
        first = np.searchsorted(midnights[is_monday], known)
        for week in range(MOST_WEEKS):
            at.append(mondays[np.minimum(first + week, len(mondays) - 1)])
            row.append(row[0])
    rows, moments = np.concatenate(row), np.concatenate(at)
    keep = moments < end[rows]
    later = np.concatenate([np.zeros(len(known), bool), np.ones(len(rows) - len(known), bool)])
    # A Monday that is the first midnight stands there already.
    keep &= ~(later & (moments == at[0][rows]))
    return rows[keep], moments[keep]
