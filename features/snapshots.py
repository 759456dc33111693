"""Every open entity on every Monday: rows for tasks that ask when something ends, not only whether.

A pipeline is looked at week by week, so each Monday midnight (company's time zone) at which an entity is open gives
a row. When that is more than `most_rows`, each entity keeps every second (third, ...) Monday, which one decided by a
seeded hash of its name, so that a rerun takes the same rows and no week is preferred.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from crm.store import Generation
from features.question import Question
from features.spine import midnights_between, read_entities

MOST_ROWS = 200_000


def build_snapshots(
    generation: Generation,
    question: Question,
    *,
    zone: ZoneInfo,
    seed: int,
    now: datetime | None = None,
    most_rows: int = MOST_ROWS,
) -> pa.Table:
    """Rows of open entities: `entity_id` (string), `as_of` (timestamp[us], naive UTC), sorted by both.

    Parameters
    ----------
    generation : Generation
        The record.
    question : Question
        Entity and first day.
    zone : ZoneInfo
        Where weeks begin.
    seed : int
        Decides which Mondays are kept when there are too many.
    now : datetime or None
        No row lies after it; None for how far the record reaches.
    most_rows : int
        About how many rows at most.

    Raises
    ------
    BadQuestion
        There is no spine for the entity.
    """
    with generation.engine() as engine:
        entities = read_entities(engine, question)
    name = entities.column("entity_id").to_numpy().astype(np.str_)
    created, recorded, closed = (
        entities.column(column).to_numpy().astype("datetime64[us]")
        for column in ("created_at", "recorded_at", "closed_at")
    )
    last = generation.recorded_to if now is None else now
    until = np.datetime64(last.astimezone(UTC).replace(tzinfo=None), "us")
    midnights, is_monday = midnights_between(created, until, zone)
    mondays = midnights[is_monday & (midnights <= until)]
    if question.since is not None:
        mondays = mondays[mondays >= np.datetime64(question.since, "us")]
    # Half open at the end: what closes at the very moment is no longer open.
    begin = np.searchsorted(mondays, np.maximum(created, recorded), side="left")
    end = np.maximum(np.searchsorted(mondays, closed, side="left"), begin)
    row = np.repeat(np.arange(len(name)), end - begin)
    week = np.arange(len(row)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin) + begin[row]
    every = -(-len(row) // most_rows)
    if every > 1:
        kept = (week + draws_of(name, seed)[row]) % every == 0
        row, week = row[kept], week[kept]
    order = np.lexsort((week, name[row]))
    names = pa.array(name[row][order].tolist(), pa.string())
    return pa.table({"entity_id": names, "as_of": mondays[week[order]]})


def draws_of(name: np.ndarray[tuple[int], np.dtype[np.str_]], seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A whole number for each name, by a seeded hash, shape (n_names,)."""
    digests = b"".join(hashlib.blake2b(f"{seed}:{one}".encode(), digest_size=4).digest() for one in name.tolist())
    return np.frombuffer(digests, dtype="<u4").astype(np.int64)
