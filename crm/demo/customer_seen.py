"""What the record shows of customers: agreements, weekly use, tickets, surveys. Reads tables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo.agreements import KINDS, MAINTENANCE, SUBSCRIPTION
from crm.demo.seen import micros, places
from crm.demo.working_time import Floats, Ints, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

Flags = npt.NDArray[np.bool_]
LATER = 10**6
"""Epoch day of what has not happened."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """Things that happened to owners, sorted by owner; all arrays but `begins` have shape (n_events,).

    Attributes
    ----------
    begins : ndarray of int64, shape (n_owners + 1,)
        Where each owner's events begin.
    day, known : ndarray of int64
        Epoch day on which each happened, and from whose midnight on it is on record.
    value, of : ndarray of float64
        What was said or counted, NaN for nothing, and out of how many.
    """

    begins: Ints
    day: Ints
    known: Ints
    value: Floats
    of: Floats

    def upto(self, owner: int, day: int) -> tuple[Ints, Floats, Floats]:
        """Days, values and totals of an owner's events on record at the midnight that begins a day."""
        part = slice(self.begins[owner], self.begins[owner + 1])
        seen = self.known[part] <= day
        return self.day[part][seen], self.value[part][seen], self.of[part][seen]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CustomerBook:
    """All customers; arrays of agreements have shape (n_agreements,), days are epoch days, `LATER` for none.

    Attributes
    ----------
    name : pa.Array of string
        Identifiers of the agreements.
    account, kind : ndarray of int64
        Place of the account, place in `crm.demo.agreements.KINDS`.
    signed, starts, ends, cancelled : ndarray of int64
        Days.
    net : ndarray of int64
        Minor units.
    renewed_to : ndarray of int64
        Place of the agreement that renews it, -1 for none.
    auto_renews, recurs : ndarray of bool
        It renews by itself unless told otherwise; it is a subscription or maintenance.
    used_from, used_to : ndarray of int64
        First and last day of use within the record.
    of_account : ndarray of int64
        Places of the agreements, sorted by account.
    begins : ndarray of int64, shape (n_accounts + 1,)
        Where each account's begin in `of_account`.
    use : Events
        Weeks of use by agreement: active users of paid seats.
    tickets, moods, surveys : Events
        By account: tickets; satisfaction once a ticket is closed; likelihood to recommend.
    """

    name: pa.Array
    account: Ints
    kind: Ints
    signed: Ints
    starts: Ints
    ends: Ints
    cancelled: Ints
    net: Ints
    renewed_to: Ints
    auto_renews: Flags
    recurs: Flags
    used_from: Ints
    used_to: Ints
    of_account: Ints
    begins: Ints
    use: Events
    tickets: Events
    moods: Events
    surveys: Events

    def agreements_of(self, account: int, day: int) -> list[int]:
        """Places of an account's agreements signed before a day, in order of signature."""
        part = self.of_account[self.begins[account] : self.begins[account + 1]]
        return [int(place) for place in part[self.signed[part] < day]]


def read_customers(company: DemoCompany, first_day: int, last_day: int) -> CustomerBook:
    """The customers of a company's record, which spans `first_day` to `last_day`."""
    rows = company.tables["agreements"]
    name, accounts = rows["agreement_id"].combine_chunks(), company.tables["accounts"]["account_id"]
    account, kind = places(rows["account_id"], accounts), places(rows["kind"], pa.array(KINDS))
    starts, ends, cancelled = (_days(rows, column) for column in ("starts_on", "ends_on", "cancelled_at"))
    recurs = (kind == SUBSCRIPTION) | (kind == MAINTENANCE)
    used_from = np.maximum(starts, first_day)
    used_to = np.minimum(np.minimum(cancelled, ends), last_day - 1)
    order = np.argsort(account, kind="stable")
    begins = np.searchsorted(account[order], np.arange(len(accounts) + 1))
    usage, tickets, surveys = (company.tables[table] for table in ("usage", "tickets", "surveys"))
    week = _days(usage, "used_on")
    user = _week_owner(places(usage["account_id"], accounts), week, begins, order, recurs, used_from, used_to)
    opened, closed = local_day(micros(tickets, "opened_at")), micros(tickets, "closed_at")
    of_ticket, of_survey = (places(table["account_id"], accounts) for table in (tickets, surveys))
    closed_day = np.where(closed < np.iinfo(np.int64).max, local_day(np.minimum(closed, company.end_us)), LATER)
    satisfaction = tickets["satisfaction"].cast(pa.float64()).to_numpy()
    answered = local_day(micros(surveys, "answered_at"))
    active, seats = (usage[column].to_numpy().astype(np.float64) for column in ("active_users", "licensed_seats"))
    nps = surveys["nps"].to_numpy().astype(np.float64)
    n, nothing = len(accounts), np.zeros(len(opened))
    return CustomerBook(
        name=name,
        account=account,
        kind=kind,
        signed=_days(rows, "signed_on"),
        starts=starts,
        ends=ends,
        cancelled=cancelled,
        net=rows["net_amount"].to_numpy(),
        renewed_to=places(rows["renewed_to"], name),
        auto_renews=pc.fill_null(rows["auto_renews"], False).to_numpy(),
        recurs=recurs,
        used_from=used_from,
        used_to=used_to,
        of_account=order,
        begins=begins,
        # The week that ends with a Sunday is reported on the Monday morning.
        use=_events(user, len(name), week, week + 2, active, seats),
        tickets=_events(of_ticket, n, opened, opened + 1, nothing, nothing),
        moods=_events(of_ticket, n, closed_day, closed_day + 1, satisfaction, nothing),
        surveys=_events(of_survey, n, answered, answered + 1, nps, np.zeros(len(answered))),
    )


def _days(rows: pa.Table, column: str) -> Ints:
    return np.asarray(rows[column].cast(pa.int32()).fill_null(LATER).to_numpy().astype(np.int64))


def _events(owner: Ints, n_owners: int, day: Ints, known: Ints, value: Floats, of: Floats) -> Events:
    order = np.lexsort((day, owner))
    order = order[owner[order] >= 0]
    return Events(
        begins=np.searchsorted(owner[order], np.arange(n_owners + 1)),
        day=day[order],
        known=known[order],
        value=value[order],
        of=of[order],
    )


def _week_owner(
    account: Ints, week: Ints, begins: Ints, order: Ints, recurs: Flags, used_from: Ints, used_to: Ints
) -> Ints:
    """The agreement that each week of use is counted under: the first signed of those running."""
    owner = np.full(len(account), -1)
    for nth in range(int(np.diff(begins).max(initial=0))):
        place = begins[account] + nth
        some = (owner < 0) & (place < begins[account + 1])
        agreement = order[np.minimum(place, len(order) - 1)]
        some &= recurs[agreement] & (used_from[agreement] <= week) & (week <= used_to[agreement])
        owner[some] = agreement[some]
    return owner
