"""Signatures of deals: of those open now, of those not created yet, and of agreements that never were deals."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.flow_rows import NEVER, WON
from models.arrivals import draw_arrivals, learn_rate
from models.deal_hazards import EDGES
from models.deal_snapshots import Snapshots, open_snapshots
from models.flow_laws import EXAMPLE_DAYS, MATURE_DAYS, first_day
from models.signings import Component, Setting, Signings, make_signings, no_signings, pick

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


def draw_open_deals(setting: Setting, rng: np.random.Generator) -> Signings:
    """Open deals that are won, with the amount they are won at."""
    rows = open_snapshots(setting.state, setting.clock)
    deals, n = setting.state.deals, setting.n_draws
    won_at = np.full((len(rows.deal), n), np.inf)
    free = np.flatnonzero(rows.tender == NEVER)
    won_at[free] = _ends(setting, _some(rows, free), rng)
    dated = np.flatnonzero(rows.tender != NEVER)
    won_at[dated] = _tenders(setting, _some(rows, dated), rng)
    place, draw = np.nonzero(np.isfinite(won_at))
    day = setting.clock.day(won_at[place, draw]) + pick(setting.laws.sign_days, len(place), rng)
    deal = rows.deal[place]
    waiting = np.flatnonzero((deals.outcome == WON) & ~deals.is_signed & (deals.closed >= setting.state.on - 60))
    again, every = np.repeat(waiting, n), np.tile(np.arange(n), len(waiting))
    signed = deals.closed[again] + pick(setting.laws.sign_days, len(again), rng)
    amount = np.where(np.isfinite(rows.amount), rows.amount, _usual(deals.amount))[place]
    amount = amount * _ratios(setting, rows.facts["stage"][place], rng)
    cell = deals.cell[np.concatenate([deal, again])]
    return make_signings(
        setting,
        draw=np.concatenate([draw, every]),
        day=np.concatenate([day, np.maximum(signed, setting.state.on)]),
        net=np.concatenate([amount, np.nan_to_num(deals.amount[again])]),
        component=Component.OPEN_DEALS,
        cell=cell,
        like=alike(setting, cell, rng),
        source=np.concatenate([deal, again]),
    )


def _some(rows: Snapshots, places: Ints) -> Snapshots:
    return Snapshots(
        deal=rows.deal[places],
        day=rows.day[places],
        facts={name: values[places] for name, values in rows.facts.items()},
        amount=rows.amount[places],
        tender=rows.tender[places],
    )


def _ends(setting: Setting, rows: Snapshots, rng: np.random.Generator) -> Floats:
    """Business times of the wins, infinite where a deal is not won, shape (n_rows, n_draws)."""
    won, lost = setting.laws.hazards.hazards(rows)
    width = np.diff(np.array(EDGES))
    left = rng.exponential(size=(len(rows.deal), setting.n_draws))
    cause = rng.random(left.shape)
    at = np.full(left.shape, np.inf)
    for piece in range(len(width)):
        winning = won[:, piece, None] * setting.shock
        total = winning + lost[:, piece, None]
        spent = total * width[piece]
        ends = np.isinf(at) & (left >= 0) & (left < spent)
        time = EDGES[piece] + left / np.maximum(total, 1e-12)
        at[ends] = np.where(cause * total < winning, time, np.nan)[ends]
        left = np.where(ends, -1.0, left - spent)
    start = setting.clock.at(np.array([setting.state.on]))[0]
    return np.where(np.isnan(at), np.inf, start + at)


def _tenders(setting: Setting, rows: Snapshots, rng: np.random.Generator) -> Floats:
    chance = setting.laws.hazards.tender_chance(rows)[:, None]
    odds = chance / (1 - chance) * setting.shock
    wins = rng.random((len(chance), setting.n_draws)) < odds / (1 + odds)
    lags = setting.laws.hazards.tender_lags
    day = rows.tender[:, None] + pick(lags, wins.size, rng).reshape(wins.shape)
    late = day < setting.state.on
    day = np.where(late, setting.state.on + rng.integers(0, 14, wins.shape), day)
    return np.where(wins, setting.clock.at(day), np.inf)


def _usual(amount: Floats) -> float:
    known = amount[np.isfinite(amount)]
    return float(np.median(known)) if len(known) else 0.0


def _ratios(setting: Setting, stage: npt.NDArray[np.object_], rng: np.random.Generator) -> Floats:
    found = np.ones(len(stage))
    for name, values in setting.laws.amount_ratios.items():
        here = np.flatnonzero(stage == name)
        found[here] = pick(values, len(here), rng)
    return found


def draw_new_deals(setting: Setting, rng: np.random.Generator) -> Signings:
    """Wins of deals that are not created yet: arrivals, each like a deal of the past that was won."""
    state, deals, on = setting.state, setting.state.deals, setting.state.on
    rate = learn_rate(deals.created, on, setting.clock, first=first_day(state))
    grown = np.flatnonzero((deals.created < on - MATURE_DAYS) & (deals.created >= on - MATURE_DAYS - 2 * EXAMPLE_DAYS))
    if not len(grown) or rate.level == 0:
        return no_signings()
    wins = grown[deals.outcome[grown] == WON]
    if not len(wins):
        return no_signings()
    chance = len(wins) / len(grown)
    draw, at = draw_arrivals(rate, on, setting.until, setting.clock, setting.n_draws, rng, setting.shock * chance)
    like = wins[rng.integers(len(wins), size=len(draw))]
    lasted = setting.clock.at(deals.closed[like]) + 0.5 - setting.clock.at(deals.created[like])
    day = setting.clock.day(at + lasted) + pick(setting.laws.sign_days, len(draw), rng)
    return make_signings(
        setting,
        draw=draw,
        day=day,
        net=np.nan_to_num(deals.amount[like]),
        component=Component.NEW_DEALS,
        cell=deals.cell[like],
        like=alike(setting, deals.cell[like], rng),
        source=np.full(len(draw), -1),
    )


def draw_direct(setting: Setting, rng: np.random.Generator) -> Signings:
    """Agreements that come of no deal and renew nothing: the run-rate of signatures."""
    state, rows, on = setting.state, setting.state.agreements, setting.state.on
    renews = np.zeros(len(rows.signed) + 1, dtype=np.bool_)
    renews[rows.renewed_to] = True
    direct = np.flatnonzero((rows.deal < 0) & ~renews[:-1])
    rate = learn_rate(rows.signed[direct], on, setting.clock, first=first_day(state))
    recent = direct[rows.signed[direct] >= on - EXAMPLE_DAYS]
    if not len(recent) or rate.level == 0:
        return no_signings()
    draw, at = draw_arrivals(rate, on, setting.until, setting.clock, setting.n_draws, rng, np.ones(setting.n_draws))
    like = recent[rng.integers(len(recent), size=len(draw))]
    return make_signings(
        setting,
        draw=draw,
        day=setting.clock.day(at),
        net=rows.net[like],
        component=Component.RUN_RATE,
        cell=rows.cell[like],
        like=like,
        source=np.full(len(draw), -1),
    )


def alike(setting: Setting, cell: Ints, rng: np.random.Generator) -> Ints:
    """An agreement of the last years that came of a deal of the same line, drawn at random."""
    agreed, cells = setting.state.agreements, setting.state.cells
    past = np.flatnonzero((agreed.deal >= 0) & (agreed.signed > setting.state.on - 3 * EXAMPLE_DAYS))
    if not len(past):
        past = np.arange(len(agreed.signed))
    found = np.full(len(cell), -1)
    line, of = cells.line[cell], cells.line[agreed.cell[past]]
    for name in set(line.tolist()):
        here = np.flatnonzero(line == name)
        own = past[of == name]
        found[here] = pick(own if len(own) else past, len(here), rng) if len(past) else -1
    return found
