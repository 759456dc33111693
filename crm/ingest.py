"""A company's files into the record: read, mapped, parsed, checked, merged; all or nothing a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm.backfill import BORNE_BY, borrow_moments
from crm.batch import Batch, Moment, TableState
from crm.cells import SourceRows
from crm.codes import resolve_codes
from crm.config import Config
from crm.ingest_report import Dangling, IngestReport, SourceReport, Unresolved
from crm.mapping import CompanyDefaults, Source
from crm.mapping import Mapping as CompanyMapping
from crm.merge import Merged, complete, empty_state, merge, merge_facts, naive_utc
from crm.raw import BadSource, RawTable, Reject
from crm.readers.source import read_source
from crm.rejects import ingest_id, write_rejects
from crm.schema import DType
from crm.shapes import Shape, shapes_of
from crm.store import Generation, Store, Writer
from crm.tables import TABLES
from crm.targets import build_batch

__all__ = ["Dangling", "IngestReport", "Progress", "SourceReport", "Unresolved", "ingest"]

_MOST_SHOWN = 3
_ENOUGH_ROWS = 20
_REFUSED_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an ingest is: the source at hand and what happens to it."""

    source: str
    number: int
    of: int
    step: str


OnProgress = Callable[[Progress], None]


def ingest(
    store: Store,
    mapping: CompanyMapping,
    folder: Path,
    *,
    config: Config,
    now: datetime,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """What a company's files did to its record.

    Parameters
    ----------
    store : Store
        The record; locked while this runs, readers go on with the generation that they hold.
    mapping : Mapping
        What the files mean.
    folder : Path
        Where they are.
    config : Config
        Currency and time zone where the mapping states none; how many generations are kept.
    now : datetime
        The moment of ingest, with its time zone.
    on_progress : callable or None
        Told what happens to which source.

    Returns
    -------
    IngestReport
        Counts by source and table, rejected cells, references that lead nowhere.

    Raises
    ------
    StoreIsBusy
        Another ingest is running.

    Notes
    -----
    Each source is taken in whole or refused whole; all sources together make one generation. Files that
    hold nothing new make none.
    """
    moment = naive_utc(now)
    with store.writing(keep=config.store.keep_generations) as writer:
        run = _Run(writer, mapping.company, config, moment)
        cache: dict[str, RawTable] = {}
        for number, source in enumerate(mapping.sources, start=1):

            def tell(step: str, name: str = source.name, number: int = number) -> None:
                if on_progress is not None:
                    on_progress(Progress(source=name, number=number, of=len(mapping.sources), step=step))

            tell("read")
            try:
                run.take_in(source, _read_once(source, folder, cache), tell)
            except BadSource as error:
                run.reports.append(SourceReport(source=source.name, table=_tables_of(source), refused=str(error)))
        tell("write")
        run.write()
    rejects_folder = store.folder / "rejects" / ingest_id(moment, [source.name for source in mapping.sources])
    return IngestReport(
        generation=store.current_number(),
        sources=tuple(run.reports),
        rejects=tuple(run.rejects),
        reject_files=write_rejects(rejects_folder, run.rejects),
        dangling=run.dangling(),
        unresolved=tuple(run.unresolved),
    )


class _Run:
    """The tables as they stand while sources come in."""

    def __init__(self, writer: Writer, company: CompanyDefaults, config: Config, now: datetime) -> None:
        self._writer, self._company, self._config, self._now = writer, company, config, now
        self._before: Generation | None = writer.before
        self._states: dict[str, TableState] = {}
        self._touched: set[str] = set()
        self.reports: list[SourceReport] = []
        self.rejects: list[Reject] = []
        self.unresolved: list[Unresolved] = []

    def rows_now(self, name: str) -> pa.Table:
        return self._state(name).rows

    def custom_now(self, name: str) -> Mapping[str, DType]:
        return self._state(name).custom

    def facts_now(self, name: str) -> Mapping[str, str]:
        return self._state(name).facts

    def _state(self, name: str) -> TableState:
        if name not in self._states:
            before = self._before
            self._states[name] = (
                empty_state(name)
                if before is None or not before.has(name)
                else TableState(
                    rows=complete(before.read(name), name), custom=before.custom(name), facts=before.facts(name)
                )
            )
        return self._states[name]

    def take_in(self, source: Source, raw: RawTable, tell: Callable[[str], None]) -> None:
        """Take a source in; on BadSource every table is as it was before."""
        saved, touched = dict(self._states), set(self._touched)
        zone = ZoneInfo(source.time_zone or self._config.company.time_zone)
        rows = SourceRows(
            source=source,
            rows=raw.rows,
            line=raw.line,
            number=np.arange(1, raw.rows.num_rows + 1),
            zone=zone,
            currency=source.currency or self._config.company.currency,
            decimal_comma=self._company.decimal_comma,
            parts=raw.parts,
        )
        reports: list[SourceReport] = []
        unresolved: list[Unresolved] = []
        rejects: list[Reject] = list(raw.rejects)
        try:
            tell("parse")
            for number, shape in enumerate(shapes_of(rows)):
                batch = build_batch(shape.rows, shape.target, self)
                batch, found = resolve_codes(batch, source, self.rows_now("identities"))
                unresolved += found
                outside = raw.rejects if number == 0 else ()
                rejects += [*shape.rejects, *batch.rejects]
                _require_acceptable(source, batch, (*outside, *shape.rejects))
                tell(f"merge {batch.table}")
                recorded = shape.target.recorded_at or source.recorded_at
                moment = Moment(now=self._now, zone=zone, source=source.name, recorded=recorded)
                merged = self._merge(shape, batch, moment)
                reports.append(_report(source, raw, shape, batch, merged))
        except BadSource:
            self._states, self._touched = saved, touched
            self.rejects += rejects
            raise
        self.reports += reports
        self.rejects += rejects
        self.unresolved += unresolved

    def _merge(self, shape: Shape, batch: Batch, moment: Moment) -> Merged:
        state = self._state(batch.table)
        batch = replace(batch, facts=merge_facts(batch.facts, shape.facts))
        merged = merge(state, batch, moment)
        said = (merged.state.facts, merged.state.custom) != (state.facts, state.custom)
        if merged.inserted or merged.changed or said:
            self._states[batch.table] = merged.state
            self._touched.add(batch.table)
        if merged.changes is not None and batch.table != "changes":
            self._append_changes(merged.changes)
        return merged

    def _append_changes(self, changes: pa.Table) -> None:
        state = self._state("changes")
        rows = pa.concat_tables([state.rows, changes], promote_options="default")
        self._states["changes"] = replace(state, rows=rows.select(state.rows.column_names))
        self._touched.add("changes")

    def write(self) -> None:
        """Hand every table that changed to the writer."""
        for name, (column, parent, key) in BORNE_BY.items():
            if name in self._touched:
                self._states[name] = borrow_moments(self._state(name), self._state(parent), column, key, self._now)
        for name in sorted(self._touched):
            state = self._states[name]
            if state.rows.num_rows:
                self._writer.replace(name, state.rows, state.custom, state.facts)

    def dangling(self) -> tuple[Dangling, ...]:
        """References of the touched tables that lead nowhere."""
        found = []
        for name in sorted(self._touched):
            for column in TABLES[name].columns:
                target = column.refers_to
                if target is None or len(TABLES[target].key) > 2:
                    continue
                values = self._state(name).rows.column(column.name).drop_null()
                keys = self._state(target).rows.column(TABLES[target].key[0])
                lost = len(values) - int(pc.sum(pc.is_in(values, value_set=keys.combine_chunks())).as_py() or 0)
                if lost:
                    found.append(Dangling(table=name, column=column.name, refers_to=target, rows=lost))
        return tuple(found)


def _read_once(source: Source, folder: Path, cache: dict[str, RawTable]) -> RawTable:
    """The rows of a source; of sources that read the same file in a row it is read once."""
    key = source.spec.model_copy(update={"name": "x"}).model_dump_json()
    if key not in cache:
        cache.clear()
        cache[key] = read_source(source.spec, folder)
    raw = cache[key]
    return replace(raw, rejects=tuple(replace(reject, source=source.name) for reject in raw.rejects))


def _require_acceptable(source: Source, batch: Batch, outside: tuple[Reject, ...]) -> None:
    n_outside = len(outside)
    rejected = batch.rejected + n_outside
    if rejected == 0:
        return
    examples = "; ".join(
        f"line {reject.line}, {reject.column or 'record'}: {reject.reason}"
        for reject in (*outside, *batch.rejects)[:_MOST_SHOWN]
    )
    if source.on_reject == "refuse":
        raise BadSource(f"source {source.name}: {rejected} rows at fault and `on_reject: refuse`; {examples}")
    n_rows = batch.rows.num_rows + batch.rejected + n_outside
    if (n_rows >= _ENOUGH_ROWS and rejected > _REFUSED_SHARE * n_rows) or (batch.rows.num_rows == 0 and n_rows > 1):
        raise BadSource(
            f"source {source.name}: {rejected} of {n_rows} rows are at fault, so the mapping does not fit; {examples}"
        )


def _report(source: Source, raw: RawTable, shape: Shape, batch: Batch, merged: Merged) -> SourceReport:
    return SourceReport(
        source=source.name,
        table=batch.table,
        read=raw.rows.num_rows + len(raw.rejects),
        inserted=merged.inserted,
        changed=merged.changed,
        unchanged=merged.unchanged,
        rejected=batch.rejected + len(raw.rejects) + len(shape.rejects),
        skipped=batch.skipped + shape.skipped,
    )


def _tables_of(source: Source) -> str:
    if source.observations is not None:
        return "observations"
    if source.panel is not None:
        return "panel"
    return ", ".join(dict.fromkeys(target.table for target in source.targets))
