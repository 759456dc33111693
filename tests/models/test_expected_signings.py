"""What is expected in closed form is the mean of the joint draws, node by node."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.flow_state import read_flow_state
from features.node_cells import cells_of, node_named
from models.bridge import Moment, make_bridge
from models.expected_signings import Renewable, Window, direct_agreements, expected_inflow, new_deals, renewal_share
from models.flow_draws import draw_settings
from models.flow_laws import clock_of, learn_flows
from models.renewal_laws import RenewalLaws
from models.signing_draws import draw_signings
from models.signings import Component, Signings, join_signings

DAYS = 160


@pytest.fixture(scope="module")
def moment(tmp_path_factory: pytest.TempPathFactory) -> Moment:
    store = Store(tmp_path_factory.mktemp("record"))
    write_company(make_company("tiny", 7, months=30), store)
    at = datetime(2026, 2, 10, 16, tzinfo=UTC)
    state = read_flow_state(store.current(), at, zone=ZoneInfo("Asia/Shanghai"), currency="CNY")
    return Moment(state=state, laws=learn_flows(state, country="CN"))


@pytest.fixture(scope="module")
def drawn(moment: Moment) -> Signings:
    """Four hundred draws, the number of each within the whole sample."""
    found = []
    until = moment.state.on + DAYS
    for begin, seed, setting in draw_settings(moment.state, moment.laws, until=until, n_draws=400, seed=2):
        one = draw_signings(setting, seed)
        found.append(replace(one, draw=one.draw + begin))
    return join_signings(found)


def mean_and_error(drawn: Signings, kept: np.ndarray) -> tuple[float, float]:
    sums = np.bincount(drawn.draw[kept], drawn.net[kept], minlength=400)
    return float(sums.mean()), float(sums.std() / np.sqrt(400))


@pytest.mark.parametrize("level", ["company", "region", "line"])
def test_what_comes_without_a_row_is_expected_as_it_is_drawn(moment: Moment, drawn: Signings, level: str) -> None:
    state = moment.state
    name = level if level == "company" else f"{level}:{next(one for one in state.cells.axis(level) if one)}"
    member = cells_of(state.cells, node_named(name))
    clock = clock_of(state, moment.laws.day_weights, "CN")
    window = Window(begins=state.on + 30, ends=state.on + DAYS)
    inside = (drawn.day >= window.begins) & member[drawn.cell]
    for component, make in ((Component.NEW_DEALS, new_deals), (Component.RUN_RATE, direct_agreements)):
        expected = expected_inflow(make(state, clock, member), state.on, window, moment.laws, clock)
        mean, error = mean_and_error(drawn, inside & (drawn.component == component))
        assert abs(mean - expected) <= 4.5 * error + 1


def test_the_whole_forecast_of_a_period_is_the_mean_of_the_draws(moment: Moment, drawn: Signings) -> None:
    state = moment.state
    window = Window(begins=state.on - 40, ends=state.on + DAYS)
    bridge = make_bridge(moment, moment, window, node_named("company"))
    signed = state.agreements.net[window.holds(state.agreements.signed)].sum()
    mean, error = mean_and_error(drawn, np.ones(len(drawn.day), dtype=np.bool_))
    assert abs(signed + mean - bridge.before) <= 4.5 * error


def test_a_renewal_comes_by_its_lag_and_not_before_now() -> None:
    laws = RenewalLaws(
        chance={("licence", 0): 0.5}, lags=np.array([-20, 0, 0, 30]), ratios={"licence": np.array([1.2])}, cancels=0.0
    )
    rows = Renewable(
        kind=np.array(["licence", "licence", "hardware", "licence"], dtype=object),
        times=np.zeros(4, dtype=np.int64),
        ends=np.array([100, 40, 100, 100]),
        on=np.full(4, 50),
        is_cancelled=np.array([False, False, False, True]),
    )
    # The second ended ten days ago: of four lags the last is left, and of its chance what did not come by then.
    late = 0.5 * 0.25 / (1 - 0.5 * 0.75) * 1.2
    assert renewal_share(rows, laws, Window(begins=0, ends=1000)) == pytest.approx([0.6, late, 0, 0])
    assert renewal_share(rows, laws, Window(begins=95, ends=105)) == pytest.approx([0.3, 0, 0, 0])
    assert renewal_share(rows, laws, Window(begins=0, ends=50)) == pytest.approx([0, 0, 0, 0])
