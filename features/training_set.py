"""Training sets of the record: spine, features and labels of a question put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.config import Config
from crm.facts import written_after_outcome
from crm.store import Generation
from features.asof import column_of
from features.build import build_features, custom_groups
from features.catalogue import group_named
from features.custom import why_no_field
from features.labels import build_labels, event_of, outcome_moments
from features.matrix import WRITTEN_LATE, Field, Grade, LeftOut, TrainingSet
from features.question import BadQuestion, Question
from features.spec import Attribute, FeatureGroup
from features.spine import build_spine

_MONEY = {
    "leads": "SELECT l.lead_id AS entity_id, CAST(SUM(o.net_amount) AS BIGINT) AS amount FROM leads AS l "
    "JOIN opportunities AS o ON o.opportunity_id = l.opportunity_id OR o.lead_id = l.lead_id "
    "WHERE o.outcome = 'won' GROUP BY l.lead_id",
    "opportunities": "SELECT opportunity_id AS entity_id, net_amount AS amount FROM opportunities "
    "WHERE outcome = 'won'",
}
# What leaves with an entity that is lost: the field that tells its money as known then.
_AT_STAKE = {"accounts": "order_money_365d", "agreements": "net_amount"}
ACCOUNT_OF = {
    "leads": "SELECT lead_id AS entity_id, account_id FROM leads",
    "opportunities": "SELECT opportunity_id AS entity_id, account_id FROM opportunities",
    "agreements": "SELECT agreement_id AS entity_id, account_id FROM agreements",
    "accounts": "SELECT account_id AS entity_id, account_id FROM accounts",
    "invoices": "SELECT invoice_id AS entity_id, account_id FROM invoices",
}


def build_training_set(
    generation: Generation, question: Question, *, config: Config, spine: pa.Table | None = None
) -> TrainingSet:
    """The rows, features and labels of a question, from the record.

    Parameters
    ----------
    generation : Generation
        The record.
    question : Question
        Entity, event, window and feature groups; what the configuration says of the task stands above it.
    config : Config
        Time zone, seed, tasks.
    spine : pa.Table or None
        Rows (`entity_id`, `as_of`) to take; None for those of `features.spine.build_spine`.

    Returns
    -------
    TrainingSet
        Rows sorted by entity and moment. Immature rows have label NaN. `value` is the net amount won, or the money
        that leaves with the entity, in currency units; NaN where there is none or nobody knows. Fields that are
        empty throughout stand in `left_out`.

    Raises
    ------
    BadQuestion
        The record lacks a table the event is read from.
    """
    asked = question.as_configured(config.tasks)
    event = event_of(asked)
    missing = [name for name in event.needs if not generation.has(name)]
    if missing:
        raise BadQuestion(f"{asked.task} asks for {event.phrase_en!r}, which needs {', '.join(missing)}")
    zone = config.company.zone
    if spine is None:
        spine = build_spine(generation, asked, zone=zone, seed=config.seed)
    groups = tuple(group_named(name) for name in asked.groups) + custom_groups(generation, asked.entity)
    rows = build_features(generation, groups, spine, zone=zone)
    fields, left_out = usable_fields(graded_fields(generation, groups), rows)
    late = sorted(written_after_outcome(generation, asked.entity))
    left_out = (*left_out, *(LeftOut(column=name, reason=WRITTEN_LATE) for name in late))
    entity_id = spine.column("entity_id").to_numpy().astype(np.str_)
    as_of = spine.column("as_of").to_numpy().astype("datetime64[us]")
    with generation.engine() as engine:
        happened = outcome_moments(engine, asked, entity_id, as_of)
        accounts = engine.query(ACCOUNT_OF[asked.entity])
        wins = None
        if asked.entity in _MONEY and generation.has("opportunities"):
            wins = engine.query(_MONEY[asked.entity])
    label = build_labels(
        as_of,
        happened,
        horizon_days=asked.horizon_days,
        gap_days=asked.gap_days,
        recorded_to=generation.recorded_to,
    )
    return TrainingSet(
        fields=fields,
        rows=rows.select([field.name for field in fields]),
        entity_id=entity_id,
        as_of=as_of,
        position=as_of.astype(np.int64) / 86_400e6,
        label=label,
        group=account_groups(entity_id, accounts),
        value=_values(entity_id, wins) if wins is not None else _at_stake(asked.entity, rows),
        event=event.phrase_en,
        horizon_days=asked.horizon_days,
        gap_days=asked.gap_days,
        left_out=left_out,
    )


def graded_fields(generation: Generation, groups: Sequence[FeatureGroup]) -> tuple[Field, ...]:
    """The fields, graded by what the record keeps: an overwritten column without changes is known as of now only.

    A company that exports today's values has the final stage of every closed deal; nothing says when it was written.
    """
    kept: set[tuple[str, str]] = set()
    if generation.has("changes"):
        with generation.engine() as engine:
            pairs = engine.query("SELECT DISTINCT entity, field FROM changes")
        kept = set(zip(pairs.column("entity").to_pylist(), pairs.column("field").to_pylist(), strict=True))
    graded: list[Field] = []
    for each in (each for group in groups for each in group.features):
        primitive, field = each.primitive, each.field
        if isinstance(primitive, Attribute) and (primitive.table, primitive.column) not in kept:
            column = column_of(primitive.table, primitive.column, primitive.dtype)
            field = replace(field, grade=Grade.B) if column.mutable and not column.set_once else field
        graded.append(field)
    return tuple(graded)


def usable_fields(fields: tuple[Field, ...], rows: pa.Table) -> tuple[tuple[Field, ...], tuple[LeftOut, ...]]:
    """Fields that say something; those that are empty, constant or free text are left out with the reason."""
    kept: list[Field] = []
    left_out: list[LeftOut] = []
    for field in fields:
        reason = why_no_field(rows.column(field.name), field)
        if reason is None:
            kept.append(field)
        else:
            left_out.append(LeftOut(column=field.name, reason=reason))
    return tuple(kept), tuple(left_out)


def account_groups(entity_id: npt.NDArray[np.str_], accounts: pa.Table) -> npt.NDArray[np.str_]:
    """The account of each row, else its entity."""
    found = dict(zip(accounts.column("entity_id").to_pylist(), accounts.column("account_id").to_pylist(), strict=True))
    return np.array([found.get(name) or name for name in entity_id.tolist()], dtype=np.str_)


def _at_stake(entity: str, rows: pa.Table) -> npt.NDArray[np.float64]:
    name = _AT_STAKE.get(entity)
    if name not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    return np.asarray(rows.column(name).to_numpy(), dtype=np.float64)


def _values(entity_id: npt.NDArray[np.str_], wins: pa.Table) -> npt.NDArray[np.float64]:
    found = dict(zip(wins.column("entity_id").to_pylist(), wins.column("amount").to_pylist(), strict=True))
    amounts = (found.get(name) for name in entity_id.tolist())
    return np.array([np.nan if amount is None else amount / 100 for amount in amounts], dtype=np.float64)
