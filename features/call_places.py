"""Where amounts belong, as arrays: the nodes of every row of a table of money, in the organisation of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.engine import DuckDBEngine
from crm.reading import read_as_of
from crm.store import Generation

Codes: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.object_]
NOBODY = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """One level of nodes for some rows.

    Attributes
    ----------
    names : tuple of str
        The nodes, `region:East`.
    code : ndarray of int64, shape (n_rows,)
        Place in `names`, -1 where the row belongs to none.
    """

    names: tuple[str, ...]
    code: Codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Salespeople, customers and products as known at one moment.

    Attributes
    ----------
    reps, accounts, products : pa.Table
        As `crm.reading.read_as_of` gives them; empty where the company keeps none.
    """

    reps: pa.Table
    accounts: pa.Table
    products: pa.Table

    def levels(self, rows: pa.Table) -> Iterator[Level]:
        """The nodes of every row, level by level, the company first.

        Parameters
        ----------
        rows : pa.Table
            Any of the columns `rep_id`, `account_id`, `product`, `region`; what a row does not say is its customer's.

        Notes
        -----
        The rules are those of `features.attribution.Owners`, so that sums agree with the panels: region of the
        salesperson, else of the customer, else of the row; line of the product, else the product itself.
        """
        n = rows.num_rows
        account = _index(_column(rows, "account_id"), self.accounts.column("account_id"))
        given = _column(rows, "rep_id")
        owner = _index(self.accounts.column("rep_id"), self.reps.column("rep_id"))
        rep = np.where(_is_told(given), _index(given, self.reps.column("rep_id")), _at(owner, account, NOBODY))
        region = _first_told(
            _at(_objects(self.reps.column("region")), rep, None),
            _at(_objects(self.accounts.column("region")), account, None),
            _objects(_column(rows, "region")),
        )
        product = _column(rows, "product")
        of_product = _objects(self.products.column("line"))
        line = _first_told(_at(of_product, _index(product, self.products.column("product")), None), _objects(product))
        yield Level(names=("company",), code=np.zeros(n, dtype=np.int64))
        yield _level("region", region)
        yield _level("line", line)
        yield _pairs(_level("region", region), _level("line", line))
        yield _level("team", _at(_objects(self.reps.column("team_id")), rep, None))
        yield _level("rep", _at(_objects(self.reps.column("rep_id")), rep, None))
        for name in ("industry", "buyer_type"):
            yield _level(name, _at(_objects(self.accounts.column(name)), account, None))


def read_places(
    generation: Generation, as_of: datetime, zone: ZoneInfo, *, engine: DuckDBEngine | None = None
) -> Places:
    """The organisation as known at a moment; `engine` as in `read_as_of`."""
    return Places(
        reps=read_as_of(generation, "reps", as_of, zone, engine=engine),
        accounts=read_as_of(generation, "accounts", as_of, zone, engine=engine),
        products=read_as_of(generation, "products", as_of, zone, engine=engine),
    )


def _column(rows: pa.Table, name: str) -> pa.Array:
    if name not in rows.column_names:
        return pa.nulls(rows.num_rows, pa.string())
    return rows.column(name).combine_chunks().cast(pa.string())


def _objects(column: pa.Array | pa.ChunkedArray) -> Values:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object) if len(column) else np.empty(0, object)


def _is_told(column: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(pc.not_equal(column, ""), False).to_numpy(zero_copy_only=False), dtype=bool)


def _index(values: pa.Array | pa.ChunkedArray, keys: pa.ChunkedArray) -> Codes:
    """The row of `keys` of every value, -1 where there is none."""
    if len(keys) == 0 or len(values) == 0:
        return np.full(len(values), NOBODY, dtype=np.int64)
    found = pc.index_in(values, value_set=keys.combine_chunks().cast(pa.string()), skip_nulls=True)
    places = pc.fill_null(found, NOBODY).to_numpy(zero_copy_only=False) if isinstance(found, pa.Array) else None
    if places is None:
        places = pc.fill_null(found, NOBODY).to_numpy()
    return np.asarray(places, dtype=np.int64)


def _at(values: npt.NDArray[np.generic], place: Codes, absent: object) -> npt.NDArray[np.generic]:
    """The value at each place, `absent` where the place is -1."""
    padded = np.append(values, np.array([absent], dtype=values.dtype))
    return np.asarray(padded[place])


def _first_told(*choices: npt.NDArray[np.generic]) -> Values:
    found = choices[0].astype(object)
    for other in choices[1:]:
        empty = np.array([value is None or value == "" for value in found], dtype=bool)
        found = np.where(empty, other, found)
    return found


def _level(name: str, values: npt.NDArray[np.generic]) -> Level:
    coded = pa.array(values.astype(object), pa.string()).dictionary_encode()
    code = pc.fill_null(coded.indices, NOBODY).to_numpy(zero_copy_only=False).astype(np.int64)
    words: Sequence[str] = coded.dictionary.to_pylist()
    return Level(names=tuple(f"{name}:{word}" for word in words), code=code)


def _pairs(region: Level, line: Level) -> Level:
    wide = len(line.names)
    both = np.where((region.code >= 0) & (line.code >= 0), region.code * wide + line.code, NOBODY)
    found, code = np.unique(both, return_inverse=True)
    skipped = int(len(found) > 0 and found[0] == NOBODY)
    names = tuple(
        f"region_line:{region.names[pair // wide].partition(':')[2]}|{line.names[pair % wide].partition(':')[2]}"
        for pair in found[skipped:].tolist()
    )
    return Level(names=names, code=code.reshape(-1).astype(np.int64) - skipped)
