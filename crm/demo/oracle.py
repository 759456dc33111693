"""The best possible lead score: the simulator's own probability, given only what the record shows.

For a lead open at `as_of` the latent state z lies on a finite grid. With the contacts n_k recorded so far, and
the integrated shapes A, G and D of contacts, conversion and disqualification up to the lead's age,

    weight(z) = prior(z) * prod_k r_k(z)^n_k * exp(-r_k(z) A_k) * exp(-c(z) G - d(z) D)

is the posterior up to a constant, exactly: contacts that are not on record yet only thin the exposure A_k.
The probability of the event in the window is the weighted mean of the competing-risk integral over
(as_of + gap, as_of + gap + horizon], which is closed-form on each step of the rates. Coefficients and the skill
of the reps are parameters and known to the oracle; the state of the single lead is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo import parameters as law
from crm.demo.leads import visible_effect
from crm.demo.working_time import DAY_US, SYNC_US, ZONE_US, Floats, Ints, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

_CHUNK = 20_000


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
    """

    row: Ints
    as_of: Ints
    created: Ints
    is_open: pa.BooleanArray
    score: Floats
    counts: Floats


def lead_probability(
    company: DemoCompany, spine: pa.Table, *, gap: timedelta = timedelta(0), horizon: timedelta = timedelta(days=90)
) -> Floats:
    """P(lead converts in (as_of + gap, as_of + gap + horizon] | what was on record at as_of).

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (lead) and `as_of` (naive UTC timestamp).
    gap, horizon : timedelta
        The window of the label.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        NaN where the lead is unknown, not yet created, or no longer open at `as_of`.
    """
    seen = look_up(company, spine)
    probability = np.full(len(seen.as_of), np.nan)
    rows = np.flatnonzero(seen.is_open)
    for begin in range(0, len(rows), _CHUNK):
        chunk = rows[begin : begin + _CHUNK]
        probability[chunk] = _converts(company, seen, chunk, int(gap / _US), int((gap + horizon) / _US))
    return probability


_US = timedelta(microseconds=1)


def look_up(company: DemoCompany, spine: pa.Table) -> Seen:
    """The observable side of each row of a spine; reads tables only."""
    leads, truth = company.tables["leads"], company.truth
    row = pc.index_in(spine.column("entity_id").combine_chunks(), leads.column("lead_id").combine_chunks())
    place = row.fill_null(-1).to_numpy().astype(np.int64)
    as_of = spine.column("as_of").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    created = _micros(leads, "created_at")[place]
    ended = np.minimum(_micros(leads, "converted_at"), _micros(leads, "disqualified_at"))[place]
    known = (place >= 0) & (created <= as_of)
    return Seen(
        row=place,
        as_of=as_of,
        created=created,
        is_open=known & (ended > as_of),
        score=_visible_scores(company)[place] * truth.laws.effects,
        counts=_count_contacts(company, place, as_of),
    )


def _micros(rows: pa.Table, column: str) -> Ints:
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
    visible = visible_effect(
        truth.laws.lead,
        _places(leads, "channel", law.CHANNELS),
        _places(leads, "campaign", tuple(name for name, _ in law.CAMPAIGNS)),
        _places(leads, "region", law.REGIONS),
        _places(leads, "industry", law.INDUSTRIES),
        _places(leads, "title", law.TITLES),
        leads.column("employees").to_numpy(),
    )
    return np.asarray(visible + truth.lead_skill[first_owner(company)])


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


