"""Monthly panels from the record as known at a cutoff: one series a node and measure, closed months only.

A month is closed when it ended before the cutoff's own day; the running month is left out because it is partial.
Both clocks hold: what was recorded after the cutoff is not there. All history is told in the organisation of the
cutoff, so a salesperson who moved takes the past along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from crm.engine import DuckDBEngine
from crm.money import Measure, NoMeasure, minor_units, read_books
from crm.reading import read_as_of
from crm.store import Generation
from features.attribution import Attributed, Owners, attribute, read_owners
from features.nodes import Level, Node, nodes_of
from features.own_panels import read_own_panels
from features.row_labels import Labels
from features.silent import silent_regions, silent_reps, silent_teams

Floats: TypeAlias = npt.NDArray[np.float64]
Months: TypeAlias = npt.NDArray[np.datetime64]
Places: TypeAlias = npt.NDArray[np.intp]

_YEAR = 12

_MOMENT = timedelta(milliseconds=1)


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
    period : int
        Months that one amount is of: 1, or 3 for an own panel by quarter, whose `months` are the last of each quarter.
    """

    measure: str
    months: Months
    nodes: tuple[Node, ...]
    values: Floats
    silent: Mapping[str, str] = field(default_factory=dict)
    unassigned: float = 0.0
    period: int = 1

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
    amounts: Literal["net", "gross"] = "net",
    levels: Collection[Level] = tuple(Level),
) -> dict[str, Panel]:
    """The panels of the measures that the company can tell, and its own by month or quarter, as known at a cutoff.

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
    amounts : str
        Bookings and revenue with tax (`gross`) or without it (`net`).
    levels : collection of Level
        What to sum over.

    Returns
    -------
    dict of str to Panel
        By measure. Series begin with the first month that holds an amount of the measure.

    Raises
    ------
    crm.money.NoRate
        An amount's currency has no exchange rate by its day.
    features.own_panels.TwoRowsAMonth
        A panel of the company's own gives one month of a series twice.
    """
    until = last_closed_month(as_of, zone)
    owners, found = read_attributed(
        generation, measures, as_of, zone=zone, currency=currency, engine=engine, amounts=amounts
    )
    panels = {
        measure.value: panel
        for measure, parts in found.items()
        if (panel := sum_parts(measure, parts, owners, until, levels)) is not None
    }
    if Level.SERIES in levels and generation.has("panel"):
        rows = read_as_of(generation, "panel", day_begun(as_of, zone), zone, engine=engine)
        for name, own in read_own_panels(rows, until).items():
            nodes = tuple(Node(level=Level.SERIES, series=unique_id) for unique_id in own.series)
            panels[name] = Panel(measure=name, months=own.months, nodes=nodes, values=own.values, period=own.period)
    return panels


def read_attributed(
    generation: Generation,
    measures: Sequence[Measure],
    as_of: datetime,
    *,
    zone: ZoneInfo,
    currency: str,
    engine: DuckDBEngine | None = None,
    amounts: Literal["net", "gross"] = "net",
) -> tuple[Owners, dict[Measure, Attributed]]:
    """The amounts that panels sum, with their owners, and the organisation of the cutoff.

    Parameters are those of `read_panels`. Amounts of the running month are among them; a measure that no table tells
    is left out.
    """
    as_of = day_begun(as_of, zone)
    books = read_books(generation, as_of, zone, currency, engine=engine, amounts=amounts)
    owners = read_owners(generation, as_of, zone, engine=engine)
    found: dict[Measure, Attributed] = {}
    for measure in measures:
        try:
            found[measure] = attribute(books, measure, owners)
        except NoMeasure:
            continue
    return owners, found


def sum_parts(
    measure: Measure, parts: Attributed, owners: Owners, until: np.datetime64, levels: Collection[Level] = tuple(Level)
) -> Panel | None:
    """The panel of a measure's amounts up to a month; None when no month up to it holds one.

    Parameters
    ----------
    measure : Measure
        What they count.
    parts : Attributed
        Amounts with owners.
    owners : Owners
        The organisation of the same moment.
    until : numpy.datetime64
        The last closed month.
    levels : collection of Level
        What to sum over.
    """
    months = parts.month.astype(np.int64)
    last = int(until.astype(np.int64))
    closed = np.flatnonzero(months <= last)
    if len(closed) == 0:
        return None
    if measure is Measure.NEW_CUSTOMERS:
        closed = closed[months[closed] >= _first_sure_month(int(months[closed].min()), last)]
        if len(closed) == 0:
            return None
    first = int(months[closed].min())
    amount, place = parts.amount[closed], months[closed] - first
    labels = {name: own.take(closed) for name, own in parts.labels.items()}
    sums: dict[Node, npt.NDArray[np.int64]] = {}
    for level in Level:
        if level in levels and level is not Level.SERIES:
            sums |= _sums_of(level, labels, amount, place, last - first + 1)
    silent = _silent(sums, levels, owners, until)
    nodes = tuple(sorted((node for node in sums if node.node_id not in silent), key=_order))
    lost = (labels["region"].codes < 0) | (labels["line"].codes < 0)
    size = np.abs(amount)
    return Panel(
        measure=measure.value,
        months=np.arange(first, last + 1).astype("datetime64[M]"),
        nodes=nodes,
        values=np.array([sums[node] for node in nodes], dtype=np.float64) / minor_units(measure),
        silent=silent,
        unassigned=float(size[lost].sum() / size.sum()) if size.any() else 0.0,
    )


def _first_sure_month(first: int, last: int) -> int:
    """The month from which a first sale on record is the customer's first: a year after the record begins.

    Who buys in the first year may have bought before it, and most have. A record of less than two years tells all it
    has.
    """
    return first + _YEAR if last - first + 1 >= 2 * _YEAR else first


def _sums_of(
    level: Level, labels: Mapping[str, Labels], amount: npt.NDArray[np.int64], place: Places, n_months: int
) -> dict[Node, npt.NDArray[np.int64]]:
    """The monthly sums of each node of a level; amounts that name no part of it count for none."""
    nodes, codes = nodes_of(level, labels, len(amount))
    known = codes >= 0
    sums = np.zeros((len(nodes), n_months), dtype=np.int64)
    np.add.at(sums, (codes[known], place[known]), amount[known])
    return dict(zip(nodes, sums, strict=True))


def _order(node: Node) -> tuple[int, str]:
    return list(Level).index(node.level), node.node_id


def _silent(sums: Iterable[Node], levels: Collection[Level], owners: Owners, until: np.datetime64) -> dict[str, str]:
    """Nodes of salespeople, teams and regions that get no series, and why."""
    today: date = (until + np.timedelta64(1, "M")).astype("datetime64[D]").item()
    found: dict[Node, str] = {}
    for level, part, reasons in (
        (Level.REGION, "region", silent_regions),
        (Level.TEAM, "team", silent_teams),
        (Level.REP, "rep_id", silent_reps),
    ):
        sold = {name for node in sums if node.level is level and (name := getattr(node, part)) is not None}
        if level in levels:
            told = reasons(owners, sold, today)
            found |= {Node(level=level, **{part: name}): reason for name, reason in told.items()}
    return {node.node_id: reason for node, reason in found.items()}
