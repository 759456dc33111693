"""When and how open deals end: competing piecewise-constant hazards in business time, additive in a few classes.

Weekly hazards of won and lost (competing risks), the base by stage and time ahead, every other class a factor on it.
Fitted by penalised Poisson regression on events and exposures, which is the likelihood of piecewise-exponential
survival (Holford, 1980; Laird and Olivier, 1981). Tenders are decided on their day and not by a hazard: they have a
chance and a lag after the day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit

from features.flow_rows import LOST, NEVER, WON
from models.deal_snapshots import RARE, Ends, Snapshots

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

# Business days ahead at which hazards may change; deals older than the last edge are taken as never ending.
EDGES = (0.0, 3.0, 8.0, 15.0, 25.0, 40.0, 60.0, 90.0, 130.0, 200.0, 400.0)
_PENALTY = 4.0
_BASE_PENALTY = 0.5
_STEPS = 12
_OTHER = "(other)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effects:
    """Levels of classes and their coefficients for one cause.

    Attributes
    ----------
    base : ndarray of float64, shape (n_stages, n_pieces)
        Log hazard by stage and time ahead.
    factors : mapping of str to ndarray of float64
        By class: log factor of every level, in the order of `DealHazards.levels`.
    """

    base: Floats
    factors: Mapping[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DealHazards:
    """What was learned of how deals end.

    Attributes
    ----------
    levels : mapping of str to tuple of str
        By class: its levels; the last one stands for all others.
    won, lost : Effects
        The two causes.
    tender : mapping of str to ndarray of float64
        By class: log-odds factors of winning a tender; `base` holds the constant.
    tender_lags : ndarray of int64
        Days from the tender to the decision, as they were.
    n_won : int
        Wins it was learned from.
    usual : float
        The amount by which sizes were told when it was learned.
    """

    levels: Mapping[str, tuple[str, ...]]
    won: Effects
    lost: Effects
    tender: Mapping[str, Floats]
    tender_lags: Ints
    n_won: int
    usual: float

    def hazards(self, rows: Snapshots) -> tuple[Floats, Floats]:
        """Hazards of won and lost per business day, shape (n_rows, n_pieces) each."""
        codes = encode(rows.facts, self.levels)
        return _hazard(self.won, codes), _hazard(self.lost, codes)

    def tender_chance(self, rows: Snapshots) -> Floats:
        """The chance of winning each row's tender, shape (n_rows,)."""
        codes = encode(rows.facts, self.levels)
        logit = np.full(len(rows.deal), float(self.tender["base"][0]))
        for name, factors in self.tender.items():
            if name != "base":
                logit += factors[codes[name]]
        return np.asarray(expit(logit))


def encode(facts: Mapping[str, Names], levels: Mapping[str, tuple[str, ...]]) -> dict[str, Ints]:
    """Places of classes among known levels; unknown ones are the last."""
    found = {}
    for name, known in levels.items():
        places = {level: place for place, level in enumerate(known)}
        found[name] = np.array([places.get(value, len(known) - 1) for value in facts[name].tolist()], dtype=np.int64)
    return found


def _hazard(effects: Effects, codes: Mapping[str, Ints]) -> Floats:
    log = effects.base[codes["stage"]].copy()
    for name, factors in effects.factors.items():
        log += factors[codes[name]][:, None]
    return np.asarray(np.exp(np.clip(log, -30, 3)))


def fit_hazards(rows: Snapshots, ends: Ends) -> DealHazards:
    """Hazards learned from how past snapshots ended.

    Parameters
    ----------
    rows : Snapshots
        Past mornings.
    ends : Ends
        What became of them; open ones count as long as they were seen.
    """
    # Reps are told apart afterwards, shrunk to one another: each sells too little for a coefficient of its own.
    levels = {name: _levels(values) for name, values in rows.facts.items() if name != "rep"}
    codes = encode(rows.facts, levels)
    is_tender = rows.tender != NEVER
    free = np.flatnonzero(~is_tender)
    some = {name: code[free] for name, code in codes.items()}
    causes = [_fit_cause(some, levels, ends.time[free], ends.outcome[free] == cause) for cause in (WON, LOST)]
    decided = np.flatnonzero(is_tender & (ends.outcome != 0))
    return DealHazards(
        levels=levels,
        won=causes[0],
        lost=causes[1],
        tender=_fit_tender({name: code[decided] for name, code in codes.items()}, levels, ends.outcome[decided] == WON),
        tender_lags=np.zeros(0, dtype=np.int64),
        n_won=len(np.unique(rows.deal[ends.outcome == WON])),
        usual=rows.usual,
    )


def _levels(values: Names) -> tuple[str, ...]:
    names, counts = np.unique(values.astype(str), return_counts=True)
    return (*names[counts >= RARE].tolist(), _OTHER)


def _fit_cause(
    codes: Mapping[str, Ints], levels: Mapping[str, tuple[str, ...]], time: Floats, is_event: npt.NDArray[np.bool_]
) -> Effects:
    edges = np.array(EDGES)
    n_pieces, n_stages = len(edges) - 1, len(levels["stage"])
    exposure = np.clip(time[:, None] - edges[:-1], 0.0, np.diff(edges))
    piece_of_end = np.minimum(np.searchsorted(edges, time, side="left") - 1, n_pieces - 1)
    event = np.zeros_like(exposure)
    inside = is_event & (time <= edges[-1])
    event[np.flatnonzero(inside), piece_of_end[inside]] = 1.0
    row, piece = np.nonzero(exposure > 0)
    names = [name for name in levels if name != "stage"]
    blocks, offset, columns = n_stages * n_pieces, n_stages * n_pieces, [codes["stage"][row] * n_pieces + piece]
    for name in names:
        columns.append(offset + codes[name][row])
        offset += len(levels[name])
    design, exposures, events = _cells(np.column_stack(columns), exposure[row, piece], event[row, piece], offset)
    penalty = np.full(offset, _PENALTY)
    penalty[:blocks] = _BASE_PENALTY
    start = np.log(max(events.sum(), 0.5) / max(exposures.sum(), 1.0))
    beta = _poisson(design, exposures, events, penalty, start, blocks)
    factors, place = {}, blocks
    for name in names:
        factors[name] = beta[place : place + len(levels[name])]
        place += len(levels[name])
    return Effects(base=beta[:blocks].reshape(n_stages, n_pieces), factors=factors)


def _cells(places: Ints, exposure: Floats, event: Floats, n: int) -> tuple[sparse.csr_matrix, Floats, Floats]:
    """Rows that look alike, told together: their design, exposures and events."""
    key = np.zeros(len(places), dtype=np.int64)
    for column in places.T if len(places) else ():
        key = key * (int(column.max()) + 2 - int(column.min())) + (column - column.min())
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    chosen = places[first]
    indices = np.arange(len(chosen) + 1) * chosen.shape[1]
    design = sparse.csr_matrix((np.ones(chosen.size), chosen.ravel(), indices), shape=(len(chosen), n))
    return (
        design,
        np.asarray(np.bincount(group, exposure), np.float64),
        np.asarray(np.bincount(group, event), np.float64),
    )


def _poisson(
    design: sparse.csr_matrix, exposure: Floats, event: Floats, penalty: Floats, start: float, n_base: int
) -> Floats:
    """Penalised maximum likelihood by Newton's method; base coefficients are drawn to the overall rate."""
    beta = np.zeros(design.shape[1])
    beta[:n_base] = start
    centre = beta.copy()
    for _ in range(_STEPS):
        mean = exposure * np.exp(np.clip(design @ beta, -30, 6))
        gradient = design.T @ (event - mean) - penalty * (beta - centre)
        hessian = (design.T @ design.multiply(mean[:, None])).toarray() + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-6:
            break
    return beta


def _fit_tender(
    codes: Mapping[str, Ints], levels: Mapping[str, tuple[str, ...]], is_won: npt.NDArray[np.bool_]
) -> dict[str, Floats]:
    """Log-odds of winning a tender by class, shrunk to the share of tenders won."""
    names = [name for name in levels if name not in ("in_stage", "to_close")]
    n = sum(len(levels[name]) for name in names)
    rows = len(is_won)
    share = (is_won.sum() + 0.5) / (rows + 2.0)
    beta, centre = np.zeros(n + 1), np.zeros(n + 1)
    beta[0] = centre[0] = np.log(share / (1 - share))
    offset, columns = 1, [np.zeros(rows, dtype=np.int64)]
    for name in names:
        columns.append(offset + codes[name])
        offset += len(levels[name])
    places = np.column_stack(columns)
    design = sparse.csr_matrix(
        (np.ones(places.size), places.ravel(), np.arange(rows + 1) * places.shape[1]), (rows, n + 1)
    )
    penalty = np.full(n + 1, 5.0)
    for _ in range(_STEPS if rows else 0):
        mean = expit(design @ beta)
        gradient = design.T @ (is_won - mean) - penalty * (beta - centre)
        hessian = (design.T @ design.multiply((mean * (1 - mean))[:, None])).toarray() + np.diag(penalty)
        beta = beta + np.linalg.solve(hessian, gradient)
    found, place = {"base": beta[:1]}, 1
    for name in names:
        found[name] = beta[place : place + len(levels[name])]
        place += len(levels[name])
    return found
