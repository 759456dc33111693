"""What a director says without a model: weighted pipeline, the manager's call, last year, as known at one moment.

Every call of a month is signed so far in that month plus something of the open pipeline; the months of a quarter add
up to the quarter. A deal whose promised day has passed counts in the running month: whoever leaves the date alone
still hopes for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from crm.engine import DuckDBEngine
from crm.store import Generation
from features.attribution import Owners, label_rows, read_owners
from features.call_pipeline import Pipeline, read_pipeline
from features.call_rows import Floats, Moment, Money, read_signed
from features.nodes import Level, nodes_of
from features.panel import day_begun, last_closed_month

Months: TypeAlias = npt.NDArray[np.datetime64]

_YEAR = 12
_HUNDREDTHS = 100
LEVELS = tuple(level for level in Level if level is not Level.SERIES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calls:
    """The calls of bookings by node and month, in units of the reporting currency.

    Attributes
    ----------
    nodes : tuple of str
        Every node with an amount, `region:East`; levels are `LEVELS`.
    months : ndarray of datetime64[M], shape (n_months,)
        As asked.
    signed : ndarray of float64, shape (n_nodes, n_months)
        Booked by the moment, deals won of late included that wait for their agreement.
    stage_weighted : ndarray of float64, shape (n_nodes, n_months)
        Signed, and each open deal at the share won of those that ever stood in its stage; NaN without deals.
    commit, best_case : ndarray of float64, shape (n_nodes, n_months)
        Signed, and open deals called `commit`; with those called `best_case` too. NaN where nobody calls.
    last_year, last_year_grown : ndarray of float64, shape (n_nodes, n_months)
        The newest closed month of the same name; times what the last twelve closed months are of the twelve before.
        NaN before the record begins, or where there is nothing to grow from.
    """

    nodes: tuple[str, ...]
    months: Months
    signed: Floats
    stage_weighted: Floats
    commit: Floats
    best_case: Floats
    last_year: Floats
    last_year_grown: Floats

    def of(self, name: str, node_ids: Sequence[str]) -> Floats:
        """One call of the named nodes: 0 where the record has nothing of them, NaN for a level that is not called.

        Parameters
        ----------
        name : str
            A field, for instance `stage_weighted`.
        node_ids : sequence of str
            Any nodes.

        Returns
        -------
        ndarray of float64, shape (n_asked, n_months)
            In the order asked.
        """
        values: Floats = getattr(self, name)
        places = {node: place for place, node in enumerate(self.nodes)}
        # What nobody says of the whole company is not said of a part of it either.
        silent = np.where(np.isnan(values[places["company"]]), np.nan, 0.0)
        strange = np.full(len(self.months), np.nan)
        return np.array(
            [
                values[places[node]] if node in places else silent if node.split(":")[0] in LEVELS else strange
                for node in node_ids
            ]
        ).reshape(len(node_ids), len(self.months))


def read_calls(
    generation: Generation,
    as_of: datetime,
    months: Months | Sequence[np.datetime64],
    *,
    zone: ZoneInfo,
    currency: str,
    engine: DuckDBEngine | None = None,
    amounts: Literal["net", "gross"] = "net",
) -> Calls:
    """The calls of bookings for months, as known at a moment.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        The moment, with a time zone. Nothing that happened or was recorded later is used.
    months : ndarray of datetime64[M], shape (n_months,)
        What to call; closed months hold what was signed, as then known.
    zone : ZoneInfo
        Where the company's months begin.
    currency : str
        The reporting currency.
    engine : DuckDBEngine or None
        An open engine over the same generation, for many moments.
    amounts : str
        With tax (`gross`) or without it (`net`).

    Raises
    ------
    crm.money.NoMeasure
        The company keeps no table that tells bookings.
    crm.money.NoRate
        An amount's currency has no exchange rate by its day.

    Notes
    -----
    Shares of stages count deals closed before the moment. A deal without a promised day is placed at the median time
    from creation to win of the deals won before.
    """
    asked = np.asarray(months, dtype="datetime64[M]")
    with ExitStack() as stack:
        opened = engine or stack.enter_context(generation.engine())
        moment = day_begun(as_of, zone)
        known = Moment(
            generation=generation, as_of=moment, zone=zone, currency=currency, amounts=amounts, engine=opened
        )
        source, signed = read_signed(known)
        owners = read_owners(generation, moment, zone, engine=opened)
        pipeline = read_pipeline(known, source, signed)
    return _calls(asked, last_closed_month(moment, zone), owners, signed, pipeline)


def _calls(months: Months, closed: np.datetime64, owners: Owners, signed: Money, pipeline: Pipeline | None) -> Calls:
    sums = _Sums()
    sums.add("signed", owners, signed, signed.amount)
    if pipeline is not None:
        deals = pipeline.deals
        sums.add("signed", owners, pipeline.waiting, pipeline.waiting.amount)
        sums.add("weighted", owners, deals, deals.amount * pipeline.share)
        sums.add("commit", owners, deals, deals.amount * pipeline.is_commit)
        sums.add("best", owners, deals, deals.amount * pipeline.is_best)
    # No deals at all, or none ever closed or called: the call is unknown, not the part of it that is signed.
    weighted = np.nan if pipeline is None or pipeline.is_untold else 0.0
    called = np.nan if pipeline is None or not pipeline.is_called else 0.0
    booked = sums.months("signed", months)
    last_year = sums.months("signed", _same_month_before(months, closed))
    last_year[:, _same_month_before(months, closed) < sums.first] = np.nan
    growth = _growth(sums, closed)
    years = (months - _same_month_before(months, closed)).astype(np.int64) // _YEAR
    return Calls(
        nodes=sums.nodes,
        months=months,
        signed=booked,
        stage_weighted=booked + sums.months("weighted", months) + weighted,
        commit=booked + sums.months("commit", months) + called,
        best_case=booked + sums.months("best", months) + called,
        last_year=last_year,
        last_year_grown=last_year * growth[:, None] ** np.maximum(years, 0),
    )


class _Sums:
    """Sums by node and month of several kinds of amounts."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, tuple[str, ...], npt.NDArray[np.intp], Months, Floats]] = []
        self.first = np.datetime64("9999-12", "M")

    def add(self, kind: str, owners: Owners, money: Money, amount: Floats) -> None:
        """Count amounts at every node of their row."""
        if len(amount) == 0:
            return
        on = money.on.astype("datetime64[M]")
        if kind == "signed":
            self.first = min(self.first, on.min())
        labels = label_rows(money.rows, owners)
        for level in LEVELS:
            nodes, code = nodes_of(level, labels, money.rows.num_rows)
            self._parts.append((kind, tuple(node.node_id for node in nodes), code, on, amount))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node, the company first, in the order in which rows name them."""
        return tuple(dict.fromkeys(name for _, names, _, _, _ in self._parts for name in names))

    def months(self, kind: str, months: Months) -> Floats:
        """Sums of one kind in currency units, shape (n_nodes, n_months)."""
        nodes = {name: place for place, name in enumerate(self.nodes)}
        asked, column = np.unique(months, return_inverse=True)
        found = np.zeros((len(nodes), len(asked)))
        for what, names, code, on, amount in self._parts:
            if what != kind or not names:
                continue
            place = np.searchsorted(asked, on)
            here = (code >= 0) & (asked[np.minimum(place, len(asked) - 1)] == on) if len(asked) else code < -1
            rows = np.array([nodes[name] for name in names])[code[here]]
            np.add.at(found, (rows, place[here]), amount[here])
        return np.asarray(found[:, column] / _HUNDREDTHS)


def _same_month_before(months: Months, closed: np.datetime64) -> Months:
    """The newest closed month of the same name before each month."""
    years = np.maximum(-(-(months - closed).astype(np.int64) // _YEAR), 1)
    return np.asarray(months - (_YEAR * years).astype("timedelta64[M]"))


def _growth(sums: _Sums, closed: np.datetime64) -> Floats:
    """The last twelve closed months over the twelve before, shape (n_nodes,); NaN without two whole years."""
    newest = closed - np.arange(_YEAR).astype("timedelta64[M]")
    now, before = (sums.months("signed", months).sum(axis=1) for months in (newest, newest - _YEAR))
    known = (closed - np.timedelta64(2 * _YEAR - 1, "M") >= sums.first) & (before > 0)
    return np.where(known, now / np.where(before > 0, before, 1.0), np.nan)
