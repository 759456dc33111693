"""What the record shows of a lead at a moment: the observable side of the oracle. Reads tables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo import parameters as law
from crm.demo.leads import visible_effect
from crm.demo.working_time import Floats, Ints

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What the record shows of the rows of a spine.

    Attributes
    ----------
    row : ndarray of int64, shape (n_rows,)
        Place of the lead in the table, -1 when it is unknown.
    as_of, created : ndarray of int64, shape (n_rows,)
        UTC microseconds.
    is_open : ndarray of bool, shape (n_rows,)
        The lead is known, and neither converted nor given up at `as_of`.
    score : ndarray of float64, shape (n_rows,)
        Log effect of the visible fields and the owner on converting.
    counts : ndarray of float64, shape (n_rows, n_kinds)
        Contacts on record by kind.
    owner : ndarray of int64, shape (n_rows,)
        Place of the lead's first owner in the table of reps.
    """

    row: Ints
    as_of: Ints
    created: Ints
    is_open: npt.NDArray[np.bool_]
    score: Floats
    counts: Floats
    owner: Ints


def look_up(company: DemoCompany, spine: pa.Table) -> Seen:
    """The observable side of each row of a spine; reads tables only."""
    leads, truth = company.tables["leads"], company.truth
    row = pc.index_in(spine.column("entity_id").combine_chunks(), leads.column("lead_id").combine_chunks())
    place = row.fill_null(-1).to_numpy().astype(np.int64)
    as_of = spine.column("as_of").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    created = micros(leads, "created_at")[place]
    ended = np.minimum(micros(leads, "converted_at"), micros(leads, "disqualified_at"))[place]
    known = (place >= 0) & (created <= as_of)
    owner = first_owner(company)
    score = _visible_scores(company) + truth.lead_skill[np.minimum(owner, len(truth.lead_skill) - 1)]
    return Seen(
        row=place,
        as_of=as_of,
        created=created,
        is_open=known & (ended > as_of),
        score=score[place] * truth.laws.effects,
        counts=_count_contacts(company, place, as_of),
        owner=owner[place],
    )


def micros(rows: pa.Table, column: str) -> Ints:
    """A column of moments as UTC microseconds, far in the future where it is empty."""
    far = np.iinfo(np.int64).max
    return np.asarray(rows.column(column).cast(pa.int64()).fill_null(far).to_numpy())


def _places(rows: pa.Table, column: str, words: tuple[str, ...]) -> Ints:
    found = pc.index_in(rows.column(column).combine_chunks(), pa.array(words))
    return np.asarray(found.fill_null(-1).to_numpy().astype(np.int64))


def first_owner(company: DemoCompany) -> Ints:
    """Place of each lead's first owner: `rep_id` rolled back through the first change of it."""
    leads, reps = company.tables["leads"], company.tables["reps"].column("rep_id").combine_chunks()
    owner = pc.index_in(leads.column("rep_id").combine_chunks(), reps).fill_null(-1).to_numpy().astype(np.int64)
    changes = company.tables["changes"]
    moved = changes.filter(pc.and_(pc.equal(changes["entity"], "leads"), pc.equal(changes["field"], "rep_id")))
    moved = moved.sort_by([("occurred_at", "descending")])
    lead = pc.index_in(moved.column("entity_id").combine_chunks(), leads.column("lead_id").combine_chunks())
    before = pc.index_in(moved.column("old_value").combine_chunks(), reps)
    owner[lead.to_numpy(zero_copy_only=False).astype(np.int64)] = before.to_numpy(zero_copy_only=False)
    return np.asarray(owner)


def _visible_scores(company: DemoCompany) -> Floats:
    leads, truth = company.tables["leads"], company.truth
    return visible_effect(
        truth.laws.lead,
        _places(leads, "channel", law.CHANNELS),
        _places(leads, "campaign", tuple(name for name, _ in law.CAMPAIGNS)),
        _places(leads, "region", law.REGIONS),
        _places(leads, "industry", law.INDUSTRIES),
        _places(leads, "title", law.TITLES),
        leads.column("employees").to_numpy(),
    )


def _count_contacts(company: DemoCompany, place: Ints, as_of: Ints) -> Floats:
    """Contacts on record at `as_of` by kind: events sorted by lead and recording, found by bisection."""
    activities, leads = company.tables["activities"], company.tables["leads"]
    lead = pc.index_in(activities.column("lead_id").combine_chunks(), leads.column("lead_id").combine_chunks())
    lead_of = lead.fill_null(-1).to_numpy().astype(np.int64)
    kind = activities.column("kind").combine_chunks()
    inbound = pc.equal(activities.column("direction"), "inbound").to_numpy()
    recorded = activities.column("recorded_at").cast(pa.int64()).to_numpy()
    first = int(recorded.min(initial=0))
    span = int(max(recorded.max(initial=0), as_of.max(initial=0))) - first + 2
    counts = np.zeros((len(place), len(law.CONTACTS)))
    for column, (name, direction) in enumerate(law.CONTACTS):
        mine = (lead_of >= 0) & pc.equal(kind, name).to_numpy(zero_copy_only=False)
        mine &= inbound == (direction == "inbound")
        seconds = (recorded[mine] - first) // 1_000_000
        stretch = span // 1_000_000 + 2
        keys = np.sort(lead_of[mine] * stretch + seconds)
        upto = np.maximum((as_of - first) // 1_000_000, 0)
        at = np.searchsorted(keys, place * stretch + upto, side="right")
        counts[:, column] = at - np.searchsorted(keys, place * stretch, side="left")
    return counts
