"""Nodes: the places in the organisation, the range of products and the kinds of customers that amounts are told by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.row_labels import Labels

Places: TypeAlias = npt.NDArray[np.intp]

# What separates the parts of a node's name, written as in a web address where a part holds it.
_ESCAPED = str.maketrans({"%": "%25", "|": "%7C", ":": "%3A"})


class Level(StrEnum):
    """What a series sums over."""

    COMPANY = "company"
    REGION = "region"
    TEAM = "team"
    LINE = "line"
    REGION_LINE = "region_line"
    INDUSTRY = "industry"
    BUYER_TYPE = "buyer_type"
    REP = "rep"
    # A series that a panel of the company's own brings along.
    SERIES = "series"


# The parts that name a node of each level.
PARTS_OF: Mapping[Level, tuple[str, ...]] = {
    Level.COMPANY: (),
    Level.REGION: ("region",),
    Level.TEAM: ("team",),
    Level.LINE: ("line",),
    Level.REGION_LINE: ("region", "line"),
    Level.INDUSTRY: ("industry",),
    Level.BUYER_TYPE: ("buyer_type",),
    Level.REP: ("rep_id",),
    Level.SERIES: ("series",),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Node:
    """One place in the organisation, the range of products or the kinds of customers.

    Parameters
    ----------
    level : Level
        What it sums over.
    region, team, line, industry, buyer_type, rep_id, series : str or None
        The part it stands for; None where it sums over all. A team is the identifier of a unit.
    """

    level: Level
    region: str | None = None
    team: str | None = None
    line: str | None = None
    industry: str | None = None
    buyer_type: str | None = None
    rep_id: str | None = None
    series: str | None = None

    @property
    def node_id(self) -> str:
        """Its name, unique among the nodes of a measure; `%`, `|` and `:` in a part are written as in a web address.

        Examples
        --------
        >>> Node(level=Level.REGION_LINE, region="East", line="Cloud").node_id
        'region_line:East|Cloud'
        >>> Node(level=Level.LINE, line="A|B: 5%").node_id
        'line:A%7CB%3A 5%25'
        """
        parts = [part.translate(_ESCAPED) for name in PARTS_OF[self.level] if (part := getattr(self, name)) is not None]
        return self.level.value if not parts else f"{self.level.value}:{'|'.join(parts)}"


def nodes_of(level: Level, labels: Mapping[str, Labels], n_rows: int) -> tuple[tuple[Node, ...], Places]:
    """The nodes of a level that rows name, and the place of each row's own; -1 for a row that names no part of one.

    Parameters
    ----------
    level : Level
        Any but the company's own series.
    labels : mapping of str to Labels
        By part of a node (`region`, `rep_id`), what each row says; as `features.attribution` gives them.
    n_rows : int
        Rows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> found, place = nodes_of(Level.REGION, {"region": Labels.of(pa.array(["West", None, "East"]))}, 3)
    >>> [node.node_id for node in found], place.tolist()
    (['region:East', 'region:West'], [1, -1, 0])
    """
    named = [(name, labels[name]) for name in PARTS_OF[level]]
    codes = np.zeros(n_rows, dtype=np.intp)
    known = np.ones(n_rows, dtype=np.bool_)
    for _, own in named:
        codes = codes * max(len(own.names), 1) + own.codes
        known &= own.codes >= 0
    # Codes are few and dense: counting them is ten times as fast as sorting the rows.
    there = np.bincount(codes[known]) > 0
    nodes = []
    for code in np.flatnonzero(there).tolist():
        said: dict[str, str] = {}
        for name, own in reversed(named):
            code, rest = divmod(code, max(len(own.names), 1))
            said[name] = own.names[rest]
        nodes.append(Node(level=level, **said))
    place = np.full(n_rows, -1, dtype=np.intp)
    place[known] = (np.cumsum(there) - 1)[codes[known]]
    return tuple(nodes), place
