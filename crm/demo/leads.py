"""Leads: latent quality, a rep's belief, competing exits, contacts as Poisson streams.

The truth stays integrable. Given the latent state, which lies on a finite grid, a lead converts and is given
up at piecewise-constant rates in working time, and contacts arrive as Poisson streams whose shape over age is
the same in every state. `crm.demo.oracle` sums over the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crm.demo import parameters as law
from crm.demo.people import Staff
from crm.demo.working_time import DAY_US, SYNC_US, ZONE_US, Floats, Ints, Steps, local_day
from crm.demo.world import World

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leads:
    """All leads in order of creation.

    Attributes
    ----------
    created, converted, disqualified : ndarray of int64, shape (n_leads,)
        UTC microseconds; the last two 0 where it did not happen within the record.
    channel, campaign, region, industry, title, employees, rep : ndarray of int64, shape (n_leads,)
        Places in the lists of `crm.demo.parameters`; campaign -1 for none.
    state : ndarray of int64, shape (n_leads,)
        Latent state: place in the grid. Never part of the record.
    visible : ndarray of float64, shape (n_leads,)
        Log effect of what the record shows, before `effects`.
    convert_base : float
        Rate of converting of a lead whose log effects are 0.
    """

    created: Ints
    converted: Ints
    disqualified: Ints
    channel: Ints
    campaign: Ints
    region: Ints
    industry: Ints
    title: Ints
    employees: Ints
    rep: Ints
    state: Ints
    visible: Floats
    convert_base: float

    @property
    def n(self) -> int:
        """Number of leads."""
        return len(self.created)


def visible_effect(
    laws: law.LeadLaws, channel: Ints, campaign: Ints, region: Ints, industry: Ints, title: Ints, employees: Ints
) -> Floats:
    """Log effect on converting of a lead's visible fields, before `effects`; shape (n_leads,)."""
    size = (np.log(employees) - 4.6) / 1.4
    effect = (
        np.array(law.CHANNEL_EFFECTS)[channel]
        + np.where(campaign >= 0, np.array(law.CAMPAIGN_EFFECTS)[campaign], 0.0)
        + np.array(law.REGION_EFFECTS)[region]
        + np.array(law.INDUSTRY_EFFECTS)[industry]
        + np.array(law.TITLE_EFFECTS)[title]
        + laws.employees_slope * size
        + laws.employees_curve * size**2
        + laws.event_in_manufacturing
        * ((channel == law.CHANNELS.index("event")) & (industry == law.INDUSTRIES.index("制造")))
    )
    return np.asarray(laws.visible * effect)


def draw(rng: np.random.Generator, shares: tuple[float, ...] | Floats, n: int) -> Ints:
    """N places drawn with the given shares."""
    edges = np.cumsum(shares)
    return np.searchsorted(edges / edges[-1], rng.random(n), side="right").astype(np.int64)


def make_leads(world: World, staff: Staff) -> Leads:
    """All leads of the record with what became of them."""
    rng, laws, clock = world.streams["leads"], world.laws, world.clock
    n = world.size.leads
    created = _arrivals(world, rng, n)
    channel = draw(rng, law.CHANNEL_SHARES, n)
    region, industry = draw(rng, law.REGION_SHARES, n), draw(rng, law.INDUSTRY_SHARES, n)
    title = draw(rng, law.TITLE_SHARES, n)
    employees = np.clip(np.exp(rng.normal(4.6, 1.4, n)), 2, 50_000).astype(np.int64)
    campaign = _campaigns(rng, channel)
    visible = visible_effect(laws.lead, channel, campaign, region, industry, title, employees)
    rep = staff.assign(rng, world, local_day(created), region)
    state = draw(rng, laws.grid.prior, n)
    convert, give_up = laws.lead_log_effects()
    score = laws.effects * (visible + staff.lead_skill[rep])
    # The base is set so that `effects` moves the spread of rates and not their mean, `laws.lead.convert_base`.
    spread = np.average(np.exp(convert), weights=laws.grid.prior)
    base = laws.lead.convert_base / (float(np.mean(np.exp(score))) * float(spread))
    rate = base * np.exp(score + convert[state])
    give_up_rate = laws.lead.disqualify_base * np.exp(give_up[state])
    started = clock.at(created)
    to_convert = started + laws.shape(laws.lead.convert_shape).age(rng.exponential(size=n) / rate)
    to_give_up = started + laws.shape(laws.lead.disqualify_shape).age(rng.exponential(size=n) / give_up_rate)
    first = np.minimum(to_convert, to_give_up)
    inside = first < world.end_work
    return Leads(
        created=created,
        converted=np.where(inside & (to_convert <= to_give_up), clock.moment(to_convert), 0),
        disqualified=np.where(inside & (to_convert > to_give_up), clock.moment(to_give_up), 0),
        channel=channel,
        campaign=campaign,
        region=region,
        industry=industry,
        title=title,
        employees=employees,
        rep=rep,
        state=state,
        visible=visible,
        convert_base=base,
    )


