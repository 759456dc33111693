"""The best possible lead score: the simulator's own probability, given only what the record shows.

For a lead open at `as_of` the latent state z lies on a finite grid. With the contacts n_k recorded so far, and
the integrated shapes A, G and D of contacts, conversion and disqualification up to the lead's age,

    weight(z) = prior(z) * prod_k r_k(z)^n_k * exp(-r_k(z) A_k) * exp(-c(z) G - d(z) D)

is the posterior up to a constant, exactly: contacts that are not on record yet only thin the exposure A_k.
The probability of conversion in the window is the weighted mean of the competing-risk integral over
(as_of + gap, as_of + gap + horizon], which is closed-form on each step of the rates; for `won` that integral is
folded with `crm.demo.deal_oracle`. Coefficients and the skills of the reps are parameters and known to the
oracle; the state of the single lead is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo import parameters as law
from crm.demo.deal_oracle import WinOdds, make_win_odds
from crm.demo.seen import Seen, look_up, micros, places
from crm.demo.working_time import DAY_US, SYNC_US, ZONE_US, Floats, Ints, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

Event = Literal["qualified", "opportunity", "won"]
_CHUNK = 4_000
_CELLS = 40
_US = timedelta(microseconds=1)


def lead_probability(
    company: DemoCompany,
    spine: pa.Table,
    *,
    event: Event = "qualified",
    gap: timedelta = timedelta(0),
    horizon: timedelta = timedelta(days=90),
) -> Floats:
    """P(lead reaches the event in (as_of + gap, as_of + gap + horizon] | what was on record at as_of).

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (lead) and `as_of` (naive UTC timestamp).
    event : str
        `qualified` (converted; `opportunity` is the same moment) or `won`.
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
    odds = make_win_odds(company) if event == "won" else None
    for begin in range(0, len(rows), _CHUNK):
        chunk = rows[begin : begin + _CHUNK]
        state = _state(company, seen, chunk, int(gap / _US), int((gap + horizon) / _US))
        probability[chunk] = _converts(company, state) if odds is None else _wins(company, seen, chunk, state, odds)
    return probability


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _State:
    """Open leads at their moments; ages in working time since creation.

    `rate` and `leave` are the base rates of converting and of being given up by latent state, `posterior` the
    weights of the states, `log_alive` the logarithm of the chance to be open at `age`.
    """

    started: Floats
    age: Floats
    opens: Floats
    closes: Floats
    rate: Floats
    leave: Floats
    posterior: Floats
    log_alive: Floats


def _state(company: DemoCompany, seen: Seen, rows: Ints, gap_us: int, end_us: int) -> _State:
    truth = company.truth
    laws, clock = truth.laws, truth.clock
    started = clock.at(seen.created[rows])
    age = clock.at(seen.as_of[rows]) - started
    convert, give_up = laws.lead_log_effects()
    rate = truth.convert_base * np.exp(seen.score[rows][:, None] + convert)
    leave = laws.lead.disqualify_base * np.exp(give_up)
    opens, closes = (clock.at(seen.as_of[rows] + us) - started for us in (gap_us, end_us))
    log_alive = _log_open(company, rate, leave, age)
    weight = _posterior(company, seen, rows, started) + log_alive
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    return _State(
        started=started,
        age=age,
        opens=opens,
        closes=closes,
        rate=rate,
        leave=leave,
        posterior=weight / weight.sum(axis=1, keepdims=True),
        log_alive=log_alive,
    )


def _log_open(company: DemoCompany, rate: Floats, leave: Floats, age: Floats) -> Floats:
    """Logarithm of the chance that neither exit has happened by an age, shape (n_rows, n_states)."""
    laws = company.truth.laws
    converting, leaving = laws.shape(laws.lead.convert_shape), laws.shape(laws.lead.disqualify_shape)
    return np.asarray(-rate * converting.total(age)[:, None] - leave * leaving.total(age)[:, None])


def _mass(company: DemoCompany, state: _State, begin: Floats, end: Floats, step: Ints) -> Floats:
    """P(converts between two ages on one step of the shapes | open now), shape (n_rows, n_states)."""
    laws = company.truth.laws
    out = state.rate * np.array(laws.shape(laws.lead.convert_shape).levels)[step][:, None]
    total = out + state.leave * np.array(laws.shape(laws.lead.disqualify_shape).levels)[step][:, None]
    length = np.maximum(end - begin, 0.0)
    log_left = _log_open(company, state.rate, state.leave, begin) - state.log_alive
    return np.asarray(out / total * np.exp(log_left) * -np.expm1(-total * length[:, None]))


