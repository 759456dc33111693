"""How little of a forecast's move the bridge leaves to interaction, on random pairs of days of a demo company."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.figures import Figure
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.flow_state import read_flow_state
from features.nodes import Level, Node
from models.bridge import Moment, make_bridge
from models.bridge_bars import Bar
from models.expected_signings import Window
from models.flow_laws import learn_flows

_BEGINS, _DAYS, _MOMENTS, _PAIRS = datetime(2024, 1, 1, 16, tzinfo=UTC), 720, 14, 50
_QUARTER = 91


def measure_bridge(seed: int) -> Iterator[Figure]:
    """The greatest share of the gross moves that is left to interaction, and whether the bars sum."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "record")
        write_company(make_company("medium", 9_100 + seed), store)
        generation, moments = store.current(), []
        with generation.engine() as engine:
            for day in np.sort(rng.choice(_DAYS, _MOMENTS, replace=False)).tolist():
                state = read_flow_state(
                    generation,
                    _BEGINS + timedelta(days=day),
                    zone=ZoneInfo("Asia/Shanghai"),
                    currency="CNY",
                    engine=engine,
                )
                moments.append(Moment(state=state, laws=learn_flows(state, country="CN")))
    every = [(one, other) for place, one in enumerate(moments) for other in moments[place + 1 :]]
    left = [_left(*every[place], rng) for place in rng.choice(len(every), _PAIRS, replace=False).tolist()]
    yield Figure(
        name="forecast/bridge_residual",
        value=max(left),
        low=float(np.median(left)),
        high=max(left),
        goal=0.05,
        protocol=f"Demo medium, an unseen seed: {_PAIRS} random pairs of days in two years, the {_QUARTER} days "
        "that began 45 days before the later one or the stretches of the same length after them, company. Greatest "
        "interaction over gross moves; the interval is median to greatest. In every pair the bars sum to the cent.",
    )


def _left(one: Moment, other: Moment, rng: np.random.Generator) -> float:
    begins = other.state.on - 45 + _QUARTER * int(rng.integers(3))
    bridge = make_bridge(one, other, Window(begins=begins, ends=begins + _QUARTER), Node(level=Level.COMPANY))
    missing = bridge.after - bridge.before - sum(bar.amount for bar in bridge.bars)
    return float("nan") if missing else abs(bridge.amount(Bar.INTERACTION)) / max(bridge.gross, 1)
