"""How much of a known bias of salespeople's words the forecast of a demo company sees through."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.flow_rows import NEVER, OPEN, FlowState
from features.flow_state import read_flow_state
from models.expected_signings import Window
from models.flow_laws import learn_flows
from models.hygiene import Steps, judge_words

Floats: TypeAlias = npt.NDArray[np.float64]

_AS_OF = tuple(datetime(2025, month, 14, 16, tzinfo=UTC) for month in (2, 5, 8, 11))
# Promises matter to the weeks ahead, amounts to the whole quarter.
_AHEAD, _SOON = 90, 45
INFLATED, EARLY, SHARE = 1.3, 30, 4


def measure_hygiene(seed: int) -> Iterator[Figure]:
    """The shares of injected biases, of amounts and of days, that the correction takes out again, in money."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "record")
        write_company(make_company("medium", 9_000 + seed), store)
        generation = store.current()
        found = []
        with generation.engine() as engine:
            for as_of in _AS_OF:
                state = read_flow_state(
                    generation, as_of, zone=ZoneInfo("Asia/Shanghai"), currency="CNY", engine=engine
                )
                found.append((recovered(state), recovered_days(state)))
    for name, bias, rows in zip(("", "dates_"), _BIASES, np.array(found).transpose(1, 2, 0), strict=True):
        yield _figure(f"forecast/demo_hygiene_{name}recovered", bias, rows, seed)


_BIASES = (
    "amounts of open and past deals 30 % too high until they are won. Share of the money so added to the next 90 days",
    "promised days of open and past deals 30 days too early. Share of the money so moved in the next 45 days",
)


def _figure(name: str, bias: str, rows: Floats, seed: int) -> Figure:
    injected, left, followed = rows
    draws = np.random.default_rng(seed).integers(len(left), size=(2_000, len(left)))
    low, high = np.quantile(1 - left[draws].sum(axis=1) / injected[draws].sum(axis=1), [0.025, 0.975])
    return Figure(
        name=name,
        value=float(1 - left.sum() / injected.sum()),
        low=float(low),
        high=float(high),
        baseline=float(1 - followed.sum() / injected.sum()),
        goal=0.8,
        protocol=f"Demo medium, an unseen seed, four cutoffs of 2025. Every fourth salesperson names {bias} at their "
        "words, person by person, that the corrected forecast does not follow; interval: bootstrap over cutoffs. "
        "Baseline: corrected by what is usual in the company alone.",
    )


def inflate(state: FlowState, reps: Sequence[str], factor: float) -> FlowState:
    """The same record, had these salespeople named other amounts while their deals were open.

    Parameters
    ----------
    state : FlowState
        The record.
    reps : sequence of str
        Who.
    factor : float
        What they multiply amounts by.
    """
    deals = state.deals
    told = np.isin(state.cells.rep_id[deals.cell].astype(str), np.array(reps, dtype=str))
    moves = deals.moves["amount"]
    louder = replace(
        moves,
        first=np.where(told, moves.first.astype(np.float64) * factor, moves.first.astype(np.float64)),
        value=np.where(told[moves.deal], moves.value.astype(np.float64) * factor, moves.value.astype(np.float64)),
    )
    amount = np.where(told & (deals.outcome == OPEN), deals.amount * factor, deals.amount)
    return replace(state, deals=replace(deals, amount=amount, moves={**deals.moves, "amount": louder}))


def promise_early(state: FlowState, reps: Sequence[str], days: int) -> FlowState:
    """The same record, had these salespeople promised every deal so many days earlier; arguments as `inflate`."""
    deals = state.deals
    told = np.isin(state.cells.rep_id[deals.cell].astype(str), np.array(reps, dtype=str))
    moves = deals.moves["expected"]
    first, value = moves.first.astype(np.int64), moves.value.astype(np.int64)
    sooner = replace(
        moves,
        first=np.where(told & (first != NEVER), first - days, first),
        value=np.where(told[moves.deal] & (value != NEVER), value - days, value),
    )
    return replace(state, deals=replace(deals, moves={**deals.moves, "expected": sooner}))


def recovered(state: FlowState) -> tuple[float, float, float]:
    """What inflated words add, what of it is left when corrected by person, and when corrected alike for all."""
    names = _named(state)
    return _left(state, inflate(state, names, INFLATED), names, _AHEAD, lambda steps: steps.corrected - steps.amount)


def recovered_days(state: FlowState) -> tuple[float, float, float]:
    """The same of promises that are too early; what they move counts without its sign."""
    names = _named(state)
    return _left(state, promise_early(state, names, EARLY), names, _SOON, lambda steps: steps.told)


def _named(state: FlowState) -> list[str]:
    return sorted({name for name in state.cells.rep_id.tolist() if name is not None})[::SHARE]


def _left(
    state: FlowState, biased: FlowState, names: list[str], ahead: int, words: Callable[[Steps], float]
) -> tuple[float, float, float]:
    plain, loud = (_forecasts(one, names, ahead, words) for one in (state, biased))
    moved = np.abs(loud - plain).sum(axis=1)
    return float(moved[0]), float(moved[1]), float(moved[2])


def _forecasts(state: FlowState, names: list[str], ahead: int, words: Callable[[Steps], float]) -> Floats:
    """By salesperson: at their words, corrected by their own habits, corrected alike for all, shape (3, n_names)."""
    window = Window(begins=state.on, ends=state.on + ahead)
    found = np.zeros((3, len(names)))
    for row, corrects in ((1, True), (2, False)):
        judged = judge_words(state, learn_flows(state, country="CN", corrects_reps=corrects), window)
        for rep in judged.reps:
            if rep.rep_id in names:
                found[row, names.index(rep.rep_id)] = rep.steps.corrected
                if corrects:
                    found[0, names.index(rep.rep_id)] = words(rep.steps)
    return found
