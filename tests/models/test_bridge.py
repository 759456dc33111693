"""The bridge sums exactly, leaves little to interaction, and moves only the bar of what was changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.columns import day_of
from features.flow_rows import LOST, FlowState, Moves
from features.flow_state import read_flow_state
from features.node_cells import node_named
from features.nodes import Level, Node
from models.bridge import Bridge, Moment, make_bridge
from models.bridge_bars import BAR_TEXTS, Bar
from models.expected_signings import Window
from models.flow_laws import learn_flows

COMPANY = Node(level=Level.COMPANY)
QUARTER = Window(begins=day_of(date(2026, 4, 1)), ends=day_of(date(2026, 7, 1)))
Read = Callable[[datetime], Moment]


def reader(folder: Path, size: str, months: int | None) -> Read:
    store = Store(folder / "record")
    write_company(make_company(size, 7) if months is None else make_company(size, 7, months=months), store)
    generation, known = store.current(), {}

    def read(at: datetime) -> Moment:
        if at not in known:
            state = read_flow_state(generation, at, zone=ZoneInfo("Asia/Shanghai"), currency="CNY")
            known[at] = Moment(state=state, laws=learn_flows(state, country="CN"))
        return known[at]

    return read


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Read:
    return reader(tmp_path_factory.mktemp("tiny"), "tiny", 30)


@pytest.fixture(scope="module")
def early(tiny: Read) -> Moment:
    return tiny(datetime(2026, 2, 28, 16, tzinfo=UTC))


@pytest.fixture(scope="module")
def late(tiny: Read) -> Moment:
    return tiny(datetime(2026, 5, 20, 16, tzinfo=UTC))


def moved(bridge: Bridge) -> set[Bar]:
    return {one.bar for one in bridge.bars if one.amount}


def with_deals(moment: Moment, **changed: object) -> Moment:
    state = moment.state
    return replace(moment, state=replace(state, deals=replace(state.deals, **changed)))


def always(values: np.ndarray) -> Moves:
    none = np.zeros(0, dtype=np.int64)
    return Moves(deal=none, day=none, value=values[:0], first=values)


def open_deal(state: FlowState) -> int:
    deals = state.deals
    return int(np.flatnonzero((deals.outcome == 0) & ~deals.is_signed & np.isfinite(deals.amount))[0])


def test_the_bars_sum_to_the_difference_to_the_cent(early: Moment, late: Moment) -> None:
    bridge = make_bridge(early, late, QUARTER, COMPANY)
    assert [one.bar for one in bridge.bars] == list(Bar)
    assert sum(one.amount for one in bridge.bars) == bridge.after - bridge.before
    assert abs(bridge.amount(Bar.INTERACTION)) <= 0.05 * bridge.gross
    assert {Bar.NEW, Bar.TIME} <= moved(bridge)


def test_regions_sum_to_the_company(early: Moment, late: Moment) -> None:
    regions = {str(name) for name in late.state.cells.region if name is not None}
    parts = [make_bridge(early, late, QUARTER, node_named(f"region:{region}")) for region in regions]
    whole = make_bridge(early, late, QUARTER, COMPANY)
    assert sum(part.after for part in parts) == pytest.approx(whole.after, abs=len(parts))
    assert sum(part.amount(Bar.WON) for part in parts) == pytest.approx(whole.amount(Bar.WON), abs=len(parts))


def test_a_moment_does_not_differ_from_itself(late: Moment) -> None:
    assert moved(make_bridge(late, late, QUARTER, COMPANY)) == set()


def test_another_model_of_the_same_record_moves_its_own_bar_alone(early: Moment, late: Moment) -> None:
    bridge = make_bridge(late, replace(late, laws=early.laws), QUARTER, COMPANY)
    assert moved(bridge) == {Bar.MODEL}


def test_a_changed_amount_moves_the_bar_of_amounts_and_names_the_deal(early: Moment) -> None:
    place = open_deal(early.state)
    deals, more = early.state.deals, early.state.deals.amount.copy()
    more[place] *= 1.3
    amount = deals.moves["amount"]
    # Said today, so the day of the cutoff tells it and the morning before does not.
    later = replace(early, state=replace(early.state, on=early.state.on + 1))
    one = Moves(
        deal=np.array([place]),
        day=np.array([early.state.on]),
        value=more[[place]],
        first=amount.at(np.arange(len(deals.name)), np.full(len(deals.name), early.state.on)),
    )
    changed = with_deals(later, moves={**deals.moves, "amount": one})
    bridge = make_bridge(early, changed, QUARTER, COMPANY)
    assert bridge.amount(Bar.AMOUNT) > 0
    (bar,) = [one for one in bridge.bars if one.bar is Bar.AMOUNT]
    assert [deal.opportunity_id for deal in bar.deals] == [deals.name[place]]
    assert bridge.amount(Bar.RECORD_CORRECTION) == 0


def test_what_is_known_only_later_of_the_same_day_is_a_correction(early: Moment) -> None:
    place = open_deal(early.state)
    deals = early.state.deals
    amounts = deals.moves["amount"].at(np.arange(len(deals.name)), np.full(len(deals.name), early.state.on))
    amounts[place] *= 2
    told = with_deals(early, moves={**deals.moves, "amount": always(amounts)})
    assert moved(make_bridge(early, told, QUARTER, COMPANY)) == {Bar.RECORD_CORRECTION}


def test_a_deal_that_vanishes_or_was_lost_before_is_a_correction_and_one_lost_since_is_lost(early: Moment) -> None:
    place, deals = open_deal(early.state), early.state.deals
    for day, bar in ((early.state.on - 5, Bar.RECORD_CORRECTION), (early.state.on + 5, Bar.LOST)):
        outcome, closed = deals.outcome.copy(), deals.closed.copy()
        outcome[place], closed[place] = LOST, day
        bridge = make_bridge(early, with_deals(early, outcome=outcome, closed=closed), QUARTER, COMPANY)
        assert moved(bridge) - {Bar.INTERACTION, Bar.NEW_PIPELINE} == {bar}
        assert bridge.amount(bar) < 0


def test_a_deal_that_changes_hands_moves_between_the_nodes(early: Moment) -> None:
    early = replace(early, laws=learn_flows(early.state, country="CN", corrects_reps=False))
    place, deals, cells = open_deal(early.state), early.state.deals, early.state.cells
    owner = cells.rep_id[deals.cell[place]]
    other = next(
        number
        for number in range(cells.n)
        if cells.rep_id[number] not in (None, owner)
        and cells.line[number] == cells.line[deals.cell[place]]
        and cells.buyer_type[number] == cells.buyer_type[deals.cell[place]]
    )
    cell = deals.cell.copy()
    cell[place] = other
    later = with_deals(early, cell=cell)
    lost, won, whole = (
        make_bridge(early, later, QUARTER, node)
        for node in (node_named(f"rep:{owner}"), node_named(f"rep:{cells.rep_id[other]}"), COMPANY)
    )
    assert moved(lost) == moved(won) == {Bar.OWNER}
    assert lost.amount(Bar.OWNER) == -won.amount(Bar.OWNER) < 0
    assert moved(whole) == set()


def test_every_bar_has_words_in_both_languages() -> None:
    assert set(BAR_TEXTS) == set(Bar)
    assert all(english and chinese for english, chinese in BAR_TEXTS.values())


@pytest.mark.slow
def test_little_is_left_to_interaction_on_fifty_pairs_of_days(tmp_path: Path) -> None:
    read = reader(tmp_path, "small", None)
    days = np.sort(np.random.default_rng(3).choice(900, 16, replace=False))
    moments = [read(datetime(2023, 12, 31, 16, tzinfo=UTC) + timedelta(days=int(day))) for day in days]
    pairs = [(one, other) for place, one in enumerate(moments) for other in moments[place + 1 :]]
    for one, other in [pairs[place] for place in np.random.default_rng(4).choice(len(pairs), 50, replace=False)]:
        begins = other.state.on - 45
        bridge = make_bridge(one, other, Window(begins=begins, ends=begins + 91), COMPANY)
        assert sum(bar.amount for bar in bridge.bars) == bridge.after - bridge.before
        assert abs(bridge.amount(Bar.INTERACTION)) <= 0.05 * bridge.gross
