"""Which column of which table names a row of which other one: as stated, and found in custom columns."""

from __future__ import annotations

from dataclasses import dataclass

from crm.engine import DuckDBEngine, quote_name, quote_text
from crm.schema import DType
from crm.store import Generation
from crm.tables import TABLES, table

# A custom column is taken as a reference when this share of its values are keys of the other table.
KEYS_AMONG_VALUES = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`table.column` holds values of `parent.key`; `is_stated` unless it was found in the data.

    Where a table names rows of several tables, `entity` is the one that `table.entity` must say.
    """

    table: str
    column: str
    parent: str
    key: str
    is_stated: bool
    entity: str | None = None

    def rows(self) -> str:
        """SQL of the rows of the table that this reference speaks of."""
        where = "" if self.entity is None else f" WHERE entity = {quote_text(self.entity)}"
        return f"(SELECT * FROM {quote_name(self.table)}{where})"


def find_references(engine: DuckDBEngine, generation: Generation) -> tuple[Reference, ...]:
    """The references between tables that have rows.

    Parameters
    ----------
    engine : DuckDBEngine
        Over the generation.
    generation : Generation
        The record.

    Returns
    -------
    tuple of Reference
        Those that `crm.tables` states, then custom text columns of which at least 95 % are keys of one table.
    """
    found: list[Reference] = []
    with_key = {name: one.key[0] for name, one in TABLES.items() if len(one.key) == 1 and generation.has(name)}
    for name in generation.tables:
        if name not in TABLES:
            continue
        for column in table(name).columns:
            if column.refers_to in with_key:
                key = with_key[column.refers_to]
                found.append(
                    Reference(table=name, column=column.name, parent=column.refers_to, key=key, is_stated=True)
                )
        if {"entity", "entity_id"} <= set(table(name).names):
            found += _by_entity(engine, name, with_key)
        for column_name, dtype in generation.custom(name).items():
            if dtype is DType.TEXT:
                found += _in_data(engine, name, column_name, with_key)
    return tuple(found)


def _by_entity(engine: DuckDBEngine, name: str, with_key: dict[str, str]) -> list[Reference]:
    entities = engine.query(f"SELECT DISTINCT entity FROM {quote_name(name)} ORDER BY entity").column("entity")
    return [
        Reference(table=name, column="entity_id", parent=one, key=with_key[one], is_stated=True, entity=one)
        for one in entities.to_pylist()
        if one in with_key
    ]


def _in_data(engine: DuckDBEngine, name: str, column: str, with_key: dict[str, str]) -> list[Reference]:
    quoted = quote_name(column)
    for parent, key in with_key.items():
        if parent == name:
            continue
        row = engine.query(
            f"SELECT COUNT(*) AS n, COUNT(p.k) AS known FROM (SELECT DISTINCT {quoted} AS v FROM {quote_name(name)} "
            f"WHERE {quoted} IS NOT NULL) c LEFT JOIN (SELECT DISTINCT {quote_name(key)} AS k "
            f"FROM {quote_name(parent)}) p ON p.k = c.v"
        ).to_pylist()[0]
        if row["n"] > 1 and row["known"] >= KEYS_AMONG_VALUES * row["n"]:
            return [Reference(table=name, column=column, parent=parent, key=key, is_stated=False)]
    return []
