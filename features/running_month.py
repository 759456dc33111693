"""What the running month has brought already, by measure and node: the part of the first month that is no forecast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from crm.engine import DuckDBEngine
from crm.money import Measure, minor_units
from crm.store import Generation
from features.nodes import Node
from features.panel import last_closed_month, read_attributed, sum_parts


def read_running_month(
    generation: Generation,
    measures: Sequence[Measure],
    as_of: datetime,
    *,
    zone: ZoneInfo,
    currency: str,
    engine: DuckDBEngine | None = None,
    amounts: Literal["net", "gross"] = "net",
) -> dict[tuple[str, Node], int]:
    """Amounts of the running month up to a moment, hundredths of the reporting currency (customers as they are).

    Parameters are those of `features.panel.read_panels`. Nodes without an amount are left out.
    """
    running = last_closed_month(as_of, zone) + np.timedelta64(1, "M")
    owners, parts = read_attributed(
        generation, measures, as_of, zone=zone, currency=currency, engine=engine, amounts=amounts
    )
    found: dict[tuple[str, Node], int] = {}
    for measure, attributed in parts.items():
        panel = sum_parts(measure, attributed, owners, running)
        if panel is None or panel.months[-1] != running:
            continue
        for node, values in zip(panel.nodes, panel.values, strict=True):
            amount = int(np.rint(values[-1] * minor_units(measure)))
            if amount:
                found[measure.value, node] = amount
    return found
