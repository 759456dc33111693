"""The open pipeline as known at one moment: what each call takes of every deal, and what stages came to before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.clocks import is_visible, moment
from crm.tables import table
from features.call_rows import Floats, Moment, Money, money_of_deals

# Below so many closed deals a stage is told by all deals together.
FEWEST_CLOSED = 10
# A deal won and not yet signed is signed within a month, or the record does not tie deals to agreements.
_SIGNED_WITHIN = np.timedelta64(30, "D")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pipeline:
    """Open deals with what each call takes of them, and deals won that wait for their agreement.

    Attributes
    ----------
    deals : Money
        Open deals; `on` is never before the running month.
    share : ndarray of float64, shape (n_deals,)
        Share won of their stage.
    is_commit, is_best : ndarray of bool, shape (n_deals,)
        What is called `commit`, and what is called `commit` or `best_case`.
    waiting : Money
        Won and not signed yet.
    is_called : bool
        Whether any deal was ever called.
    """

    deals: Money
    share: Floats
    is_commit: npt.NDArray[np.bool_]
    is_best: npt.NDArray[np.bool_]
    waiting: Money
    is_called: bool

    @property
    def is_untold(self) -> bool:
        """Whether no deal has closed yet, so that no stage is known to come to anything."""
        return bool(np.isnan(self.share).any())


def read_pipeline(known: Moment, source: str, signed: Money) -> Pipeline | None:
    """The open pipeline; None where the company keeps no deals."""
    deals = known.read("opportunities")
    if deals.num_rows == 0:
        return None
    shares, overall = stage_shares(known, deals)
    money = money_of_deals(known, deals)
    today = np.datetime64(known.on, "D")
    created = deals.column("created_at").to_numpy().astype("datetime64[D]")
    usual = _median_days_to_win(deals)
    likely = created + np.timedelta64(0 if np.isnan(usual) else round(usual), "D")
    on = np.maximum(np.where(np.isnat(money.on), likely, money.on), today)
    opened = _is_open(deals)
    waiting = _won_unsigned(known, deals, signed.rows) if source == "agreements" else np.zeros(len(opened), dtype=bool)
    called = deals.column("forecast_category").to_numpy(zero_copy_only=False)
    stages = deals.column("stage").to_numpy(zero_copy_only=False)
    share = np.array([shares.get(stage, overall) for stage in stages])
    placed = Money(rows=deals, on=on, amount=money.amount)
    return Pipeline(
        deals=placed.take(opened),
        share=share[opened],
        is_commit=(called == "commit")[opened],
        is_best=np.isin(called.astype(str), ("commit", "best_case"))[opened],
        waiting=Money(rows=deals, on=np.full(len(on), today), amount=money.amount).take(waiting),
        is_called=deals.column("forecast_category").null_count < deals.num_rows,
    )


def _won_unsigned(known: Moment, deals: pa.Table, agreements: pa.Table) -> npt.NDArray[np.bool_]:
    """Which deals were won of late and wait for their agreement; none where agreements do not name deals."""
    named = agreements.column("opportunity_id")
    if named.null_count == len(named):
        return np.zeros(deals.num_rows, dtype=bool)
    signed = pc.is_in(deals.column("opportunity_id"), value_set=named.combine_chunks())
    won = pc.and_(pc.fill_null(pc.equal(deals.column("outcome"), "won"), False), pc.invert(signed))
    closed = deals.column("closed_at").to_numpy().astype("datetime64[us]")
    at = np.datetime64(known.as_of.astimezone(UTC).replace(tzinfo=None), "us")
    waits = np.asarray(won.to_numpy(), dtype=bool)
    waits &= closed > at - _SIGNED_WITHIN
    return waits


def _is_open(deals: pa.Table) -> npt.NDArray[np.bool_]:
    """Which deals were neither won nor lost at the moment at which they were read."""
    ended = pc.is_in(deals.column("outcome"), value_set=pa.array(["won", "lost"]))
    return np.asarray(pc.invert(ended).to_numpy(), dtype=bool)


def stage_shares(known: Moment, deals: pa.Table) -> tuple[Mapping[str, float], float]:
    """Share won of the closed deals that ever stood in a stage, and of all of them.

    Parameters
    ----------
    known : Moment
        Nothing that happened or was recorded later is used.
    deals : pa.Table
        All deals as known then.

    Returns
    -------
    mapping of str to float
        Stages with at least `FEWEST_CLOSED` closed deals.
    float
        The share of all closed deals; NaN before the first.
    """
    closed = deals.filter(pc.is_in(deals.column("outcome"), value_set=pa.array(["won", "lost"])))
    if closed.num_rows == 0:
        return {}, float("nan")
    won = pc.equal(closed.column("outcome"), "won").to_numpy().astype(float)
    visited = [pa.table({"deal": closed.column("opportunity_id"), "stage": closed.column("stage")}), _moves(known)]
    pairs = pa.concat_tables([part.select(["deal", "stage"]) for part in visited])
    pairs = pairs.group_by(["deal", "stage"]).aggregate([])
    place = pc.index_in(pairs.column("deal"), value_set=closed.column("opportunity_id").combine_chunks())
    there = np.asarray(pc.and_(pc.is_valid(place), pc.is_valid(pairs.column("stage"))).to_numpy(), dtype=bool)
    coded = pairs.column("stage").combine_chunks().filter(pa.array(there)).dictionary_encode()
    code = coded.indices.to_numpy()
    ends = won[place.filter(pa.array(there)).to_numpy().astype(np.int64)]
    stages = coded.dictionary.to_pylist()
    n = np.bincount(code, minlength=len(stages))
    share = np.bincount(code, weights=ends, minlength=len(stages)) / np.maximum(n, 1)
    shares = {stage: float(share[k]) for k, stage in enumerate(stages) if n[k] >= FEWEST_CLOSED}
    return shares, float(won.mean())


def _moves(known: Moment) -> pa.Table:
    """Every stage that a deal left or entered, as the changes on record by the moment say."""
    if not known.generation.has("changes"):
        return pa.table({"deal": pa.array([], pa.string()), "stage": pa.array([], pa.string())})
    at = known.as_of.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    seen = is_visible(table("changes"), "c", moment(at, known.on.isoformat()))
    chosen = f"FROM changes c WHERE c.entity = 'opportunities' AND c.field = 'stage' AND {seen}"
    return known.engine.query(
        f"SELECT DISTINCT entity_id AS deal, NULLIF(old_value, '') AS stage {chosen} "
        f"UNION SELECT DISTINCT entity_id AS deal, NULLIF(new_value, '') AS stage {chosen}"
    )


def _median_days_to_win(deals: pa.Table) -> float:
    """Days from the creation of won deals to their end, at the median; NaN before the first."""
    won = deals.filter(pc.fill_null(pc.equal(deals.column("outcome"), "won"), False))
    if won.num_rows == 0:
        return float("nan")
    took = won.column("closed_at").to_numpy().astype("datetime64[us]") - won.column("created_at").to_numpy().astype(
        "datetime64[us]"
    )
    return float(np.median(took / np.timedelta64(1, "D")))
