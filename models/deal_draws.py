"""Signatures of deals: of those open now, of those not created yet, and of agreements that never were deals."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.flow_rows import NEVER, WON
from models.arrivals import draw_arrivals, learn_rate
from models.deal_chances import LATE_DAYS, WAITING
from models.deal_hazards import EDGES
from models.deal_snapshots import Snapshots, open_snapshots
from models.flow_laws import EXAMPLE_DAYS, MATURE_DAYS, first_day
from models.renewal_laws import renewing_deals
from models.signings import Component, Number, Setting, Signings, make_signings, no_signings, pick

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


class Use(IntEnum):
    """What the uniform numbers of a deal are used for."""

    TIME = 0
    CAUSE = 1
    LATE = 2
    SIGN = 3
    RATIO = 4


# Fewer agreements than this show too little of how sales of a line are paid.
_FEW = 60


def draw_open_deals(setting: Setting, seed: int) -> Signings:
    """Open deals that are won, with the amount they are won at.

    Parameters
    ----------
    setting : Setting
        Record, laws, horizon, draws, shocks.
    seed : int
        Random state. A deal's luck depends on it and on the deal's key alone: another deal moves nothing of it.
    """
    rows = open_snapshots(setting.state, setting.clock, setting.laws.hazards.usual)
    deals = setting.state.deals
    waiting = np.flatnonzero((deals.outcome == WON) & ~deals.is_signed & (deals.closed >= setting.state.on - WAITING))
    place, draw, day, net = draw_rows(setting, rows, luck_of(deals.name[rows.deal], seed, setting.n_draws))
    signed = _signed(setting, deals.closed[waiting], luck_of(deals.name[waiting], seed, setting.n_draws))
    deal = np.concatenate([rows.deal[place], np.repeat(waiting, setting.n_draws)])
    cell = deals.cell[deal]
    return make_signings(
        setting,
        draw=np.concatenate([draw, np.tile(np.arange(setting.n_draws), len(waiting))]),
        day=np.concatenate([day, signed.ravel()]),
        net=np.concatenate([net, np.repeat(np.nan_to_num(deals.amount[waiting]), setting.n_draws)]),
        component=Component.OPEN_DEALS,
        cell=cell,
        like=alike(setting, cell, np.random.default_rng([seed, len(Component)])),
        source=deal,
    )


def luck_of(names: npt.NDArray[np.object_], seed: int, n_draws: int) -> Floats:
    """Uniform numbers of each deal's own, shape (n_deals, n_uses, n_draws)."""
    found = np.empty((len(names), len(Use), n_draws))
    for place, name in enumerate(names.tolist()):
        digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=16).digest()
        key = np.frombuffer(digest, dtype=np.uint64)
        np.random.Generator(np.random.Philox(key=key)).random(out=found[place])
    return found


def draw_rows(setting: Setting, rows: Snapshots, luck: Floats) -> tuple[Ints, Ints, Ints, Floats]:
    """The wins of open deals: place among the rows, draw, day of the signature, amount; each of shape (n_wins,)."""
    won_at = np.empty((len(rows.deal), setting.n_draws))
    free, dated = np.flatnonzero(rows.tender == NEVER), np.flatnonzero(rows.tender != NEVER)
    won_at[free] = _ends(setting, rows.take(free), luck[free])
    won_at[dated] = _tenders(setting, rows.take(dated), luck[dated])
    place, draw = np.nonzero(np.isfinite(won_at))
    lag = _drawn(setting.laws.sign_days, luck[place, Use.SIGN, draw])
    amount = np.where(np.isfinite(rows.amount), rows.amount, rows.usual)[place]
    ratio = _ratios(setting, rows.facts["stage"][place], luck[place, Use.RATIO, draw])
    habit = setting.laws.amount_factors(rows.facts["rep"])[place]
    return place, draw, setting.clock.day(won_at[place, draw]) + lag, amount * ratio * habit


def _signed(setting: Setting, closed: Ints, luck: Floats) -> Ints:
    lag = _drawn(setting.laws.sign_days, luck[:, Use.SIGN])
    return np.asarray(np.maximum(closed[:, None] + lag, setting.state.on))


