"""How much of a known bias of salespeople's words the forecast of a demo company sees through."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
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
from features.flow_rows import OPEN, FlowState
from features.flow_state import read_flow_state
from models.expected_signings import Window
from models.flow_laws import learn_flows
from models.hygiene import judge_words

Floats: TypeAlias = npt.NDArray[np.float64]

_AS_OF = tuple(datetime(2025, month, 14, 16, tzinfo=UTC) for month in (2, 5, 8, 11))
_AHEAD = 90
INFLATED, SHARE = 1.3, 4


def measure_hygiene(seed: int) -> Iterator[Figure]:
    """The share of an injected bias that the correction takes out again, in money."""
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
                found.append(recovered(state))
    injected, left, followed = np.array(found).T
    draws = np.random.default_rng(seed).integers(len(found), size=(2_000, len(found)))
    low, high = np.quantile(1 - left[draws].sum(axis=1) / injected[draws].sum(axis=1), [0.025, 0.975])
    yield Figure(
        name="forecast/demo_hygiene_recovered",
        value=float(1 - left.sum() / injected.sum()),
        low=float(low),
        high=float(high),
        baseline=float(1 - followed.sum() / injected.sum()),
        goal=0.8,
        protocol="Demo medium, an unseen seed, four cutoffs of 2025. Every fourth salesperson names amounts of open "
        "and past deals 30 % too high until they are won. Share of the money so added to the next 90 days at their "
        "words, person by person, that the corrected forecast does not follow; interval: bootstrap over cutoffs. "
        "Baseline: amounts corrected by what is usual in the company alone.",
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


def recovered(state: FlowState) -> tuple[float, float, float]:
    """What inflated words add, what of it is left when corrected by person, and when corrected alike for all."""
    names = sorted({name for name in state.cells.rep_id.tolist() if name is not None})[::SHARE]
    plain, loud = (_forecasts(one, names) for one in (state, inflate(state, names, INFLATED)))
    words = loud[0] - plain[0]
    return float(words.sum()), *(float(np.abs(loud[row] - plain[row]).sum()) for row in (1, 2))


def _forecasts(state: FlowState, names: Sequence[str]) -> Floats:
    """By salesperson: at their amounts, corrected by their own habits, corrected alike for all, shape (3, n_names)."""
    window = Window(begins=state.on, ends=state.on + _AHEAD)
    found = np.zeros((3, len(names)))
    for row, corrects in ((1, True), (2, False)):
        judged = judge_words(state, learn_flows(state, country="CN", corrects_reps=corrects), window)
        for rep in judged.reps:
            if rep.rep_id in names:
                found[row, names.index(rep.rep_id)] = rep.steps.corrected
                if corrects:
                    found[0, names.index(rep.rep_id)] = rep.steps.corrected - rep.steps.amount
    return found
