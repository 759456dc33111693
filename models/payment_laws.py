"""How long after an invoice its money comes: each customer's own habit, mixed with everybody's, some never.

Lags are taken as they were (a bootstrap), conditional on what has passed already, so that pay-runs, habits and long
tails need no distribution of ours. Everybody's lags come from invoices old enough to have been paid; those still open
count as never, so that bad debts are in the forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.flow_rows import NEVER, FlowState

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# Invoices between these ages tell everybody's lags: paid by now if ever, and not long ago.
_MATURE_DAYS, _OLDEST_DAYS = 240, 900
# A customer's own lags count like this many of everybody's against his own.
_PRIOR_PAYMENTS = 3.0
_LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaymentLaws:
    """What was learned of payments.

    Attributes
    ----------
    common : ndarray of int64
        Days from invoice to cash, rising; `NEVER` for those that were never paid.
    own : ndarray of int64
        Customers' own days, by customer and rising.
    begins : ndarray of int64, shape (n_accounts + 1,)
        Where each customer's own begin.
    """

    common: Ints
    own: Ints
    begins: Ints

    def draw(self, account: Ints, elapsed: Ints, rng: np.random.Generator) -> Ints:
        """Days from invoice to cash, longer than what elapsed; `NEVER` for money that does not come, shape (n,).

        Parameters
        ----------
        account : ndarray of int64
            Customers; -1 for an unknown one.
        elapsed : ndarray of int64
            Days since the invoice, below 0 when it is still to come.
        """
        n = len(account)
        if not len(self.common):
            return np.full(n, NEVER)
        first = np.searchsorted(self.common, elapsed, side="right")
        left = len(self.common) - first
        place = first + (rng.random(n) * left).astype(np.int64)
        common = np.where(left > 0, self.common[np.minimum(place, len(self.common) - 1)], NEVER)
        known = np.maximum(account, 0)
        keys = np.repeat(np.arange(len(self.begins) - 1), np.diff(self.begins)) * _LONGEST + self.own
        asked = known * _LONGEST + np.clip(elapsed, -1, _LONGEST - 1)
        begin, end = np.searchsorted(keys, asked, side="right"), self.begins[known + 1]
        total, left = end - self.begins[known], np.maximum(end - begin, 0)
        takes = (account >= 0) & (left > 0) & (rng.random(n) < total / (total + _PRIOR_PAYMENTS))
        place = np.minimum(begin + (rng.random(n) * left).astype(np.int64), max(len(self.own) - 1, 0))
        return np.where(takes, self.own[place] if len(self.own) else NEVER, common)


def learn_payments(state: FlowState) -> PaymentLaws:
    """Payments as they went.

    Parameters
    ----------
    state : FlowState
        As known at the cutoff.
    """
    lags = state.lags
    age = state.on - lags.pay_issued
    mature = (age > _MATURE_DAYS) & (age < _OLDEST_DAYS)
    if not mature.any():
        mature = age > 0
    unpaid = state.on - lags.open_issued
    never = ((unpaid > _MATURE_DAYS) & (unpaid < _OLDEST_DAYS)).sum() if len(unpaid) else 0
    common = np.concatenate([np.sort(np.clip(lags.pay_days[mature], 0, _LONGEST - 1)), np.full(int(never), NEVER)])
    # A young invoice that is paid already tells of quick payers alone.
    usable = np.flatnonzero((age > _MATURE_DAYS / 2) & (age < _OLDEST_DAYS) & (lags.pay_account >= 0))
    account, days = lags.pay_account[usable], np.clip(lags.pay_days[usable], 0, _LONGEST - 1)
    order = np.lexsort((days, account))
    counts = np.bincount(account, minlength=len(state.accounts))
    return PaymentLaws(
        common=common.astype(np.int64),
        own=days[order].astype(np.int64),
        begins=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )
