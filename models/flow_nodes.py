"""Sums of draws over the organisation and the segments: every node's draw is the sum of its rows, to the hundredth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.cells import Cells
from features.nodes import PARTS_OF, Level, Node
from models.money_draws import Events
from models.signings import Component

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

LEVELS = tuple(level for level in Level if level is not Level.SERIES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeMap:
    """Which nodes a cell counts for.

    Attributes
    ----------
    nodes : tuple of Node
        Level by level.
    of : ndarray of int64, shape (n_levels, n_cells)
        Place of the node of each level; -1 where the cell names none.
    """

    nodes: tuple[Node, ...]
    of: Ints

    def places(self, level: Level) -> Ints:
        """Places of the nodes of a level."""
        return np.array([place for place, node in enumerate(self.nodes) if node.level is level], dtype=np.int64)


def map_nodes(cells: Cells, levels: Sequence[Level] = LEVELS) -> NodeMap:
    """The nodes of cells.

    Parameters
    ----------
    cells : Cells
        Whose rows are.
    levels : sequence of Level
        What to sum over.
    """
    nodes: list[Node] = []
    of = np.full((len(levels), cells.n), -1, dtype=np.int64)
    for row, level in enumerate(levels):
        found: dict[tuple[str, ...], int] = {}
        parts = PARTS_OF[level]
        columns = [cells.axis(part).tolist() for part in parts]
        for cell, said in enumerate(zip(*columns, strict=True) if columns else [()] * cells.n):
            if None in said:
                continue
            if said not in found:
                found[said] = len(nodes)
                nodes.append(Node(level=level, **dict(zip(parts, said, strict=True))))
            of[row, cell] = found[said]
    return NodeMap(nodes=tuple(nodes), of=of)


def sum_draws(events: Events, places: NodeMap, *, month: int, n_months: int, n_draws: int) -> Floats:
    """The draws of every node and month, shape (n_nodes, n_months, n_draws), whole hundredths.

    Parameters
    ----------
    events : Events
        Amounts in draws, whole hundredths.
    places : NodeMap
        Nodes of cells.
    month : int
        The first month, months since 1970-01.
    n_months, n_draws : int
        Size of the answer.
    """
    when = months_of(events.day) - month
    kept = np.flatnonzero((when >= 0) & (when < n_months))
    flat = when[kept] * n_draws + events.draw[kept]
    return _sums(places, events.cell[kept], flat, events.amount[kept], n_months * n_draws).reshape(
        len(places.nodes), n_months, n_draws
    )


def sum_components(events: Events, places: NodeMap, *, month: int, n_months: int, n_draws: int) -> Floats:
    """The mean of every node, month and component over the draws, shape (n_nodes, n_months, n_components)."""
    when = months_of(events.day) - month
    kept = np.flatnonzero((when >= 0) & (when < n_months))
    n = len(Component)
    flat = when[kept] * n + events.component[kept]
    sums = _sums(places, events.cell[kept], flat, events.amount[kept], n_months * n)
    return sums.reshape(len(places.nodes), n_months, n) / n_draws


def _sums(places: NodeMap, cell: Ints, flat: Ints, amount: Floats, width: int) -> Floats:
    found = np.zeros(len(places.nodes) * width)
    for row in places.of:
        node = row[cell]
        known = np.flatnonzero(node >= 0)
        if len(known):
            found += np.bincount(node[known] * width + flat[known], amount[known], minlength=len(found))
    return found


def months_of(day: Ints) -> Ints:
    """Months since 1970-01 of epoch days.

    Examples
    --------
    >>> months_of(np.array([0, 31, 365])).tolist()
    [0, 1, 12]
    """
    return np.asarray(day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))
