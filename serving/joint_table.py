"""The published joint sample: one row a measure, node and stretch of months, with its parts and its draws.

It stands beside the forecast of the same run. Targets, cash and what-ifs start from its draws, which add up over nodes
and months; directors read its quarters and years, and the chance of reaching an amount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from serving.forecast_table import QUANTILE_COLUMNS
from serving.published import UNREADABLE, Followed, publish_rows, read_published

Floats: TypeAlias = npt.NDArray[np.float64]

# What months are made of: brought already, then the components of `models.signings` in their order.
PARTS = ("to_date", "signed", "renewals", "open_deals", "new_deals", "run_rate")
SCHEMA = pa.schema(
    [
        ("measure", pa.string()),
        ("node_id", pa.string()),
        ("period", pa.string()),
        ("first_month", pa.date32()),
        ("expected", pa.float64()),
        *((name, pa.float64()) for name in PARTS),
        *((name, pa.float64()) for name in QUANTILE_COLUMNS),
        ("draws", pa.list_(pa.float64())),
    ]
)


def write_joint(folder: Path, task: str, run_id: str, rows: Sequence[Mapping[str, object]]) -> Path:
    """Publish the joint sample of a run beside its forecast."""
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    return publish_rows(folder / f"{task}.joint", run_id, table, {"run_id": run_id})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointTable:
    """A published joint sample.

    Attributes
    ----------
    run_id : str
        The run of the forecast that it belongs to.
    rows : pa.Table
        Columns of `SCHEMA`.
    places : mapping of (str, str, str) to list of int
        By measure, node and period: the rows, in the order of time.
    """

    run_id: str
    rows: pa.Table
    places: Mapping[tuple[str, str, str], Sequence[int]]

    def stretches(self, measure: str, node_id: str, period: str) -> list[dict[str, object]]:
        """The rows of a measure and node by month, quarter or year, without their draws."""
        found = self.rows.take(pa.array(self.places.get((measure, node_id, period), ()), pa.int64()))
        told: list[dict[str, object]] = found.drop_columns(["draws"]).to_pylist()
        return told

    def draws(self, measure: str, node_id: str, period: str, first_month: date) -> Floats | None:
        """The draws of one stretch, shape (n_draws,); None for one that is not told."""
        for place in self.places.get((measure, node_id, period), ()):
            if self.rows["first_month"][place].as_py() == first_month:
                return np.array(self.rows["draws"][place].as_py(), dtype=np.float64)
        return None


class BadJoint(RuntimeError):
    """The file of the joint sample is missing or is none."""


def read_joint(folder: Path, task: str) -> JointTable | None:
    """The joint sample that the pointer names; None where none was published.

    Raises
    ------
    BadJoint
        It cannot be read.
    """
    try:
        found = read_published(folder / f"{task}.joint")
        if found is None:
            return None
        rows, about = found
        places: dict[tuple[str, str, str], list[int]] = {}
        names = (rows[name].to_pylist() for name in ("measure", "node_id", "period"))
        for place, key in enumerate(zip(*names, strict=True)):
            places.setdefault(key, []).append(place)
        return JointTable(run_id=str(about["run_id"]), rows=rows.cast(SCHEMA), places=places)
    except UNREADABLE as error:
        raise BadJoint(f"the joint sample of {task} cannot be read ({type(error).__name__}); make it anew") from error


def follow_joint(folder: Path, task: str) -> Followed[JointTable]:
    """The joint sample that answers, out of `config.forecasts_folder`."""
    return Followed(folder / f"{task}.joint", lambda: read_joint(folder, task), BadJoint)
