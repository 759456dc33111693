"""The best possible collection risk: the simulator's own chance that an open invoice is settled by a day.

Latent are the payer's habit (four) and the weekday of its pay runs (five, none among them), twenty states in all.
With the law of `crm.demo.payment_days`, every other invoice of the account known at the moment weighs them,

    weight(s) = prior(s) * prod_i P(first money on day y_i | s)  or  P(nothing yet | s),

where the day of a second part counts too. The invoice asked about then has a chance for each day ahead in each
state: of first money, given that none has come, of the rest of a part, and of never. Known of it are its days, a
dispute once it is stated, whether the lot about calling it was drawn and how it fell, and the day promised in the
call. Left out: that one invoice in seventy is taken back and issued again, which censors the row; and promises about
the account's other invoices, which say nothing about its state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from crm.demo.invoice_seen import LATER, InvoiceBook, pairs_of_account, read_invoices, shares_below
from crm.demo.payment import CALL_AFTER_DAYS
from crm.demo.payment_days import PayLaw, make_pay_law
from crm.demo.seen import moments_of, places
from crm.demo.working_time import Floats, Ints, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

_PAIRS, _ROWS = 20_000, 200
_DAYS_AHEAD = 130
# Days from the first part to the rest, and how many invoices come in parts.
_REST_COMES, _IN_PARTS = (20, 59), 0.06
# A promise made in a call: sincere when payment is near enough, else a wish.
_SINCERE, _SINCERE_DAYS, _HONEST_DAYS, _WISH_DAYS = 0.6, 90, 3, (5, 29)
_TINY = 1e-300


def settled_probability(company: DemoCompany, spine: pa.Table, until: Ints) -> Floats:
    """P(invoice is settled on or before a day | open at as_of, what was on record then).

    Parameters
    ----------
    company : DemoCompany
        A company with its truth.
    spine : pa.Table
        Columns `entity_id` (invoice) and `as_of` (naive UTC timestamp, a local midnight).
    until : ndarray of int64, shape (n_rows,)
        Local epoch day of each row; before the row's own day the chance is 0.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        NaN where the invoice is unknown, not yet issued, settled or taken back.
    """
    book = read_invoices(company)
    place, day = places(spine.column("entity_id"), book.name), local_day(moments_of(spine))
    last = np.where(book.in_parts, book.rest, book.first)[place]
    is_open = (place >= 0) & (book.issued[place] < day) & (last >= day) & (book.taken_back[place] >= day)
    probability = np.full(len(place), np.nan)
    rows = np.flatnonzero(is_open)
    if not len(rows):
        return probability
    law = make_pay_law(company.truth.laws, int(book.issued.min()), int(until[rows].max()) + 2 * _DAYS_AHEAD + 400)
    for begin in range(0, len(rows), 20 * _ROWS):
        chunk = rows[begin : begin + 20 * _ROWS]
        state = _state_weights(law, book, place[chunk], day[chunk])
        for start in range(0, len(chunk), _ROWS):
            part = slice(start, start + _ROWS)
            one = chunk[part]
            probability[one] = _settled(law, book, place[one], day[one], until[one], state[part])
    return probability


def _state_weights(law: PayLaw, book: InvoiceBook, rows: Ints, day: Ints) -> Floats:
    """Log weight of each state by the other invoices of the account, shape (n_rows, n_pay_days, n_habits)."""
    weight = np.tile(np.log(law.prior), (len(rows), 1, 1))
    row, other = pairs_of_account(book, rows, day)
    for begin in range(0, len(row), _PAIRS):
        part = slice(begin, begin + _PAIRS)
        np.add.at(weight, row[part], np.log(_seen(law, book, other[part], day[row[part]]) + _TINY))
    return weight


def _seen(law: PayLaw, book: InvoiceBook, rows: Ints, day: Ints) -> Floats:
    """Chance of what invoices showed before a day, shape (n, n_pay_days, n_habits)."""
    billed = book.billed_at(rows, day)
    first, has_paid = book.first[rows], book.first[rows] < day
    upto = np.where(has_paid, first, day - 1)
    by_then, total = law.paid_by(billed, upto), law.total(billed)
    never = law.laws.money.unpaid_share
    nothing = never * total + (1 - never) * (total - by_then)
    # Money that moved on a day on which a state's calendar is closed did not come in that state.
    on_day = np.maximum(by_then - law.paid_by(billed, upto - 1), 0.0)
    on_day *= (law.open_day(upto) == upto[:, None])[:, :, None]
    paid = on_day * _rest_seen(law, book, rows, day)[:, :, None]
    return np.where(has_paid[:, None, None], paid, nothing)


def _rest_seen(law: PayLaw, book: InvoiceBook, rows: Ints, day: Ints) -> Floats:
    """Chance of when the rest of a part came, or has not, before a day; 1 without a part; shape (n, n_pay_days)."""
    first, rest = book.first[rows][:, None], book.rest[rows]
    came = rest < day
    upto = np.where(came, rest, day - 1)
    by_then, by_before = (shares_below(law.open_day(each) - first, *_REST_COMES) for each in (upto, upto - 1))
    chance = np.where(came[:, None], by_then - by_before, 1 - by_then)
    is_part = (book.in_parts[rows] & (book.first[rows] < day))[:, None]
    return np.where(is_part, chance, 1.0)


def _settled(law: PayLaw, book: InvoiceBook, rows: Ints, day: Ints, until: Ints, state: Floats) -> Floats:
    """P(settled by a day), shape (n,)."""
    inside, nothing = _first_to_come(law, book, rows, day)
    rest = _rest_by(law, day, until)
    ahead = day[:, None] + np.arange(_DAYS_AHEAD)
    whole = (ahead <= until[:, None])[:, None, :]
    settles = (1 - _IN_PARTS) * whole + _IN_PARTS * rest
    will = np.einsum("rdhk,rdk->rdh", inside, settles)
    open_before = law.open_day(day - 1) - book.first[rows][:, None]
    left = 1 - shares_below(open_before, *_REST_COMES)
    by_then = shares_below(law.open_day(until) - book.first[rows][:, None], *_REST_COMES) - (1 - left)
    has_part = (book.first[rows] < day)[:, None, None]
    evidence = np.where(has_part, _seen(law, book, rows, day), inside.sum(axis=3) + nothing)
    share = np.divide(by_then, left, out=np.zeros_like(by_then), where=left > 0)[:, :, None]
    # Of an invoice that was paid in part, what is asked is when the rest comes.
    will = np.where(has_part, evidence * np.clip(share, 0.0, 1.0), will)
    weight = np.exp(state - state.max(axis=(1, 2), keepdims=True))
    return np.asarray((weight * will).sum(axis=(1, 2)) / np.maximum((weight * evidence).sum(axis=(1, 2)), _TINY))


def _first_to_come(law: PayLaw, book: InvoiceBook, rows: Ints, day: Ints) -> tuple[Floats, Floats]:
    """Chance of first money on each day ahead, (n, n_pay_days, n_habits, n_days), and of later or never; no promise."""
    n = len(rows)
    billed = book.billed_at(rows, day)
    ahead = day[:, None] + np.arange(-1, _DAYS_AHEAD)
    spread = billed.take(np.repeat(np.arange(n), _DAYS_AHEAD + 1))
    by_day = law.paid_by(spread, ahead.ravel()).reshape(n, _DAYS_AHEAD + 1, *law.prior.shape)
    total, never = law.total(billed), law.laws.money.unpaid_share
    inside = (1 - never) * np.moveaxis(np.diff(by_day, axis=1), 1, 3)
    later = never * total + (1 - never) * (total - by_day[:, -1])
    told, wish = _promise(law, book, rows, day)
    return inside * told[:, None, None, :], later * wish[:, None, None]


def _rest_by(law: PayLaw, day: Ints, until: Ints) -> Floats:
    """P(the rest comes by a day | first money on each day ahead), shape (n, n_pay_days, n_days)."""
    ahead = day[:, None] + np.arange(_DAYS_AHEAD)
    return shares_below(law.open_day(until)[:, :, None] - ahead[:, None, :], *_REST_COMES)


def _promise(law: PayLaw, book: InvoiceBook, rows: Ints, day: Ints) -> tuple[Floats, Floats]:
    """Chance of the promised day given first money on each day ahead, shape (n, n_days), and given none soon, (n,)."""
    made, promised = book.due[rows] + CALL_AFTER_DAYS, book.promised[rows]
    told, wish = np.ones((len(rows), _DAYS_AHEAD)), np.ones(len(rows))
    some = np.flatnonzero((promised < LATER) & (made < day))
    made, promised = made[some], promised[some]
    after = law.open_day(promised - 1)[:, 0]
    low, high = _WISH_DAYS
    wish[some] = shares_below(promised - made, low, high) - shares_below(after - made, low, high)
    ahead = day[some][:, None] + np.arange(_DAYS_AHEAD)
    honest = np.zeros(ahead.shape)
    for shift in range(-_HONEST_DAYS, _HONEST_DAYS + 1):
        said = np.maximum(ahead + shift, made[:, None] + 1)
        honest += ((said > after[:, None]) & (said <= promised[:, None])) / (2 * _HONEST_DAYS + 1)
    near = ahead < made[:, None] + _SINCERE_DAYS
    told[some] = np.where(near, _SINCERE * honest + (1 - _SINCERE) * wish[some][:, None], wish[some][:, None])
    return told, wish
