"""The search for leaks in a training set of the record: what only the record shows is added to the columns.

Beside the fields it looks at the rows behind them: a kind of row that only entities with one outcome have (contacts
typed in afterwards and dated back) is named by table, column and value. It judges filling by how the entity ended,
whenever that was, and looks at columns that are too varied to be fields by whether they are filled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.config import Config
from crm.engine import Engine, quote_name
from crm.schema import DType
from crm.store import Generation
from crm.tables import table
from features.build import build_features
from features.catalogue import group_named
from features.counted import counted_fields
from features.invoice_rows import settled_moments
from features.labels import EVENTS, build_labels, outcome_moments
from features.leakage import Finding, find_leaks
from features.matrix import Field, Grade, Kind, TrainingSet
from features.online import source_of
from features.outcomes import CAUSES
from features.question import Question
from features.screening import Fit, Floats, fit_small_booster
from features.spec import Aggregate, Attribute, Calendar, Count, Feature, FeatureGroup, Ratio, Source, feature, is_in

DELAY_DAYS = 7
# What is found may have hidden more; a company seldom needs a second round.
MOST_ROUNDS = 3
MOST_VALUES = 30


def find_leaks_of_record(
    generation: Generation,
    question: Question,
    training_set: TrainingSet,
    *,
    config: Config,
    seed: int,
    fit: Fit = fit_small_booster,
    confirmed: Collection[str] = (),
    after_outcome: Collection[str] = (),
) -> tuple[Finding, ...]:
    """The fields that know the outcome, and the rows of the record that do.

    Parameters
    ----------
    generation, question, training_set : Generation, Question, TrainingSet
        What `features.training_set.build_training_set` took and gave.
    config : Config
        Time zone, tasks.
    seed : int
        Decides folds.
    fit : callable
        The learner that columns are tried with.
    confirmed, after_outcome : collection of str
        As in `features.leakage.find_leaks`.

    Returns
    -------
    tuple of Finding
        `column` is a field of the training set, a custom column that became no field, or `table.column=value`.
    """
    asked = question.as_configured(config.tasks)
    extra = _probes(generation, asked, training_set, config)
    widened = replace(
        training_set,
        fields=(*training_set.fields, *(field for field, _ in extra)),
        rows=_appended(training_set.rows, extra),
    )
    probes = {field.name for field, _ in extra if field.group == "probe"}
    columns = {field.name for field in widened.fields} - probes
    counted = counted_fields(generation, asked)
    found: dict[str, Finding] = {}
    for step in _steps(generation, asked):
        happened = _happened(generation, step, training_set, config)
        labelled = replace(widened, label=_label(generation, step, training_set, happened))
        search = partial(
            find_leaks,
            seed=seed,
            fit=fit,
            confirmed=confirmed,
            after_outcome=after_outcome,
            delayed_label=_delayed(generation, step, training_set, happened),
            ending=_ending(labelled, happened),
            dated=_dated(asked, training_set),
            counted=counted,
        )
        # Kinds of rows first: the fields made of a false kind would otherwise vouch for each other.
        found |= _named(search(labelled.without(columns | set(found))), asked, found)
        for _ in range(MOST_ROUNDS):
            new = search(labelled.without(probes | set(found)))
            found |= _named(new, asked, found)
            if not any(finding.verdict == "quarantined" for finding in new):
                break
    order = {"quarantined": 0, "suspected": 1}
    return tuple(sorted(found.values(), key=lambda finding: (order[finding.verdict], finding.column)))


def _dated(question: Question, training_set: TrainingSet) -> set[str]:
    """The fields of weekly rows that rest on a kept history.

    Of an entity looked at every week a late stage rightly says that the end is near. Rows typed in afterwards and
    dated back still show: their kind is tried by itself.
    """
    if question.entity not in CAUSES:
        return set()
    return {field.name for field in training_set.fields if field.grade is Grade.A}


def _named(new: Sequence[Finding], question: Question, found: Mapping[str, Finding]) -> dict[str, Finding]:
    """The new findings and the fields that are made of what was found."""
    direct = {finding.column: finding for finding in new}
    made = {finding.column: finding for finding in _built_on(question, {**found, **direct})}
    return {**{name: finding for name, finding in made.items() if name not in found}, **direct}


def _steps(generation: Generation, question: Question) -> list[Question]:
    """The question, and the same of the entity's first event: what knows that a lead was qualified knows half of a win.

    The first event is the more frequent one, so that it shows what a rare one leaves in doubt.
    """
    if question.entity == "accounts":
        # The ways in which an account leaves are no steps to each other.
        return [question]
    first = next(event for entity, event in EVENTS if entity == question.entity)
    if first == question.event or not all(generation.has(name) for name in EVENTS[question.entity, first].needs):
        return [question]
    return [question, replace(question, event=first)]


def _built_on(question: Question, found: Collection[str]) -> list[Finding]:
    """The fields that are made of a found column or kind of row: they know what it knows."""
    made: list[Finding] = []
    for each in (each for name in question.groups for each in group_named(name).features):
        for root in found:
            if each.field.name != root and _rests_on(each, root):
                text = f"is made of {root}, which knows the outcome"
                made.append(Finding(column=each.field.name, verdict="quarantined", check="built_on", evidence=text))
                break
    return made


def _rests_on(each: Feature, root: str) -> bool:
    primitive = each.primitive
    if isinstance(primitive, Calendar):
        return False
    if isinstance(primitive, Attribute):
        return root in {primitive.reach, primitive.column}
    source = source_of(primitive)
    if root == source.reach:
        return True
    place, _, value = root.partition("=")
    table_name, _, column = place.partition(".")
    if not value or table_name != source.table:
        return False
    parts = (primitive.upper, primitive.lower) if isinstance(primitive, Ratio) else (primitive,)
    return any(_counts(part, column, value) for part in parts)


def _counts(part: Aggregate, column: str, value: str) -> bool:
    """Whether rows with that value are among those an aggregate looks at."""
    named = [c for c in (*part.where, *part.source.where) if c.column == column and c.op == "in"]
    return all(value in condition.values for condition in named)


def _appended(rows: pa.Table, extra: list[tuple[Field, pa.Array]]) -> pa.Table:
    for field, values in extra:
        rows = rows.append_column(field.name, values)
    return rows


def _happened(
    generation: Generation, question: Question, training_set: TrainingSet, config: Config
) -> npt.NDArray[np.datetime64]:
    if question.entity == "invoices":
        return settled_moments(generation, training_set.entity_id, zone=config.company.zone)
    with generation.engine() as engine:
        return outcome_moments(engine, question, training_set.entity_id, training_set.as_of)


def _label(
    generation: Generation, question: Question, training_set: TrainingSet, happened: npt.NDArray[np.datetime64]
) -> Floats:
    return build_labels(
        training_set.as_of,
        happened,
        horizon_days=question.horizon_days,
        gap_days=question.gap_days,
        recorded_to=generation.recorded_to,
    )


def _delayed(
    generation: Generation, question: Question, training_set: TrainingSet, happened: npt.NDArray[np.datetime64]
) -> Floats:
    """The labels had the window begun a week later and ended when it does: what is near is left out of it."""
    later = replace(
        question,
        horizon_days=max(question.horizon_days - DELAY_DAYS, 1),
        gap_days=question.gap_days + DELAY_DAYS,
    )
    return _label(generation, later, training_set, happened)


def _ending(training_set: TrainingSet, happened: npt.NDArray[np.datetime64]) -> Floats:
    """1 where the event ever happened, 0 where the entity's window has passed without it, NaN while it is open."""
    return np.where(np.isnat(happened), np.where(np.isfinite(training_set.label), 0.0, np.nan), 1.0)


