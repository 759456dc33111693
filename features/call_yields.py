"""Calls that remember: what of the open part of a call came true at the same point of earlier quarters.

A weighted pipeline knows nothing of deals that are not there yet, nor of renewals that nobody entered, and so falls
short by about the same share every quarter. Whoever calls quarter after quarter knows the share and adds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from crm.engine import DuckDBEngine
from crm.money import NoMeasure
from crm.store import Generation
from features.calls import Calls, read_calls
from features.panel import end_of_month, last_closed_month

Floats: TypeAlias = npt.NDArray[np.float64]
Months: TypeAlias = npt.NDArray[np.datetime64]

_QUARTER = 3


def read_yield(
    generation: Generation,
    as_of: datetime,
    months: Months | Sequence[np.datetime64],
    name: str,
    *,
    zone: ZoneInfo,
    currency: str,
    engine: DuckDBEngine | None = None,
    amounts: Literal["net", "gross"] = "net",
    n_quarters: int = 4,
) -> float:
    """What of the open part of a call came true, over the newest quarters that were over by a moment.

    Parameters
    ----------
    generation : Generation
        The record.
    as_of : datetime
        The moment, with a time zone. Nothing that happened or was recorded later is used.
    months : ndarray of datetime64[M], shape (n_months,)
        What is called; earlier quarters are looked at as far from their months as this moment is from these.
    name : str
        The call, a field of `Calls` such as `stage_weighted`.
    zone : ZoneInfo
        Where the company's months begin.
    currency : str
        The reporting currency.
    engine : DuckDBEngine or None
        An open engine over the same generation, for many moments.
    amounts : str
        With tax (`gross`) or without it (`net`).
    n_quarters : int
        How many earlier quarters at most.

    Returns
    -------
    float
        Sum of what came less what was signed then, over the sum of what was called less what was signed then, of the
        whole company; NaN where no such quarter is over or nothing was called.
    """
    asked = np.asarray(months, dtype="datetime64[M]")
    closed = last_closed_month(as_of, zone)
    # Quarters whose months have not all closed by now teach nothing yet.
    nearest = -(-int((asked.max() - closed).astype(np.int64)) // _QUARTER)
    quarters = [max(nearest, 1) + k for k in range(n_quarters)]
    read = partial(read_calls, generation, zone=zone, currency=currency, engine=engine, amounts=amounts)
    past = np.array([asked - np.timedelta64(_QUARTER * quarter, "M") for quarter in quarters])
    signed_by_now = read(as_of, past.reshape(-1)).signed[0].reshape(past.shape).sum(axis=1)
    came = called = 0.0
    for quarter, before, signed in zip(quarters, past, signed_by_now.tolist(), strict=True):
        try:
            then = read(_moved(as_of, np.timedelta64(_QUARTER * quarter, "M"), zone), before)
        except NoMeasure:
            # Nothing had been signed by then: the record begins later.
            break
        signed_then = float(then.signed[0].sum())
        open_then = float(getattr(then, name)[0].sum()) - signed_then
        if np.isfinite(open_then) and open_then > 0:
            called += open_then
            came += signed - signed_then
    return came / called if called > 0 else float("nan")


def scale_call(calls: Calls, name: str, share: float) -> Floats:
    """A call whose open part is counted at the share that came true before, shape (n_nodes, n_months).

    Parameters
    ----------
    calls : Calls
        As known at a moment.
    name : str
        The call.
    share : float
        From `read_yield`.
    """
    said: Floats = getattr(calls, name)
    return np.asarray(calls.signed + share * (said - calls.signed))


def _moved(as_of: datetime, back: np.timedelta64, zone: ZoneInfo) -> datetime:
    """The same moment of an earlier month; the last day of a month that is shorter."""
    month = np.datetime64(as_of.astimezone(zone).date().isoformat()[:7], "M")
    since = as_of - end_of_month(month - 1, zone)
    begin, end = end_of_month(month - back - 1, zone), end_of_month(month - back, zone)
    return min(begin + since, end - timedelta(microseconds=1))
