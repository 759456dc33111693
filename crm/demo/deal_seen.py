"""What the record shows of an opportunity at a moment: the observable side of its oracle. Reads tables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.demo.deal_terms import CATEGORIES
from crm.demo.deals import BUYERS
from crm.demo.seen import changes_of, count_contacts, first_owner, micros, moments_of, places
from crm.demo.working_time import DAY_US, Floats, Ints

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

FAR = np.iinfo(np.int64).max
UNKNOWN, NO, YES = -1, 0, 1
TENDERS_ARE_ANNOUNCED_US = 15 * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DealSeen:
    """What the record shows of the rows of a spine.

    Attributes
    ----------
    row : ndarray of int64, shape (n_rows,)
        Place of the opportunity in the table, -1 when it is unknown.
    as_of, created : ndarray of int64, shape (n_rows,)
        UTC microseconds.
    is_open : ndarray of bool, shape (n_rows,)
        The opportunity is known and not closed at `as_of`.
    entered : ndarray of int64, shape (n_rows, n_stages)
        When each stage began, UTC microseconds; `FAR` where it had not by `as_of`.
    calls : ndarray of int64, shape (n_rows, n_stages)
        The rep's call on entering each stage, place in `CATEGORIES`; -1 where the stage had not begun.
    competes : ndarray of int64, shape (n_rows,)
        `YES` or `NO` from the stage on at which competitors are named, `UNKNOWN` before.
    tender_day : ndarray of int64, shape (n_rows,)
        Epoch day of a tender that is announced, `NO` when there is none, `UNKNOWN` while it could still be announced.
    buyer : ndarray of int64, shape (n_rows,)
        Place of the account's kind in `BUYERS`.
    has_partner, is_customer : ndarray of bool, shape (n_rows,)
        It came by a partner; neither by a partner nor from a lead.
    lead : ndarray of int64, shape (n_rows,)
        Place of the lead it came from, -1 for none.
    owner : ndarray of int64, shape (n_rows,)
        Place of its first owner in the table of reps.
    counts : ndarray of float64, shape (n_rows, n_kinds)
        Contacts on record by kind.
    """

    row: Ints
    as_of: Ints
    created: Ints
    is_open: npt.NDArray[np.bool_]
    entered: Ints
    calls: Ints
    competes: Ints
    tender_day: Ints
    buyer: Ints
    has_partner: npt.NDArray[np.bool_]
    is_customer: npt.NDArray[np.bool_]
    lead: Ints
    owner: Ints
    counts: Floats

    @property
    def stage(self) -> Ints:
        """Place of the stage each row stands in."""
        return np.asarray((self.entered < FAR).sum(axis=1) - 1)


def look_up_deals(company: DemoCompany, spine: pa.Table) -> DealSeen:
    """The observable side of each row of a spine of opportunities; reads tables only.

    Parameters
    ----------
    company : DemoCompany
        A company.
    spine : pa.Table
        Columns `entity_id` (opportunity) and `as_of` (naive UTC timestamp).
    """
    deals = company.tables["opportunities"]
    row = places(spine.column("entity_id"), deals.column("opportunity_id"))
    as_of = moments_of(spine)
    created, closed = micros(deals, "created_at")[row], micros(deals, "closed_at")[row]
    entered, calls = _way(company)
    entered, calls = entered[row], calls[row]
    has_begun = entered <= as_of[:, None]
    competitor = deals.column("competitor").is_valid().to_numpy().astype(np.int64)[row]
    tender = deals.column("tender_on").cast(pa.int32()).fill_null(NO).to_numpy().astype(np.int64)[row]
    partner = deals.column("partner_id").is_valid().to_numpy()[row]
    lead = places(deals.column("lead_id"), company.tables["leads"].column("lead_id"))[row]
    return DealSeen(
        row=row,
        as_of=as_of,
        created=created,
        is_open=(row >= 0) & (created <= as_of) & (closed > as_of),
        entered=np.where(has_begun, entered, FAR),
        calls=np.where(has_begun, calls, -1),
        competes=np.where(has_begun[:, 2], competitor, UNKNOWN),
        tender_day=np.where(as_of >= created + TENDERS_ARE_ANNOUNCED_US, tender, UNKNOWN),
        buyer=_buyers(company)[row],
        has_partner=partner,
        is_customer=~partner & (lead < 0),
        lead=lead,
        owner=first_owner(company, "opportunities", "opportunity_id")[row],
        counts=count_contacts(company, "opportunities", "opportunity_id", row, as_of),
    )


def _buyers(company: DemoCompany) -> Ints:
    """Kind of buyer of each opportunity's account."""
    accounts = company.tables["accounts"]
    buyer = places(accounts.column("buyer_type"), pa.array(BUYERS))
    return buyer[places(company.tables["opportunities"].column("account_id"), accounts.column("account_id"))]


def _way(company: DemoCompany) -> tuple[Ints, Ints]:
    """When each opportunity entered each stage and the rep's call then, shape (n_opportunities, n_stages) each."""
    stages = company.truth.laws.deal.stages
    name = company.tables["opportunities"].column("opportunity_id")
    entered = np.full((len(name), len(stages)), FAR)
    entered[:, 0] = micros(company.tables["opportunities"], "created_at")
    moves = changes_of(company, "opportunities", "stage")
    deal, stage = places(moves.column("entity_id"), name), places(moves.column("new_value"), pa.array(stages))
    inside = stage >= 0
    entered[deal[inside], stage[inside]] = micros(moves, "occurred_at")[inside]
    calls = np.zeros((len(name), len(stages)), dtype=np.int64)
    told = changes_of(company, "opportunities", "forecast_category")
    called, call = places(told.column("entity_id"), name), places(told.column("new_value"), pa.array(CATEGORIES))
    said_at = micros(told, "occurred_at")
    for place in range(1, len(stages)):
        calls[:, place] = calls[:, place - 1]
        now = said_at == entered[called, place]
        calls[called[now], place] = call[now]
    return entered, calls
