"""Timed rows of open invoices: features at issue and on Mondays, and when each was settled."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from crm.config import Config
from crm.facts import written_after_outcome
from crm.store import Generation
from features.build import build_features, custom_groups
from features.catalogue import group_named
from features.invoice_rows import InvoiceRows, build_invoice_rows
from features.matrix import WRITTEN_LATE, LeftOut
from features.outcomes import Outcomes
from features.question import Question
from features.snapshots import draws_of
from features.timed_set import TimedSet
from features.training_set import graded_fields, usable_fields

ENTITY = "invoices"
MOST_ROWS = 5_000
"""Rows of one invoice tell nearly the same: beyond so many each keeps every second (third, ...) of its Mondays."""


def build_invoice_set(
    generation: Generation,
    question: Question,
    *,
    config: Config,
    until: datetime | None = None,
    most_rows: int = MOST_ROWS,
) -> TimedSet:
    """Rows of open invoices with their features, and the time until each was settled.

    Parameters
    ----------
    generation : Generation
        The record.
    question : Question
        Feature groups and first day; event and window are not used.
    config : Config
        Time zone and seed.
    until : datetime or None
        With a time zone: what became known later is not looked at; None for all of the record.
    most_rows : int
        About how many rows at most.

    Notes
    -----
    A row's moment is the midnight that begins its day: money that comes on that day comes within one day. What a red
    invoice took back was never paid; it is watched until that was known.
    """
    zone = config.company.zone
    rows = build_invoice_rows(generation, zone=zone, until=until)
    rows = rows.take(_kept(rows, question, config.seed, most_rows))
    groups = tuple(group_named(name) for name in question.groups) + custom_groups(generation, ENTITY)
    features = build_features(generation, groups, rows.spine, zone=zone)
    fields, left_out = usable_fields(graded_fields(generation, groups), features)
    late = sorted(written_after_outcome(generation, ENTITY))
    entity_id = rows.spine.column("entity_id").to_numpy().astype(np.str_)
    return TimedSet(
        fields=fields,
        rows=features.select([field.name for field in fields]),
        entity_id=entity_id,
        as_of=rows.spine.column("as_of").to_numpy().astype("datetime64[us]"),
        on=rows.as_of_on,
        group=np.where(rows.account_id == "", entity_id, rows.account_id),
        amount=rows.gross_amount,
        outcomes=outcomes_of(rows),
        left_out=(*left_out, *(LeftOut(column=name, reason=WRITTEN_LATE) for name in late)),
    )


def outcomes_of(rows: InvoiceRows) -> Outcomes:
    """What became of rows, in local days after their moment: settled, or watched so long without."""
    end = np.where(rows.is_paid, rows.paid_days, rows.watched_days)
    return Outcomes(
        causes=("paid",),
        duration_days=np.maximum(end - rows.age_days + 1, 0.0),
        cause=rows.is_paid.astype(np.intp),
        follow_up_days=np.maximum(rows.followed_days - rows.age_days + 1, 0.0),
        told_days=rows.told_days,
    )


def _kept(rows: InvoiceRows, question: Question, seed: int, most_rows: int) -> npt.NDArray[np.bool_]:
    """All rows at issue, and as many Mondays as there is room for, by a seeded hash of the invoice."""
    kept = np.ones(len(rows.age_days), dtype=bool)
    if question.since is not None:
        kept &= rows.as_of_on >= np.datetime64(question.since, "D")
    every = -(-int(kept.sum()) // most_rows)
    if every > 1:
        names = rows.spine.column("entity_id").to_numpy().astype(np.str_)
        first = np.concatenate([[True], names[1:] != names[:-1]])
        week = rows.as_of_on.astype(np.int64) // 7
        drawn = draws_of(names[first], seed)[np.cumsum(first) - 1]
        kept &= first | ((week + drawn) % every == 0)
    return kept
