"""A file of new rows scored by the champion and written as a flat file, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from crm.config import Config
from crm.mapping import Mapping as CompanyMapping
from crm.new_rows import read_new_rows
from crm.raw import Reject
from crm.store import Store
from crm.tables import table
from models.champions import NoChampion
from models.predictor import N_REASONS
from models.task import EntityTask
from serving.answers import AnswerRow
from serving.live import Live
from serving.records import ReadRecord
from serving.roles import SCORE_SCOPES, Principal, Role, Sees
from serving.score_answers import own_fields
from serving.scoring import Asked, Scoring

_CHUNK = 2_000
# A spreadsheet takes a cell that begins like this for a formula and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Whoever can run the command can read the files below `var/`: no row is hidden from them.
_OPERATOR = Principal(
    user_id="command line",
    login="command line",
    role=Role.DIRECTOR,
    scopes=SCORE_SCOPES,
    sees=Sees.ALL,
)


class BadTarget(ValueError):
    """Scores cannot be written to a file of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredFile:
    """What became of a file of new rows.

    Parameters
    ----------
    n_rows : int
        Rows written.
    rejects : tuple of Reject
        Rows that could not be read, with line, column and reason.
    by_status : mapping of str to int
        Rows by status of their answer.
    """

    n_rows: int
    rejects: tuple[Reject, ...]
    by_status: Mapping[str, int]


def score_file(
    config: Config, task: EntityTask, *, mapping: CompanyMapping, source: Path, target: Path, now: datetime
) -> ScoredFile:
    """Score the rows of a file that were never seen, and write one flat row each, in the same order.

    Parameters
    ----------
    config : Config
        Folders, time zone, grades.
    task : EntityTask
        The task.
    mapping : Mapping
        The mapping through which rows of this form were ingested.
    source : Path
        The new rows.
    target : Path
        `.csv` or `.parquet`; replaced when it exists.
    now : datetime
        The moment of the scores, with a time zone.

    Raises
    ------
    BadTarget
        The target is neither `.csv` nor `.parquet`.
    BadSource
        The file does not fit the mapping.
    NoRecord, NoChampion
        There is nothing to score with yet.
    """
    if target.suffix not in {".csv", ".parquet"}:
        raise BadTarget(f"{target.name}: --out takes a name that ends in .csv or .parquet")
    generation = Store(config.record_folder).current()
    live = Live(config, [task.name])
    live.reload()
    state = live.states[task.name]
    if state.champion is None:
        raise NoChampion(f"{task.name}: no model was promoted yet; `salescast promote {task.name}` does it")
    batch = read_new_rows(mapping, source, table=task.entity, task=task.name, generation=generation, config=config)
    key = "entity_id" if batch.table == "observations" else table(task.entity).key[0]
    scoring = Scoring(config, task, state)
    asked = Asked(principal=_OPERATOR, now=now)
    answers: list[AnswerRow] = []
    for start in range(0, batch.rows.num_rows, _CHUNK):
        rows = batch.rows.slice(start, _CHUNK).to_pylist()
        answers += scoring.score_rows([ReadRecord(entity_id=row[key], row=row, events={}) for row in rows], asked)
    flat = flatten_answers(answers, own_fields(task.entity))
    write_flat(flat, target)
    counts: dict[str, int] = {}
    for answer in answers:
        counts[answer.status.value] = counts.get(answer.status.value, 0) + 1
    return ScoredFile(n_rows=flat.num_rows, rejects=batch.rejects, by_status=counts)


def flatten_answers(answers: Sequence[AnswerRow], own: Sequence[str]) -> pa.Table:
    """Answer rows as a table: one column a field, reasons and evidence in columns of their own.

    Parameters
    ----------
    answers : sequence of AnswerRow
        The rows.
    own : sequence of str
        The task's own fields; a mapping or list among them becomes its JSON text.
    """
    columns: dict[str, tuple[pa.DataType, list[object]]] = {
        "entity_id": (pa.string(), [row.entity_id for row in answers]),
        "status": (pa.string(), [row.status.value for row in answers]),
        "probability": (pa.float64(), [row.probability for row in answers]),
        "score": (pa.int64(), [row.score for row in answers]),
        "grade": (pa.string(), [row.grade for row in answers]),
        "percentile": (pa.int64(), [row.percentile for row in answers]),
        "horizon_days": (pa.int64(), [row.horizon_days for row in answers]),
        "event": (pa.string(), [row.event for row in answers]),
        "trend": (pa.string(), [row.trend.value for row in answers]),
    }
    for name in own:
        columns[name] = _own_column([row.details.get(name) for row in answers])
    for place in range(N_REASONS):
        reasons = [row.reasons[place] if place < len(row.reasons) else None for row in answers]
        name = f"reason_{place + 1}"
        columns |= {
            f"{name}_feature": (pa.string(), [reason and reason.feature for reason in reasons]),
            f"{name}_value": (pa.string(), [None if r is None or r.value is None else str(r.value) for r in reasons]),
            f"{name}_effect": (pa.float64(), [reason and reason.effect for reason in reasons]),
            f"{name}_en": (pa.string(), [reason and reason.text_en for reason in reasons]),
            f"{name}_zh": (pa.string(), [reason and reason.text_zh for reason in reasons]),
        }
    columns |= {
        "prediction_id": (pa.string(), [row.prediction_id for row in answers]),
        "model_version": (pa.string(), [row.model_version for row in answers]),
        "as_of": (pa.timestamp("us", "UTC"), [row.as_of for row in answers]),
        "evidence_n": (pa.int64(), [row.evidence and row.evidence.n for row in answers]),
        "evidence_realised": (pa.float64(), [row.evidence and row.evidence.realised for row in answers]),
        "message": (pa.string(), [row.message for row in answers]),
    }
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


def _own_column(values: list[object]) -> tuple[pa.DataType, list[object]]:
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return pa.float64(), values
    texts = [value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in values]
    return pa.string(), list(texts)


def write_flat(rows: pa.Table, target: Path) -> None:
    """Write a table as CSV (UTF-8 with a mark, so that spreadsheets read Chinese) or Parquet, by the name's end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".parquet":
        pq.write_table(rows, target, compression="zstd")
        return
    with target.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([safe_cell(name) for name in rows.column_names])
        for batch in rows.to_batches(max_chunksize=_CHUNK):
            writer.writerows([safe_cell(value) for value in row.values()] for row in batch.to_pylist())


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet runs: text that begins like a formula gets an apostrophe in front.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell(-1.5), safe_cell("plain")
    ("'=1+1", -1.5, 'plain')
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
