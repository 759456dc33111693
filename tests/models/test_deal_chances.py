"""The closed form of what becomes of open deals holds against its draws, and against hand numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.business_time import CLASSES, make_business_clock
from features.flow_rows import NEVER
from models.deal_chances import expected_amounts, signed_chances, waiting_chances
from models.deal_draws import draw_rows, luck_of
from models.deal_hazards import EDGES, DealHazards, Effects
from models.deal_snapshots import Snapshots
from models.flow_laws import FlowLaws
from models.payment_laws import PaymentLaws
from models.renewal_laws import RenewalLaws
from models.signings import Setting

ON, N_DRAWS = 1000, 20_000
CLOCK = make_business_clock(ON - 500, ON + 900, "", dict.fromkeys(CLASSES, 1.0))
DAYS = np.array([ON, ON + 1, ON + 9, ON + 40, ON + 120, ON + 700])


def made_laws(sign_days: list[int], tender_lags: list[int]) -> FlowLaws:
    none = np.zeros(0, dtype=np.int64)
    levels = {"stage": ("early", "late", "(other)")}
    base = np.linspace(-4.5, -3.0, 3)[:, None] + np.linspace(0.3, -0.6, len(EDGES) - 1)
    return FlowLaws(
        day_weights=dict.fromkeys(CLASSES, 1.0),
        country="",
        hazards=DealHazards(
            levels=levels,
            won=Effects(base=base, factors={}),
            lost=Effects(base=base[::-1] + 0.2, factors={}),
            tender={"base": np.array([0.4]), "stage": np.array([-0.5, 0.5, 0.0])},
            tender_lags=np.array(tender_lags, dtype=np.int64),
            n_won=50,
            usual=700.0,
        ),
        rep_ratios={"R1": 0.8},
        amount_ratios={"early": np.array([0.5, 0.9]), "late": np.array([1.0, 1.1])},
        sign_days=np.array(sign_days, dtype=np.int64),
        renewals=RenewalLaws(chance={}, lags=none, ratios={}, cancels=0.0),
        bill_lags={},
        payments=PaymentLaws(common=none, own=none, begins=np.zeros(1, dtype=np.int64)),
        shock=0.0,
    )


def deals(tender: list[int]) -> Snapshots:
    stage = np.array(["early", "late", "never seen"], dtype=object)
    return Snapshots(
        deal=np.arange(3),
        day=np.full(3, ON),
        facts={"stage": stage, "rep": np.array(["R1", "R2", ""], dtype=object)},
        amount=np.array([1000.0, 2000.0, np.nan]),
        tender=np.array(tender),
        usual=700.0,
    )


@pytest.mark.parametrize(
    ("sign_days", "lags", "tender"),
    [
        ([0, 0, 3, 12], [2], [NEVER, NEVER, NEVER]),
        ([], [0, 4, 4, 60], [ON - 20, ON + 30, NEVER]),
        ([5, 40], [], [ON - 3, ON + 2, ON + 90]),
    ],
)
def test_the_chances_are_those_of_the_draws(sign_days: list[int], lags: list[int], tender: list[int]) -> None:
    laws, rows = made_laws(sign_days, lags), deals(tender)
    chances = signed_chances(rows, laws, CLOCK, DAYS)
    setting = Setting(
        state=_State(ON),  # type: ignore[arg-type]
        laws=laws,
        clock=CLOCK,
        until=ON + 800,
        n_draws=N_DRAWS,
        shock=np.ones(N_DRAWS),
    )
    names = np.array(["a", "b", "c"], dtype=object)
    place, _, day, net = draw_rows(setting, rows, luck_of(names, 3, N_DRAWS))
    for number, on in enumerate(DAYS):
        drawn = np.bincount(place[day < on], minlength=3) / N_DRAWS
        error = 4.5 * np.sqrt(np.maximum(chances[:, number] * (1 - chances[:, number]), 1e-9) / N_DRAWS)
        assert (np.abs(drawn - chances[:, number]) <= error + 1e-12).all()
    mean = np.bincount(place, net, minlength=3) / np.bincount(place, minlength=3)
    assert mean == pytest.approx(expected_amounts(rows, laws), rel=0.01)


class _State:
    """The day is all that the draws of given rows ask of the state."""

    def __init__(self, on: int) -> None:
        self.on = on


def test_chances_never_fall_and_start_at_none() -> None:
    laws, rows = made_laws([0, 7], [1, 2]), deals([NEVER, ON + 20, NEVER])
    days = np.arange(ON - 30, ON + 800, 10)
    chances = signed_chances(rows, laws, CLOCK, days)
    assert (np.diff(chances, axis=1) >= 0).all()
    assert (chances[:, days <= ON] == 0).all()
    assert (chances < 1).all()


def test_a_good_quarter_for_all_raises_every_chance() -> None:
    laws, rows = made_laws([0], [1]), deals([NEVER, ON + 20, NEVER])
    plain, lifted = (signed_chances(rows, laws, CLOCK, DAYS[3:], shock=shock) for shock in (1.0, 1.3))
    assert (lifted > plain).all()


def test_a_win_not_signed_yet_is_signed_by_its_lag_and_never_before_now() -> None:
    laws = made_laws([0, 10], [])
    found = waiting_chances(np.array([ON - 4, ON - 20]), np.array([ON, ON]), laws, np.array([ON, ON + 1, ON + 7]))
    assert found.tolist() == [[0.0, 0.5, 1.0], [0.0, 1.0, 1.0]]


def test_one_deal_less_leaves_the_luck_of_the_others() -> None:
    names = np.array(["a", "b", "c"], dtype=object)
    assert np.array_equal(luck_of(names, 1, 5)[2], luck_of(names[[2]], 1, 5)[0])
    assert not np.array_equal(luck_of(names, 1, 5), luck_of(names, 2, 5))


def test_a_deal_without_an_amount_is_expected_at_the_usual_one() -> None:
    laws = made_laws([0], [])
    assert expected_amounts(deals([NEVER] * 3), laws) == pytest.approx([560.0, 2100.0, 700.0])
    without = replace(laws, amount_ratios={}, rep_ratios={})
    assert expected_amounts(deals([NEVER] * 3), without) == pytest.approx([1000.0, 2000.0, 700.0])
