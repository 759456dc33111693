"""Replay of a past window: had it been worked in the order of the score, what would its top share have held.

What happened came about under the effort the company spent then, so the share held is an upper bound of what working
by score would add (wins) or keep (losses); the card prints this beside the figures.
"""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.metrics import Blocks, Interval, interval
from models.report import Replay

Floats: TypeAlias = npt.NDArray[np.float64]

SHARES = (0.1, 0.2, 0.3)
# By what the event is to the company, then by language.
CAVEATS: dict[str, dict[str, str]] = {
    "gain": {
        "en": "The wins came about under the effort spent then. What the top share held is therefore an upper bound of "
        "what working by score would have added, not a forecast of it.",
        "zh": "这些赢单是在当时的跟进力度下产生的，因此高分段占比是按评分跟进所能增加部分的上限，而不是预测。",
    },
    "loss": {
        "en": "The losses came about under the care given then, and not every one can be prevented. What the top share "
        "held is therefore an upper bound of what working by score would have kept, not a forecast of it.",
        "zh": "这些流失是在当时的维护力度下发生的，也并非都能挽回，因此高分段占比是按评分维护所能保住部分的上限，"
        "而不是预测。",
    },
}


def held_by_top(weight: Floats, p: Floats, share: float) -> float:
    """Share of the total `weight` held by the top `share` of rows by `p`; rows that tie share alike.

    Examples
    --------
    >>> held_by_top(np.array([0.0, 3, 1, 0]), np.array([0.1, 0.9, 0.5, 0.2]), 0.25)
    0.75
    """
    total = float(weight.sum())
    if total == 0:
        return float("nan")
    n_top = share * len(p)
    threshold = -np.partition(-p, max(0, int(np.ceil(n_top)) - 1))[max(0, int(np.ceil(n_top)) - 1)]
    above, tied = p > threshold, p == threshold
    return float(weight[above].sum() + weight[tied].mean() * (n_top - above.sum())) / total


def replay_value(
    y: Floats, p: Floats, value: Floats, blocks: Blocks, *, from_position: str, to_position: str
) -> tuple[Replay, ...]:
    """What the top shares by out-of-time score held of the events and of their value.

    Parameters
    ----------
    y, p, value : ndarray of float64, shape (n_rows,)
        Outcomes, out-of-time probabilities, money won or lost with the event (NaN where unknown).
    blocks : Blocks
        Bootstrap draws.
    from_position, to_position : str
        The window, as people read it.
    """
    if y.sum() == 0:
        return ()
    at_stake = np.where((y == 1) & np.isfinite(value), value, 0.0)
    has_value = bool((at_stake > 0).any())
    rows = []
    for share in SHARES:
        held = partial(held_by_top, share=share)
        events = interval(held, y, p, blocks)
        money: Interval | None = None
        if has_value:
            money = interval(held, at_stake, p, blocks)
        rows.append(
            Replay(share=share, events=events, value=money, from_position=from_position, to_position=to_position)
        )
    return tuple(rows)
