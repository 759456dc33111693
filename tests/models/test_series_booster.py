"""The booster hears market signals that moved with the amounts, and no others."""

from __future__ import annotations

import numpy as np

from features.market import EVERYWHERE, Signal, Signals
from models.series_booster import say_booster
from models.series_histories import Floats, Histories

MONTHS = np.arange("2018-01", "2024-07", dtype="datetime64[M]")
AHEAD = 6


def histories(signal: Floats, *, driven: bool, name: str = "tenders") -> Histories:
    """Forty series that follow a signal known ahead, or do not."""
    draw = np.random.default_rng(4)
    drive = signal[: len(MONTHS)] if driven else draw.normal(size=len(MONTHS))
    amounts = 100.0 + 30.0 * drive + draw.normal(0, 5, (40, len(MONTHS)))
    known = Signal(first=MONTHS[0], values=signal, known_ahead=True)
    return Histories(
        groups=("bookings/region",) * 40,
        months=MONTHS,
        amounts=amounts,
        country="CN",
        segments=((),) * 40,
        signals=Signals(last=MONTHS[-1], by_name={name: {EVERYWHERE: known}}),
    )


def test_a_signal_that_drives_the_amounts_is_heard() -> None:
    signal = np.random.default_rng(5).normal(size=len(MONTHS) + AHEAD)
    # A name that LightGBM itself would refuse.
    heard = say_booster(histories(signal, driven=True, name='招标 "open": [1]'), AHEAD, 1)
    came = 100.0 + 30.0 * signal[len(MONTHS) :]

    assert np.abs(heard - came).mean() < 0.5 * np.abs(came - 100.0).mean()


def test_a_signal_that_moves_by_itself_changes_nothing() -> None:
    signal = np.random.default_rng(6).normal(size=len(MONTHS) + AHEAD).cumsum()
    with_signal = histories(signal, driven=False)
    without = Histories(
        groups=with_signal.groups, months=MONTHS, amounts=with_signal.amounts, country="CN", segments=((),) * 40
    )

    assert np.array_equal(say_booster(with_signal, AHEAD, 1), say_booster(without, AHEAD, 1))
