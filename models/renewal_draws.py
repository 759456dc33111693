"""Signatures of renewals: of agreements that run now, and of those signed within the horizon."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.flow_rows import NEVER
from models.renewal_laws import renewed_by_deals, times_renewed
from models.signings import Component, Setting, Signings, make_signings, pick

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


def draw_renewals(setting: Setting, rng: np.random.Generator) -> Signings:
    """Renewals of agreements that run now, or ended lately."""
    rows, on, n = setting.state.agreements, setting.state.on, setting.n_draws
    alone = (rows.renewed_to < 0) & ~renewed_by_deals(setting.state)
    open_end = np.flatnonzero(alone & (rows.ends != NEVER) & (rows.ends < setting.until + 60))
    lag = on - rows.ends[open_end]
    chance = setting.laws.renewals.remaining(
        rows.kind[open_end], times_renewed(rows)[open_end], lag, rows.cancelled[open_end] != NEVER
    )
    open_end, chance = open_end[chance > 0], chance[chance > 0]
    place, draw = np.nonzero(rng.random((len(open_end), n)) < chance[:, None])
    return _renewed(setting, rng, open_end[place], draw, rows.ends[open_end[place]], rows.net[open_end[place]])


def draw_renewals_of(setting: Setting, signings: Signings, rng: np.random.Generator) -> Signings:
    """Renewals, within the horizon, of what is signed within the horizon."""
    rows = setting.state.agreements
    some = signings.take(np.flatnonzero(signings.like >= 0))
    ends = some.day + (rows.ends - rows.signed)[some.like]
    some, ends = some.take(near := (ends < setting.until + 60) & (rows.ends[some.like] != NEVER)), ends[near]
    times = np.zeros(len(some.day), dtype=np.int64)
    never = np.full(len(times), -(10**6))
    chance = setting.laws.renewals.remaining(rows.kind[some.like], times, never, np.zeros(len(times), np.bool_))
    kept = np.flatnonzero(rng.random(len(chance)) < chance)
    some, ends = some.take(kept), ends[kept]
    return _renewed(setting, rng, some.like, some.draw, ends, some.net, cell=some.cell)


def _renewed(
    setting: Setting,
    rng: np.random.Generator,
    like: Ints,
    draw: Ints,
    ends: Ints,
    net: Floats,
    cell: Ints | None = None,
) -> Signings:
    """Signatures around the ends of agreements, at amounts like renewals had."""
    rows, on, laws = setting.state.agreements, setting.state.on, setting.laws.renewals
    # A renewal that has not come by the cutoff comes with a lag that lies after it.
    first = np.searchsorted(laws.lags, on - ends, side="left")
    first = np.minimum(first, len(laws.lags) - 1)
    lag = laws.lags[(first + rng.random(len(first)) * (len(laws.lags) - first)).astype(np.int64)] if len(like) else like
    ratio = np.ones(len(like))
    kind = rows.kind[like]
    for name, values in laws.ratios.items():
        here = np.flatnonzero(kind == name)
        ratio[here] = pick(values, len(here), rng) if len(values) else 1.0
    return make_signings(
        setting,
        draw=draw,
        day=np.maximum(ends + lag, on),
        net=net * ratio,
        component=Component.RENEWALS,
        cell=rows.cell[like] if cell is None else cell,
        like=_renewal_like(setting, like, rng),
        source=like,
    )


def _renewal_like(setting: Setting, old: Ints, rng: np.random.Generator) -> Ints:
    """Agreements of the same kind that were renewals, whose terms renewals take."""
    rows = setting.state.agreements
    renews = np.unique(rows.renewed_to[rows.renewed_to >= 0])
    found = old.copy()
    kind = rows.kind[old]
    for name in dict.fromkeys(kind.tolist()):
        own = renews[rows.kind[renews] == name]
        here = np.flatnonzero(kind == name)
        if len(own):
            found[here] = pick(own, len(here), rng)
    return found
