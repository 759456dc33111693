"""Monthly panels from the record as known at a cutoff: one series a node and measure, closed months only.

A month is closed when it ended before the cutoff's own day; the running month is left out because it is partial.
Both clocks hold: what was recorded after the cutoff is not there. All history is told in the organisation of the
cutoff, so a salesperson who moved takes the past along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from crm.engine import DuckDBEngine
from crm.money import Measure, NoMeasure, read_books
from crm.reading import read_as_of
from crm.store import Generation
from features.attribution import Owners, Part, Seller, attribute, read_owners

Floats: TypeAlias = npt.NDArray[np.float64]
Months: TypeAlias = npt.NDArray[np.datetime64]

_HUNDREDTHS = 100
_SELLING = ("rep", None)


_MOMENT = timedelta(milliseconds=1)


class Level(StrEnum):
    """What a series sums over."""

    COMPANY = "company"
    REGION = "region"
    LINE = "line"
    REGION_LINE = "region_line"
    REP = "rep"
    # A series that a panel of the company's own brings along.
    SERIES = "series"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Node:
    """One place in the organisation and the range of products.

    Parameters
    ----------
    level : Level
        What it sums over.
    region, line, rep_id, series : str or None
        The part it stands for; None where it sums over all.
    """

    level: Level
    region: str | None = None
    line: str | None = None
    rep_id: str | None = None
    series: str | None = None

    @property
    def node_id(self) -> str:
        """Its name, unique among the nodes of a measure.

        Examples
        --------
        >>> Node(level=Level.REGION_LINE, region="East", line="Cloud").node_id
        'region_line:East|Cloud'
        """
        parts = [part for part in (self.region, self.line, self.rep_id, self.series) if part is not None]
        return self.level.value if not parts else f"{self.level.value}:{'|'.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """The series of one measure as known at one cutoff.

    Attributes
    ----------
    measure : str
        A measure of `crm.money`, or the name of a panel of the company's own.
    months : ndarray of datetime64[M], shape (n_months,)
        Closed months in a row, without a gap.
    nodes : tuple of Node
        One a series.
    values : ndarray of float64, shape (n_nodes, n_months)
        Currency units (not hundredths), or the units of the own panel; NaN where an own panel has no row.
    silent : mapping of str to str
        Nodes without a series, and why.
    unassigned : float
        Share of the absolute amounts whose region or line the record does not say; they count for the company.
    """

    measure: str
    months: Months
    nodes: tuple[Node, ...]
    values: Floats
    silent: Mapping[str, str] = field(default_factory=dict)
    unassigned: float = 0.0

    def series(self, node_id: str) -> Floats:
        """The values of one node, shape (n_months,)."""
        place = [node.node_id for node in self.nodes].index(node_id)
        return np.asarray(self.values[place])


def last_closed_month(as_of: datetime, zone: ZoneInfo) -> np.datetime64:
    """The newest month that ended before the local day of `as_of`.

    Examples
    --------
    >>> last_closed_month(datetime(2026, 7, 1, tzinfo=UTC), ZoneInfo("Asia/Shanghai"))
    np.datetime64('2026-06')
    >>> last_closed_month(datetime(2026, 6, 30, 15, 59, tzinfo=UTC), ZoneInfo("Asia/Shanghai"))
    np.datetime64('2026-05')
    """
    local = day_begun(as_of, zone).astimezone(zone).date()
    return np.datetime64(local.isoformat()[:7], "M") - np.timedelta64(1, "M")


def day_begun(as_of: datetime, zone: ZoneInfo) -> datetime:
    """The cutoff; midnight where it is the last moment of a day: a record that reaches it holds all of that day.

    What is dated by the day counts from the next one on, so a month read at its last moment would lack its last day.
    """
    after = (as_of + _MOMENT).astimezone(zone)
    if after.date() == as_of.astimezone(zone).date():
        return as_of
    return datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)


def end_of_month(month: np.datetime64, zone: ZoneInfo) -> datetime:
    """The first moment at which a month is closed: the midnight that ends it, UTC."""
    after: date = (month + np.timedelta64(1, "M")).astype("datetime64[D]").item()
    return datetime(after.year, after.month, 1, tzinfo=zone).astimezone(UTC)


def read_panels(
    generation: Generation,
    measures: Sequence[Measure],
    as_of: datetime,
    *,
    zone: ZoneInfo,
    currency: str,
    engine: DuckDBEngine | None = None,
) -> dict[str, Panel]:
    """The panels of the measures that the company can tell, and its own monthly panels, as known at a cutoff.

    Parameters
    ----------
    generation : Generation
        The record.
    measures : sequence of Measure
        What to count; those without a table that tells them are left out.
    as_of : datetime
        The cutoff, with a time zone.
    zone : ZoneInfo
        Where the company's months begin.
    currency : str
        The reporting currency.
    engine : DuckDBEngine or None
        An open engine over the same generation, for many cutoffs.

    Returns
    -------
    dict of str to Panel
        By measure. Series begin with the first month that holds an amount of the measure.

    Raises
    ------
    crm.money.NoRate
        An amount's currency has no exchange rate by its day.
    """
    as_of = day_begun(as_of, zone)
    books = read_books(generation, as_of, zone, currency, engine=engine)
    owners = read_owners(generation, as_of, zone, engine=engine)
    until = last_closed_month(as_of, zone)
    found: dict[str, Panel] = {}
    for measure in measures:
        try:
            parts = attribute(books, measure, owners)
        except NoMeasure:
            continue
        panel = _panel_of_parts(measure.value, parts, owners, until)
        if panel is not None:
            found[measure.value] = panel
    return found | _own_panels(generation, as_of, zone, until, engine)


def _panel_of_parts(measure: str, parts: Iterable[Part], owners: Owners, until: np.datetime64) -> Panel | None:
    last = int(until.astype(np.int64))
    placed = [(12 * (part.on.year - 1970) + part.on.month - 1, part) for part in parts]
    placed = [(month, part) for month, part in placed if month <= last]
    if not placed:
        return None
    first = min(month for month, _ in placed)
    sums: dict[Node, npt.NDArray[np.int64]] = {}
    lost = total = 0
    for month, part in placed:
        total += abs(part.amount)
        lost += abs(part.amount) if part.region is None or part.line is None else 0
        for node in _nodes_of(part):
            series = sums.get(node)
            if series is None:
                series = sums[node] = np.zeros(last - first + 1, dtype=np.int64)
            series[month - first] += part.amount
    silent = _silent(sums, owners, until)
    nodes = tuple(sorted((node for node in sums if node.node_id not in silent), key=_order))
    return Panel(
        measure=measure,
        months=np.arange(first, last + 1).astype("datetime64[M]"),
        nodes=nodes,
        values=np.array([sums[node] for node in nodes], dtype=np.float64) / _HUNDREDTHS,
        silent=silent,
        unassigned=lost / total if total else 0.0,
    )


def _nodes_of(part: Part) -> list[Node]:
    nodes = [Node(level=Level.COMPANY)]
    if part.region is not None:
        nodes.append(Node(level=Level.REGION, region=part.region))
    if part.line is not None:
        nodes.append(Node(level=Level.LINE, line=part.line))
    if part.region is not None and part.line is not None:
        nodes.append(Node(level=Level.REGION_LINE, region=part.region, line=part.line))
    if part.rep_id is not None:
        nodes.append(Node(level=Level.REP, rep_id=part.rep_id))
    return nodes


def _order(node: Node) -> tuple[int, str]:
    return list(Level).index(node.level), node.node_id


def _silent(sums: Mapping[Node, object], owners: Owners, until: np.datetime64) -> dict[str, str]:
    """Salespeople who get no series, and why."""
    silent: dict[str, str] = {}
    sold = {node.rep_id for node in sums if node.level is Level.REP}
    today: date = (until + np.timedelta64(1, "M")).astype("datetime64[D]").item()
    for seller in owners.sellers.values():
        reason = _why_silent(seller, sold, today)
        if reason:
            silent[Node(level=Level.REP, rep_id=seller.rep_id).node_id] = reason
    for rep_id in sold - set(owners.sellers):
        silent[Node(level=Level.REP, rep_id=rep_id).node_id] = "not on the list of salespeople"
    return silent


def _why_silent(seller: Seller, sold: set[str | None], today: date) -> str:
    if seller.left_on is not None and seller.left_on < today:
        return "has left the company"
    if seller.role not in _SELLING:
        return "does not sell"
    return "" if seller.rep_id in sold else "no history yet: nothing sold in a closed month"


def _own_panels(
    generation: Generation, as_of: datetime, zone: ZoneInfo, until: np.datetime64, engine: DuckDBEngine | None
) -> dict[str, Panel]:
    """The monthly panels that the company brought along, by name."""
    if not generation.has("panel"):
        return {}
    rows = read_as_of(generation, "panel", as_of, zone, engine=engine).to_pylist()
    found = {}
    for name in sorted({row["panel"] for row in rows if row["frequency"] == "month"}):
        placed = {
            (row["unique_id"], 12 * (row["ds"].year - 1970) + row["ds"].month - 1): row["y"]
            for row in rows
            if row["panel"] == name and row["frequency"] == "month" and row["y"] is not None
        }
        last = min(int(until.astype(np.int64)), max((month for _, month in placed), default=0))
        placed = {key: value for key, value in placed.items() if key[1] <= last}
        if not placed:
            continue
        first = min(month for _, month in placed)
        series = sorted({key[0] for key in placed})
        values = np.full((len(series), last - first + 1), np.nan)
        for (unique_id, month), value in placed.items():
            values[series.index(unique_id), month - first] = value
        found[name] = Panel(
            measure=name,
            months=np.arange(first, last + 1).astype("datetime64[M]"),
            nodes=tuple(Node(level=Level.SERIES, series=unique_id) for unique_id in series),
            values=values,
        )
    return found
