"""Codes of another system as ours, where the two are one customer beyond doubt."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from crm.batch import Batch
from crm.ingest_report import Unresolved
from crm.mapping import Source

_MOST_SHOWN = 3


def resolve_codes(batch: Batch, source: Source, identities: pa.Table) -> tuple[Batch, tuple[Unresolved, ...]]:
    """The batch with our ids in the columns that `codes_of:` names, and the codes that stay as they came.

    Parameters
    ----------
    batch : Batch
        Rows of one table.
    source : Source
        Its mapping source; `codes_of` maps a column of the record to the source that brings the accounts of the other
        system.
    identities : pa.Table
        The table `identities`.
    """
    unresolved: list[Unresolved] = []
    rows = batch.rows
    for column, system in source.codes_of.items():
        if column not in rows.column_names:
            continue
        known = identities.filter(pc.equal(identities.column("source_system"), system))
        joined = known.filter(pc.is_valid(known.column("entity_id")))
        codes = rows.column(column)
        ours = _looked_up(codes, joined)
        rows = rows.set_column(rows.column_names.index(column), column, pc.coalesce(ours, codes))
        lost = codes.filter(pc.and_(pc.is_valid(codes), pc.is_null(ours)))
        if len(lost):
            asked = known.filter(pc.fill_null(known.column("waiting"), False)).column("code")
            waiting = pc.unique(lost.filter(pc.is_in(lost, value_set=asked.combine_chunks()))).to_pylist()
            unresolved.append(
                Unresolved(
                    source=source.name,
                    column=column,
                    system=system,
                    rows=len(lost),
                    waiting=tuple(sorted(waiting)[:_MOST_SHOWN]),
                )
            )
    return replace(batch, rows=rows), tuple(unresolved)


def _looked_up(codes: pa.ChunkedArray, joined: pa.Table) -> pa.ChunkedArray:
    at = pc.index_in(codes, value_set=joined.column("code").combine_chunks())
    return joined.column("entity_id").take(at)
