"""The joint sample replayed: at every origin drawn as it would have been published, and what that teaches.

Each origin is levelled and widened by rules that earlier origins taught, from outcomes on record by then (prequential,
Dawid 1984), so that its ranges are judged as a reader would have seen them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.money import Measure, minor_units
from features.nodes import Level, Node
from models.flow_batch import REPLAY_DRAWS, FlowOrigin
from models.joint import Joint, draw_joint
from models.joint_levels import make_parts
from models.joint_reps import SPREADS, choose_spread, held_shares
from models.joint_rules import JointRules, excess_spread
from models.reconcile import Method
from models.reconcile_choose import Origin, choose_method
from models.series_learn import Replayed
from models.series_points import Points
from models.series_task import QUANTILES, SeriesTask

Floats: TypeAlias = npt.NDArray[np.float64]

# Parts below this share of the company are too small to tell how parts stray.
_LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """What one origin said of one measure, in units; arrays of shape (n_nodes, n_months) over the core nodes.

    `base` is the stacked forecast before it was made coherent, `mean` that of the joint sample, `variation` how much
    the sums of its draws over each bucket vary before they are widened (NaN for regions and lines). `held` is how often
    ranges of salespeople would have held by spread and month, of `n_reps` of them.
    """

    base: Floats
    mean: Floats
    variation: Floats
    held: Floats
    n_reps: int


def learn_joint(
    points: Points,
    replayed: Replayed,
    task: SeriesTask,
    origins: Sequence[FlowOrigin | None],
    *,
    seed: int,
    on_progress: Callable[[str, float], None] | None = None,
) -> tuple[JointRules, Replayed]:
    """Rules for the joint sample from now on, and the replay as the joint sample tells it.

    Parameters
    ----------
    points : Points
        The past replayed.
    replayed : Replayed
        Stacked forecasts and ranges of every point.
    task : SeriesTask
        Horizon and buckets.
    origins : sequence of FlowOrigin or None
        Rows of the record and their laws, one an origin; None where it tells no single sales.
    seed : int
        Random state.
    on_progress : callable or None
        Told what is done and the share done.
    """
    latest = next((one for one in reversed(origins) if one is not None), None)
    if latest is None:
        return JointRules(), replayed
    core = make_parts(latest.state.cells).nodes
    buckets = [task.bucket_of(step) for step in range(1, task.horizon_months + 1)]
    told = replace(
        replayed,
        expected=replayed.expected.copy(),
        quantiles=replayed.quantiles.copy(),
        zero_share=replayed.zero_share.copy(),
    )
    seen: list[dict[str, _Seen]] = []
    for number, origin in enumerate(origins):
        if origin is None:
            seen.append({})
            continue
        if on_progress is not None:
            on_progress(f"drawing the months after {points.origins[number]}", number / len(origins))
        rules = _rules_of(points, seen, core, latest, buckets, points.known_by[number])
        rows = np.flatnonzero(points.origin == number)
        said = _said(points, replayed.expected, rows, task.horizon_months)
        joint = draw_joint(
            origin.state,
            origin.laws,
            rules,
            expected=said,
            to_date={},
            buckets=buckets,
            n_draws=REPLAY_DRAWS,
            seed=seed,
        )
        _tell(points, rows, joint, told)
        seen.append(_record(points, number, joint, said, core, seed))
    final = _rules_of(points, seen, core, latest, buckets, points.outcome)
    return final, told


def _said(points: Points, expected: Floats, rows: npt.NDArray[np.intp], horizon: int) -> dict[tuple[str, Node], Floats]:
    found: dict[tuple[str, Node], Floats] = {}
    for row in rows.tolist():
        key = points.keys[points.series[row]]
        found.setdefault(key, np.full(horizon, np.nan))[points.step[row] - 1] = expected[row]
    return found


def _tell(points: Points, rows: npt.NDArray[np.intp], joint: Joint, told: Replayed) -> None:
    """Overwrite what is said of the points of one origin by what the joint sample says of them."""
    places = {node: place for place, node in enumerate(joint.nodes)}
    found = {}
    for measure, draws in joint.draws.items():
        unit = minor_units(measure)
        ranges = np.quantile(draws, QUANTILES, axis=2) / unit
        found[measure.value] = (draws.mean(axis=2) / unit, ranges, (draws <= 0).mean(axis=2))
    for row in rows.tolist():
        measure, node = points.keys[points.series[row]]
        place = places.get(node)
        if measure in found and place is not None:
            mean, ranges, zero = found[measure]
            step = points.step[row] - 1
            told.expected[row] = mean[place, step]
            told.quantiles[row] = ranges[:, place, step]
            told.zero_share[row] = zero[place, step]


def _record(
    points: Points,
    number: int,
    joint: Joint,
    said: dict[tuple[str, Node], Floats],
    core: Sequence[Node],
    seed: int,
) -> dict[str, _Seen]:
    places = {node: place for place, node in enumerate(joint.nodes)}
    raw = {joint.parts.nodes[0]: 0} | {node: row + 1 for row, node in enumerate(joint.parts.nodes[-joint.parts.n :])}
    found = {}
    for measure, draws in joint.draws.items():
        n_months = draws.shape[1]
        nothing, unknown = np.zeros(n_months), np.full(joint.raw_variation[measure].shape[1], np.nan)
        means = draws.mean(axis=2) / minor_units(measure)
        mean = np.array([means[places[node]] if node in places else nothing for node in core])
        base = np.array([said.get((measure.value, node), own) for node, own in zip(core, mean, strict=True)])
        variation = joint.raw_variation[measure]
        found[measure.value] = _Seen(
            base=np.where(np.isfinite(base), base, mean),
            mean=mean,
            variation=np.array([variation[raw[node]] if node in raw else unknown for node in core]),
            held=(held := _held(points, number, joint, measure, seed))[0],
            n_reps=held[1],
        )
    return found


def _held(points: Points, number: int, joint: Joint, measure: Measure, seed: int) -> tuple[Floats, int]:
    """How often the ranges of salespeople would have held after an origin, without and with a factor of their own."""
    places = {node.rep_id: place for place, node in enumerate(joint.nodes) if node.level is Level.REP}
    n_months = joint.draws[measure].shape[1]
    outcomes: dict[str, Floats] = {}
    for row in np.flatnonzero(points.origin == number).tolist():
        name, node = points.keys[points.series[row]]
        if name == measure.value and node.rep_id in places and node.rep_id is not None:
            outcomes.setdefault(node.rep_id, np.full(n_months, np.nan))[points.step[row] - 1] = points.outcome[row]
    if not outcomes:
        return np.zeros((len(SPREADS), n_months)), 0
    unit = minor_units(measure)
    draws = np.stack([joint.draws[measure][places[name]] / joint.rep_luck[measure][name] / unit for name in outcomes])
    return held_shares(draws, np.stack(list(outcomes.values())), seed), len(outcomes)


def _rules_of(
    points: Points,
    seen: Sequence[dict[str, _Seen]],
    core: Sequence[Node],
    latest: FlowOrigin,
    buckets: Sequence[int],
    outcome: Floats,
) -> JointRules:
    """Rules from the origins seen so far and what is known of their outcomes."""
    S = make_parts(latest.state.cells).S
    methods: dict[str, str] = {}
    residuals: dict[str, dict[str, tuple[float, ...]]] = {}
    company: dict[str, tuple[float, ...]] = {}
    part: dict[str, tuple[float, ...]] = {}
    rep: dict[str, float] = {}
    for measure in (one.value for one in Measure):
        told = [(number, by[measure]) for number, by in enumerate(seen) if measure in by]
        if not told:
            continue
        came = [_outcomes(points, outcome, measure, number, core, len(buckets)) for number, _ in told]
        judged = _origins([one for _, one in told], came, buckets)
        methods[measure] = choose_method(S, judged, nonnegative=True).method.value if judged else Method.BOTTOM_UP.value
        residuals[measure] = _kept(core, judged)
        company[measure], part[measure] = _spreads([one for _, one in told], came, buckets)
        # Months that the company's series knows by now are those that salespeople's ranges are judged on.
        closed = [np.isfinite(values[0]) for values in came]
        held = sum((one.held[:, known].sum(axis=1) for (_, one), known in zip(told, closed, strict=True)), np.zeros(1))
        n = sum(one.n_reps * int(known.sum()) for (_, one), known in zip(told, closed, strict=True))
        rep[measure] = choose_spread(held, float(n)) if n else 0.0
    return JointRules(methods=methods, residuals=residuals, company_spread=company, part_spread=part, rep_spread=rep)


def _outcomes(points: Points, outcome: Floats, measure: str, number: int, core: Sequence[Node], n: int) -> Floats:
    """What came of core nodes after an origin, shape (n_nodes, n_months); NaN where it is not known."""
    places = {node: place for place, node in enumerate(core)}
    found = np.full((len(core), n), np.nan)
    for row in np.flatnonzero(points.origin == number).tolist():
        name, node = points.keys[points.series[row]]
        if name == measure and node in places:
            found[places[node], points.step[row] - 1] = outcome[row]
    # A part of which the panel has no series sold nothing in the months that the company's series knows.
    known = np.isfinite(found[0])
    return np.where(np.isnan(found) & known[None, :], 0.0, found)


def _origins(told: Sequence[_Seen], came: Sequence[Floats], buckets: Sequence[int]) -> list[Origin]:
    """Earlier origins as the choice of a method asks for them: each with the errors of those before it."""
    found: list[Origin] = []
    errors: list[Floats] = []
    for one, outcome in zip(told, came, strict=True):
        known = np.isfinite(outcome[0])
        if not known.any():
            continue
        scale = np.maximum(np.abs(one.base).mean(axis=1, keepdims=True), 1e-9)
        before = np.concatenate(errors, axis=1) * scale if errors else None
        found.append(Origin(base=one.base[:, known], outcome=outcome[:, known], residuals=before))
        relative = (outcome - one.base) / scale
        each = [
            np.nanmean(relative[:, here], axis=1, keepdims=True)
            for bucket in sorted(set(buckets))
            if (here := known & (np.array(buckets) == bucket)).any()
        ]
        errors.append(np.concatenate(each, axis=1))
    return found


def _kept(core: Sequence[Node], judged: Sequence[Origin]) -> dict[str, tuple[float, ...]]:
    """Relative errors by node, as the bundle keeps them."""
    if not judged:
        return {}
    columns = []
    for one in judged:
        scale = np.maximum(np.abs(one.base).mean(axis=1), 1e-9)
        columns.append((one.outcome - one.base).mean(axis=1) / scale)
    found = np.round(np.column_stack(columns), 6)
    return {node.node_id: tuple(row) for node, row in zip(core, found.tolist(), strict=True)}


def _spreads(
    told: Sequence[_Seen], came: Sequence[Floats], buckets: Sequence[int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    company, part = [], []
    for place, bucket in enumerate(sorted(set(buckets))):
        here = np.array(buckets) == bucket
        mean = np.stack([one.mean[:, here].sum(axis=1) for one in told])
        variation = np.stack([one.variation[:, place] for one in told])
        # Of a stretch that has not closed yet nothing is known.
        outcome = np.stack([values[:, here].sum(axis=1) for values in came])
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(mean > 0, outcome / mean - 1, np.nan)
        shared = excess_spread(error[:, 0], variation[:, 0])
        parts = (mean > _LEAST_SHARE * mean[:, :1]) & np.isfinite(variation)
        parts[:, 0] = False
        own = excess_spread(error[parts], variation[parts])
        company.append(shared)
        part.append(float(np.sqrt(max(own**2 - shared**2, 0.0))))
    return tuple(company), tuple(part)
