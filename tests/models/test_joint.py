"""The published joint sample: coherent, levelled to the stacked forecasts, held to the money chain, wide enough."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.money import Measure, minor_units
from crm.store import Store
from features.flow_rows import WON, FlowState
from features.flow_state import read_flow_state
from features.nodes import Level, Node
from models.flow_laws import FlowLaws, learn_flows
from models.joint import Joint, draw_joint
from models.joint_forecast import sums_of
from models.joint_levels import make_parts
from models.joint_reps import choose_spread
from models.joint_rules import JointRules

BUCKETS = [0, 0, 0, 1, 1, 1]
COMPANY = Node(level=Level.COMPANY)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> FlowState:
    store = Store(tmp_path_factory.mktemp("record"))
    write_company(make_company("tiny", 5), store)
    generation = store.current()
    return read_flow_state(generation, generation.recorded_to, zone=ZoneInfo("Asia/Shanghai"), currency="CNY")


@pytest.fixture(scope="module")
def laws(state: FlowState) -> FlowLaws:
    return learn_flows(state, country="CN")


def draw(state: FlowState, laws: FlowLaws, rules: JointRules = JointRules(), **given: object) -> Joint:  # noqa: B008
    values: dict[str, object] = {"expected": {}, "to_date": {}, "buckets": BUCKETS, "n_draws": 80, "seed": 3} | given
    return draw_joint(state, laws, rules, **values)  # type: ignore[arg-type]


def test_a_record_that_ends_with_a_day_is_drawn_from_the_next_month_on(state: FlowState, laws: FlowLaws) -> None:
    assert draw(state, laws).month == np.datetime64("2026-07")


def test_every_draw_adds_up_after_it_was_levelled_widened_and_rounded(state: FlowState, laws: FlowLaws) -> None:
    spread = {measure.value: (0.2, 0.3) for measure in Measure}
    rules = JointRules(company_spread=spread, part_spread=spread, rep_spread={"bookings": 0.4, "receipts": 0.4})
    joint = draw(state, laws, rules, expected={("bookings", COMPANY): np.full(6, 5e6)})
    rows = {level: [place for place, node in enumerate(joint.nodes) if node.level is level] for level in Level}
    for draws in joint.draws.values():
        assert draws.dtype == np.int64
        assert np.array_equal(draws[rows[Level.REGION]].sum(axis=0), draws[rows[Level.COMPANY][0]])
        assert np.array_equal(draws[rows[Level.BUYER_TYPE]].sum(axis=0), draws[rows[Level.COMPANY][0]])


def test_means_follow_the_stacked_forecast_of_the_parts(state: FlowState, laws: FlowLaws) -> None:
    plain = draw(state, laws)
    parts = make_parts(state.cells)
    booked = plain.raw_mean[Measure.BOOKINGS][1:]
    expected = {
        ("bookings", node): 1.5 * booked[place] / minor_units(Measure.BOOKINGS)
        for place, node in enumerate(parts.nodes[-parts.n :])
    }
    levelled = draw(state, laws, expected=expected)
    before, after = (one.draws[Measure.BOOKINGS][0].mean() for one in (plain, levelled))
    assert after == pytest.approx(1.5 * before, rel=1e-3)


def test_what_a_month_brought_already_is_part_of_it(state: FlowState, laws: FlowLaws) -> None:
    plain = draw(state, laws)
    told = draw(state, laws, to_date={("bookings", COMPANY): 12_345})
    first = told.draws[Measure.BOOKINGS][0, 0] - plain.draws[Measure.BOOKINGS][0, 0]
    assert (first == 12_345).all()
    draws, made_of = sums_of(told, Measure.BOOKINGS, COMPANY, slice(0, 3))
    assert sum(made_of.values()) == pytest.approx(draws.mean())


def test_no_factor_lets_a_part_receive_more_than_it_is_owed_and_signs(state: FlowState, laws: FlowLaws) -> None:
    nobody = {name: getattr(state.invoices, name)[:0] for name in ("cell", "account", "day", "net", "gross")}
    alone = replace(state, invoices=replace(state.invoices, **nobody))
    greedy = {("receipts", node): np.full(6, 1e9) for node in make_parts(state.cells).nodes}
    joint = draw(alone, laws, JointRules(company_spread={"receipts": (0.4, 0.4)}), expected=greedy)
    tax = state.agreements.gross.sum() / state.agreements.net.sum()
    held = 0
    for part, node in enumerate(joint.parts.nodes[-joint.parts.n :]):
        if node not in joint.nodes:
            continue
        place = joint.nodes.index(node)
        mine = [rows.gross[joint.parts.part[rows.cell] == part].sum() for rows in (state.claims, state.bills)]
        received, signed = (joint.draws[one][place].cumsum(axis=0) for one in (Measure.RECEIPTS, Measure.BOOKINGS))
        room = sum(mine) + tax * signed
        # Every receipt is rounded to the hundredth.
        assert (received <= room + 1e4).all()
        held += int((received >= 0.95 * room).sum())
    assert held > 0


def test_a_wider_spread_widens_ranges_and_moves_no_mean_far(state: FlowState, laws: FlowLaws) -> None:
    plain = draw(state, laws, n_draws=400)
    wide = draw(state, laws, JointRules(company_spread={"bookings": (0.4, 0.4)}), n_draws=400)
    before, after = (one.draws[Measure.BOOKINGS][0].sum(axis=0) for one in (plain, wide))
    assert after.std() > 1.2 * before.std()
    assert after.mean() == pytest.approx(before.mean(), rel=0.08)


def test_components_without_rows_say_nothing(state: FlowState, laws: FlowLaws) -> None:
    nobody = replace(state, deals=replace(state.deals, is_signed=np.ones(len(state.deals.name), dtype=bool)))
    joint = draw(nobody, laws)
    assert joint.components[Measure.BOOKINGS][0, :, 2].sum() == 0


def test_without_agreements_a_won_deal_is_its_own_signature(tmp_path: Path) -> None:
    company = make_company("tiny", 5)
    kept = ("accounts", "opportunities", "changes", "products", "reps", "fx_rates")
    store = Store(tmp_path)
    write_company(replace(company, tables={name: company.tables[name] for name in kept}), store)
    generation = store.current()
    alone = read_flow_state(generation, generation.recorded_to, zone=ZoneInfo("Asia/Shanghai"), currency="CNY")
    assert alone.deals.is_signed[alone.deals.outcome == WON].all()
    joint = draw(alone, learn_flows(alone, country="CN"))
    assert joint.draws[Measure.BOOKINGS][0].mean() > 0


def without(state: FlowState, **given: object) -> FlowState:
    return replace(state, agreements=replace(state.agreements, **given))  # type: ignore[arg-type]


def test_renewals_that_are_deals_are_counted_once(state: FlowState, laws: FlowLaws) -> None:
    rows, deals = state.agreements, state.deals
    renews = np.unique(rows.renewed_to[rows.renewed_to >= 0])
    won = np.flatnonzero(deals.outcome == WON)
    of = won[np.arange(len(renews)) % len(won)]
    both = without(state, deal=np.where(np.isin(np.arange(len(rows.deal)), renews), -1, rows.deal))
    linked = both.agreements.deal.copy()
    linked[renews] = of
    plain, told = draw(both, laws), draw(without(both, deal=linked), laws)
    new = [one.components[Measure.BOOKINGS][0, :, 3].sum() for one in (plain, told)]
    assert new[1] < new[0]


def test_a_measure_whose_panel_counts_other_rows_is_left_to_its_history(tmp_path: Path) -> None:
    company = make_company("tiny", 5)
    kept = {name: rows for name, rows in company.tables.items() if name not in ("invoices", "receipt_allocations")}
    store = Store(tmp_path)
    write_company(replace(company, tables=kept), store)
    generation = store.current()
    alone = read_flow_state(generation, generation.recorded_to, zone=ZoneInfo("Asia/Shanghai"), currency="CNY")
    told = set(draw(alone, learn_flows(alone, country="CN")).draws)
    assert told == {Measure.BOOKINGS, Measure.NEW_CUSTOMERS, Measure.GROSS_MARGIN}


def test_ranges_that_hold_as_promised_are_not_widened() -> None:
    assert choose_spread(np.array([800.0, 850.0, 880.0, 900.0, 920.0, 930.0]), 1000.0) == 0.0
    assert choose_spread(np.array([600.0, 650.0, 700.0, 760.0, 795.0, 830.0]), 1000.0) == 0.6
