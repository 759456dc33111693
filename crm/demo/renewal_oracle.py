"""The best possible renewal risk: the simulator's own chance that an agreement is lost or renewed for less.

The fates of the agreement and the health of its account are weighed by `crm.demo.health_oracle` from what is on
record: weekly use, tickets, surveys, the account's earlier renewals, whether the agreement renews by itself and that
it was neither cancelled nor renewed so far. Given health, a renewal is for less by a coin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from crm.demo.health_oracle import CANCELS, LEAVES, RENEWS, make_health_oracle
from crm.demo.seen import moments_of, places
from crm.demo.working_time import Floats, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany


def lost_probability(company: DemoCompany, spine: pa.Table) -> Floats:
    """P(agreement is cancelled, not renewed, or renewed for less | what was on record at as_of).

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (recurring agreement) and `as_of` (naive UTC timestamp, a local midnight).

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        NaN where the agreement is unknown, does not recur, is not signed yet, or its end is settled.
    """
    oracle = make_health_oracle(company)
    book = oracle.book
    place, day = places(spine.column("entity_id"), book.name), local_day(moments_of(spine))
    probability = np.full(len(place), np.nan)
    for row in range(len(place)):
        a, on = int(place[row]), int(day[row])
        following = int(book.renewed_to[a])
        is_settled = book.cancelled[a] < on or book.ends[a] < on or (following >= 0 and book.signed[following] < on)
        if a < 0 or not book.recurs[a] or book.signed[a] >= on or is_settled:
            continue
        weight, fates = oracle.log_health(int(book.account[a]), on)
        fate = fates[a]
        # The account's posterior holds the sum over the fates of this agreement: they share it out.
        joint = np.exp(weight - weight.max() + fate - np.logaddexp.reduce(fate, axis=0)).sum(axis=1)
        less = np.exp(weight - weight.max() + fate[RENEWS] - np.logaddexp.reduce(fate, axis=0)) * oracle.shrinks()
        probability[row] = (joint[LEAVES] + joint[CANCELS] + less.sum()) / joint.sum()
    return probability
