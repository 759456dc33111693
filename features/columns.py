"""Columns of a table as arrays: days, texts, numbers, places in an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.flow_rows import NEVER

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]


def frame_of(tables: Mapping[str, pa.Table], name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a table; no rows where nobody keeps it."""
    table = tables.get(name)
    if table is None:
        return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
    found: pd.DataFrame = table.select(list(columns)).to_pandas(date_as_object=False)
    return found


def day_of(on: date) -> int:
    """Days since 1970-01-01.

    Examples
    --------
    >>> day_of(date(1970, 1, 2))
    1
    """
    return (on - date(1970, 1, 1)).days


def days_of(values: pd.Series, zone: ZoneInfo | None = None, *, missing: int = NEVER) -> Ints:
    """Epoch days of dates, or local epoch days of naive UTC moments where a zone is given; `missing` where empty.

    Examples
    --------
    >>> days_of(pd.Series(["1970-01-03", None])).tolist() == [2, NEVER]
    True
    """
    moments = pd.to_datetime(values)
    if zone is not None:
        moments = moments.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    known = moments.notna().to_numpy()
    day = moments.to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.where(known, day, missing)


def objects_of(values: pd.Series) -> Names:
    """Values as they are, None where there is none."""
    found = values.to_numpy(dtype=object).copy()
    found[values.isna().to_numpy()] = None
    return np.asarray(found, dtype=object)


def texts_of(values: pd.Series) -> Names:
    """Texts, the empty one where there is none."""
    found = objects_of(values)
    found[values.isna().to_numpy()] = ""
    return found


def numbers_of(values: pd.Series) -> Floats:
    """Numbers, NaN where there is none."""
    return values.to_numpy(dtype=np.float64, na_value=np.nan).copy()


def places_of(values: pd.Series, index: pd.Index) -> Ints:
    """Places in an index, -1 for what it does not hold and for empty values."""
    found = np.asarray(index.get_indexer(pd.Index(values.to_numpy(dtype=object))), dtype=np.int64)
    found[values.isna().to_numpy()] = -1
    return found