def _converts(company: DemoCompany, seen: Seen, rows: Ints, gap_us: int, end_us: int) -> Floats:
    truth = company.truth
    laws, clock = truth.laws, truth.clock
    started = clock.at(seen.created[rows])
    age = clock.at(seen.as_of[rows]) - started
    convert_shape, give_up_shape = laws.shape(laws.lead.convert_shape), laws.shape(laws.lead.disqualify_shape)
    convert, give_up = laws.lead_log_effects()
    rate = truth.convert_base * np.exp(seen.score[rows][:, None] + convert)
    leave = laws.lead.disqualify_base * np.exp(give_up)
    posterior = _posterior(company, seen, rows, started)
    log_alive = -rate * convert_shape.total(age)[:, None] - leave * give_up_shape.total(age)[:, None]
    posterior = posterior + log_alive
    posterior = np.exp(posterior - posterior.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    opens = clock.at(seen.as_of[rows] + gap_us) - started
    closes = clock.at(seen.as_of[rows] + end_us) - started
    inside = np.zeros_like(rate)
    edges = np.append(convert_shape.edges, np.inf)
    for step in range(len(convert_shape.edges)):
        begin, end = np.maximum(opens, edges[step]), np.minimum(closes, edges[step + 1])
        length = np.maximum(end - begin, 0.0)
        begin = np.minimum(begin, closes)
        log_left = -rate * convert_shape.total(begin)[:, None] - leave * give_up_shape.total(begin)[:, None] - log_alive
        out = rate * convert_shape.levels[step]
        total = out + leave * give_up_shape.levels[step]
        inside += out / total * np.exp(log_left) * -np.expm1(-total * length[:, None])
    return np.asarray((posterior * inside).sum(axis=1))


def _posterior(company: DemoCompany, seen: Seen, rows: Ints, started: Floats) -> Floats:
    """Log prior plus log likelihood of the contacts, shape (n_rows, n_states), up to a constant per row."""
    truth = company.truth
    laws = truth.laws
    rates = laws.lead_contact_rates(truth.contacts)
    at_once, logged = _exposures(company, seen, rows, started)
    counts = seen.counts[rows]
    exposed = np.column_stack([at_once, *[logged] * (rates.shape[1] - 1)])
    return np.asarray(np.log(laws.grid.prior) + counts @ np.log(rates).T - exposed @ rates.T)


def _exposures(company: DemoCompany, seen: Seen, rows: Ints, started: Floats) -> tuple[Floats, Floats]:
    """Integrated contact shape that is on record: of web contacts, and of those logged by people."""
    truth = company.truth
    shape = truth.laws.shape(truth.laws.lead.contact_shape)
    as_of = seen.as_of[rows]
    at_once = shape.total(truth.clock.at(as_of) - started)
    logged = np.zeros(len(rows))
    evening = (as_of + ZONE_US - SYNC_US) // DAY_US  # the last local day whose evening has passed
    for delay, share in zip(law.LOG_DELAYS, law.LOG_DELAY_SHARES, strict=True):
        closed = (evening - delay + 1) * DAY_US - ZONE_US
        logged += share * shape.total(np.maximum(truth.clock.at(closed) - started, 0.0))
    return at_once, logged


def converted_within(company: DemoCompany, spine: pa.Table, *, gap: timedelta, horizon: timedelta) -> Floats:
    """What became of each row: 1 converted in the window, 0 not, NaN while the record does not reach past it."""
    seen = look_up(company, spine)
    converted = _micros(company.tables["leads"], "converted_at")[seen.row]
    opens, closes = seen.as_of + int(gap / _US), seen.as_of + int((gap + horizon) / _US)
    label = ((converted > opens) & (converted <= closes)).astype(np.float64)
    label[~np.asarray(seen.is_open) | (closes > company.end_us)] = np.nan
    return np.asarray(label)


def snapshots(company: DemoCompany, *, every_days: int = 30, hour: int = 0) -> pa.Table:
    """A spine of all open leads on every so-manieth day of the record, at a local hour."""
    leads = company.tables["leads"]
    created = _micros(leads, "created_at")
    ended = np.minimum(_micros(leads, "converted_at"), _micros(leads, "disqualified_at"))
    first, last = int(local_day(created[:1])[0]) + every_days, int(local_day(np.array([company.end_us]))[0])
    lead_rows, moments = [], []
    for day in range(first, last + 1, every_days):
        at = day * DAY_US + hour * 3_600_000_000 - ZONE_US
        rows = np.flatnonzero((created <= at) & (ended > at))
        lead_rows.append(rows)
        moments.append(np.full(len(rows), at))
    return pa.table(
        {
            "entity_id": leads.column("lead_id").take(pa.array(np.concatenate(lead_rows))),
            "as_of": pa.array(np.concatenate(moments)).cast(pa.timestamp("us")),
        }
    )
