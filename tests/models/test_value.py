import numpy as np
import pytest

from models.metrics import make_blocks
from models.value import held_by_top, replay_value


def test_top_share_of_wins_and_of_money_by_hand() -> None:
    y = np.array([1.0, 1, 0, 0, 0, 1, 0, 0, 0, 0])
    p = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    value = np.where(y == 1, [100.0, 300, 0, 0, 0, 600, 0, 0, 0, 0], np.nan)
    blocks = make_blocks(np.arange(10).astype(str), n_draws=50, seed=1)
    top = {replay.share: replay for replay in replay_value(y, p, value, blocks, from_position="a", to_position="b")}
    assert top[0.2].events.value == pytest.approx(2 / 3)
    money = top[0.2].value
    assert money is not None
    assert money.value == pytest.approx(0.4)
    assert money.low <= 0.4 <= money.high


def test_ties_share_alike() -> None:
    assert held_by_top(np.array([1.0, 0, 0, 1]), np.full(4, 0.5), 0.25) == pytest.approx(0.25)


def test_window_without_events_has_no_replay_and_one_without_money_no_value() -> None:
    blocks = make_blocks(np.arange(4).astype(str), n_draws=10, seed=1)
    p, nothing = np.array([0.4, 0.3, 0.2, 0.1]), np.full(4, np.nan)
    assert replay_value(np.zeros(4), p, nothing, blocks, from_position="", to_position="") == ()
    found = replay_value(np.array([1.0, 0, 0, 0]), p, nothing, blocks, from_position="", to_position="")
    assert {replay.value for replay in found} == {None}
