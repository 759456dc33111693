"""Whose an amount is: the salesperson, team, region, product line and kind of customer of every part of a measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.engine import DuckDBEngine
from crm.money import Books, Measure, measure_facts
from crm.money_rows import Facts, column_of, order_lines
from crm.reading import read_as_of
from crm.store import Generation
from crm.tables import empty_table
from features.receipt_shares import cut_receipts
from features.row_labels import Labels

Ints: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.intp]

_READ: dict[str, tuple[str, ...]] = {
    "reps": ("rep_id", "team_id", "region", "role", "hired_on", "left_on"),
    "accounts": ("account_id", "region", "rep_id", "industry", "buyer_type"),
    "products": ("product", "line"),
    "org_units": ("unit_id", "valid_from", "valid_to"),
}
_ORIGIN = ("account_id", "rep_id", "product", "region")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attributed:
    """The amounts of one measure with their owners, side by side; they add up to the measure.

    Attributes
    ----------
    on : ndarray of datetime64[D], shape (n,)
        Day in the company's time zone.
    amount : ndarray of int64, shape (n,)
        Hundredths of the reporting currency; a count for new customers.
    row_id : pa.StringArray, shape (n,)
        Key of the row of the money chain; the parts of one receipt share it.
    account_id : pa.StringArray, shape (n,)
        The customer; null where the record does not say.
    labels : mapping of str to Labels
        Whose it is, as told in the organisation of the cutoff, by the parts of `features.nodes.Node`: `rep_id`, `team`,
        `region`, `line`, `industry`, `buyer_type`.
    """

    on: npt.NDArray[np.datetime64]
    amount: Ints
    row_id: pa.StringArray
    account_id: pa.StringArray
    labels: Mapping[str, Labels]

    @property
    def month(self) -> npt.NDArray[np.datetime64]:
        """Month of each amount, datetime64[M], shape (n,)."""
        return self.on.astype("datetime64[M]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """One salesperson as known at a moment."""

    rep_id: str
    team_id: str | None
    region: str | None
    role: str | None
    hired_on: date | None
    left_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who owns what at one moment: the organisation of the cutoff, in which all history is told.

    Attributes
    ----------
    tables : mapping of str to pa.Table
        Salespeople, customers and products.
    sellers : mapping of str to Seller
        Salespeople by id.
    teams : frozenset of str or None
        Units that exist on that day; None when the company keeps no list of them.
    """

    tables: Mapping[str, pa.Table]
    sellers: Mapping[str, Seller]
    teams: frozenset[str] | None

    def of_rep(self, rep_id: pa.Array, column: str) -> pa.Array:
        """What is known of salespeople, by their ids."""
        return look_up(rep_id, self.tables["reps"], "rep_id", column)

    def of_account(self, account_id: pa.Array, column: str) -> pa.Array:
        """What is known of customers, by their ids."""
        return look_up(account_id, self.tables["accounts"], "account_id", column)


def look_up(keys: pa.Array, rows: pa.Table, key: str, column: str) -> pa.Array:
    """The cells of the rows that keys name; null for an unknown key or an empty cell.

    Examples
    --------
    >>> rows = pa.table({"id": ["a", "b"], "name": ["Ann", ""]})
    >>> look_up(pa.array(["b", "a", "c", None]), rows, "id", "name").to_pylist()
    [None, 'Ann', None, None]
    """
    place = pc.index_in(keys, value_set=column_of(rows, key), skip_nulls=True)
    return _said(column_of(rows, column).take(place))


def _said(cells: pa.Array) -> pa.Array:
    """Text cells with an empty text as null."""
    return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)


def read_owners(
    generation: Generation, as_of: datetime, zone: ZoneInfo, *, engine: DuckDBEngine | None = None
) -> Owners:
    """Salespeople, customers, products and units as they were known at a moment; `engine` as in `read_as_of`."""
    tables = {
        name: read_as_of(generation, name, as_of, zone, engine=engine, columns=columns)
        for name, columns in _READ.items()
    }
    units = tables.pop("org_units").to_pylist()
    today = as_of.astimezone(zone).date()
    standing = frozenset(row["unit_id"] for row in units if row["valid_to"] is None or row["valid_to"] >= today)
    return Owners(
        tables=tables,
        sellers={row["rep_id"]: Seller(**row) for row in tables["reps"].to_pylist()},
        teams=standing if units else None,
    )


def attribute(books: Books, measure: Measure, owners: Owners) -> Attributed:
    """The parts of a measure with their owners; their sum is the measure's, to the hundredth.

    Parameters
    ----------
    books : Books
        What is known of the money.
    measure : Measure
        What to count.
    owners : Owners
        Who owns what at the same moment.

    Raises
    ------
    crm.money.NoMeasure
        The company keeps no table that tells it.
    crm.money.NoRate
        An amount's currency has no exchange rate by its day.

    Notes
    -----
    An invoice is of its agreement, else of its order, else of its customer. A receipt is cut along the invoices and
    nodes that it is allocated to; what nobody allocated is the customer's. What a row does not say of its owner is
    the customer's owner; a region is the salesperson's, else the customer's, else the order's.
    """
    facts = measure_facts(books, measure)
    source = books.source(measure)
    own = _own(facts)
    if source == "receipts":
        parts = cut_receipts(facts, _table(books, "receipts"), _table(books, "receipt_allocations"))
        facts = facts.take(parts.fact)
        origins = _first_said(_of_allocations(books, parts.allocation), own.take(parts.fact))
        return _owned(facts, parts.amount, origins, owners)
    if source == "invoices":
        own = _chosen(_of_invoices(books), facts.row_id, "invoice_id")
    elif source == "orders":
        own = _chosen(_of_orders(books), facts.row_id, "line_id")
    return _owned(facts, facts.amount, own, owners)


