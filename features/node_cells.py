"""Which cells a node of the forecast sums over, and the node that a name stands for."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from features.cells import AXES, Cells
from features.nodes import PARTS_OF, Level, Node

Flags: TypeAlias = npt.NDArray[np.bool_]


class UnknownNode(ValueError):
    """A name that no node of the forecast bears."""


def node_named(node_id: str) -> Node:
    """The node of a name, as `Node.node_id` writes it.

    Raises
    ------
    UnknownNode
        No level of the forecast is named so, or it has another number of parts.

    Examples
    --------
    >>> node_named("region_line:East|Cloud").line
    'Cloud'
    >>> node_named("company").level.value
    'company'
    """
    level, _, rest = node_id.partition(":")
    known = [one for one in PARTS_OF if one is not Level.SERIES]
    if level not in known:
        raise UnknownNode(f"a node begins with one of {', '.join(known)}")
    names = PARTS_OF[Level(level)]
    parts = [unquote(part) for part in rest.split("|")] if rest else []
    if len(parts) != len(names):
        raise UnknownNode(f"a node of the level {level} names {len(names)} parts: {', '.join(names) or 'none'}")
    return Node(level=Level(level), **dict(zip(names, parts, strict=True)))


def cells_of(cells: Cells, node: Node) -> Flags:
    """Whether each cell belongs to a node, shape (n_cells,)."""
    inside = np.ones(cells.n, dtype=np.bool_)
    for axis in AXES:
        asked = getattr(node, axis)
        if asked is not None:
            inside &= cells.axis(axis) == asked
    return inside
