"""How the fields of deals changed, in columns."""

from __future__ import annotations

from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.columns import days_of, places_of, texts_of
from features.flow_rows import Moves
from features.money_rates import Rates

Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

_MOVED = {
    "stage": "stage",
    "forecast_category": "category",
    "expected_close_on": "expected",
    "tender_on": "tender",
    "net_amount": "amount",
}


def moves_of(
    rows: pd.DataFrame, changes: pa.Table | None, rates: Rates, currency: Names, known: Ints, zone: ZoneInfo
) -> dict[str, Moves]:
    """The histories of the fields that tell how a deal stood; a field without changes always was what it is."""
    if changes is None:
        moved = pd.DataFrame({name: pd.Series(dtype=object) for name in ("entity_id", "field", "occurred_at")})
        moved[["old_value", "new_value"]] = None
    else:
        held = changes.to_pandas(date_as_object=False)
        moved = held[(held["entity"] == "opportunities") & held["field"].isin(_MOVED)]
    deal = places_of(moved["entity_id"], pd.Index(rows["opportunity_id"]))
    moved = moved.assign(deal=deal, moment=pd.to_datetime(moved["occurred_at"]))[deal >= 0]
    moved = moved.sort_values(["deal", "moment"], kind="stable")
    found = {}
    for field, name in _MOVED.items():
        part = moved[moved["field"] == field]
        deal = part["deal"].to_numpy(dtype=np.int64)
        day = days_of(part["moment"], zone)
        new, old, now = (_typed(name, values) for values in (part["new_value"], part["old_value"], rows[field]))
        if name == "amount":
            new, old = (
                rates.convert(values.astype(np.float64), currency[deal], known[deal], must=False)
                for values in (new, old)
            )
            now = rates.convert(now.astype(np.float64), currency, known, must=False)
        begins = np.flatnonzero(np.diff(deal, prepend=-1))
        now[deal[begins]] = old[begins]
        found[name] = Moves(deal=deal, day=day, value=new, first=now)
    return found


def _typed(name: str, values: pd.Series) -> npt.NDArray[np.generic]:
    if name in ("expected", "tender"):
        return days_of(pd.to_datetime(values, errors="coerce"))
    if name == "amount":
        return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan).copy()
    return texts_of(values).copy()
