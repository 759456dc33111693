"""Receipts cut along their allocations a column at a time: the same parts as one receipt after the other."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pyarrow as pa

from crm.money_rows import Facts
from features.receipt_shares import cut_receipts


def facts(amounts: list[int]) -> Facts:
    names = pa.array([f"E{n}" for n in range(len(amounts))])
    nothing = pa.nulls(len(amounts), pa.string())
    on = np.full(len(amounts), "2026-01-01", "datetime64[D]")
    return Facts(row_id=names, on=on, amount=np.array(amounts), account_id=nothing, rep_id=nothing, product=nothing)


def tables(gross: list[int], allocations: list[tuple[str, int | None]]) -> tuple[pa.Table, pa.Table]:
    receipts = pa.table({"receipt_id": [f"E{n}" for n in range(len(gross))], "gross_amount": gross})
    shares = pa.table(
        {
            "receipt_id": pa.array([name for name, _ in allocations], pa.string()),
            "amount": pa.array([amount for _, amount in allocations], pa.int64()),
        }
    )
    return receipts, shares


def slowly(known: Facts, gross: list[int], allocations: list[tuple[str, int | None]]) -> list[tuple[int, int, int]]:
    """Receipt after receipt, allocation after allocation: (receipt, allocation or -1, amount)."""
    of_receipt: dict[str, list[int]] = defaultdict(list)
    for place, (name, _) in enumerate(allocations):
        of_receipt[name].append(place)
    parts = []
    for fact, name in enumerate(known.row_id.to_pylist()):
        amount, rest = int(known.amount[fact]), int(known.amount[fact])
        for place in of_receipt[name]:
            stated = allocations[place][1]
            if stated is None:
                continue
            share = round(amount * stated / gross[fact]) if gross[fact] else 0
            if abs(share) > abs(rest):
                share = rest
            rest -= share
            parts.append((fact, place, share))
        if rest:
            parts.append((fact, -1, rest))
    return sorted(parts)


def test_parts_are_those_of_one_receipt_after_the_other_in_random_histories() -> None:
    draw = random.Random(3)
    for _ in range(300):
        gross = [draw.choice([0, 1, -500, draw.randint(1, 10**6), 10**14]) for _ in range(draw.randint(1, 4))]
        rate = draw.choice([1.0, 7.0931])
        known = facts([round(amount * rate) for amount in gross])
        allocations: list[tuple[str, int | None]] = [
            (f"E{draw.randint(0, 5)}", draw.choice([None, 0, 1, -200, draw.randint(1, 10**6), 10**13]))
            for _ in range(draw.randint(0, 6))
        ]
        found = cut_receipts(known, *tables(gross, allocations))
        parts = zip(found.fact.tolist(), found.allocation.tolist(), found.amount.tolist(), strict=True)

        assert sorted(parts) == slowly(known, gross, allocations)
        sums = np.zeros(len(gross), dtype=np.int64)
        np.add.at(sums, found.fact, found.amount)
        assert sums.tolist() == known.amount.tolist()
