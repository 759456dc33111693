"""New rows read by a mapping that is already in use: typed as the record types them, and not taken in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from crm.batch import Batch
from crm.cells import SourceRows
from crm.config import Config
from crm.mapping import Mapping as CompanyMapping
from crm.mapping import Source
from crm.mapping_columns import TableTarget
from crm.raw import BadSource, RawTable
from crm.readers.source import read_source
from crm.schema import DType
from crm.shapes import shapes_of
from crm.store import Generation
from crm.targets import build_batch, custom_names


class _AsItStands:
    """What parsing asks of the record, answered from one generation."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def rows_now(self, name: str) -> pa.Table:
        return self._generation.read(name)

    def custom_now(self, name: str) -> Mapping[str, DType]:
        return self._generation.custom(name)

    def facts_now(self, name: str) -> Mapping[str, str]:
        return self._generation.facts(name)


def read_new_rows(
    mapping: CompanyMapping, file: Path, *, table: str, task: str, generation: Generation, config: Config
) -> Batch:
    """The rows of a file as one source of a mapping reads them; the record stays as it is.

    Parameters
    ----------
    mapping : Mapping
        A mapping that was ingested.
    file : Path
        New rows in the form of one of its sources. The outcome and the order may be missing: they are not read.
    table : str
        The table that the rows belong to, for instance `leads`.
    task : str
        The task whose `observations` source may stand for that table.
    generation : Generation
        The record, which says what the custom columns hold.
    config : Config
        Time zone and currency where the mapping states none.

    Raises
    ------
    BadSource
        No source of the mapping fills the table, or the file does not fit the source.
    """
    source = _source_of(mapping, table=table, task=task)
    spec = source.spec.model_copy(update={"file": file.name})
    if not file.is_file():
        raise BadSource(f"{file.name}: no such file; --input names the new rows")
    try:
        raw = read_source(spec, file.parent)
    except BadSource:
        raise
    except ValueError as error:
        # Raised where the name does not tell what the file is.
        raise BadSource(f"{file.name}: {error}") from None
    columns = _unread(source, raw)
    rows = SourceRows(
        source=source,
        rows=columns,
        line=raw.line,
        number=np.arange(1, columns.num_rows + 1),
        zone=ZoneInfo(source.time_zone or config.company.time_zone),
        currency=source.currency or config.company.currency,
        decimal_comma=mapping.company.decimal_comma,
    )
    wanted = "observations" if source.observations is not None else table
    for shape in shapes_of(rows):
        if shape.target.table == wanted:
            target = _as_known(shape.rows, shape.target, generation.custom(wanted))
            return build_batch(shape.rows, target, _AsItStands(generation))
    raise BadSource(f"source {source.name} fills no table {wanted}")


def _as_known(rows: SourceRows, target: TableTarget, known: Mapping[str, DType]) -> TableTarget:
    """The target with every custom column held to the dtype that the record has: what does not fit is a reject.

    Taking rows in, a column widens to text instead; the model in use has learned the old type.
    """
    kept = {name: rows.source.rename.get(name, name) for name in custom_names(rows, target)}
    return target.model_copy(update={"custom": {name: known[one] for name, one in kept.items() if one in known}})


def _source_of(mapping: CompanyMapping, *, table: str, task: str) -> Source:
    for source in mapping.sources:
        if source.observations is not None and source.observations.task == task:
            return source
        if any(target.table == table for target in source.targets):
            return source
    raise BadSource(
        f"no source of the mapping fills {table} or observations of {task}; it has "
        f"{', '.join(source.name for source in mapping.sources)}"
    )


def _unread(source: Source, raw: RawTable) -> pa.Table:
    """The rows with outcome and order empty, and with empty columns where the mapping names one that did not come."""
    rows = raw.rows
    empty = pa.nulls(rows.num_rows, pa.string())
    blank: list[str] = []
    if source.observations is not None:
        blank.append(source.observations.label.from_)
        if source.observations.order not in (None, "row_number"):
            blank.append(str(source.observations.order))
    named = {*source.exclude, *source.rename, *source.missing_in}
    for name in (*blank, *sorted(named - set(blank) - set(rows.column_names))):
        place = rows.schema.get_field_index(name)
        rows = rows.append_column(name, empty) if place < 0 else rows.set_column(place, name, empty)
    return rows
