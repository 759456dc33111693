"""What customers do while they are customers: use, tickets, surveys, talks; and how it fades before they leave."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm.demo.activities import Block
from crm.demo.agreements import MAINTENANCE, SUBSCRIPTION, Agreements
from crm.demo.deals import Accounts
from crm.demo.frames import build_table, days, ids, moments, numbers, picks, whole
from crm.demo.leads import draw, log_moment
from crm.demo.working_time import DAY_US, Floats, Ints, at_hour, day_weights
from crm.demo.world import World

TICKETS_PER_YEAR = 2.0
_SURVEYS_PER_YEAR = 0.9
_TALKS_PER_YEAR = 3.0
# Use falls to this share over the months before a customer leaves.
FADES_TO = 0.35
_SEVERITY_SHARES = (0.4, 0.38, 0.17, 0.05)


def _spans(world: World, agreements: Agreements) -> tuple[Ints, Ints, Ints]:
    """Places of recurring agreements, first day of their use and last, within the record."""
    rows = np.flatnonzero((agreements.kind == SUBSCRIPTION) | (agreements.kind == MAINTENANCE))
    begin = np.maximum(agreements.starts[rows], world.first_day)
    end = np.where(agreements.cancelled[rows] > 0, agreements.cancelled[rows], agreements.ends[rows])
    end = np.minimum(end, world.last_day - 1)
    keep = end > begin
    return rows[keep], begin[keep], end[keep]


def fading(world: World, agreements: Agreements, rows: Ints, day: Ints, onset: Ints) -> Floats:
    """Share of normal use on a day, 1 unless the customer is on the way out; shape as `rows`."""
    effects = world.laws.effects
    since = np.clip((day - onset[rows]) / 90.0, 0.0, 1.0)
    share = 1.0 - effects * (1.0 - FADES_TO) * since
    return np.where(agreements.lapses[rows], np.maximum(share, 0.05), 1.0)


def onsets(world: World, agreements: Agreements) -> Ints:
    """Day on which use would begin to fade, should the customer leave at the end of each agreement."""
    rng = world.streams["service"]
    end = np.where(agreements.cancelled > 0, agreements.cancelled, agreements.ends)
    return np.asarray(end - rng.integers(50, 200, agreements.n))


def build_usage(world: World, agreements: Agreements, health: Floats, onset: Ints) -> pa.Table:
    """The table `usage`: one row an account and week, the Sunday on which the week is reported."""
    rng = world.streams["service"]
    rows, begin, end = _spans(world, agreements)
    sunday = begin + (6 - (begin + 3)) % 7
    weeks = np.maximum((end - sunday) // 7 + 1, 0)
    source = np.repeat(np.arange(len(rows)), weeks)
    index = np.arange(len(source)) - np.repeat(np.cumsum(weeks) - weeks, weeks)
    day, agreement = sunday[source] + 7 * index, rows[source]
    account = agreements.account[agreement]
    seats = np.maximum((agreements.net[agreement] / 400_000).astype(np.int64), 5)
    order = np.lexsort((day, account))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (np.diff(account[order]) != 0) | (np.diff(day[order]) != 0)
    kept = order[first]
    day, agreement, account, seats = day[kept], agreement[kept], account[kept], seats[kept]
    busy = sum(day_weights(day - back) for back in range(7)) / 5.0 if len(day) else np.zeros(0)
    level = np.clip(0.55 + 0.12 * world.laws.effects * health[account], 0.1, 0.95)
    level = level * fading(world, agreements, agreement, day, onset) * np.clip(np.asarray(busy), 0.05, 1.1)
    active = rng.binomial(seats, np.clip(level, 0.0, 1.0))
    columns = {
        "account_id": ids("A", account + 1),
        "used_on": days(day),
        "active_users": whole(active),
        "licensed_seats": whole(seats),
        "events": numbers(rng.poisson(active * 24.0).astype(np.float64)),
    }
    return build_table("usage", columns, at_hour(day + 1, 2.0), ends_us=world.end_us)


def _scatter(
    world: World, agreements: Agreements, per_year: Floats | float, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Agreements and days of Poisson events during use."""
    rows, begin, end = _spans(world, agreements)
    rate = np.broadcast_to(np.asarray(per_year), (agreements.n,))[rows]
    count = rng.poisson(rate / 365.0 * (end - begin))
    source = np.repeat(np.arange(len(rows)), count)
    day = begin[source] + (rng.random(len(source)) * (end - begin)[source]).astype(np.int64)
    order = np.argsort(day, kind="stable")
    return rows[source][order], day[order]