def _converts(company: DemoCompany, state: _State) -> Floats:
    """P(converts in the window), shape (n_rows,): the sum over the steps of the shapes, without approximation."""
    edges = np.append(company.truth.laws.lead.edges, np.inf)
    inside = np.zeros_like(state.rate)
    for step in range(len(edges) - 1):
        begin, end = np.maximum(state.opens, edges[step]), np.minimum(state.closes, edges[step + 1])
        at = np.full(len(begin), step)
        inside += _mass(company, state, np.minimum(begin, state.closes), end, at)
    return np.asarray((state.posterior * inside).sum(axis=1))


def _wins(company: DemoCompany, seen: Seen, rows: Ints, state: _State, odds: WinOdds) -> Floats:
    """P(won in the window), shape (n_rows,): conversion in small cells up to its end, then the deal."""
    edges = np.array(company.truth.laws.lead.edges)
    width = (state.closes - state.age) / _CELLS
    score = odds.scores(seen.owner[rows])
    tender = odds.tender_share(seen.row[rows])
    total = np.zeros(len(rows))
    for cell in range(_CELLS):
        begin = state.age + cell * width
        middle = begin + width / 2
        step = np.searchsorted(edges, middle, side="right") - 1
        mass = state.posterior * _mass(company, state, begin, begin + width, step)
        won = odds.won_between(state.started + middle, state.started + state.opens, state.started + state.closes)
        total += (mass * won(score, tender)).sum(axis=1)
    return total


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
    as_of, ended = seen.as_of[rows], seen.ended[rows]
    at_once = shape.total(truth.clock.at(np.minimum(as_of, ended)) - started)
    logged = np.zeros(len(rows))
    for share, closed in logged_until(as_of):
        logged += share * shape.total(np.maximum(truth.clock.at(np.minimum(closed, ended)) - started, 0.0))
    return at_once, logged


def logged_until(as_of: Ints) -> Iterator[tuple[float, Ints]]:
    """By delay of logging: its share, and the moment up to which such contacts are on record; UTC microseconds."""
    evening = (as_of + ZONE_US - SYNC_US) // DAY_US  # the last local day whose evening has passed
    for delay, share in zip(law.LOG_DELAYS, law.LOG_DELAY_SHARES, strict=True):
        yield share, (evening - delay + 1) * DAY_US - ZONE_US


def converted_evidence(company: DemoCompany, spine: pa.Table) -> Floats:
    """Log prior plus log likelihood of a converted lead's contacts and age, up to a constant per row.

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (lead) and `as_of` (naive UTC timestamp), later than the conversion.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_states)
        By latent state, which a lead hands on to its opportunity.
    """
    seen = look_up(company, spine)
    truth = company.truth
    laws = truth.laws
    rows = np.arange(len(seen.as_of))
    started = truth.clock.at(seen.created)
    convert, give_up = laws.lead_log_effects()
    rate = truth.convert_base * np.exp(seen.score[:, None] + convert)
    leave = laws.lead.disqualify_base * np.exp(give_up)
    lasted = _log_open(company, rate, leave, truth.clock.at(seen.ended) - started)
    return np.asarray(_posterior(company, seen, rows, started) + convert + lasted)


def happened_within(
    company: DemoCompany, spine: pa.Table, *, event: Event = "qualified", gap: timedelta, horizon: timedelta
) -> Floats:
    """What became of each row: 1 event in the window, 0 not, NaN while the record does not reach past it."""
    seen = look_up(company, spine)
    leads = company.tables["leads"]
    at = micros(leads, "converted_at")
    if event == "won":
        deals = company.tables["opportunities"]
        won = deals.filter(pc.equal(deals["outcome"], "won"))
        closed = np.append(micros(won, "closed_at"), np.iinfo(np.int64).max)
        at = closed[places(leads["opportunity_id"], won["opportunity_id"])]
    happened = at[seen.row]
    opens, closes = seen.as_of + int(gap / _US), seen.as_of + int((gap + horizon) / _US)
    label = ((happened > opens) & (happened <= closes)).astype(np.float64)
    label[~seen.is_open | (closes > company.end_us)] = np.nan
    return np.asarray(label)


def snapshots(company: DemoCompany, *, every_days: int = 30, hour: int = 0) -> pa.Table:
    """A spine of all open leads on every so-manieth day of the record, at a local hour."""
    leads = company.tables["leads"]
    created = micros(leads, "created_at")
    ended = np.minimum(micros(leads, "converted_at"), micros(leads, "disqualified_at"))
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
