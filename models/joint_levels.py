"""The parts in which a joint sample is levelled: crossings of region and line, and what sums over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from features.cells import Cells
from features.nodes import Level, Node
from models.flow_nodes import NodeMap
from models.joint_rules import JointRules
from models.reconcile import reconcile

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# A factor beyond these would make a forecast of something that the rows of the record do not show.
_LEAST_FACTOR, _MOST_FACTOR = 0.25, 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """The hierarchy that forecasts are reconciled in.

    Attributes
    ----------
    nodes : tuple of Node
        Company, regions, lines, then the parts: every pair of region and line that a cell has, None among them.
    S : scipy.sparse.csr_matrix, shape (n_nodes, n_parts)
        What sums over what.
    part : ndarray of int64, shape (n_cells,)
        The part of each cell.
    """

    nodes: tuple[Node, ...]
    S: Any
    part: Ints

    @property
    def n(self) -> int:
        """Number of parts."""
        return int(self.S.shape[1])

    @property
    def places(self) -> NodeMap:
        """The parts as nodes to sum over."""
        return NodeMap(nodes=self.nodes[-self.n :], of=self.part[None, :])


def make_parts(cells: Cells) -> Parts:
    """The parts of cells and the nodes above them.

    Parameters
    ----------
    cells : Cells
        Whose rows are.
    """
    pairs = list(zip(cells.region.tolist(), cells.line.tolist(), strict=True))
    names = sorted(set(pairs), key=lambda pair: tuple(part or "" for part in pair))
    place = {pair: number for number, pair in enumerate(names)}
    above: list[tuple[Node, list[int]]] = [(Node(level=Level.COMPANY), list(range(len(names))))]
    for level, axis in ((Level.REGION, 0), (Level.LINE, 1)):
        for name in sorted({pair[axis] for pair in names if pair[axis] is not None}):
            node = Node(level=level, **{level.value: name})
            above.append((node, [number for pair, number in place.items() if pair[axis] == name]))
    parts = tuple(Node(level=Level.REGION_LINE, region=region, line=line) for region, line in names)
    rows = [members for _, members in above] + [[number] for number in range(len(names))]
    index: list[int] = [row for row, members in enumerate(rows) for _ in members]
    flat: list[int] = [number for members in rows for number in members]
    S = sparse.csr_matrix((np.ones(len(flat)), (index, flat)), shape=(len(rows), len(names)))
    return Parts(
        nodes=(*(node for node, _ in above), *parts),
        S=S,
        part=np.array([place[pair] for pair in pairs], dtype=np.int64),
    )


def level_factors(
    parts: Parts, drawn: Floats, expected: Mapping[Node, Floats], rules: JointRules, measure: str
) -> Floats:
    """What the draws of every part and month are multiplied by, shape (n_parts, n_months).

    Parameters
    ----------
    parts : Parts
        The hierarchy.
    drawn : ndarray of float64, shape (n_parts, n_months)
        Means of the draws of the parts.
    expected : mapping of Node to ndarray of float64, shape (n_months,)
        What is forecast of nodes, in the same unit and of the same months; a node that is missing expects its draws.
    rules : JointRules
        Method and residuals.
    measure : str
        What is counted.

    Notes
    -----
    Base forecasts do not add up; they are projected onto those that do, never below nothing, and the draws of each
    part follow its coherent forecast. What draws say nothing of stays at nothing.
    """
    summed = np.asarray(parts.S @ drawn)
    base = np.array([expected.get(node, own) for node, own in zip(parts.nodes, summed, strict=True)])
    base = np.where(np.isfinite(base), base, summed)
    is_positive = bool((base >= 0).all())
    residuals = rules.residual_rows(measure, parts.nodes)
    if residuals is not None:
        residuals = residuals * base.mean(axis=1, keepdims=True)
    coherent = reconcile(base, parts.S, rules.method(measure), residuals, nonnegative=is_positive)[-parts.n :]
    factor = np.where(drawn > 0, coherent / np.where(drawn > 0, drawn, 1.0), 1.0)
    return np.asarray(np.clip(factor, _LEAST_FACTOR, _MOST_FACTOR))
