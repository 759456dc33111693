"""What the champion says of the months to come, as one coherent joint sample with a forecast of every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.config import CompanySection
from crm.engine import DuckDBEngine
from crm.money import Measure, minor_units
from crm.store import Generation
from features.nodes import Node
from features.running_month import read_running_month
from models.flow_batch import FlowOrigin, read_flows, replay_flows, with_flows
from models.flow_laws import clock_of
from models.joint import Joint, draw_joint
from models.series_bundle import SeriesModel
from models.series_candidates import PIPELINE
from models.series_forecast import FORECAST, NodeForecast, forecast_batch
from models.series_points import Batch
from models.series_task import SeriesTask

Floats: TypeAlias = npt.NDArray[np.float64]

# Draws that are published; a quantile of 5 % rests on twenty of them.
N_DRAWS = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointForecast:
    """A forecast of every series, and the joint sample behind it.

    Attributes
    ----------
    forecasts : tuple of NodeForecast
        One a measure and node; means and quantiles of the joint sample where there is one.
    joint : Joint or None
        None where the record tells no single sales.
    """

    forecasts: tuple[NodeForecast, ...]
    joint: Joint | None


def forecast_jointly(
    model: SeriesModel,
    task: SeriesTask,
    batch: Batch,
    generation: Generation,
    as_of: datetime,
    company: CompanySection,
    *,
    engine: DuckDBEngine | None = None,
    n_draws: int = N_DRAWS,
    tell: Callable[[str, float], None] = lambda _step, _share: None,
) -> JointForecast:
    """The forecasts of a batch at any moment, also in the middle of a month.

    Parameters
    ----------
    model : SeriesModel
        The champion.
    task : SeriesTask
        Measures, horizon and buckets.
    batch : Batch
        Series as known at the cutoff.
    generation : Generation
        The record.
    as_of : datetime
        The cutoff, with a time zone.
    company : CompanySection
        Time zone, currency, holidays, with or without tax.
    engine : DuckDBEngine or None
        An open engine over the same generation.
    n_draws : int
        Draws of the joint sample.
    tell : callable
        Told what is done and the share done.
    """
    origin = read_flows(generation, as_of, company, engine=engine) if PIPELINE in model.candidates else None
    if origin is None:
        return JointForecast(forecasts=forecast_batch(model, batch), joint=None)
    tell("drawing what is signed, open and still to come", 0.4)
    to_date = read_running_month(
        generation,
        task.measures,
        as_of,
        zone=company.zone,
        currency=company.currency,
        engine=engine,
        amounts=company.amounts,
    )
    flows = replay_flows(task, origin, seed=model.seed)
    batch = with_flows(batch, flows, horizon=model.horizon, to_date=to_date, elapsed=elapsed_share(origin))
    forecasts = forecast_batch(model, batch)
    tell("making the forecasts of all nodes coherent", 0.7)
    joint = draw_joint(
        origin.state,
        origin.laws,
        model.joint,
        expected={(one.measure, one.node): one.expected for one in forecasts if len(one.expected) == model.horizon},
        to_date=to_date,
        buckets=[task.bucket_of(step) for step in range(1, model.horizon + 1)],
        n_draws=n_draws,
        seed=model.seed,
    )
    return JointForecast(forecasts=as_joint(forecasts, joint, model.quantiles), joint=joint)


def elapsed_share(origin: FlowOrigin) -> float:
    """How much of the running month's business time has passed."""
    clock = clock_of(origin.state, origin.laws.day_weights, origin.laws.country)
    month = np.datetime64(origin.state.on, "D").astype("datetime64[M]")
    ends = np.array([month, month + 1]).astype("datetime64[D]").astype(np.int64)
    begin, end = clock.at(ends)
    return float((clock.at(np.array([origin.state.on]))[0] - begin) / max(end - begin, 1e-9))


def as_joint(
    forecasts: tuple[NodeForecast, ...], joint: Joint, quantiles: tuple[float, ...]
) -> tuple[NodeForecast, ...]:
    """Forecasts with the means and quantiles of a joint sample, where it tells their measure and node."""
    places = {node: place for place, node in enumerate(joint.nodes)}
    means: dict[str, Floats] = {}
    ranges: dict[str, Floats] = {}
    for measure, draws in joint.draws.items():
        means[measure.value] = draws.mean(axis=2) / minor_units(measure)
        ranges[measure.value] = np.moveaxis(np.quantile(draws, quantiles, axis=2), 0, 2) / minor_units(measure)
    found = []
    for one in forecasts:
        place = places.get(one.node)
        if one.measure not in means or place is None or one.months[0] != joint.month:
            found.append(one)
            continue
        found.append(
            replace(
                one,
                status=one.status if np.isfinite(one.expected).all() else FORECAST,
                expected=means[one.measure][place],
                quantiles=ranges[one.measure][place],
            )
        )
    return tuple(found)


def sums_of(
    joint: Joint, measure: Measure, node: Node, months: slice, passed: float = 0.0
) -> tuple[Floats, Mapping[str, float]]:
    """The draws of a stretch of months of a node in units, and what they are made of.

    Parameters
    ----------
    joint : Joint
        The joint sample.
    measure, node : Measure, Node
        What and where.
    months : slice
        Places of the months, the running one being 0.
    passed : float
        What months of the same stretch brought that closed before, in units.

    Returns
    -------
    draws : ndarray of float64, shape (n_draws,)
        Sums over the months, what has passed included.
    parts : mapping of str to float
        `to_date` and the mean of each component; they add up to the mean of the draws.
    """
    from models.signings import Component

    unit = minor_units(measure)
    place = joint.nodes.index(node)
    draws = joint.draws[measure][place, months].sum(axis=0) / unit + passed
    done = float(joint.to_date[measure][place]) / unit if months.start == 0 else 0.0
    shares = joint.components[measure][place, months].sum(axis=0) / unit
    parts = {"to_date": passed + done} | {one.name.lower(): float(shares[one]) for one in Component}
    return np.asarray(draws), parts
