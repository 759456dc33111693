"""Whose a row of money is: salesperson, team, region, line, industry and kind of buyer, a cell each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]

AXES = ("rep_id", "team", "region", "line", "industry", "buyer_type")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Combinations of owners and segments; every array has shape (n_cells,).

    Attributes
    ----------
    rep_id, team, region, line, industry, buyer_type : ndarray of str
        None where the record does not say.
    is_gone : ndarray of bool
        Its salesperson has left the company.
    """

    rep_id: Names
    team: Names
    region: Names
    line: Names
    industry: Names
    buyer_type: Names
    is_gone: npt.NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.rep_id)

    def axis(self, name: str) -> Names:
        """One of `AXES`."""
        found: Names = getattr(self, name)
        return found


class CellBook:
    """Gives rows their cells, in today's organisation, and remembers the cells it gave.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        `reps`, `accounts` and `products` as known at the cutoff; missing ones say nothing.
    on : date
        The cutoff.

    Notes
    -----
    What a row does not say is the customer's: its salesperson, then its region.
    """

    def __init__(self, tables: Mapping[str, pa.Table], on: date) -> None:
        self._reps = _frame(tables, "reps", "rep_id", ("team_id", "region", "left_on"))
        self._accounts = _frame(tables, "accounts", "account_id", ("rep_id", "region", "industry", "buyer_type"))
        self._products = _frame(tables, "products", "product", ("line",))
        left = self._reps["left_on"]
        self._gone = frozenset(left.index[left.notna() & (pd.to_datetime(left) < pd.Timestamp(on))])
        self._parts: list[pd.DataFrame] = []
        self._n = 0

    def place(self, account: Names, rep: Names | None = None, product: Names | None = None) -> slice:
        """Note rows with their account, salesperson and product; `cells` tells their cells when all are noted."""
        blank = np.full(len(account), None, dtype=object)
        customer = self._accounts.reindex(account)
        seller = pd.Series(blank if rep is None else rep, dtype=object)
        seller = _first_named(seller, customer["rep_id"])
        who = self._reps.reindex(seller.to_numpy())
        region = pd.Series(who["region"].to_numpy(), dtype=object)
        what = pd.Series(blank if product is None else product, dtype=object)
        line = pd.Series(self._products.reindex(what.to_numpy())["line"].to_numpy(), dtype=object)
        part = pd.DataFrame(
            {
                "rep_id": seller.to_numpy(),
                "team": who["team_id"].to_numpy(),
                "region": _first_named(region, customer["region"]).to_numpy(),
                "line": _first_named(line, what).to_numpy(),
                "industry": customer["industry"].to_numpy(),
                "buyer_type": customer["buyer_type"].to_numpy(),
            },
            dtype=object,
        )
        self._parts.append(part)
        self._n += len(part)
        return slice(self._n - len(part), self._n)

    def close(self) -> tuple[Cells, Ints]:
        """The cells, and the cell of every row noted, in the order of noting."""
        rows = pd.concat(self._parts, ignore_index=True) if self._parts else pd.DataFrame(columns=list(AXES))
        codes = np.zeros(len(rows), dtype=np.int64)
        for axis in AXES:
            code, names = pd.factorize(rows[axis], use_na_sentinel=False)
            codes = codes * (len(names) + 1) + code
        _, first, cell = np.unique(codes, return_index=True, return_inverse=True)
        chosen = rows.iloc[first]
        known = {axis: _objects(chosen[axis]) for axis in AXES}
        gone = np.array([name in self._gone for name in known["rep_id"].tolist()], dtype=np.bool_)
        return Cells(**known, is_gone=gone), np.asarray(cell, dtype=np.int64)


def _frame(tables: Mapping[str, pa.Table], name: str, key: str, columns: tuple[str, ...]) -> pd.DataFrame:
    table = tables.get(name)
    if table is None:
        return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
    found: pd.DataFrame = table.select([key, *columns]).to_pandas().astype(object)
    return found.drop_duplicates(key).set_index(key)


def _first_named(values: pd.Series, others: pd.Series) -> pd.Series:
    """Values, and where there is none the others, place by place."""
    # Not `fillna`, which looks for another type of column where nothing was named at all.
    found = np.where(values.isna(), others.to_numpy(dtype=object), values.to_numpy(dtype=object))
    return pd.Series(found, dtype=object)


def _objects(values: pd.Series) -> Names:
    found = values.to_numpy(dtype=object).copy()
    found[values.isna().to_numpy()] = None
    return np.asarray(found, dtype=object)
