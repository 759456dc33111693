"""The refresh: score every open entity as of the record's watermark and seven days before, and publish the scores.

Run after an ingest or a promotion, by the command line or by a running service. The same record and champion give
the same file, so a second refresh finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import orjson
import pyarrow as pa

from crm.config import Config
from crm.store import Store
from models.champions import NoChampion
from models.predictor import score_of
from models.task import EntityTask
from serving.champion import Champion, read_champion
from serving.inputs import Inputs, make_inputs
from serving.judge import Judged, days_of, judge_table
from serving.published import one_at_a_time
from serving.record_view import RecordView
from serving.score_table import About, BadScores, read_scores, write_scores
from serving.trend import TREND_DAYS, trend_between

_CHUNK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshReport:
    """What a refresh did.

    Attributes
    ----------
    task, digest : str
        The task, and the bundle that scored.
    generation : int
        The record.
    as_of : datetime
        The moment of the scores, UTC.
    n_scored : int
        Open entities.
    changed : bool
        False when the scores stood ready already.
    """

    task: str
    digest: str
    generation: int
    as_of: datetime
    n_scored: int
    changed: bool


def refresh_scores(config: Config, task: EntityTask) -> RefreshReport:
    """Score everything that is open, unless the present record and champion were scored already.

    Raises
    ------
    NoRecord
        Nothing was taken in.
    NoChampion
        No model was promoted.
    BadBundle
        The champion's files are damaged.
    """
    with one_at_a_time(config.scores_folder / task.name):
        generation = Store(config.record_folder).current()
        champion = read_champion(config.champions_folder, task.name)
        if champion is None:
            raise NoChampion(f"{task.name}: no model was promoted yet; `salescast promote {task.name}` does it")
        about = About(
            task=task.name,
            generation=generation.number,
            digest=champion.published.digest,
            model_version=champion.version,
            is_base_rate=champion.is_base_rate,
            event=champion.predictor.about.event,
            horizon_days=champion.predictor.about.horizon_days,
            as_of=generation.recorded_to.isoformat(),
        )
        ready = _ready(config, about)
        if ready is None:
            record = RecordView(generation, config.company.zone)
            rows = score_open(task, record, champion, make_inputs(config, record, champion, task))
            write_scores(config.scores_folder, about, rows)
    return RefreshReport(
        task=task.name,
        digest=about.digest,
        generation=about.generation,
        as_of=generation.recorded_to,
        n_scored=rows.num_rows if ready is None else ready,
        changed=ready is None,
    )


def _ready(config: Config, about: About) -> int | None:
    try:
        scores = read_scores(config.scores_folder, about.task)
    except BadScores:
        return None
    return len(scores) if scores is not None and scores.about == about else None


def score_open(task: EntityTask, record: RecordView, champion: Champion, inputs: Inputs) -> pa.Table:
    """The scores of everything open at the watermark, as columns of `score_table.SCHEMA`."""
    now, before = record.watermark, record.watermark - timedelta(days=TREND_DAYS)
    ids, rep_ids = inputs.open_entities(now)
    judged = _judge(task, record, champion, inputs, ids, now)
    probability = np.array([one.probability for one in judged], dtype=np.float64)
    earlier: dict[str, int] = {}
    if not champion.is_flat:
        present = set(ids)
        ids_before = [name for name in inputs.open_entities(before)[0] if name in present]
        scores = [score_of(p) for p in _probabilities(record, champion, inputs, ids_before, before)]
        earlier = dict(zip(ids_before, scores, strict=True))
    score = [score_of(one.probability) for one in judged]
    ordered = np.sort(probability)
    shares = np.searchsorted(ordered, probability, side="right") / max(1, len(ordered))
    return pa.table(
        {
            "entity_id": pa.array(ids, pa.string()),
            "rep_id": pa.array(rep_ids, pa.string()),
            "probability": probability,
            "score": pa.array(score, pa.int64()),
            "percentile": pa.array([round(100 * share) for share in shares.tolist()], pa.int64()),
            "trend": pa.array(
                [trend_between(earlier.get(name), one).value for name, one in zip(ids, score, strict=True)], pa.string()
            ),
            "score_before": pa.array([earlier.get(name) for name in ids], pa.int64()),
            "reasons": pa.array([orjson.dumps(one.reasons).decode() for one in judged], pa.string()),
            "details": pa.array([orjson.dumps(one.details).decode() for one in judged], pa.string()),
        }
    )


def _judge(
    task: EntityTask, record: RecordView, champion: Champion, inputs: Inputs, ids: Sequence[str], at: datetime
) -> list[Judged]:
    judged: list[Judged] = []
    for first in range(0, len(ids), _CHUNK):
        rows = inputs.rows(ids[first : first + _CHUNK], at)
        judged += judge_table(task, champion, rows, days_of([at] * rows.num_rows, record.zone))
    return judged


def _probabilities(
    record: RecordView, champion: Champion, inputs: Inputs, ids: Sequence[str], at: datetime
) -> list[float]:
    found: list[float] = []
    for first in range(0, len(ids), _CHUNK):
        rows = inputs.rows(ids[first : first + _CHUNK], at)
        found += champion.predictor.predict_table(rows, days_of([at] * rows.num_rows, record.zone)).tolist()
    return found
