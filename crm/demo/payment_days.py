"""On which day an invoice is first paid, for every latent state of its payer: the law of `crm.demo.payment`, summed.

A state is a habit (four) and a weekday of pay runs (none, Tuesday to Friday). Given the state, the chance that money
moves by a day is closed-form: a shifted gamma delay, a later one for disputed invoices, half of the late ones called
by lot, budget months of public buyers, and the last day of the state's calendar on which money could move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crm.demo.parameters import MoneyLaws, Parameters
from crm.demo.payment import CALL_AFTER_DAYS, CALL_CHANCE, CALL_LEAVES, pay_run
from crm.demo.working_time import Floats, Ints

Flags = npt.NDArray[np.bool_]
# What is on record of the lot drawn when an invoice was long overdue: not drawn yet, drawn none, or its two arms.
NOT_YET, NOT_DRAWN, WAITS, CALLED = range(4)
PAY_DAYS = np.array([-1, 1, 2, 3, 4])
DISPUTE_DELAYS, DISPUTE_COMES = (25.0, 90.0), (5, 40)
WAITS_FOR_BUDGET, BUDGET_SPREAD_DAYS = 0.6, 28
_LEAST_LEFT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Billed:
    """Invoices as the record shows them at a moment; each array has shape (n,).

    Attributes
    ----------
    issued, due : ndarray of int64
        Epoch days.
    disputed : ndarray of float64
        Chance that it is or will be disputed.
    lot : ndarray of int64
        `NOT_YET`, `NOT_DRAWN`, `WAITS` or `CALLED`.
    public : ndarray of bool
        The buyer waits for budgets.
    """

    issued: Ints
    due: Ints
    disputed: Floats
    lot: Ints
    public: Flags

    def take(self, rows: Ints) -> Billed:
        """The invoices at the given places."""
        return Billed(
            issued=self.issued[rows],
            due=self.due[rows],
            disputed=self.disputed[rows],
            lot=self.lot[rows],
            public=self.public[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PayLaw:
    """The law of payment over a stretch of days.

    Attributes
    ----------
    laws : Parameters
        Laws of the company.
    first_day : int
        Epoch day of the first column of `last_open`.
    last_open : ndarray of int64, shape (n_pay_days, n_days)
        Last epoch day up to each on which money could move, by the place in `PAY_DAYS`.
    run_starts, before_run : ndarray of int64, shape (n_days,)
        First day of the budget months that each day lies in or that come next, and last day of those before.
    in_run : ndarray of bool, shape (n_days,)
        Whether each day lies in a budget month.
    """

    laws: Parameters
    first_day: int
    last_open: Ints
    run_starts: Ints
    before_run: Ints
    in_run: Flags

    @property
    def prior(self) -> Floats:
        """Chance of each state before anything is seen, shape (n_pay_days, n_habits)."""
        money = self.laws.money
        days = np.array([1 - money.pay_run_share, *[money.pay_run_share / 4] * 4])
        return np.outer(days, money.payer_shares)

    def open_day(self, day: Ints) -> Ints:
        """The last day up to each on which money could move, shape (n, n_pay_days)."""
        return np.asarray(self.last_open[:, self._column(day)].T)

    def paid_by(self, billed: Billed, day: Ints) -> Floats:
        """P(first money has moved by a day, and the lot fell as it did | it is ever paid), (n, n_pay_days, n_habits).

        Parameters
        ----------
        billed : Billed
            The invoices.
        day : ndarray of int64, shape (n,)
            Epoch days.
        """
        open_days = self.open_day(day)
        chances = [self._ready_by(billed, open_days[:, place]) for place in range(len(PAY_DAYS))]
        return np.stack(chances, axis=1)

    def total(self, billed: Billed) -> Floats:
        """P(the lot fell as it did), shape (n, 1, n_habits): what `paid_by` reaches in the end."""
        mark = self._delayed_below(billed, np.full((len(billed.due), 1), float(CALL_AFTER_DAYS)))
        lot = billed.lot[:, None]
        share = np.where(lot == NOT_DRAWN, mark, np.where(lot == NOT_YET, 1.0, (1 - mark) * CALL_CHANCE))
        return np.asarray(share[:, None, :])

    def _ready_by(self, billed: Billed, day: Ints) -> Floats:
        """P(the customer is ready to pay by a day), shape (n, n_habits): delays, lots and budgets, no pay runs."""
        ready = self._due_by(billed, day)
        rows = np.flatnonzero(billed.public)
        if len(rows):
            some, column = billed.take(rows), self._column(day[rows])
            before = self._due_by(some, self.before_run[column])
            at_start = self._due_by(some, self.run_starts[column] - 1)
            in_run = self.in_run[column][:, None]
            spread = np.clip((day[rows] - self.run_starts[column] + 1) / BUDGET_SPREAD_DAYS, 0.0, 1.0)[:, None]
            waits = before + np.where(in_run, (at_start - before) * spread + ready[rows] - at_start, 0.0)
            ready[rows] = (1 - WAITS_FOR_BUDGET) * ready[rows] + WAITS_FOR_BUDGET * waits
        return ready

    def _due_by(self, billed: Billed, day: Ints) -> Floats:
        """P(the delay ends by a day, and the lot fell as it did), shape (n, n_habits)."""
        late = (day - billed.due + 1).astype(np.float64)[:, None]
        leaves = np.maximum(1 - self.laws.effects * (1 - np.array(CALL_LEAVES)), _LEAST_LEFT)
        plain = self._delayed_below(billed, late)
        mark = self._delayed_below(billed, np.full_like(late, float(CALL_AFTER_DAYS)))
        called = np.where(
            late > CALL_AFTER_DAYS,
            self._delayed_below(billed, CALL_AFTER_DAYS + (late - CALL_AFTER_DAYS) / leaves),
            plain,
        )
        by_lot = (
            (1 - CALL_CHANCE) * plain + CALL_CHANCE * called,
            np.minimum(plain, mark),
            (1 - CALL_CHANCE) * np.maximum(plain - mark, 0.0),
            CALL_CHANCE * np.maximum(called - mark, 0.0),
        )
        chance = np.choose(billed.lot[:, None], by_lot)
        # Nothing is paid on the day of issue.
        return np.where((day > billed.issued)[:, None], chance, 0.0)

    def _delayed_below(self, billed: Billed, days: Floats) -> Floats:
        """P(delay < days), before any call, shape (n, n_habits)."""
        money = self.laws.money
        mean, spread = _delays(money, self.laws.effects)
        scale = spread / 2
        reach = (days - mean + spread) / scale
        low, high = DISPUTE_DELAYS
        late = _gamma_area(reach - low / scale) - _gamma_area(reach - high / scale)
        disputed = billed.disputed[:, None]
        return np.asarray((1 - disputed) * _gamma_below(reach) + disputed * late * scale / (high - low))

    def _column(self, day: Ints) -> Ints:
        return np.clip(day - self.first_day, 0, self.last_open.shape[1] - 1)


def make_pay_law(laws: Parameters, first_day: int, last_day: int) -> PayLaw:
    """The law over the days `first_day` to `last_day`, both included; days outside count as the nearest inside."""
    # Runs and budget months before the first day matter for the first ones.
    days = np.arange(first_day - 400, last_day + 1)
    last_open = []
    for weekday in PAY_DAYS:
        is_open = pay_run(days.copy(), np.full(len(days), weekday)) == days
        last_open.append(np.maximum.accumulate(np.where(is_open, days, days[0])))
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    in_run = np.isin(month, laws.money.budget_months)
    before = np.maximum.accumulate(np.where(in_run, days, days[0]))
    starts = days[in_run & ~np.concatenate([[False], in_run[:-1]])]
    # A day in a run belongs to the last start, a day between runs to the next.
    place = np.searchsorted(starts, days, side="right") - in_run.astype(np.int64)
    run_starts = np.append(starts, days[-1] + 1)[place]
    # The run before the one a day belongs to ended before that one began.
    before_run = before[np.clip(run_starts - 1 - days[0], 0, len(days) - 1)]
    return PayLaw(
        laws=laws,
        first_day=int(days[0]),
        last_open=np.array(last_open),
        run_starts=run_starts,
        before_run=before_run,
        in_run=in_run,
    )


def _delays(money: MoneyLaws, effects: float) -> tuple[Floats, Floats]:
    """Mean and spread of the delay by habit, in days past due."""
    usual = np.average(money.payer_delay_days, weights=money.payer_shares)
    mean = usual + effects * (np.array(money.payer_delay_days) - usual)
    return np.asarray(mean), np.array(money.payer_delay_spread)


def _gamma_below(z: Floats) -> Floats:
    """P(gamma of shape 2 < z)."""
    z = np.maximum(z, 0.0)
    return np.asarray(1 - np.exp(-z) * (1 + z))


def _gamma_area(z: Floats) -> Floats:
    """`_gamma_below` integrated from 0 to z."""
    z = np.maximum(z, 0.0)
    return np.asarray(z - 2 + np.exp(-z) * (z + 2))
