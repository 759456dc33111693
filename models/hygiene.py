"""What the forecast of open deals would be if words were taken as they are, and what it is: hygiene as money.

Words of a deal are its promised day and its amount. Three steps lead from them to what is expected, and each is a sum
of money by deal and salesperson: the day (stale and pushed promises), the outcome (whether a rep's deals are won more
or less often than the peers'), and the amount (what it becomes until it is signed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.flow_rows import NEVER, WON, FlowState
from models.deal_chances import expected_amounts, signed_chances
from models.deal_snapshots import ends_of, open_snapshots, past_snapshots, standing_at
from models.expected_signings import Window
from models.flow_laws import EVERY_DAYS, YEARS, FlowLaws, clock_of
from models.rep_habits import REP, habit_of, shrunk_means, without_habits

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

# A promise that was moved later so often is stale, whatever day it names now.
PUSHES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """From words to what is expected, hundredths.

    Parameters
    ----------
    told : float
        What is promised for the period, at the chance with which such deals are won at all.
    day, outcome, amount : float
        What each correction adds or takes away.
    """

    told: float
    day: float
    outcome: float
    amount: float

    @property
    def corrected(self) -> float:
        """What is expected."""
        return self.told + self.day + self.outcome + self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class DealWords:
    """The words of one open deal.

    Parameters
    ----------
    opportunity_id, rep_id : str
        Which deal, and whose; empty for nobody's.
    promised : int or None
        The promised day, an epoch day.
    pushes : int
        How often it was moved later.
    is_stale : bool
        The promised day has passed, or was pushed `PUSHES` times and more.
    steps : Steps
        What the words are worth.
    """

    opportunity_id: str
    rep_id: str
    promised: int | None
    pushes: int
    is_stale: bool
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class RepWords:
    """The words of one salesperson.

    Parameters
    ----------
    rep_id : str
        Who; empty for deals of nobody.
    n_open, n_stale : int
        Open deals, and those with a stale promise.
    amount_factor, win_factor, loss_factor : float
        Own habits over those of the peers, shrunk: final over named amount, wins, losses.
    slip_days : float
        Days by which deals that were won came after the promised day, shrunk to the peers' mean.
    steps : Steps
        What the words are worth.
    """

    rep_id: str
    n_open: int
    n_stale: int
    amount_factor: float
    win_factor: float
    loss_factor: float
    slip_days: float
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Hygiene:
    """All words of open deals for a period: by deal, by salesperson, and together."""

    deals: tuple[DealWords, ...]
    reps: tuple[RepWords, ...]
    total: Steps


def judge_words(state: FlowState, laws: FlowLaws, window: Window) -> Hygiene:
    """What the words of every open deal are worth for a period, step by step.

    Parameters
    ----------
    state : FlowState
        The record at the cutoff.
    laws : FlowLaws
        What was learned of it, with the habits of salespeople.
    window : Window
        The period.
    """
    clock = clock_of(state, laws.day_weights, laws.country)
    peers = replace(laws, hazards=without_habits(laws.hazards), rep_ratios={})
    rows = open_snapshots(state, clock, laws.hazards.usual)
    at = np.append(window.edges, clock.first_day + len(clock.weights))
    usual, own = (signed_chances(rows, one, clock, at) for one in (peers, laws))
    named = np.where(np.isfinite(rows.amount), rows.amount, rows.usual)
    promised = standing_at(state, rows.deal, rows.day).expected
    # What is overdue is promised for the period that runs.
    is_due = window.holds(np.maximum(promised, state.on)) & (promised != NEVER)
    within = usual[:, 1] - usual[:, 0]
    told = np.where(promised == NEVER, within, usual[:, 2] * is_due) * named
    chance = own[:, 1] - own[:, 0]
    steps = np.column_stack(
        [told, within * named - told, (chance - within) * named, chance * (expected_amounts(rows, laws) - named)]
    )
    pushes = _pushes(state)[rows.deal]
    stale = ((promised < state.on) & (promised != NEVER)) | (pushes >= PUSHES)
    deals = [
        DealWords(
            opportunity_id=str(state.deals.name[deal]),
            rep_id=str(rows.facts[REP][place]),
            promised=None if promised[place] == NEVER else int(promised[place]),
            pushes=int(pushes[place]),
            is_stale=bool(stale[place]),
            steps=_steps(steps[place]),
        )
        for place, deal in enumerate(rows.deal.tolist())
    ]
    deals.sort(key=lambda one: (one.steps.corrected - one.steps.told, one.opportunity_id))
    reps = _reps(state, laws, rows.facts[REP], stale, steps)
    return Hygiene(deals=tuple(deals), reps=reps, total=_steps(steps.sum(axis=0)))


def _reps(
    state: FlowState, laws: FlowLaws, rep: Names, stale: npt.NDArray[np.bool_], steps: Floats
) -> tuple[RepWords, ...]:
    habits, slips, found = habit_of(laws.hazards), slip_days(state, laws), []
    for name in sorted(set(rep.tolist())):
        here = np.flatnonzero(rep == name)
        won, lost = habits.get(name, (1.0, 1.0))
        found.append(
            RepWords(
                rep_id=name,
                n_open=len(here),
                n_stale=int(stale[here].sum()),
                amount_factor=laws.rep_ratios.get(name, 1.0),
                win_factor=won,
                loss_factor=lost,
                slip_days=slips.get(name, slips.get("", 0.0)),
                steps=_steps(steps[here].sum(axis=0)),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.steps.corrected - one.steps.told, one.rep_id)))


def _steps(values: Floats) -> Steps:
    told, day, outcome, amount = values.tolist()
    return Steps(told=told, day=day, outcome=outcome, amount=amount)


def _pushes(state: FlowState) -> Ints:
    """How often the promised day of each deal was moved later, shape (n_deals,)."""
    moves = state.deals.moves["expected"]
    value = moves.value.astype(np.int64)
    begins = np.diff(moves.deal, prepend=-1) != 0
    before = np.where(begins, moves.first.astype(np.int64)[moves.deal], np.roll(value, 1))
    later = (value > before) & (value != NEVER) & (moves.day < state.on)
    return np.bincount(moves.deal[later], minlength=len(state.deals.name)).astype(np.int64)


def slip_days(state: FlowState, laws: FlowLaws) -> dict[str, float]:
    """By salesperson: days by which won deals came after their promised day; the mean of all under the empty name."""
    clock = clock_of(state, laws.day_weights, laws.country)
    rows = past_snapshots(state, clock, every_days=EVERY_DAYS, years=YEARS)
    promised = state.deals.moves["expected"].at(rows.deal, rows.day).astype(np.int64)
    known = np.flatnonzero((ends_of(state, rows, clock).outcome == WON) & (promised != NEVER))
    if not len(known):
        return {}
    slip = (state.deals.closed[rows.deal[known]] - promised[known]).astype(np.float64)
    deal, place = np.unique(rows.deal[known], return_inverse=True)
    mean = np.bincount(place, slip) / np.bincount(place)
    names, rep = np.unique(rows.facts[REP][known].astype(str), return_inverse=True)
    own = np.zeros(len(deal), dtype=np.int64)
    own[place] = rep
    every = float(mean.mean())
    apart = every + shrunk_means(mean, own, len(names))
    return {"": every} | {name: value for name, value in zip(names.tolist(), apart.tolist(), strict=True) if name}
