"""One joint, coherent sample: drawn from the rows of the record, levelled to the stacked forecasts, widened.

The rows are drawn twice from the same seed. The first pass tells what they say of every part; forecasts of company,
regions, lines and parts, in which history and rows are weighed by how good they were, are made coherent and give each
part and month a factor. The second pass multiplies every event by the factor of its part, month and draw, rounds it
to the hundredth and sums over all nodes: whatever is asked of a draw adds up exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from crm.money import Measure, minor_units
from features.flow_rows import FlowState
from features.nodes import Node
from models.flow_draws import FlowDraws, draw_flows
from models.flow_laws import FlowLaws
from models.flow_nodes import months_of
from models.joint_levels import Parts, level_factors, make_parts
from models.joint_reps import rep_luck, rep_places
from models.joint_rules import JointRules
from models.money_draws import Events
from models.signings import Component

Floats: TypeAlias = npt.NDArray[np.float64]

# Most of the variance of a shared factor stays from month to month: it is learned from sums of months.
_PERSISTENCE = 0.8
# Measures that share the company's luck of a draw; cash has its own, its customers' habits.
_OWN_LUCK = frozenset({Measure.RECEIPTS})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joint:
    """The joint sample.

    Attributes
    ----------
    nodes : tuple of Node
        Rows of the draws.
    month : numpy.datetime64
        The running month, the first column.
    draws : mapping of Measure to ndarray of int64, shape (n_nodes, n_months, n_draws)
        Hundredths of the reporting currency, or customers; the first month holds what it has brought already.
    components : mapping of Measure to ndarray of float64, shape (n_nodes, n_months, n_components)
        Means by component of what is still to come.
    to_date : mapping of Measure to ndarray of int64, shape (n_nodes,)
        What the running month has brought already.
    raw_mean : mapping of Measure to ndarray of float64, shape (n_parts + 1, n_months)
        Means of the draws of the company and of each part before they were levelled.
    raw_variation : mapping of Measure to ndarray of float64, shape (n_parts + 1, n_buckets)
        Coefficient of variation of their sums over the months of each bucket, before they were widened.
    parts : Parts
        The parts.
    rep_luck : mapping of Measure to mapping of str to ndarray of float64, shape (n_months, n_draws)
        By salesperson, the factors of their own.
    """

    nodes: tuple[Node, ...]
    month: np.datetime64
    draws: Mapping[Measure, npt.NDArray[np.int64]]
    components: Mapping[Measure, Floats]
    to_date: Mapping[Measure, npt.NDArray[np.int64]]
    raw_mean: Mapping[Measure, Floats]
    raw_variation: Mapping[Measure, Floats]
    parts: Parts
    rep_luck: Mapping[Measure, Mapping[str, Floats]]


def draw_joint(
    state: FlowState,
    laws: FlowLaws,
    rules: JointRules,
    *,
    expected: Mapping[tuple[str, Node], Floats],
    to_date: Mapping[tuple[str, Node], int],
    buckets: Sequence[int],
    n_draws: int,
    seed: int,
) -> Joint:
    """The joint sample of the months to come.

    Parameters
    ----------
    state : FlowState
        The record at the cutoff.
    laws : FlowLaws
        What was learned of its rows.
    rules : JointRules
        How draws are levelled and widened.
    expected : mapping of (str, Node) to ndarray of float64, shape (n_months,)
        By measure and node: the stacked forecast in units of the currency, the whole running month first.
    to_date : mapping of (str, Node) to int
        What the running month has brought already, hundredths.
    buckets : sequence of int
        Bucket of each month.
    n_draws : int
        Draws.
    seed : int
        Random state.
    """
    parts, n_months = make_parts(state.cells), len(buckets)
    plain = draw_flows(state, laws, n_months=n_months, n_draws=n_draws, seed=seed, places=parts.places)
    factors = {
        measure: _factors(parts, plain, measure, rules, expected, to_date, buckets, seed) for measure in plain.draws
    }
    if Measure.RECEIPTS in factors:
        factors[Measure.RECEIPTS] = _held_to_the_chain(state, parts, plain, factors)
    first = int(plain.month.astype(np.int64))
    names, rep_of = rep_places(state.cells)
    luck = {
        measure: rep_luck(len(names), n_months, n_draws, rules.rep_spread.get(measure.value, 0.0), seed + place)
        for place, measure in enumerate(plain.draws)
    }

    def adjust(measure: Measure, events: Events, begin: int) -> Events:
        month = months_of(events.day) - first
        inside = np.clip(month, 0, n_months - 1)
        draw = events.draw + begin
        by = factors[measure][parts.part[events.cell], inside, draw] * luck[measure][rep_of[events.cell], inside, draw]
        amount = _rounded(measure, events.amount * by, seed)
        return Events(draw=events.draw, day=events.day, cell=events.cell, amount=amount, component=events.component)

    found = draw_flows(state, laws, n_months=n_months, n_draws=n_draws, seed=seed, adjust=adjust)
    return _with_to_date(found, plain, parts, to_date, luck, names, np.array(buckets))


def _rounded(measure: Measure, amount: Floats, seed: int) -> Floats:
    """Whole hundredths; whole customers, of whom a share is one with that chance."""
    if measure is not Measure.NEW_CUSTOMERS:
        return np.asarray(np.round(amount))
    return np.asarray(np.floor(amount + np.random.default_rng([seed, len(amount)]).random(len(amount))))


def _factors(
    parts: Parts,
    plain: FlowDraws,
    measure: Measure,
    rules: JointRules,
    expected: Mapping[tuple[str, Node], Floats],
    to_date: Mapping[tuple[str, Node], int],
    buckets: Sequence[int],
    seed: int,
) -> Floats:
    """What the events of a measure are multiplied by, shape (n_parts, n_months, n_draws)."""
    draws, unit = plain.draws[measure], minor_units(measure)
    ahead: dict[Node, Floats] = {}
    for node in parts.nodes:
        said = expected.get((measure.value, node))
        if said is not None:
            rest = said * unit
            rest[0] -= to_date.get((measure.value, node), 0)
            ahead[node] = np.maximum(rest, 0.0) if said.min() >= 0 else rest
    level = level_factors(parts, draws.mean(axis=2), ahead, rules, measure.value)
    company, own = rules.spreads(measure.value, buckets)
    shape = draws.shape
    luck = np.random.default_rng([seed, 7, list(Measure).index(measure) if measure in _OWN_LUCK else 0])
    shared = _luck(luck, (shape[1], shape[2]), company)
    parted = _luck(np.random.default_rng([seed, 8, list(Measure).index(measure)]), shape, own)
    return level[:, :, None] * shared[None] * parted


def _luck(rng: np.random.Generator, shape: tuple[int, ...], spread: Floats) -> Floats:
    """Factors of mean 1, half of whose variance stays from month to month; months are the last axis but one."""
    lasting = rng.normal(size=(*shape[:-2], 1, shape[-1]))
    passing = rng.normal(size=shape)
    both = np.sqrt(_PERSISTENCE) * lasting + np.sqrt(1 - _PERSISTENCE) * passing
    by = spread[:, None]
    return np.asarray(np.exp(by * both - by**2 / 2))


def _held_to_the_chain(state: FlowState, parts: Parts, plain: FlowDraws, factors: Mapping[Measure, Floats]) -> Floats:
    """Factors on receipts that never let a part receive, month by month, more than it is owed and signs with tax."""
    by = factors[Measure.RECEIPTS].copy()
    raw = plain.draws[Measure.RECEIPTS]
    owed = np.zeros(parts.n)
    for rows in (state.claims, state.bills):
        np.add.at(owed, parts.part[rows.cell], rows.gross)
    # What comes in is of what is owed now, of what is signed, or of invoices of no agreement; with the usual tax.
    nothing = np.zeros_like(raw)
    signed = plain.draws.get(Measure.BOOKINGS, nothing) * factors.get(Measure.BOOKINGS, nothing)
    outside = _outside(plain)
    net = float(state.agreements.net.sum()) if len(state.agreements.net) else 0.0
    tax = float(state.agreements.gross.sum()) / net if net > 0 else 1.0
    room = owed[:, None, None] + tax * (signed.cumsum(axis=1) + outside[:, :, None])
    spent = np.zeros((parts.n, raw.shape[2]))
    for month in range(raw.shape[1]):
        wanted = raw[:, month] * by[:, month]
        given = np.minimum(wanted, np.maximum(room[:, month] - spent, 0.0))
        by[:, month] *= np.where(wanted > 0, given / np.where(wanted > 0, wanted, 1.0), 1.0)
        spent += given
    return by


def _outside(plain: FlowDraws) -> Floats:
    """Invoices of no agreement up to each month, as far as they are surely more than signatures of the run-rate."""
    if Measure.REVENUE not in plain.components:
        return np.zeros(plain.components[Measure.RECEIPTS].shape[:2])
    invoiced = plain.components[Measure.REVENUE][:, :, Component.RUN_RATE].cumsum(axis=1)
    if Measure.BOOKINGS not in plain.components:
        return np.asarray(invoiced)
    signed = plain.components[Measure.BOOKINGS][:, :, Component.RUN_RATE].cumsum(axis=1)
    return np.asarray(np.maximum(invoiced - signed, 0.0))


def _with_to_date(
    found: FlowDraws,
    plain: FlowDraws,
    parts: Parts,
    to_date: Mapping[tuple[str, Node], int],
    luck: Mapping[Measure, Floats],
    reps: tuple[str, ...],
    buckets: npt.NDArray[np.int64],
) -> Joint:
    known = list(found.places.nodes)
    extra = sorted({node for _, node in to_date if node not in set(known)}, key=lambda node: node.node_id)
    nodes = (*known, *extra)
    draws, components, held = {}, {}, {}
    for measure, values in found.draws.items():
        wide = np.zeros((len(nodes), *values.shape[1:]), dtype=np.int64)
        wide[: len(known)] = np.rint(values).astype(np.int64)
        done = np.array([to_date.get((measure.value, node), 0) for node in nodes], dtype=np.int64)
        wide[:, 0] += done[:, None]
        share = np.zeros((len(nodes), *found.components[measure].shape[1:]))
        share[: len(known)] = found.components[measure]
        draws[measure], components[measure], held[measure] = wide, share, done
    means, variations = {}, {}
    for measure, values in plain.draws.items():
        both = np.concatenate([values.sum(axis=0, keepdims=True), values])
        means[measure] = both.mean(axis=2)
        sums = np.stack([both[:, buckets == bucket].sum(axis=1) for bucket in np.unique(buckets)], axis=1)
        variations[measure] = sums.std(axis=2) / np.maximum(np.abs(sums.mean(axis=2)), 1e-9)
    return Joint(
        nodes=nodes,
        month=found.month,
        draws=draws,
        components=components,
        to_date=held,
        raw_mean=means,
        raw_variation=variations,
        parts=parts,
        rep_luck={
            measure: {name: values[place] for place, name in enumerate(reps)} for measure, values in luck.items()
        },
    )
