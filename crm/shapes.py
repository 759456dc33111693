"""Every kind of source as table targets: flat observations, panels and event logs become stated columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.cells import SourceRows
from crm.mapping import Source
from crm.mapping_columns import ColumnSpec, EventsTarget, ObservationsTarget, PanelTarget, RowOptions, TableTarget
from crm.parse import parse_column
from crm.parse_rule import Rule
from crm.raw import BadSource, Reject
from crm.schema import DType
from crm.targets import custom_names, matches, require_column, selected

_SHOWN_WORDS = 8
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """One table target with the rows that it reads.

    Attributes
    ----------
    rows : SourceRows
        The source, with helper columns where the target needs them.
    target : TableTarget
        What becomes of them.
    facts : mapping of str to str
        What the mapping states about the rows, for the table's facts.
    rejects : tuple of Reject
        Rows left out before the target saw them.
    skipped : int
        Rows that stand in another row (events of a case).
    """

    rows: SourceRows
    target: TableTarget
    facts: dict[str, str] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    skipped: int = 0


def shapes_of(rows: SourceRows) -> Iterator[Shape]:
    """The table targets of a source, whatever its kind."""
    source = rows.source
    if source.observations is not None:
        yield _observations(rows, source.observations)
    elif source.panel is not None:
        yield _panel(rows, source.panel)
    elif source.events is not None:
        yield from _events(rows, source.events)
    else:
        for target in source.targets:
            facts = {"written_after_outcome": outcome_fact(rows)} if source.written_after_outcome else {}
            if source.known_at_entry:
                facts["known_at_entry"] = entry_fact(rows)
            yield Shape(rows=rows, target=target, facts=facts)


def outcome_fact(rows: SourceRows) -> str:
    """The columns written after the outcome, under the names they are kept by, as the text of a fact."""
    return _listed(rows, rows.source.written_after_outcome, "written_after_outcome")


def entry_fact(rows: SourceRows) -> str:
    """The columns a person vouches for, under the names they are kept by, as the text of a fact."""
    return _listed(rows, rows.source.known_at_entry, "known_at_entry")


def form_fact(source: Source, stated: ObservationsTarget) -> str:
    """How the source writes a row, as the text of a fact: `crm.facts.flat_form` reads it."""
    beside = [stated.label.from_, *([stated.order] if stated.order else ()), *source.exclude]
    form = {
        "entity_id": list(stated.entity_id.from_) if stated.entity_id else [],
        "unread": sorted(set(beside)),
        "rename": source.rename,
        "missing": source.missing,
        "missing_in": {source.rename.get(name, name): words for name, words in source.missing_in.items()},
    }
    return json.dumps(form, ensure_ascii=False, sort_keys=True)


def _listed(rows: SourceRows, names: tuple[str, ...], setting: str) -> str:
    for name in names:
        require_column(rows, name, setting)
    return json.dumps([rows.source.rename.get(name, name) for name in names], ensure_ascii=False)


def _observations(rows: SourceRows, stated: ObservationsTarget) -> Shape:
    task, label = stated.task, stated.label
    cells = rows.text(label.from_)
    words: list[str] = pc.unique(cells.drop_null()).to_pylist()
    if words and not set(label.positive) & set(words):
        shown = ", ".join(repr(word) for word in sorted(words)[:_SHOWN_WORDS])
        raise BadSource(
            f"source {rows.source.name}: column {label.from_!r} never holds {' or '.join(map(repr, label.positive))}, "
            f"the positive outcome; it holds {shown}"
        )
    others = label.negative or tuple(word for word in words if word not in label.positive) or ("no",)
    columns = {
        "task": ColumnSpec(constant=task),
        "entity_id": stated.entity_id or ColumnSpec(row_number=True),
        "label": ColumnSpec.model_validate({"from": label.from_, "true": label.positive, "false": others}),
    }
    facts = {f"{task}.label": label.from_, f"{task}.positive": json.dumps(label.positive, ensure_ascii=False)}
    if stated.order is not None:
        facts[f"{task}.order"] = stated.order
        rows, columns["position"] = _order(rows, stated)
    options = _options(rows)
    target = TableTarget.model_construct(
        **{**options, "custom": options["custom"] or "all"}, table="observations", columns=columns
    )
    target = _without_order(target, rows, stated)
    kept = [rows.source.rename.get(name, name) for name in custom_names(rows, target)]
    facts[f"{task}.columns"] = json.dumps(kept, ensure_ascii=False)
    facts[f"{task}.form"] = form_fact(rows.source, stated)
    facts[f"{task}.written_after_outcome"] = outcome_fact(rows)
    if rows.source.known_at_entry:
        facts[f"{task}.known_at_entry"] = entry_fact(rows)
    return Shape(rows=rows, target=target, facts=facts)


def _order(rows: SourceRows, stated: ObservationsTarget) -> tuple[SourceRows, ColumnSpec]:
    """The column `position`: the number of the row, a number of the source, or a date as seconds."""
    name = str(stated.order)
    if name == "row_number" and name not in rows.rows.column_names:
        return rows, ColumnSpec(row_number=True)
    numbers = parse_column(rows.cells(name), Rule(dtype=DType.NUMBER), rows.missing(name))
    if not numbers.bad:
        return rows, ColumnSpec.model_validate({"from": name})
    formats = stated.order_format or rows.source.date_formats
    rule = Rule(dtype=DType.TIMESTAMP, zone=rows.zone, formats=formats)
    moments = parse_column(rows.cells(name), rule, rows.missing(name))
    if len(moments.bad) == rows.rows.num_rows:
        raise BadSource(
            f"source {rows.source.name}: order column {name!r} holds neither numbers nor dates, for instance "
            f"{moments.bad[0].value!r}; {moments.bad[0].reason}, or state `order_format:`"
        )
    seconds = pc.divide(moments.values.cast(pa.int64()).cast(pa.float64()), 1e6)
    helper = f"{name} (in time)"
    return _with_column(rows, helper, seconds), ColumnSpec.model_validate({"from": helper})


def _without_order(target: TableTarget, rows: SourceRows, stated: ObservationsTarget) -> TableTarget:
    """The target without the raw order column among the custom ones, when a helper column stands for it."""
    if target.custom != "all" or stated.order is None:
        return target
    kept = tuple(name for name in custom_names(rows, target) if name != stated.order)
    return target.model_copy(update={"custom": kept})


def _panel(rows: SourceRows, stated: PanelTarget) -> Shape:
    for name in stated.nodes:
        if pc.any(pc.match_substring(rows.text(name), "/")).as_py():
            raise BadSource(
                f"source {rows.source.name}: column {name!r} holds a slash, which joins the nodes of a series; "
                "leave it out of the names"
            )
    columns: dict[str, object] = {
        "panel": {"constant": stated.name},
        "unique_id": {"from": stated.nodes, "joined_by": "/"},
        "ds": {"from": stated.period, "format": stated.period_format, "period": stated.frequency},
        "frequency": {"constant": stated.frequency},
        "y": {"from": stated.value, "decimal_comma": stated.decimal_comma},
    }
    options = _options(rows)
    specs = {name: ColumnSpec.model_validate(spec) for name, spec in columns.items()}
    options["one_row_per_key"] = stated.aggregate or options["one_row_per_key"]
    target = TableTarget.model_construct(**options, table="panel", columns=specs)
    facts = {f"{stated.name}.nodes": json.dumps(stated.nodes, ensure_ascii=False)}
    return Shape(rows=rows, target=target, facts=facts)


def _options(rows: SourceRows) -> dict[str, Any]:
    return {name: getattr(rows.source, name) for name in RowOptions.model_fields}


def _events(rows: SourceRows, stated: EventsTarget) -> Iterator[Shape]:
    """Each output of an event log, over its events in order of case and time."""
    spec = stated.time
    rule = Rule(
        dtype=DType.TIMESTAMP, zone=rows.zone, formats=spec.format or rows.source.date_formats, style=spec.parse
    )
    name = spec.from_[0]
    times = parse_column(rows.cells(name), rule, rows.missing(name, spec))
    case = rows.text(stated.case)
    unusable = pc.or_(pc.is_null(times.values), pc.is_null(case)).to_numpy(zero_copy_only=False)
    reasons = {cell.row: cell for cell in times.bad}
    rejects = tuple(
        rows.reject(
            row,
            name if row in reasons else f"{stated.case}, {name}",
            reasons[row].value if row in reasons else "",
            reasons[row].reason if row in reasons else "expected an event with a case and a time",
        )
        for row in np.flatnonzero(unusable).tolist()
    )
    codes = case.dictionary_encode().indices
    micros = times.values.cast(pa.int64())
    usable = np.flatnonzero(~unusable)
    case_code = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False)[usable]
    order = np.lexsort((pc.fill_null(micros, 0).to_numpy(zero_copy_only=False)[usable], case_code))
    log = rows.take(usable[order].astype(np.int64))
    for number, output in enumerate(stated.outputs):
        yield replace(_output(log, case_code[order], output, stated), rejects=rejects if number == 0 else ())


def _output(log: SourceRows, case: Positions, output: TableTarget, stated: EventsTarget) -> Shape:
    chosen = np.flatnonzero(selected(log, output)).astype(np.int64)
    left_out = log.rows.num_rows - len(chosen)
    log, case = log.take(chosen), case[chosen]
    starts = np.r_[True, case[1:] != case[:-1]] if len(case) else np.zeros(0, dtype=bool)
    kept = np.flatnonzero(starts).astype(np.int64) if output.per == "case" else np.arange(len(case))
    specs: dict[str, ColumnSpec] = {}
    result = log.take(kept)
    for column, spec in output.columns.items():
        if spec.event is None:
            specs[column] = spec
            continue
        at = _event_positions(log, case, kept, spec, stated)
        helper = f"{spec.from_[0]} of the {spec.event} event ({column})"
        cells = log.text(spec.from_[0], spec).take(pa.array(at, mask=at < 0))
        result = _with_column(result, helper, cells)
        specs[column] = spec.model_copy(update={"from_": (helper,), "event": None})
    target = output.model_copy(update={"columns": specs, "where": {}, "where_not": {}, "present": ()})
    return Shape(rows=result, target=target, skipped=left_out + len(case) - len(kept))


def _event_positions(
    log: SourceRows, case: Positions, kept: Positions, spec: ColumnSpec, stated: EventsTarget
) -> Positions:
    """For each kept row the position of the event that `spec` means; -1 where there is none."""
    among = np.ones(len(case), dtype=bool)
    if spec.among:
        among = matches(log.text(stated.activity), spec.among)
    positions = np.arange(len(case), dtype=np.int64)
    if spec.event == "previous" and len(case):
        last = np.maximum.accumulate(np.where(among, positions, -1))
        before = np.r_[-1, last[:-1]].astype(np.int64)
        same = (before >= 0) & (case[np.maximum(before, 0)] == case)
        return np.where(same, before, -1)[kept]
    found = np.flatnonzero(among)
    at: dict[int, int] = {}
    for position, code in zip(found.tolist(), case[found].tolist(), strict=True):
        if spec.event == "last" or code not in at:
            at[code] = position
    return np.array([at.get(code, -1) for code in case[kept].tolist()], dtype=np.int64)


def _with_column(rows: SourceRows, name: str, values: pa.Array) -> SourceRows:
    return replace(rows, rows=rows.rows.append_column(name, values))
