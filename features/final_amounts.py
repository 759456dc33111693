"""The money at which entities ended: what their amount turned out to be, never an input of a model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crm.engine import Engine
from features.labels import EVENTS, read_events

_AMOUNTS = {"opportunities": "SELECT opportunity_id AS entity_id, net_amount FROM opportunities"}
_MINOR = 100.0


def read_final_amounts(
    engine: Engine, entity: str, event: str, entity_id: npt.NDArray[np.str_]
) -> npt.NDArray[np.float64] | None:
    """The amounts that entities ended with by an event, in currency units, shape (n_rows,).

    Parameters
    ----------
    engine : Engine
        The record.
    entity : str
        Table of the entity.
    event : str
        The event of `features.labels` that counts, for instance `won`.
    entity_id : ndarray of str, shape (n_rows,)
        The rows.

    Returns
    -------
    ndarray of float64 or None
        NaN where the event has not happened or no amount is recorded; None for entities without a final amount.
    """
    if entity not in _AMOUNTS or (entity, event) not in EVENTS:
        return None
    ended = read_events(engine, EVENTS[entity, event])
    amounts = engine.query(_AMOUNTS[entity])
    known = set(ended.column("entity_id").to_pylist())
    pairs = zip(amounts.column("entity_id").to_pylist(), amounts.column("net_amount").to_pylist(), strict=True)
    final = {name: amount / _MINOR for name, amount in pairs if name in known and amount is not None}
    return np.array([final.get(name, np.nan) for name in entity_id.tolist()], dtype=np.float64)
