"""The plain way, against which `make bench` measures: pandas, scikit-learn and LightGBM as anyone would call them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

DAY = 86_400.0


def read_categories(model: Path) -> dict[str, list[str] | None]:
    """Field name to its categories in the order of their codes, None for a number; from a bundle's `model.json`."""
    fields = json.loads(model.read_text(encoding="utf-8"))["fields"]
    return {field["name"]: field["categories"] if field["kind"] == "category" else None for field in fields}


def encode_record(record: dict[str, object], categories: dict[str, list[str] | None]) -> pd.DataFrame:
    """One record as a frame of numbers, categories as codes; an unknown category gets the code after the last."""
    frame = pd.DataFrame([record], columns=list(categories))
    for name, known in categories.items():
        if known is None:
            frame[name] = pd.to_numeric(frame[name])
        else:
            codes = pd.Series(pd.Categorical(frame[name], categories=known).codes, dtype=float)
            frame[name] = codes.where(codes >= 0, float(len(known))).where(frame[name].notna())
    return frame


def lead_activity(leads_at: pd.DataFrame, activities: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """The feature group `lead_activity` of every row of `leads_at` (entity_id, as_of), same order.

    Parameters
    ----------
    leads_at : DataFrame
        Columns `entity_id`, `as_of`.
    activities, changes : DataFrame
        The tables of the record.
    """
    spine = leads_at.reset_index(drop=True).rename_axis("n").reset_index()
    rows = spine.merge(activities, left_on="entity_id", right_on="lead_id")
    rows = rows[(rows["occurred_at"] <= rows["as_of"]) & (rows["recorded_at"] <= rows["as_of"])]
    whole = (_seconds(rows["as_of"]) - _seconds(rows["occurred_at"])).astype(float)
    rows = rows.assign(age=whole / DAY).sort_values(["n", "occurred_at", "activity_id"])
    inbound, outbound = rows[rows["direction"] == "inbound"], rows[rows["direction"] == "outbound"]
    meetings = rows[rows["kind"].isin(["meeting", "demo", "visit"])]
    found = pd.DataFrame(index=spine["n"])

    def count(part: pd.DataFrame, low: float, high: float) -> pd.Series:
        inside = part[(part["age"] >= low) & (part["age"] < high)]
        return inside.groupby("n").size().reindex(found.index, fill_value=0).astype(float)

    for days in (7, 30, 90):
        found[f"n_activities_{days}d"] = count(rows, 0, days)
    kinds = {"calls": ["call"], "emails": ["email"], "meetings": ["meeting", "demo", "visit"], "web_visits": ["web"]}
    for name, of in kinds.items():
        for days in (7, 30):
            found[f"n_{name}_{days}d"] = count(rows[rows["kind"].isin(of)], 0, days)
    found["n_inbound_30d"] = count(inbound, 0, 30)
    n_all = count(rows, 0, np.inf)
    found["share_of_inbound"] = count(inbound, 0, np.inf) / n_all.where(n_all > 0)
    recent, before = count(rows, 0, 30), count(rows, 30, 60)
    both = (recent + before).where(recent + before > 0)
    found["trend_of_activities_30d"] = (recent - before) / both
    found["days_since_activity"] = rows.groupby("n")["age"].min()
    found["days_since_inbound"] = inbound.groupby("n")["age"].min()
    found["days_since_meeting"] = meetings.groupby("n")["age"].min()
    found["days_since_first_activity"] = rows.groupby("n")["age"].max()
    found["days_since_outbound"] = outbound.groupby("n")["age"].min()
    found["minutes_90d"] = rows[rows["age"] < 90].groupby("n")["minutes"].sum(min_count=1)
    found["mean_minutes"] = rows.groupby("n")["minutes"].mean()
    found["n_activity_kinds"] = rows.groupby("n")["kind"].nunique().reindex(found.index, fill_value=0).astype(float)
    found["last_activity_kind"] = rows.groupby("n")["kind"].last()
    found["last_activity_outcome"] = rows.groupby("n")["outcome"].last()
    owners = changes[(changes["entity"] == "leads") & (changes["field"] == "rep_id")]
    owners = spine.merge(owners, on="entity_id")
    owners = owners[(owners["occurred_at"] <= owners["as_of"]) & (owners["recorded_at"] <= owners["as_of"])]
    found["n_owner_changes"] = owners.groupby("n").size().reindex(found.index, fill_value=0).astype(float)
    return found.reset_index(drop=True)


def _seconds(moments: pd.Series) -> pd.Series:
    return moments.astype("datetime64[s]").astype("int64")


def first_difference(ours: pd.DataFrame, plain: pd.DataFrame) -> str:
    """Name of the first column in which two feature frames differ by more than 1e-9; empty when there is none."""
    for name in ours.columns:
        if ours[name].dtype == object:
            if not (ours[name].fillna("") == plain[name].fillna("")).all():
                return str(name)
        elif not np.allclose(_floats(ours[name]), _floats(plain[name]), rtol=1e-9, atol=1e-9, equal_nan=True):
            return str(name)
    return ""


def _floats(column: pd.Series) -> npt.NDArray[np.float64]:
    return np.asarray(column.to_numpy(dtype=float))
