"""The joint sample as one more forecaster of every series: what the rows of the record say of its months."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.config import CompanySection
from crm.engine import DuckDBEngine
from crm.money import minor_units
from crm.store import Generation
from features.flow_rows import FlowState
from features.flow_state import read_flow_state
from features.nodes import Node
from models.flow_draws import FlowDraws, draw_flows
from models.flow_laws import FlowLaws, learn_flows
from models.series_points import Batch
from models.series_task import SeriesTask

Floats: TypeAlias = npt.NDArray[np.float64]

# Draws from which the replayed past is told; what is published is drawn more often.
REPLAY_DRAWS = 100


def has_pipeline(state: FlowState) -> bool:
    """Whether the record tells single sales: deals or agreements."""
    return bool(len(state.deals.name) or len(state.agreements.name))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowOrigin:
    """The rows of the record at one moment, and what was learned of them by then."""

    state: FlowState
    laws: FlowLaws


def read_flows(
    generation: Generation, as_of: datetime, company: CompanySection, *, engine: DuckDBEngine | None = None
) -> FlowOrigin | None:
    """The rows of the record at a moment and their laws; None where the record tells no single sales.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        The cutoff, with a time zone.
    company : CompanySection
        Time zone, currency, holidays.
    engine : DuckDBEngine or None
        An open engine over the same generation, for many cutoffs.
    """
    state = read_flow_state(generation, as_of, zone=company.zone, currency=company.currency, engine=engine)
    if not has_pipeline(state):
        return None
    return FlowOrigin(
        state=state, laws=learn_flows(state, country=company.holidays, corrects_reps=company.corrects_reps)
    )


def replay_flows(task: SeriesTask, origin: FlowOrigin, *, seed: int) -> FlowDraws:
    """The joint sample as it would have been drawn at a moment, before it is levelled and widened.

    Parameters
    ----------
    task : SeriesTask
        Horizon.
    origin : FlowOrigin
        Rows and laws.
    seed : int
        Random state.
    """
    return draw_flows(origin.state, origin.laws, n_months=task.horizon_months, n_draws=REPLAY_DRAWS, seed=seed)


def with_flows(
    batch: Batch,
    flows: FlowDraws,
    *,
    horizon: int,
    to_date: Mapping[tuple[str, Node], int] | None = None,
    elapsed: float = 0.0,
) -> Batch:
    """A batch that knows what the joint sample says of its series, and how far the running month has come.

    Parameters
    ----------
    batch : Batch
        Series as known at a cutoff.
    flows : FlowDraws
        Drawn at the same cutoff.
    horizon : int
        Months ahead.
    to_date : mapping of (str, Node) to int, or None
        What the running month has brought already, hundredths; None at the beginning of a month.
    elapsed : float
        How much of the running month's business time has passed.
    """
    places = {node: place for place, node in enumerate(flows.places.nodes)}
    month = (batch.month + np.arange(1, horizon + 1) - flows.month).astype(np.int64)
    told = {measure.value: draws.mean(axis=2) / minor_units(measure) for measure, draws in flows.draws.items()}
    units = {measure.value: minor_units(measure) for measure in flows.draws}
    found = np.full((len(batch.keys), horizon), np.nan)
    brought = np.full(len(batch.keys), np.nan)
    for row, (measure, node) in enumerate(batch.keys):
        if measure not in told or batch.periods[row] != 1:
            continue
        place = places.get(node)
        kept = (month >= 0) & (month < told[measure].shape[1])
        # A node of which no row is left expects nothing, as long as the measure is told.
        found[row, kept] = told[measure][place, month[kept]] if place is not None else 0.0
        brought[row] = (to_date or {}).get((measure, node), 0) / units[measure]
        found[row, month == 0] += brought[row]
    return replace(batch, pipeline=found, brought=brought, elapsed=elapsed)
