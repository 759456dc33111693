"""The rows a model learns from: open entities at chosen moments.

Moments are Monday midnights in the company's time zone, and the first midnight after the entity was created, since
a score is asked for most when it is new. Of an entity's Mondays within a year of its creation, three are taken by a
seeded hash, so that long-lived entities do not outweigh the others and a rerun takes the same rows. Rows carry no
weights. Accounts, which are never closed, are asked about every month: `features.account_moments`.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.engine import Engine
from crm.store import Generation
from features.account_moments import account_spine
from features.invoice_rows import build_invoice_rows
from features.labels import event_of, happened_at, read_events
from features.question import BadQuestion, Question
from features.renewals import renewal_spine

MOST_ROWS = 4
MOST_WEEKS = 52
_DAY = np.timedelta64(1, "D")

# Per entity: key, creation, first moment on record, moment it stopped being open.
_OPEN = {
    "leads": "SELECT lead_id AS entity_id, created_at, recorded_at, LEAST(COALESCE(converted_at, {far}), "
    "COALESCE(disqualified_at, {far})) AS closed_at FROM leads",
    "opportunities": "SELECT opportunity_id AS entity_id, created_at, recorded_at, "
    "COALESCE(closed_at, {far}) AS closed_at FROM opportunities",
    # It runs until it is cancelled or its last day comes. A day counts from the next local midnight, which noon is
    # before in every time zone.
    "agreements": "SELECT agreement_id AS entity_id, "
    "CAST(GREATEST(starts_on, signed_on) AS TIMESTAMP) + INTERVAL '12' HOUR AS created_at, recorded_at, "
    "LEAST(COALESCE(CAST(cancelled_at AS TIMESTAMP), {far}), COALESCE(CAST(ends_on AS TIMESTAMP), {far})) AS closed_at "
    "FROM agreements WHERE starts_on IS NOT NULL",
}
_FAR = "CAST('2200-01-01 00:00:00' AS TIMESTAMP)"


def build_spine(
    generation: Generation, question: Question, *, zone: ZoneInfo, seed: int, now: datetime | None = None
) -> pa.Table:
    """Rows of open entities: `entity_id` (string), `as_of` (timestamp[us], naive UTC), sorted by both.

    Parameters
    ----------
    generation : Generation
        The record.
    question : Question
        Entity, event and first day.
    zone : ZoneInfo
        Where weeks begin.
    seed : int
        Decides which Mondays of an entity are taken.
    now : datetime or None
        No row lies after it; None for how far the record reaches.

    Raises
    ------
    BadQuestion
        There is no spine for the entity.
    """
    last = generation.recorded_to if now is None else now
    if question.entity == "accounts":
        with generation.engine() as engine:
            return account_spine(engine, question, zone=zone, until=last)
    if (question.entity, question.event) == ("agreements", "lost"):
        with generation.engine() as engine:
            return renewal_spine(engine, zone=zone, until=last)
    if question.entity == "invoices":
        return build_invoice_rows(generation, zone=zone, until=last).spine
    with generation.engine() as engine:
        entities = read_entities(engine, question)
        events = read_events(engine, event_of(question))
    name = entities.column("entity_id").to_numpy().astype(np.str_)
    created = entities.column("created_at").to_numpy().astype("datetime64[us]")
    recorded = entities.column("recorded_at").to_numpy().astype("datetime64[us]")
    closed = entities.column("closed_at").to_numpy().astype("datetime64[us]")
    happened = happened_at(name, events)
    closed = np.fmin(closed, happened)
    until = np.datetime64(last.astimezone(UTC).replace(tzinfo=None), "us")
    midnights, is_monday = midnights_between(created, until, zone)
    row, moment = _candidates(name, created, midnights, is_monday, seed)
    keep = (moment >= recorded[row]) & (moment < closed[row]) & (moment <= until)
    if question.since is not None:
        keep &= moment >= np.datetime64(question.since, "us")
    row, moment = row[keep], moment[keep]
    order = np.lexsort((moment, name[row]))
    return pa.table({"entity_id": pa.array(name[row][order].tolist(), pa.string()), "as_of": moment[order]})


def build_open_spine(generation: Generation, question: Question, *, as_of: datetime) -> pa.Table:
    """Every entity open at one moment, for scoring: `entity_id`, `as_of`."""
    with generation.engine() as engine:
        entities = read_entities(engine, question)
        events = read_events(engine, event_of(question))
    moment = np.datetime64(as_of.astimezone(UTC).replace(tzinfo=None), "us")
    name = entities.column("entity_id").to_numpy().astype(np.str_)
    happened = happened_at(name, events)
    began = np.maximum(
        entities.column("created_at").to_numpy().astype("datetime64[us]"),
        entities.column("recorded_at").to_numpy().astype("datetime64[us]"),
    )
    closed = entities.column("closed_at").to_numpy().astype("datetime64[us]")
    keep = (began <= moment) & (closed > moment) & ~(happened <= moment)
    found = np.sort(name[keep])
    return pa.table(
        {"entity_id": pa.array(found.tolist(), pa.string()), "as_of": np.full(len(found), moment, "datetime64[us]")}
    )


def read_entities(engine: Engine, question: Question) -> pa.Table:
    """Entities: `entity_id`, `created_at`, `recorded_at` and `closed_at`, far ahead while open.

    Raises
    ------
    BadQuestion
        There is no spine for the entity.
    """
    if question.entity not in _OPEN:
        raise BadQuestion(f"no spine is known for {question.entity}; there are {', '.join(_OPEN)}")
    return engine.query(_OPEN[question.entity].format(far=_FAR))


def midnights_between(
    created: npt.NDArray[np.datetime64], until: np.datetime64, zone: ZoneInfo
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.bool_]]:
    """Every local midnight from the first creation to `until` as naive UTC, and which of them open a Monday."""
    if len(created) == 0:
        return np.empty(0, "datetime64[us]"), np.empty(0, bool)
    day: date = created.min().astype("datetime64[D]").item()
    end: date = until.astype("datetime64[D]").item() + timedelta(days=1)
    moments: list[datetime] = []
    mondays: list[bool] = []
    while day <= end:
        local = datetime.combine(day, time(), tzinfo=zone)
        moments.append(local.astimezone(UTC).replace(tzinfo=None))
        mondays.append(day.weekday() == 0)
        day += timedelta(days=1)
    return np.array(moments, dtype="datetime64[us]"), np.array(mondays)


def _candidates(
    name: npt.NDArray[np.str_],
    created: npt.NDArray[np.datetime64],
    midnights: npt.NDArray[np.datetime64],
    is_monday: npt.NDArray[np.bool_],
    seed: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.datetime64]]:
    """Row numbers of entities and their moments: the first midnight, and Mondays in the order of a seeded hash."""
    if len(name) == 0 or len(midnights) == 0:
        return np.empty(0, np.intp), np.empty(0, "datetime64[us]")
    first = np.searchsorted(midnights, created)
    inside = first < len(midnights)
    mondays = midnights[is_monday]
    week = np.searchsorted(mondays, created)
    offset = _chosen_weeks(name, seed)
    place = week[:, None] + offset
    fits = place < len(mondays)
    row = np.broadcast_to(np.arange(len(name))[:, None], place.shape)[fits]
    moment = mondays[place[fits]]
    start = midnights[first[inside]]
    fresh = moment != midnights[np.minimum(first, len(midnights) - 1)][row]
    rows = np.concatenate([np.flatnonzero(inside), row[fresh]])
    return rows, np.concatenate([start, moment[fresh]])


def _chosen_weeks(name: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.intp]:
    """Different weeks after creation, shape (n_entities, 3), one from each stretch of life, by a seeded hash.

    An entity lives mostly a few weeks, so the stretches grow: weeks 0-3, 4-11 and 12-51.
    """
    stretches = ((0, 4), (4, 12), (12, MOST_WEEKS))
    digests = b"".join(
        hashlib.blake2b(f"{seed}:{one}".encode(), digest_size=4 * len(stretches)).digest() for one in name.tolist()
    )
    drawn = np.frombuffer(digests, dtype="<u4").reshape(len(name), len(stretches))
    columns = [low + drawn[:, at] % (high - low) for at, (low, high) in enumerate(stretches)]
    return np.stack(columns, axis=1).astype(np.intp)
