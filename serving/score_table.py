"""The scores of the last refresh: one Parquet file, named by a pointer, held in memory for answers by id.

`<scores>/<task>/<generation>-<digest>.parquet` is written once; `<scores>/<task>/current` names the file that
answers and is renamed into place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import orjson
import pyarrow as pa

from serving.answers import ReasonOut
from serving.published import UNREADABLE, publish_rows, read_published
from serving.schemas import Trend

SCHEMA = pa.schema(
    [
        ("entity_id", pa.string()),
        ("rep_id", pa.string()),
        ("probability", pa.float64()),
        ("score", pa.int64()),
        ("percentile", pa.int64()),
        ("trend", pa.string()),
        ("score_before", pa.int64()),
        ("reasons", pa.string()),
        ("details", pa.string()),
    ]
)


class BadScores(RuntimeError):
    """The file of scores is missing or is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Where the scores of a table come from, and what they say."""

    task: str
    generation: int
    digest: str
    model_version: str
    is_base_rate: bool
    event: str
    horizon_days: int | None
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The score of one entity at the last refresh."""

    entity_id: str
    rep_id: str | None
    probability: float
    score: int
    percentile: int
    trend: Trend
    score_before: int | None
    reasons: tuple[ReasonOut, ...]
    details: Mapping[str, object]


class ScoreTable:
    """The scores of all open entities, by id.

    Parameters
    ----------
    about : About
        Where they come from.
    rows : pa.Table
        Columns of `SCHEMA`.
    """

    def __init__(self, about: About, rows: pa.Table) -> None:
        self.about = about
        self.as_of = datetime.fromisoformat(about.as_of)
        self._rows: list[list[object]] = [rows.column(name).to_pylist() for name in SCHEMA.names]
        self._places = {entity: place for place, entity in enumerate(rows.column("entity_id").to_pylist())}
        self._sorted = sorted(rows.column("probability").to_pylist())

    def __len__(self) -> int:
        """Number of scored entities."""
        return len(self._places)

    def __contains__(self, entity_id: str) -> bool:
        """Whether the entity was open."""
        return entity_id in self._places

    def get(self, entity_id: str) -> Scored | None:
        """The score of an entity, None when it was not open."""
        place = self._places.get(entity_id)
        if place is None:
            return None
        row = dict(zip(SCHEMA.names, (column[place] for column in self._rows), strict=True))
        row["trend"] = Trend(str(row["trend"]))
        row["reasons"] = tuple(ReasonOut(**reason) for reason in orjson.loads(str(row["reasons"])))
        row["details"] = orjson.loads(str(row["details"]))
        return Scored(**row)

    def likeliest(self, most: int) -> tuple[str, ...]:
        """Ids of the entities of the highest probabilities, the highest first."""
        scores = dict(zip(self._places, self._rows[SCHEMA.names.index("probability")], strict=True))
        return tuple(sorted(scores, key=lambda one: (-float(str(scores[one])), one))[:most])

    def percentile(self, probability: float) -> int | None:
        """The share of open entities at or below a probability, in percent; None when there are none."""
        return percentile_among(self._sorted, probability)


def percentile_among(ordered: Sequence[float], probability: float) -> int | None:
    """The share of an ascending sequence at or below a probability, in percent.

    Examples
    --------
    >>> percentile_among([0.1, 0.2, 0.3, 0.4], 0.2)
    50
    """
    return round(100 * bisect_right(ordered, probability) / len(ordered)) if ordered else None


def write_scores(folder: Path, about: About, rows: pa.Table) -> Path:
    """Write the scores and let the pointer name them; files before the last few are removed."""
    rows = rows.select(SCHEMA.names).cast(SCHEMA)
    return publish_rows(folder / about.task, f"{about.generation}-{about.digest}", rows, asdict(about))


def read_scores(folder: Path, task: str) -> ScoreTable | None:
    """The scores that the pointer names, None when there was no refresh yet.

    Raises
    ------
    BadScores
        The file cannot be read.
    """
    try:
        found = read_published(folder / task)
        return None if found is None else ScoreTable(About(**found[1]), found[0])  # type: ignore[arg-type]
    except UNREADABLE as error:
        raise BadScores(f"the scores of {task} cannot be read ({type(error).__name__}); refresh them") from error
