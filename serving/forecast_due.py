"""Whether the published forecast is that of the present record and champion, and what is due when it is not."""

from __future__ import annotations

from typing import TypeAlias

from models import champions
from models.predictor import BadBundle
from models.tasks.sales_forecast import TASK
from serving.service import Service

# Generation of the record and digest of the model.
Due: TypeAlias = tuple[int, str]

READY = "ready"
NOT_IN_USE = f"not in use: no model of {TASK.name} was promoted"
UNREADABLE = f"its model cannot be read: salescast promote {TASK.name}"
NONE_PUBLISHED = "none was published yet: salescast forecast"
OLDER = "older than the record or the model: salescast forecast"


def due_forecast(service: Service) -> Due | None:
    """What has to be forecast; None when there is no record or champion, or when it stands published.

    Parameters
    ----------
    service : Service
        What answers now.
    """
    record = service.live.record
    try:
        entry = champions.current(service.config.champions_folder, TASK.name)
    except BadBundle:
        # Nothing can be forecast by a champion that cannot be read; `forecast_state` says so.
        return None
    if record is None or entry is None:
        return None
    wanted = record.generation.number, entry.digest
    table = service.forecasts.current()
    return None if table is not None and (table.about.generation, table.about.digest) == wanted else wanted


def forecast_state(service: Service) -> str:
    """`ready`, or what the published forecast lacks and which command mends it."""
    try:
        entry = champions.current(service.config.champions_folder, TASK.name)
    except BadBundle:
        return UNREADABLE
    if service.forecasts.current() is None:
        return NOT_IN_USE if entry is None else NONE_PUBLISHED
    return READY if due_forecast(service) is None else OLDER
