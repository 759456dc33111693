"""How customers pay: habits, pay-run weekdays, budget months, festivals, collectors' calls, promises.

Given the latent habit of its account (four kinds) and whether a collector called, the delay of an invoice has
a stated distribution, so that P(paid by a day) is a mean over four habits, weighted by how the account paid
before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.demo.activities import COLLECTION, Block
from crm.demo.deals import BUYERS, Accounts
from crm.demo.frames import build_table, days, ids, moments, numbers, picks, same, whole
from crm.demo.invoicing import Invoices
from crm.demo.leads import draw
from crm.demo.people import Staff
from crm.demo.working_time import Ints, at_hour, day_weights
from crm.demo.world import World

Flags = npt.NDArray[np.bool_]
# A call is drawn by lot for invoices this many days overdue; the share of the rest of the delay it leaves.
CALL_AFTER_DAYS = 10
CALL_CHANCE = 0.5
CALL_LEAVES = (0.95, 0.70, 0.60, 0.92)
_NEVER = 10**6
_BILL_DAYS = 180


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Payers:
    """How each account pays; each array has shape (n_accounts,).

    Attributes
    ----------
    habit : ndarray of int64
        Prompt, slow, late, very late. Latent.
    pay_day : ndarray of int64
        Weekday of its pay run (0 Monday), -1 for none.
    terms_days : ndarray of int64
        Agreed days to pay.
    by_bill, foreign : ndarray of bool
        Pays by acceptance bill; pays in US dollars.
    """

    habit: Ints
    pay_day: Ints
    terms_days: Ints
    by_bill: Flags
    foreign: Flags


def make_payers(world: World, accounts: Accounts) -> Payers:
    """The paying habits of all accounts."""
    rng, money, n = world.streams["payment"], world.laws.money, accounts.n
    large = np.isin(accounts.buyer, (BUYERS.index("enterprise"), BUYERS.index("state_owned")))
    return Payers(
        habit=draw(rng, money.payer_shares, n),
        pay_day=np.where(rng.random(n) < money.pay_run_share, rng.integers(1, 5, n), -1),
        terms_days=np.array(money.terms_days)[draw(rng, money.terms_shares, n)],
        by_bill=large & (rng.random(n) < money.bill_share),
        foreign=(rng.random(n) < money.foreign_share) & (accounts.buyer == 0),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Payments:
    """Parts of invoices that were paid within the record, and what collectors did.

    Attributes
    ----------
    invoice, day, amount : ndarray of int64, shape (n_parts,)
        Place of the invoice, epoch day, minor units.
    drawn, called : ndarray of int64, shape (n_drawn,)
        Places of the invoices for which a call was drawn by lot, and 1 where the lot said call.
    pays_on : ndarray of int64, shape (n_drawn,)
        Epoch day on which each of these will be paid, far away for never; the customer knows it when promising.
    """

    invoice: Ints
    day: Ints
    amount: Ints
    drawn: Ints
    called: Ints
    pays_on: Ints


def make_payments(world: World, accounts: Accounts, payers: Payers, invoices: Invoices) -> Payments:
    """When each invoice is paid, in one part or two."""
    rng, money, effects = world.streams["payment"], world.laws.money, world.laws.effects
    rows = np.flatnonzero(invoices.is_payable)
    n, account = len(rows), invoices.account[rows]
    habit, due = payers.habit[account], invoices.due[rows]
    usual = np.average(money.payer_delay_days, weights=money.payer_shares)
    mean = usual + effects * (np.array(money.payer_delay_days)[habit] - usual)
    spread = np.array(money.payer_delay_spread)[habit]
    delay = mean - spread + rng.gamma(2.0, 0.5, n) * spread
    delay = delay + np.where(invoices.disputed[rows] > 0, rng.uniform(25, 90, n), 0.0)
    delay = np.maximum(delay, (invoices.issued[rows] + 1 - due).astype(np.float64))
    drawn = (delay > CALL_AFTER_DAYS) & (due + CALL_AFTER_DAYS <= world.last_day)
    called = drawn & (rng.random(n) < CALL_CHANCE)
    leaves = 1 - effects * (1 - np.array(CALL_LEAVES)[habit])
    delay = np.where(called, CALL_AFTER_DAYS + (delay - CALL_AFTER_DAYS) * np.maximum(leaves, 0.1), delay)
    day = _budget(world, rng, accounts, account, due + np.floor(delay).astype(np.int64))
    day = pay_run(day, payers.pay_day[account])
    never = rng.random(n) < money.unpaid_share
    in_parts = rng.random(n) < 0.06
    gross = invoices.gross[rows]
    share = np.where(in_parts, (gross * rng.uniform(0.4, 0.8, n)).astype(np.int64), gross)
    rest_day = pay_run(day + rng.integers(20, 60, n), payers.pay_day[account])
    day, rest_day = np.where(never, _NEVER, day), np.where(never, _NEVER, rest_day)
    invoice = np.concatenate([rows, rows[in_parts]])
    paid = np.concatenate([day, rest_day[in_parts]])
    amount = np.concatenate([share, (gross - share)[in_parts]])
    keep = np.flatnonzero(paid <= world.last_day)
    keep = keep[np.lexsort((invoice[keep], invoices.account[invoice[keep]], paid[keep]))]
    where = np.flatnonzero(drawn)
    return Payments(
        invoice=invoice[keep],
        day=paid[keep],
        amount=amount[keep],
        drawn=rows[where],
        called=called[where].astype(np.int64),
        pays_on=day[where],
    )


def _budget(world: World, rng: np.random.Generator, accounts: Accounts, account: Ints, day: Ints) -> Ints:
    """Public buyers mostly wait for a month in which budgets are paid out."""
    months = (day.astype("datetime64[D]").astype("datetime64[M]")).astype(np.int64)
    month = months % 12 + 1
    allowed = np.array(world.laws.money.budget_months)
    later = allowed[np.searchsorted(allowed, month, side="left") % len(allowed)]
    first = (months + (later - month) % 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    public = np.isin(accounts.buyer[account], (BUYERS.index("government"),))
    waits = public & (rng.random(len(day)) < 0.6) & (later != month)
    return np.asarray(np.where(waits, first + rng.integers(0, 28, len(day)), day))


def pay_run(day: Ints, weekday: Ints) -> Ints:
    """The first day from `day` on at which money moves: the account's weekday, never a weekend or festival."""
    moved = np.where(weekday >= 0, day + (weekday - (day + 3)) % 7, day)
    closed = np.flatnonzero(day_weights(moved) < 0.3) if len(moved) else moved
    while len(closed):
        moved[closed] += np.where(weekday[closed] >= 0, 7, 1)
        closed = closed[day_weights(moved[closed]) < 0.3]
    return np.asarray(moved)