def _owned(facts: Facts, amount: Ints, origins: pa.Table, owners: Owners) -> Attributed:
    return Attributed(
        on=facts.on,
        amount=amount,
        row_id=facts.row_id,
        account_id=_said(column_of(origins, "account_id")),
        labels=label_rows(origins, owners),
    )


def label_rows(rows: pa.Table, owners: Owners) -> dict[str, Labels]:
    """Whose rows are, by the parts of `features.nodes.Node`.

    Parameters
    ----------
    rows : pa.Table
        Any of the columns `account_id`, `rep_id`, `product`, `region`; what a row does not say is its customer's.
    owners : Owners
        The organisation in which it is told.
    """
    rows = _origins(rows)
    account = _said(column_of(rows, "account_id"))
    rep = pc.coalesce(_said(column_of(rows, "rep_id")), owners.of_account(account, "rep_id"))
    product = _said(column_of(rows, "product"))
    region = pc.coalesce(
        owners.of_rep(rep, "region"), owners.of_account(account, "region"), _said(column_of(rows, "region"))
    )
    found = {
        "rep_id": rep,
        "team": owners.of_rep(rep, "team_id"),
        "region": region,
        "line": pc.coalesce(look_up(product, owners.tables["products"], "product", "line"), product),
        "industry": owners.of_account(account, "industry"),
        "buyer_type": owners.of_account(account, "buyer_type"),
    }
    return {name: Labels.of(cells) for name, cells in found.items()}


def _table(books: Books, name: str) -> pa.Table:
    found = books.tables.get(name)
    return empty_table(name) if found is None else found


def _origins(rows: pa.Table, **more: pa.Array) -> pa.Table:
    """What rows say of their owner, in one shape; `more` are keys beside it."""
    nothing = pa.nulls(rows.num_rows, pa.string())
    said = {name: column_of(rows, name) if name in rows.column_names else nothing for name in _ORIGIN}
    return pa.table(more | said)


def _own(facts: Facts) -> pa.Table:
    nothing = pa.nulls(len(facts.on), pa.string())
    return pa.table(
        {"account_id": facts.account_id, "rep_id": facts.rep_id, "product": facts.product, "region": nothing}
    )


def _chosen(origins: pa.Table, keys: pa.Array, key: str) -> pa.Table:
    """The origins that keys name; a row of nulls where none does."""
    return origins.take(pc.index_in(keys, value_set=column_of(origins, key), skip_nulls=True)).select(_ORIGIN)


def _first_said(first: tuple[Sequence[pa.Table], Places], otherwise: pa.Table) -> pa.Table:
    """Row by row the origin that was chosen, else the other one."""
    stacked, choice = first
    every = pa.concat_tables([*(one.select(_ORIGIN) for one in stacked), otherwise.select(_ORIGIN)])
    own = sum(one.num_rows for one in stacked) + np.arange(otherwise.num_rows)
    return every.combine_chunks().take(pa.array(np.where(choice >= 0, choice, own)))


def _places(keys: pa.Array, rows: pa.Table, key: str) -> Places:
    """The place of the row that each key names, -1 where none does."""
    found = pc.index_in(keys, value_set=column_of(rows, key), skip_nulls=True)
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.intp))


def _of_orders(books: Books) -> pa.Table:
    rows = _table(books, "orders")
    return _origins(rows, line_id=order_lines(rows), order_id=column_of(rows, "order_id"))


def _of_invoices(books: Books) -> pa.Table:
    """An invoice is of its agreement, else of the first line of its order, else of its customer."""
    invoices, agreements = _table(books, "invoices"), _table(books, "agreements")
    lines = _of_orders(books).sort_by("line_id")
    signed = _places(column_of(invoices, "agreement_id"), agreements, "agreement_id")
    ordered = _places(column_of(invoices, "order_id"), lines, "order_id")
    choice = np.where(signed >= 0, signed, np.where(ordered >= 0, agreements.num_rows + ordered, -1))
    customer = _origins(invoices.select(["account_id"]))
    found = _first_said(([_origins(agreements), lines], choice), customer)
    return found.append_column("invoice_id", column_of(invoices, "invoice_id"))


def _of_allocations(books: Books, rows: Places) -> tuple[Sequence[pa.Table], Places]:
    """The origins that allocations can name, and the place of each one's own; -1 for none.

    `rows` are places of allocations, -1 for money that nobody allocated.
    """
    allocations, nodes, agreements = (
        _table(books, name) for name in ("receipt_allocations", "installments", "agreements")
    )
    invoices = _of_invoices(books)
    billed = _places(column_of(allocations, "invoice_id"), invoices, "invoice_id")
    signed = _places(
        look_up(column_of(allocations, "installment_id"), nodes, "installment_id", "agreement_id"),
        agreements,
        "agreement_id",
    )
    choice = np.where(billed >= 0, billed, np.where(signed >= 0, invoices.num_rows + signed, -1))
    return [invoices, _origins(agreements)], np.append(choice, -1)[rows]
