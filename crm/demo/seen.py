"""What the record shows of a lead at a moment: the observable side of the oracles. Reads tables only."""

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
    as_of, created, ended : ndarray of int64, shape (n_rows,)
        UTC microseconds; `ended` when it converted or was given up, far in the future while it did not.
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
    ended: Ints
    is_open: npt.NDArray[np.bool_]
    score: Floats
    counts: Floats
    owner: Ints


def look_up(company: DemoCompany, spine: pa.Table) -> Seen:
    """The observable side of each row of a spine; reads tables only."""
    leads, truth = company.tables["leads"], company.truth
    place = places(spine.column("entity_id"), leads.column("lead_id"))
    as_of = moments_of(spine)
    created = micros(leads, "created_at")[place]
    ended = np.minimum(micros(leads, "converted_at"), micros(leads, "disqualified_at"))[place]
    known = (place >= 0) & (created <= as_of)
    owner = first_owner(company, "leads", "lead_id")
    score = _visible_scores(company) + truth.lead_skill[np.minimum(owner, len(truth.lead_skill) - 1)]
    return Seen(
        row=place,
        as_of=as_of,
        created=created,
        ended=ended,
        is_open=known & (ended > as_of),
        score=score[place] * truth.laws.effects,
        counts=count_contacts(company, "leads", "lead_id", place, as_of),
        owner=owner[place],
    )


def micros(rows: pa.Table, column: str) -> Ints:
    """A column of moments as UTC microseconds, far in the future where it is empty."""
    far = np.iinfo(np.int64).max
    return np.asarray(rows.column(column).cast(pa.int64()).fill_null(far).to_numpy())


def moments_of(spine: pa.Table) -> Ints:
    """The moments of a spine's rows as UTC microseconds."""
    return np.asarray(spine.column("as_of").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy())


def places(names: pa.ChunkedArray, among: pa.ChunkedArray | pa.Array) -> Ints:
    """Where each name stands among others, -1 where it does not."""
    others = among.combine_chunks() if isinstance(among, pa.ChunkedArray) else among
    found = pc.index_in(names.combine_chunks(), others)
    return np.asarray(found.fill_null(-1).to_numpy().astype(np.int64))


def first_owner(company: DemoCompany, table: str, key: str) -> Ints:
    """Place of each row's first owner in the table of reps: `rep_id` rolled back through the first change of it."""
    rows, reps = company.tables[table], company.tables["reps"].column("rep_id")
    owner = places(rows.column("rep_id"), reps).copy()
    moved = changes_of(company, table, "rep_id").sort_by([("occurred_at", "descending")])
    owner[places(moved.column("entity_id"), rows.column(key))] = places(moved.column("old_value"), reps)
    return owner


def changes_of(company: DemoCompany, table: str, field: str) -> pa.Table:
    """The changes of one field of a table, in order of time."""
    changes = company.tables["changes"]
    return changes.filter(pc.and_(pc.equal(changes["entity"], table), pc.equal(changes["field"], field)))


def _visible_scores(company: DemoCompany) -> Floats:
    leads, truth = company.tables["leads"], company.truth
    return visible_effect(
        truth.laws.lead,
        places(leads["channel"], pa.array(law.CHANNELS)),
        places(leads["campaign"], pa.array([name for name, _ in law.CAMPAIGNS])),
        places(leads["region"], pa.array(law.REGIONS)),
        places(leads["industry"], pa.array(law.INDUSTRIES)),
        places(leads["title"], pa.array(law.TITLES)),
        leads.column("employees").to_numpy(),
    )


def count_contacts(company: DemoCompany, table: str, key: str, place: Ints, as_of: Ints) -> Floats:
    """Contacts on record at `as_of` by kind, shape (n_rows, n_kinds).

    Parameters
    ----------
    company : DemoCompany
        A company.
    table, key : str
        What the contacts are with, and its column of names.
    place, as_of : ndarray of int64, shape (n_rows,)
        Place of each row in the table, UTC microseconds.

    Notes
    -----
    Contacts are sorted by owner and moment of recording and found by bisection.
    """
    activities = company.tables["activities"]
    owner_of = places(activities.column(key), company.tables[table].column(key))
    kind = activities.column("kind").combine_chunks()
    inbound = pc.equal(activities.column("direction"), "inbound").to_numpy()
    recorded = activities.column("recorded_at").cast(pa.int64()).to_numpy()
    first = int(recorded.min(initial=0))
    span = int(max(recorded.max(initial=0), as_of.max(initial=0))) - first + 2
    counts = np.zeros((len(place), len(law.CONTACTS)))
    for column, (name, direction) in enumerate(law.CONTACTS):
        mine = (owner_of >= 0) & pc.equal(kind, name).to_numpy(zero_copy_only=False)
        mine &= inbound == (direction == "inbound")
        seconds = (recorded[mine] - first) // 1_000_000
        stretch = span // 1_000_000 + 2
        keys = np.sort(owner_of[mine] * stretch + seconds)
        upto = np.maximum((as_of - first) // 1_000_000, 0)
        at = np.searchsorted(keys, place * stretch + upto, side="right")
        counts[:, column] = at - np.searchsorted(keys, place * stretch, side="left")
    return counts
