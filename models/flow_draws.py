"""One joint sample of the months to come, from the rows of the record: every measure, node and month in one draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.money import Measure
from features.flow_rows import FlowState
from models.flow_laws import FlowLaws, clock_of
from models.flow_nodes import NodeMap, map_nodes, months_of, sum_components, sum_draws
from models.money_draws import Events, draw_money
from models.signing_draws import draw_signings
from models.signings import Setting

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# Draws that are made together: memory stays bounded, whatever the number of draws.
CHUNK = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowDraws:
    """Draws of what is still to come; what the running month holds already is not in them.

    Attributes
    ----------
    places : NodeMap
        Nodes, and which of them each cell counts for.
    month : numpy.datetime64
        The running month, the first of the draws.
    draws : mapping of Measure to ndarray of float64, shape (n_nodes, n_months, n_draws)
        Whole hundredths of the reporting currency, or customers.
    components : mapping of Measure to ndarray of float64, shape (n_nodes, n_months, n_components)
        Means by `models.signings.Component`.
    """

    places: NodeMap
    month: np.datetime64
    draws: Mapping[Measure, Floats]
    components: Mapping[Measure, Floats]


# What is done to the events of a measure before they are summed: levels, shocks.
Adjust: TypeAlias = Callable[[Measure, Events, int], Events]


def draw_flows(
    state: FlowState,
    laws: FlowLaws,
    *,
    n_months: int,
    n_draws: int,
    seed: int,
    adjust: Adjust | None = None,
    places: NodeMap | None = None,
) -> FlowDraws:
    """The months to come, drawn from the rows of the record.

    Parameters
    ----------
    state : FlowState
        The record at the cutoff.
    laws : FlowLaws
        What was learned of it.
    n_months : int
        Months, the running one first.
    n_draws : int
        Draws.
    seed : int
        Random state; the same seed gives the same draws whatever is adjusted.
    adjust : callable or None
        Given a measure, its events and the number of the first draw among them: the events to sum instead.
    places : NodeMap or None
        Nodes to sum over; None takes all.
    """
    first = months_of(np.array([state.on]))[0]
    until = int(np.datetime64(int(first) + n_months, "M").astype("datetime64[D]").astype(np.int64))
    nodes = places if places is not None else map_nodes(state.cells)
    draws: dict[Measure, list[Floats]] = {}
    parts: dict[Measure, Floats] = {}
    for begin, chunk_seed, setting in draw_settings(state, laws, until=until, n_draws=n_draws, seed=seed):
        money = draw_money(setting, draw_signings(setting, chunk_seed), chunk_seed)
        for measure, events in money.items():
            told = events if adjust is None else adjust(measure, events, begin)
            size = {"month": int(first), "n_months": n_months}
            draws.setdefault(measure, []).append(sum_draws(told, nodes, n_draws=setting.n_draws, **size))
            share = sum_components(told, nodes, n_draws=n_draws, **size)
            parts[measure] = parts[measure] + share if measure in parts else share
    return FlowDraws(
        places=nodes,
        month=np.datetime64(int(first), "M"),
        draws={measure: np.concatenate(values, axis=2) for measure, values in draws.items()},
        components=parts,
    )


def draw_settings(
    state: FlowState, laws: FlowLaws, *, until: int, n_draws: int, seed: int
) -> Iterator[tuple[int, int, Setting]]:
    """The chunks in which draws are made: number of the first draw, random state, and what to draw with.

    Parameters
    ----------
    state : FlowState
        The record at the cutoff.
    laws : FlowLaws
        What was learned of it.
    until : int
        Day after the horizon.
    n_draws : int
        Draws of all chunks together.
    seed : int
        Random state of all of them.
    """
    clock = clock_of(state, laws.day_weights, laws.country)
    for begin in range(0, n_draws, CHUNK):
        n = min(CHUNK, n_draws - begin)
        own = np.random.default_rng([seed, 99, begin])
        shock = np.exp(laws.shock * own.normal(size=n) - laws.shock**2 / 2)
        yield (
            begin,
            seed * 100_003 + begin,
            Setting(state=state, laws=laws, clock=clock, until=until, n_draws=n, shock=shock),
        )
