"""What is supposed of a deal moves the joint draws as a whole new simulation would, and moves nothing else."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.money import Measure
from crm.store import Store
from features.flow_rows import LOST, FlowState, Moves
from features.flow_state import read_flow_state
from features.nodes import Level
from models.deal_what_if import (
    BookingSample,
    Fate,
    NotOpen,
    Question,
    WhatIf,
    ask_terms,
    ask_what_if,
    open_deal,
    sample_bookings,
)
from models.flow_draws import draw_flows
from models.flow_laws import learn_flows

N_MONTHS, N_DRAWS, SEED = 9, 200, 3
PERIOD, AHEAD = range(-1, 3), slice(0, 3)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> FlowState:
    store = Store(tmp_path_factory.mktemp("record"))
    write_company(make_company("tiny", 7, months=30), store)
    at = datetime(2026, 2, 10, 16, tzinfo=UTC)
    return read_flow_state(store.current(), at, zone=ZoneInfo("Asia/Shanghai"), currency="CNY")


@pytest.fixture(scope="module")
def sample(state: FlowState) -> BookingSample:
    laws = learn_flows(state, country="CN")
    return sample_bookings(state, laws, n_months=N_MONTHS, n_draws=N_DRAWS, seed=SEED)


@pytest.fixture(scope="module")
def deal(state: FlowState) -> int:
    deals = state.deals
    found = np.flatnonzero((deals.outcome == 0) & ~deals.is_signed & np.isfinite(deals.amount))
    return int(found[np.argmax(deals.amount[found])])


def company(answers: tuple[WhatIf, ...]) -> WhatIf:
    return next(one for one in answers if one.node.level is Level.COMPANY)


def ask(sample: BookingSample, question: Question, reach: float | None = None) -> WhatIf:
    asked = None if reach is None else {"company": reach}
    return company(ask_what_if(sample, question, period=PERIOD, reach=asked))


def again(sample: BookingSample, state: FlowState) -> BookingSample:
    return sample_bookings(state, sample.laws, n_months=N_MONTHS, n_draws=N_DRAWS, seed=SEED)


def came(state: FlowState) -> float:
    """Bookings of January, the month before the running one."""
    rows = state.agreements
    january = (rows.signed.astype("datetime64[D]") >= np.datetime64("2026-01-01")) & (
        rows.signed.astype("datetime64[D]") < np.datetime64("2026-02-01")
    )
    return float(rows.net[january].sum())


def test_the_sample_is_the_one_of_the_joint_forecast(sample: BookingSample) -> None:
    flows = draw_flows(sample.state, sample.laws, n_months=N_MONTHS, n_draws=N_DRAWS, seed=SEED)
    assert flows.places.nodes == sample.places.nodes
    still_to_come = sample.draws[:, 1:]
    assert np.array_equal(flows.draws[Measure.BOOKINGS][:, 1:], still_to_come)


def test_a_lost_deal_changes_what_a_new_simulation_without_it_changes(sample: BookingSample, deal: int) -> None:
    begin = time.perf_counter()
    asked = ask(sample, Question(deal=deal, fate=Fate.LOST))
    assert time.perf_counter() - begin < 1
    deals = sample.state.deals
    outcome = np.where(np.arange(len(deals.name)) == deal, LOST, deals.outcome)
    closed = np.where(outcome == LOST, np.minimum(deals.closed, sample.state.on), deals.closed)
    simulated = again(sample, replace(sample.state, deals=replace(deals, outcome=outcome, closed=closed)))
    reached = (came(sample.state) + simulated.draws[0, AHEAD].sum(axis=0) >= asked.reach).mean()
    assert abs(reached - asked.chance_after) <= 0.005
    assert asked.after[AHEAD] == pytest.approx(simulated.draws[0, AHEAD].mean(axis=1), rel=0.005)
    assert (asked.after <= asked.before).all()
    assert asked.chance_after <= asked.chance_before


def test_another_amount_changes_what_a_new_simulation_with_it_changes(sample: BookingSample, deal: int) -> None:
    deals = sample.state.deals
    net = float(deals.amount[deal]) * 3
    asked = ask(sample, Question(deal=deal, fate=Fate.AS_IT_STANDS, net=net))
    none = np.zeros(0, dtype=np.int64)
    n = len(deals.name)
    amount = deals.moves["amount"].at(np.arange(n), np.full(n, sample.state.on))
    amount[deal] = net
    moves = {**deals.moves, "amount": Moves(deal=none, day=none, value=amount[:0], first=amount)}
    simulated = again(sample, replace(sample.state, deals=replace(deals, moves=moves)))
    reached = (came(sample.state) + simulated.draws[0, AHEAD].sum(axis=0) >= asked.reach).mean()
    assert abs(reached - asked.chance_after) <= 0.005
    assert asked.after[AHEAD].sum() > asked.before[AHEAD].sum()


def test_a_deal_that_slips_books_nothing_before_its_new_date(sample: BookingSample, deal: int) -> None:
    day = sample.state.on + 80
    slipped = ask(sample, Question(deal=deal, fate=Fate.SLIPPED, day=day))
    lost = ask(sample, Question(deal=deal, fate=Fate.LOST))
    month = int(np.datetime64(day, "D").astype("datetime64[M]").astype(int)) - sample.month
    assert np.array_equal(slipped.after[:month], lost.after[:month])
    assert slipped.after[month:].sum() > lost.after[month:].sum()


def test_a_deal_that_is_won_is_booked_in_every_draw_on_its_day(sample: BookingSample, deal: int) -> None:
    day = sample.state.on + 30
    won = ask(sample, Question(deal=deal, fate=Fate.WON, day=day, net=1_000_000.0))
    lost = ask(sample, Question(deal=deal, fate=Fate.LOST))
    gained = won.after - lost.after
    month = int(np.datetime64(day, "D").astype("datetime64[M]").astype(int)) - sample.month
    assert np.flatnonzero(gained > 0.5).tolist() == [month]
    assert gained[month] == pytest.approx(1_000_000.0)


def test_only_the_nodes_of_the_deal_are_told(sample: BookingSample, deal: int) -> None:
    nodes = [one.node for one in ask_what_if(sample, Question(deal=deal, fate=Fate.LOST), period=PERIOD)]
    assert len({node.level for node in nodes}) == len(nodes) >= 5


def test_nothing_supposed_changes_nothing(sample: BookingSample, deal: int) -> None:
    same = ask(sample, Question(deal=deal, fate=Fate.AS_IT_STANDS))
    assert np.array_equal(same.before, same.after)
    assert same.chance_before == same.chance_after == pytest.approx(0.5, abs=0.01)


def test_later_terms_move_cash_and_make_none(sample: BookingSample, deal: int) -> None:
    before, after = ask_terms(sample, deal, 30)
    assert after.sum() <= before.sum() + 0.5
    assert (np.cumsum(after) <= np.cumsum(before) + 0.5).all()
    same, still = ask_terms(sample, deal, 0)
    assert np.array_equal(same, still)


def test_a_deal_that_is_closed_or_unknown_is_refused(state: FlowState, deal: int) -> None:
    assert open_deal(state, str(state.deals.name[deal])) == deal
    closed = str(state.deals.name[np.flatnonzero(state.deals.outcome == LOST)[0]])
    for name in (closed, "nobody's"):
        with pytest.raises(NotOpen):
            open_deal(state, name)
