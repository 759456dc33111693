"""Every table of the record, stated once.

Documents, validation, mappings, the demo company and the connectors all read `TABLES`.
"""

from __future__ import annotations

import pyarrow as pa

from crm.schema import SYSTEM_COLUMNS, Column, Table, arrow_type
from crm.tables_behaviour import BEHAVIOUR_TABLES
from crm.tables_derived import DERIVED_TABLES
from crm.tables_money import MONEY_TABLES
from crm.tables_people import PEOPLE_TABLES
from crm.tables_pipeline import PIPELINE_TABLES

TABLES: dict[str, Table] = {
    table.name: table for table in (*PEOPLE_TABLES, *PIPELINE_TABLES, *MONEY_TABLES, *BEHAVIOUR_TABLES)
}


class UnknownTable(KeyError):
    """A name that no table of the record has."""

    def __str__(self) -> str:
        """The message without the quotes that KeyError adds."""
        return str(self.args[0])


def table(name: str) -> Table:
    """The table of that name, one of those that are derived among them.

    Raises
    ------
    UnknownTable
        No table of the record has that name; the message lists those that exist.

    Examples
    --------
    >>> table("leads").key
    ('lead_id',)
    """
    try:
        return DERIVED_TABLES[name] if name in DERIVED_TABLES else TABLES[name]
    except KeyError:
        raise UnknownTable(f"no table {name!r} in the record; it has {', '.join(sorted(TABLES))}") from None


def columns_of(name: str) -> dict[str, Column]:
    """The stated columns of a table by name."""
    return {column.name: column for column in table(name).columns}


def empty_table(name: str) -> pa.Table:
    """A table of the record with its stated and system columns and no rows."""
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    return pa.schema([(column.name, arrow_type(column.dtype)) for column in columns]).empty_table()