def build_receipts(world: World, payers: Payers, invoices: Invoices, payments: Payments) -> dict[str, pa.Table]:
    """The tables `receipts` and `receipt_allocations`: what one account pays on one day is one receipt."""
    rng = world.streams["payment"]
    account = invoices.account[payments.invoice]
    starts = np.flatnonzero((np.diff(account, prepend=-1) != 0) | (np.diff(payments.day, prepend=-1) != 0))
    receipt = np.cumsum(np.isin(np.arange(len(account)), starts)) - 1
    n = len(starts)
    of, day = account[starts], payments.day[starts]
    gross = np.add.reduceat(payments.amount, starts) if n else np.zeros(0, dtype=np.int64)
    bill = payers.by_bill[of] & (rng.random(n) < 0.7)
    cash = ~bill & (gross < 3_000_000) & (rng.random(n) < 0.05)
    recorded = at_hour(day, 18.5)
    receipts = {
        "receipt_id": ids("E", np.arange(1, n + 1), width=7),
        "account_id": ids("A", of + 1),
        "received_on": days(day),
        "gross_amount": whole(gross),
        "instrument": picks(("transfer", "cash", "acceptance_bill"), np.where(bill, 2, np.where(cash, 1, 0))),
        "matures_on": days(day + _BILL_DAYS, bill),
        "currency": picks(("CNY", "USD"), payers.foreign[of].astype(np.int64)),
    }
    allocations = {
        "allocation_id": ids("G", np.arange(1, len(account) + 1), width=7),
        "receipt_id": ids("E", receipt + 1, width=7),
        "invoice_id": ids("I", payments.invoice + 1, width=7),
        "amount": whole(payments.amount),
    }
    return {
        "receipts": build_table("receipts", receipts, recorded, ends_us=world.end_us),
        "receipt_allocations": build_table(
            "receipt_allocations", allocations, recorded[receipt] + 1_800_000_000, ends_us=world.end_us
        ),
    }


def build_collections(
    world: World, staff: Staff, invoices: Invoices, payments: Payments
) -> tuple[dict[str, pa.Table], Block]:
    """The tables `treatments` and `promises`, and the collectors' calls."""
    rng = world.streams["payment"]
    day = invoices.due[payments.drawn] + CALL_AFTER_DAYS
    order = np.argsort(day, kind="stable")
    drawn, called, day, pays_on = payments.drawn[order], payments.called[order], day[order], payments.pays_on[order]
    treatments = {
        "treatment_id": ids("T", np.arange(1, len(drawn) + 1), width=7),
        "entity": same("invoices", len(drawn)),
        "entity_id": ids("I", drawn + 1, width=7),
        "occurred_at": moments(at_hour(day, 9.0)),
        "kind": same("collection_call", len(drawn)),
        "arm": picks(("wait", "call"), called),
        "propensity": numbers(np.full(len(drawn), CALL_CHANCE)),
    }
    asked = np.flatnonzero(called == 1)
    collectors = world.size.reps + 2 + 3 * np.arange((staff.n_support - 2 + 2) // 3)
    at = at_hour(day[asked], 10.0) + rng.integers(0, 25_000_000_000, len(asked))
    calls = Block(
        at=at,
        recorded=at_hour(day[asked], 20.0),
        kind=np.full(len(asked), COLLECTION),
        rep=collectors[rng.integers(len(collectors), size=len(asked))],
        account=invoices.account[drawn[asked]],
        invoice=drawn[asked],
    )
    said = asked[rng.random(len(asked)) < 0.55]
    sincere = (rng.random(len(said)) < 0.6) & (pays_on[said] < day[said] + 90)
    wish = day[said] + rng.integers(5, 30, len(said))
    honest = np.maximum(pays_on[said] + rng.integers(-3, 4, len(said)), day[said] + 1)
    promised = pay_run(np.where(sincere, honest, wish), np.full(len(said), -1))
    promises = {
        "promise_id": ids("M", np.arange(1, len(said) + 1), width=7),
        "account_id": ids("A", invoices.account[drawn[said]] + 1),
        "invoice_id": ids("I", drawn[said] + 1, width=7),
        "made_on": days(day[said]),
        "promised_on": days(promised),
        "amount": whole(invoices.gross[drawn[said]]),
    }
    tables = {
        "treatments": build_table("treatments", treatments, at_hour(day, 9.1), ends_us=world.end_us),
        "promises": build_table("promises", promises, at_hour(day[said], 20.0), ends_us=world.end_us),
    }
    return tables, calls
