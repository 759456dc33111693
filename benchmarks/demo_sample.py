"""What is tested on a demo company: a share of its customers with everything on record, and rows that were judged."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.demo.company import DemoCompany
from crm.demo.write import write_company
from crm.store import Generation, Store
from features.matrix import TrainingSet

Floats: TypeAlias = npt.NDArray[np.float64]
Names: TypeAlias = npt.NDArray[np.str_]

MOST_TESTED = 6_000

# What names a customer, and what names a row of another table; the latter follow the former.
_BY_ACCOUNT = (
    "accounts",
    "agreements",
    "invoices",
    "opportunities",
    "orders",
    "receipts",
    "surveys",
    "tickets",
    "usage",
)
_BY_LINK = {
    "installments": ("agreement_id", "agreements"),
    "receipt_allocations": ("receipt_id", "receipts"),
    "promises": ("invoice_id", "invoices"),
    "treatments": ("entity_id", "invoices"),
    "activities": ("account_id", "accounts"),
}
_WHOLE = ("absences", "fx_rates", "org_units", "partners", "products", "reps")


def some_customers(company: DemoCompany, *, one_in: int) -> DemoCompany:
    """The company with one customer in so many, drawn by a hash of its name; leads and the market are left out.

    Parameters
    ----------
    company : DemoCompany
        The whole company.
    one_in : int
        1 keeps all customers.
    """
    name = company.tables["accounts"]["account_id"].to_pylist()
    chosen = pa.array([one for one in name if _draw(one) % one_in == 0], pa.string())
    tables = {table: company.tables[table] for table in _WHOLE}
    for table in _BY_ACCOUNT:
        rows = company.tables[table]
        tables[table] = rows.filter(pc.is_in(rows["account_id"], chosen))
    for table, (column, of) in _BY_LINK.items():
        rows, key = company.tables[table], tables[of].column_names[0]
        tables[table] = rows.filter(pc.is_in(rows[column], tables[of][key].combine_chunks()))
    kept = pa.chunked_array([chunk for table in _BY_ACCOUNT[:4] for chunk in tables[table].column(0).chunks])
    changes = company.tables["changes"]
    tables["changes"] = changes.filter(pc.is_in(changes["entity_id"], kept.combine_chunks()))
    return replace(company, tables=tables)


def _draw(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tested:
    """What the model and the oracle say of the same later rows; arrays of shape (n_rows,).

    Attributes
    ----------
    label, predicted, best : ndarray of float64
        Outcome, the model's probability, the oracle's.
    group : ndarray of str
        What is resampled together.
    learned : TrainingSet
        The rows before, for the control with shuffled labels.
    learner : str
        What answers.
    """

    label: Floats
    predicted: Floats
    best: Floats
    group: Names
    learned: TrainingSet
    learner: str


@contextmanager
def recorded(company: DemoCompany) -> Iterator[Generation]:
    """A company's record, kept as long as the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        write_company(company, store)
        yield store.current()


def drawn(group: Names, seed: int) -> npt.NDArray[np.bool_]:
    """Rows of whole groups, about `MOST_TESTED` of them, shape (n_rows,)."""
    names, place = np.unique(group, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    rows = np.cumsum(np.bincount(place)[order])
    kept = np.zeros(len(names), dtype=np.bool_)
    kept[order[rows <= max(MOST_TESTED, int(rows[0]))]] = True
    return np.asarray(kept[place])


def spine_of(entity_id: Names, as_of: npt.NDArray[np.datetime64]) -> pa.Table:
    """Rows as oracles ask for them."""
    return pa.table({"entity_id": entity_id.tolist(), "as_of": as_of})
