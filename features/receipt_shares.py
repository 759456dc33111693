"""Receipts cut along their allocations: parts that add up to each receipt, to the hundredth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm.money_rows import Facts, column_of

Ints: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """Parts of receipts, side by side.

    Attributes
    ----------
    fact : ndarray of intp, shape (n,)
        Place of the receipt among the facts.
    allocation : ndarray of intp, shape (n,)
        Place of the allocation that states the part; -1 for what nobody allocated.
    amount : ndarray of int64, shape (n,)
        Hundredths of the reporting currency.
    """

    fact: Places
    allocation: Places
    amount: Ints


def cut_receipts(facts: Facts, receipts: pa.Table, allocations: pa.Table) -> Parts:
    """The parts of receipts by allocation, and of each receipt what nobody allocated.

    Parameters
    ----------
    facts : Facts
        Receipts in the reporting currency.
    receipts, allocations : pa.Table
        The same moment's tables; allocations in the order of their keys.

    Notes
    -----
    An allocation is in the currency of its receipt and takes the same share of the converted amount. An allocation
    that exceeds what is left of its receipt takes what is left.
    """
    order = pc.index_in(column_of(allocations, "receipt_id"), value_set=facts.row_id)
    of_fact = pc.fill_null(order, -1).to_numpy(zero_copy_only=False).astype(np.intp)
    stated = column_of(allocations, "amount")
    said = np.asarray(pc.fill_null(stated, 0).to_numpy(zero_copy_only=False).astype(np.int64))
    used = np.flatnonzero((of_fact >= 0) & pc.is_valid(stated).to_numpy(zero_copy_only=False))
    used = used[np.argsort(of_fact[used], kind="stable")]
    fact, share = of_fact[used], said[used]
    gross = _gross(facts, receipts)
    share = _converted(share, facts.amount[fact], gross[fact])
    share = _held(fact, share, facts.amount)
    rest = facts.amount.copy()
    np.subtract.at(rest, fact, share)
    left = np.flatnonzero(rest)
    return Parts(
        fact=np.concatenate([fact, left]),
        allocation=np.concatenate([used, np.full(len(left), -1, dtype=np.intp)]),
        amount=np.concatenate([share, rest[left]]),
    )


def _gross(facts: Facts, receipts: pa.Table) -> Ints:
    """The amount of each receipt in its own currency."""
    place = pc.index_in(facts.row_id, value_set=column_of(receipts, "receipt_id"))
    found = column_of(receipts, "gross_amount").take(place)
    return np.asarray(found.to_numpy(zero_copy_only=False).astype(np.int64))


def _converted(share: Ints, amount: Ints, gross: Ints) -> Ints:
    """Allocated amounts in the reporting currency; nothing of a receipt of nothing."""
    found = np.where(gross == 0, 0, share)
    for place in np.flatnonzero((amount != gross) & (gross != 0)).tolist():
        found[place] = round(int(amount[place]) * int(share[place]) / int(gross[place]))
    return found


def _held(fact: Places, share: Ints, amount: Ints) -> Ints:
    """Shares none of which exceeds what its receipt has left."""
    total = np.zeros(len(amount), dtype=np.int64)
    size = np.zeros(len(amount), dtype=np.int64)
    np.add.at(total, fact, share)
    np.add.at(size, fact, np.abs(share))
    # Where all shares go one way and fit, each one fits in its turn.
    is_plain = (np.abs(total) == size) & (size <= np.abs(amount)) & (total.astype(float) * amount >= 0)
    if is_plain[fact].all():
        return share
    held = share.copy()
    rest = amount.copy()
    for place in np.flatnonzero(~is_plain[fact]).tolist():
        whose = fact[place]
        if abs(held[place]) > abs(rest[whose]):
            held[place] = rest[whose]
        rest[whose] -= held[place]
    return held
