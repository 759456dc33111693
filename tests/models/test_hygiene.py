"""Words of deals become money step by step, and a known bias of salespeople is seen through."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from benchmarks.forecast_hygiene import inflate, recovered, recovered_days
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.flow_rows import OPEN, FlowState, Moves
from features.flow_state import read_flow_state
from models.deal_chances import expected_amounts, signed_chances
from models.deal_snapshots import open_snapshots
from models.expected_signings import Window
from models.flow_laws import FlowLaws, clock_of, learn_flows
from models.hygiene import Hygiene, judge_words


def read(folder: Path, size: str, at: datetime) -> FlowState:
    store = Store(folder / "record")
    write_company(make_company(size, 7), store)
    return read_flow_state(store.current(), at, zone=ZoneInfo("Asia/Shanghai"), currency="CNY")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> FlowState:
    return read(tmp_path_factory.mktemp("tiny"), "tiny", datetime(2026, 2, 10, 16, tzinfo=UTC))


@pytest.fixture(scope="module")
def laws(state: FlowState) -> FlowLaws:
    return learn_flows(state, country="CN")


def judge(state: FlowState, laws: FlowLaws) -> Hygiene:
    return judge_words(state, laws, Window(begins=state.on - 20, ends=state.on + 60))


def test_deals_sum_to_salespeople_and_these_to_the_company(state: FlowState, laws: FlowLaws) -> None:
    found = judge(state, laws)
    assert len(found.deals) == sum(rep.n_open for rep in found.reps) > 0
    for name in ("told", "day", "outcome", "amount", "corrected"):
        by_deal, by_rep = (sum(getattr(one.steps, name) for one in rows) for rows in (found.deals, found.reps))
        assert by_deal == pytest.approx(by_rep)
        assert by_deal == pytest.approx(getattr(found.total, name))


def test_what_is_corrected_is_what_the_forecast_expects(state: FlowState, laws: FlowLaws) -> None:
    clock = clock_of(state, laws.day_weights, laws.country)
    rows = open_snapshots(state, clock, laws.hazards.usual)
    chance = signed_chances(rows, laws, clock, np.array([state.on + 60]))[:, 0]
    expected = float(chance @ expected_amounts(rows, laws))
    assert judge(state, laws).total.corrected == pytest.approx(expected)


def test_without_habits_nobody_is_corrected_by_name(state: FlowState) -> None:
    found = judge(state, learn_flows(state, country="CN", corrects_reps=False))
    assert found.total.outcome == 0
    assert {(rep.amount_factor, rep.win_factor, rep.loss_factor) for rep in found.reps} == {(1.0, 1.0, 1.0)}


def test_promises_that_passed_or_were_pushed_again_and_again_are_stale(state: FlowState, laws: FlowLaws) -> None:
    deals = state.deals
    some = np.flatnonzero((deals.outcome == OPEN) & ~deals.is_signed)[:2]
    first = deals.moves["expected"].at(np.arange(len(deals.name)), np.full(len(deals.name), state.on)).astype(np.int64)
    first[some] = state.on + 1, state.on - 1
    pushed = Moves(
        deal=np.repeat(some[:1], 3),
        day=state.on - np.array([30, 20, 10]),
        value=state.on + np.array([10, 20, 30]),
        first=first,
    )
    changed = replace(state, deals=replace(deals, moves={**deals.moves, "expected": pushed}))
    told = {one.opportunity_id: one for one in judge(changed, laws).deals}
    often, passed = (told[str(deals.name[place])] for place in some)
    assert (often.pushes, often.is_stale, often.promised) == (3, True, state.on + 30)
    assert (passed.pushes, passed.is_stale) == (0, True)


def test_inflating_changes_the_words_of_those_named_and_no_final_amount(state: FlowState) -> None:
    name = next(str(rep) for rep in state.cells.rep_id if rep is not None)
    louder = inflate(state, [name], 1.3)
    own = state.cells.rep_id[state.deals.cell] == name
    closed = state.deals.outcome != OPEN
    assert np.array_equal(louder.deals.amount[closed], state.deals.amount[closed], equal_nan=True)
    assert np.array_equal(louder.deals.amount[~own], state.deals.amount[~own], equal_nan=True)
    deal, day = np.flatnonzero(own), np.full(int(own.sum()), state.on)
    told, before = (one.deals.moves["amount"].at(deal, day).astype(float) for one in (louder, state))
    assert told == pytest.approx(before * 1.3, nan_ok=True)


@pytest.mark.slow
def test_four_fifths_of_an_injected_bias_are_seen_through(tmp_path: Path) -> None:
    state = read(tmp_path, "medium", datetime(2025, 2, 14, 16, tzinfo=UTC))
    amounts, days = recovered(state), recovered_days(state)
    for injected, left, _ in (amounts, days):
        assert 1 - left / injected >= 0.8
    assert amounts[1] < amounts[2]