def _arrivals(world: World, rng: np.random.Generator, n: int) -> Ints:
    """Creation moments: growth, season and the week, in order."""
    n_days = world.last_day - world.first_day + 1
    weights = world.clock.weights[:n_days] ** 0.8
    growth = np.exp(0.10 * np.arange(n_days) / 365)
    month = (np.arange(n_days) + world.first_day).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    season = np.array([0.9, 0.8, 1.15, 1.1, 1.05, 1.0, 0.9, 0.95, 1.15, 1.05, 1.1, 0.9])[month]
    day = draw(rng, weights * growth * season, n)
    within = rng.random(n) * world.clock.weights[day]
    return np.sort(world.clock.moment(world.clock.elapsed[day] + within))


def _campaigns(rng: np.random.Generator, channel: Ints) -> Ints:
    """A campaign of the lead's channel for most leads, -1 for none."""
    campaign = np.full(len(channel), -1, dtype=np.int64)
    for place, name in enumerate(law.CHANNELS):
        own = np.array([i for i, (_, of) in enumerate(law.CAMPAIGNS) if of == name])
        rows = np.flatnonzero(channel == place)
        if len(own):
            campaign[rows] = np.where(rng.random(len(rows)) < 0.8, own[rng.integers(len(own), size=len(rows))], -1)
    return campaign


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contacts:
    """Contacts of leads or opportunities.

    Attributes
    ----------
    owner : ndarray of int64, shape (n_contacts,)
        Place of the lead or opportunity.
    kind : ndarray of int64, shape (n_contacts,)
        Place in `CONTACTS`.
    at, recorded : ndarray of int64, shape (n_contacts,)
        UTC microseconds.
    """

    owner: Ints
    kind: Ints
    at: Ints
    recorded: Ints


def make_contacts(
    rng: np.random.Generator, world: World, started: Floats, ended: Floats, rates: Floats, shape: Steps, state: Ints
) -> Contacts:
    """Poisson contacts between two moments of working time.

    Parameters
    ----------
    started, ended : ndarray of float64, shape (n_owners,)
        Working time in which contacts may fall.
    rates : ndarray of float64, shape (n_states, n_kinds)
        Rate by latent state.
    shape : Steps
        How the rates move with age.
    state : ndarray of int64, shape (n_owners,)
        Latent state of each owner.
    """
    exposure = shape.total(np.maximum(ended - started, 0.0))
    owners, kinds = [], []
    for kind in range(rates.shape[1]):
        counts = rng.poisson(rates[state, kind] * exposure)
        owners.append(np.repeat(np.arange(len(started)), counts))
        kinds.append(np.full(counts.sum(), kind, dtype=np.int64))
    owner, kind_of = np.concatenate(owners), np.concatenate(kinds)
    age = shape.age(rng.random(len(owner)) * exposure[owner])
    at = world.clock.moment(started[owner] + age)
    recorded = log_moment(rng, at, kind_of)
    keep = recorded <= world.end_us
    return Contacts(owner=owner[keep], kind=kind_of[keep], at=at[keep], recorded=recorded[keep])


def log_moment(rng: np.random.Generator, at: Ints, kind: Ints) -> Ints:
    """When a contact reaches the record: web at once, the others on the evening of some day."""
    delay = np.array(law.LOG_DELAYS)[draw(rng, law.LOG_DELAY_SHARES, len(at))]
    evening = (local_day(at) + delay) * DAY_US + SYNC_US - ZONE_US
    return np.asarray(np.where(kind == 0, at, evening))