def _drawn(values: npt.NDArray[Number], luck: Floats) -> npt.NDArray[Number]:
    """Values picked by uniform numbers, zeros where there are none."""
    if not len(values):
        return np.zeros(luck.shape, dtype=values.dtype)
    return np.asarray(values[(luck * len(values)).astype(np.int64)])


def _ends(setting: Setting, rows: Snapshots, luck: Floats) -> Floats:
    """Business times of the wins, infinite where a deal is not won, shape (n_rows, n_draws)."""
    won, lost = setting.laws.hazards.hazards(rows)
    width = np.diff(np.array(EDGES))
    left = -np.log1p(-luck[:, Use.TIME])
    cause = luck[:, Use.CAUSE]
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


def _tenders(setting: Setting, rows: Snapshots, luck: Floats) -> Floats:
    chance = setting.laws.hazards.tender_chance(rows)[:, None]
    odds = chance / (1 - chance) * setting.shock
    wins = luck[:, Use.CAUSE] < odds / (1 + odds)
    day = rows.tender[:, None] + _drawn(setting.laws.hazards.tender_lags, luck[:, Use.TIME])
    late = (luck[:, Use.LATE] * LATE_DAYS).astype(np.int64)
    day = np.where(day < setting.state.on, setting.state.on + late, day)
    return np.where(wins, setting.clock.at(day), np.inf)


def _ratios(setting: Setting, stage: npt.NDArray[np.object_], luck: Floats) -> Floats:
    found = np.ones(len(stage))
    for name, values in setting.laws.amount_ratios.items():
        here = np.flatnonzero(stage == name)
        found[here] = _drawn(values, luck[here])
    return found


def draw_new_deals(setting: Setting, rng: np.random.Generator) -> Signings:
    """Wins of deals that are not created yet: arrivals, each like a deal of the past that was won."""
    state, deals, on = setting.state, setting.state.deals, setting.state.on
    # A deal through which an agreement was renewed is the renewal's.
    new = ~renewing_deals(state)
    rate = learn_rate(deals.created[new], on, setting.clock, first=first_day(state))
    old = on - MATURE_DAYS
    grown = np.flatnonzero(new & (deals.created < old) & (deals.created >= old - 2 * EXAMPLE_DAYS))
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
    cell = handed_over(setting, deals.cell[like], rng)
    return make_signings(
        setting,
        draw=draw,
        day=day,
        net=np.nan_to_num(deals.amount[like]),
        component=Component.NEW_DEALS,
        cell=cell,
        like=alike(setting, cell, rng),
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


def handed_over(setting: Setting, cell: Ints, rng: np.random.Generator) -> Ints:
    """Cells, those of salespeople who left given to colleagues with recent deals in the same region and line."""
    deals, cells = setting.state.deals, setting.state.cells
    found = cell.copy()
    pool = deals.cell[(deals.created >= setting.state.on - EXAMPLE_DAYS) & ~cells.is_gone[deals.cell]]
    region, line = cells.region[pool], cells.line[pool]
    for one in np.unique(cell[cells.is_gone[cell]]).tolist():
        near = pool[region == cells.region[one]]
        same = pool[(region == cells.region[one]) & (line == cells.line[one])]
        here = np.flatnonzero(cell == one)
        if len(near):
            found[here] = pick(same if len(same) else near, len(here), rng)
    return found


def alike(setting: Setting, cell: Ints, rng: np.random.Generator) -> Ints:
    """An agreement of the last year that came of a deal of the same line, at random; older ones where few came."""
    agreed, cells = setting.state.agreements, setting.state.cells
    of_deals = np.flatnonzero(agreed.deal >= 0)
    past = of_deals[agreed.signed[of_deals] > setting.state.on - EXAMPLE_DAYS]
    if len(past) < _FEW:
        past = of_deals[-_FEW:] if len(of_deals) else np.arange(len(agreed.signed))
    found = np.full(len(cell), -1)
    line, of = cells.line[cell], cells.line[agreed.cell[past]]
    for name in dict.fromkeys(line.tolist()):
        here = np.flatnonzero(line == name)
        own = past[of == name]
        found[here] = pick(own if len(own) else past, len(here), rng) if len(past) else -1
    return found
