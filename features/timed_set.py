"""Rows of open entities with the time and the cause of their end: what tasks of the kind "when, and how" learn from."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.config import Config
from crm.facts import written_after_outcome
from crm.store import Generation
from features.asof import local_days
from features.build import build_features, custom_groups
from features.catalogue import group_named
from features.final_amounts import read_final_amounts
from features.matrix import WRITTEN_LATE, Field, LeftOut, TrainingSet
from features.outcomes import Outcomes, read_outcomes
from features.question import Question
from features.snapshots import MOST_ROWS, build_snapshots
from features.training_set import ACCOUNT_OF, account_groups, graded_fields, usable_fields


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimedSet:
    """Rows of features with what became of them; one row per entity and Monday.

    Attributes
    ----------
    fields : tuple of Field
        The inputs, in the order of the columns of `rows`.
    rows : pa.Table
        Shape (n_rows, n_fields): float64 for numbers and flags, string for categories.
    entity_id : ndarray of str, shape (n_rows,)
        The entity.
    as_of : ndarray of datetime64[us], shape (n_rows,)
        The moment of the row, naive UTC.
    on : ndarray of datetime64[D], shape (n_rows,)
        The local day of that moment.
    group : ndarray of str, shape (n_rows,)
        What is resampled together in intervals: the account, else the entity.
    amount : ndarray of float64, shape (n_rows,)
        The entity's money as known at the moment, in currency units; NaN where unknown.
    outcomes : Outcomes
        Time and cause of each row's end; open ones censored.
    left_out : tuple of LeftOut
        Columns of the source that became no field, with the reason.
    final_amount : ndarray of float64, shape (n_rows,), or None
        The money at which the entity ended, whatever is asked; NaN while it is open; None where there is no such.
    """

    fields: tuple[Field, ...]
    rows: pa.Table
    entity_id: npt.NDArray[np.str_]
    as_of: npt.NDArray[np.datetime64]
    on: npt.NDArray[np.datetime64]
    group: npt.NDArray[np.str_]
    amount: npt.NDArray[np.float64]
    outcomes: Outcomes
    left_out: tuple[LeftOut, ...] = ()
    final_amount: npt.NDArray[np.float64] | None = None

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> TimedSet:
        """The chosen rows, in the given order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return replace(
            self,
            rows=self.rows.take(pa.array(index)),
            entity_id=self.entity_id[index],
            as_of=self.as_of[index],
            on=self.on[index],
            group=self.group[index],
            amount=self.amount[index],
            outcomes=self.outcomes.take(index),
            final_amount=None if self.final_amount is None else self.final_amount[index],
        )

    def without(self, names: Set[str]) -> TimedSet:
        """The same rows without the named fields."""
        fields = tuple(field for field in self.fields if field.name not in names)
        return replace(self, fields=fields, rows=self.rows.select([field.name for field in fields]))

    def known_at(self, moment: np.datetime64) -> TimedSet:
        """The rows before a moment, with what was known of them then."""
        past = self.take(self.as_of < moment)
        outcomes = past.outcomes.as_known(past.as_of, moment)
        final = None if past.final_amount is None else np.where(outcomes.cause > 0, past.final_amount, np.nan)
        return replace(past, outcomes=outcomes, final_amount=final)

    def within(
        self, horizon_days: int, cause: str, *, windows: npt.NDArray[np.float64] | None = None, absent: str = ""
    ) -> TrainingSet:
        """The same rows asked whether a cause happens within a horizon; unknown as long as the window is open.

        Parameters
        ----------
        horizon_days : int
            The window of every row.
        cause : str
            One of the causes.
        windows : ndarray of float64, shape (n_rows,), or None
            Days of each row's own window instead.
        absent : str
            Asks whether the cause stays away, and calls that so; empty asks for the cause itself.
        """
        window = np.full(len(self.as_of), float(horizon_days)) if windows is None else windows
        place, outcomes = self.outcomes.causes.index(cause) + 1, self.outcomes
        happened = (outcomes.cause == place) & (outcomes.duration_days <= window)
        known = (outcomes.follow_up_days >= window) & ((outcomes.cause > 0) | (outcomes.duration_days >= window))
        event = ~happened if absent else happened
        return TrainingSet(
            fields=self.fields,
            rows=self.rows,
            entity_id=self.entity_id,
            as_of=self.as_of,
            position=self.as_of.astype(np.int64) / 86_400e6,
            label=np.where(known, event.astype(np.float64), np.nan),
            group=self.group,
            value=np.where(event, self.amount, np.nan),
            event=absent or cause,
            horizon_days=horizon_days,
            gap_days=0,
            left_out=self.left_out,
        )


def build_timed_set(
    generation: Generation, question: Question, *, config: Config, most_rows: int = MOST_ROWS
) -> TimedSet:
    """Weekly rows of open entities with features, and the time and cause of their end, from the record.

    Parameters
    ----------
    generation : Generation
        The record.
    question : Question
        Entity, feature groups and first day; event and window are not used.
    config : Config
        Time zone and seed.
    most_rows : int
        About how many rows at most.

    Raises
    ------
    BadQuestion
        The entity has no causes.
    """
    zone = config.company.zone
    spine = build_snapshots(generation, question, zone=zone, seed=config.seed, most_rows=most_rows)
    outcomes = read_outcomes(generation, question.entity, spine)
    groups = tuple(group_named(name) for name in question.groups) + custom_groups(generation, question.entity)
    rows = build_features(generation, groups, spine, zone=zone)
    fields, left_out = usable_fields(graded_fields(generation, groups), rows)
    late = sorted(written_after_outcome(generation, question.entity))
    entity_id = spine.column("entity_id").to_numpy().astype(np.str_)
    with generation.engine() as engine:
        accounts = engine.query(ACCOUNT_OF[question.entity])
        ended = read_final_amounts(engine, question.entity, question.event, entity_id)
    amount = np.full(len(entity_id), np.nan)
    if "net_amount" in rows.column_names:
        amount = rows.column("net_amount").cast(pa.float64()).to_numpy(zero_copy_only=False)
    as_of = spine.column("as_of").to_numpy().astype("datetime64[us]")
    return TimedSet(
        fields=fields,
        rows=rows.select([field.name for field in fields]),
        entity_id=entity_id,
        as_of=as_of,
        on=local_days(as_of, zone),
        group=account_groups(entity_id, accounts),
        amount=np.asarray(amount, dtype=np.float64),
        outcomes=outcomes,
        left_out=(*left_out, *(LeftOut(column=name, reason=WRITTEN_LATE) for name in late)),
        final_amount=None if ended is None else np.where(outcomes.cause > 0, ended, np.nan),
    )