def build_tickets(world: World, agreements: Agreements, health: Floats, onset: Ints) -> pa.Table:
    """The table `tickets`: the less healthy the account, the more and the worse."""
    rng, effects = world.streams["service"], world.laws.effects
    pain = effects * (-0.45 * health[agreements.account] + 0.35 * agreements.lapses)
    agreement, day = _scatter(world, agreements, TICKETS_PER_YEAR * np.exp(pain), rng)
    n = len(day)
    opened = at_hour(day, 9.0) + rng.integers(0, 30_000_000_000, n)
    closed = opened + (rng.gamma(1.5, 2.0, n) * DAY_US).astype(np.int64) + 600_000_000
    done = closed <= world.end_us
    happy = np.clip(3.8 + 0.5 * effects * health[agreements.account[agreement]] + rng.normal(0, 0.8, n), 1, 5)
    columns = {
        "ticket_id": ids("K", np.arange(1, n + 1), width=7),
        "account_id": ids("A", agreements.account[agreement] + 1),
        "opened_at": moments(opened),
        "closed_at": moments(closed, done),
        "severity": picks(("low", "medium", "high", "urgent"), draw(rng, _SEVERITY_SHARES, n)),
        "kind": picks(("咨询", "故障", "投诉", "需求"), draw(rng, (0.4, 0.35, 0.1, 0.15), n)),
        "satisfaction": numbers(np.round(happy), done & (rng.random(n) < 0.6)),
    }
    return build_table("tickets", columns, opened + 60_000_000, ends_us=world.end_us)


def build_surveys(world: World, agreements: Agreements, health: Floats) -> pa.Table:
    """The table `surveys`: likelihood to recommend, noisy in health."""
    rng = world.streams["service"]
    agreement, day = _scatter(world, agreements, _SURVEYS_PER_YEAR, rng)
    n = len(day)
    mood = 7.4 + 1.5 * world.laws.effects * health[agreements.account[agreement]] + rng.normal(0, 1.4, n)
    answered = at_hour(day, 10.0) + rng.integers(0, 20_000_000_000, n)
    columns = {
        "survey_id": ids("Q", np.arange(1, n + 1), width=7),
        "account_id": ids("A", agreements.account[agreement] + 1),
        "answered_at": moments(answered),
        "nps": whole(np.clip(np.round(mood), 0, 10).astype(np.int64)),
    }
    return build_table("surveys", columns, answered, ends_us=world.end_us)


def customer_contacts(world: World, accounts: Accounts, agreements: Agreements, onset: Ints) -> Block:
    """Talks with customers; they thin out when one is on the way out."""
    rng = world.streams["service"]
    agreement, day = _scatter(world, agreements, _TALKS_PER_YEAR * world.size.contacts, rng)
    keep = rng.random(len(day)) < fading(world, agreements, agreement, day, onset)
    keep &= rng.random(len(day)) < np.clip(day_weights(day), 0, 1) if len(day) else keep
    agreement, day = agreement[keep], day[keep]
    at = at_hour(day, 9.0) + rng.integers(0, 32_000_000_000, len(day))
    kind = 2 + draw(rng, (0.45, 0.3, 0.15, 0.0, 0.1), len(day))
    account = agreements.account[agreement]
    return Block(at=at, recorded=log_moment(rng, at, kind), kind=kind, rep=accounts.rep[account], account=account)