def _probes(
    generation: Generation, question: Question, training_set: TrainingSet, config: Config
) -> list[tuple[Field, pa.Array]]:
    """Columns that no model learns from: whether rows of a kind exist, and whether a varied custom column is filled."""
    spine = pa.table({"entity_id": pa.array(training_set.entity_id.tolist(), pa.string()), "as_of": training_set.as_of})
    with generation.engine() as engine:
        group = _kinds_of_rows(engine, generation, question)
    found: list[tuple[Field, pa.Array]] = []
    if group.features:
        counts = build_features(generation, (group,), spine, zone=config.company.zone)
        for field in group.fields:
            values = counts.column(field.name).combine_chunks()
            found.append((field, pc.if_else(pc.greater(values, 0.0), 1.0, float("nan"))))
    dtypes = generation.custom(question.entity)
    varied = {left.column for left in training_set.left_out} & {n for n, d in dtypes.items() if d is DType.TEXT}
    if varied:
        own = FeatureGroup(
            name="left_out",
            entity=question.entity,
            doc="",
            features=tuple(
                feature(
                    name,
                    Attribute(column=name, table=question.entity, dtype=DType.TEXT),
                    en=name,
                    zh=name,
                    group="custom",
                    kind=Kind.CATEGORY,
                    grade=Grade.B,
                )
                for name in sorted(varied)
            ),
        )
        texts = build_features(generation, (own,), spine, zone=config.company.zone)
        for field in own.fields:
            values = pc.if_else(texts.column(field.name).is_valid(), 1.0, float("nan")).combine_chunks()
            found.append((replace(field, kind=Kind.FLAG), values))
    return found


def _kinds_of_rows(engine: Engine, generation: Generation, question: Question) -> FeatureGroup:
    """One count for each value of each closed column of the entity's own event rows."""
    features = []
    for source in _own_sources(question):
        if not generation.has(source.table):
            continue
        for column in table(source.table).columns:
            if column.dtype is not DType.TEXT or column.refers_to or column.personal or column.mutable:
                continue
            if column.name in table(source.table).key:
                continue
            name = quote_name(column.name)
            values = engine.query(
                f"SELECT {name} AS v FROM {source.table} WHERE {name} IS NOT NULL GROUP BY {name} "
                f"ORDER BY COUNT(*) DESC LIMIT {MOST_VALUES + 1}"
            )
            listed = values.column("v").to_pylist()
            if len(listed) > MOST_VALUES:
                continue
            features += [
                feature(
                    f"{source.table}.{column.name}={value}",
                    Count(source=source, where=(is_in(column.name, value),)),
                    en=value,
                    zh=value,
                    group="probe",
                    grade=Grade.A,
                )
                for value in listed
            ]
    return FeatureGroup(name="kinds_of_rows", entity=question.entity, doc="", features=tuple(features))


def _own_sources(question: Question) -> list[Source]:
    found: dict[Source, None] = {}
    for name in question.groups:
        for each in group_named(name).features:
            if not isinstance(each.primitive, Attribute | Calendar):
                source = source_of(each.primitive)
                if not source.reach and source.table != "changes":
                    found[source] = None
    return list(found)
