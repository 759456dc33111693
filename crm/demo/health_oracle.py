"""What the record says about the health of a customer, and about which of its agreements will end.

An account's health h is latent and lasts; each recurring agreement is latently going to be renewed, to be left at its
end, or to be cancelled, and before it is left its use fades from a latent day on. Given health, fate and that day,
weeks of use are independent binomial counts. For an agreement a, with its weeks on record and what is known of its
fate, `fates` returns the joint logarithms

    P(fate | h) P(known of the fate, renews by itself | fate) * sum_onset P(onset | fate) prod_weeks binomial(...)

on a grid of h, and `log_health` the logarithm of the account's posterior of h from all its agreements, surveys and
satisfaction with tickets. Tickets carry no agreement: where several run, each is counted to all of them in equal
parts, the one thing here that is not exact; days are summed on grids of ten. Talks are left out: three a year.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logsumexp, ndtr

from crm.demo.customer_seen import CustomerBook, read_customers
from crm.demo.parameters import MoneyLaws
from crm.demo.service import FADES_TO, TICKETS_PER_YEAR
from crm.demo.working_time import Floats, Ints, day_weights, local_day

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

RENEWS, LEAVES, CANCELS = range(3)
# Renewals are signed from this many days before the last one, evenly, to so many after it.
SIGNED_BEFORE, SIGNED_AFTER = 44, 10
_CANCEL_SPAN = (0.4, 0.9)
_ONSET_SPAN = (50, 199)
_STEP = 10
_TINY = 1e-300
_GRID = np.linspace(-3.6, 3.6, 61)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HealthOracle:
    """The laws and the record of one company's customers.

    Attributes
    ----------
    book : CustomerBook
        The record.
    money : MoneyLaws
        Laws of agreements.
    effects : float
        Factor on all effects.
    first_day : int
        Epoch day of the first week on record.
    busy : ndarray of float64, shape (n_days,)
        How busy the week up to each day from `first_day` on is.
    settled : dict
        Fates of agreements whose end is known and past, by place; they never change again.
    """

    book: CustomerBook
    money: MoneyLaws
    effects: float
    first_day: int
    busy: Floats
    settled: dict[int, Floats] = field(default_factory=dict)

    @property
    def well(self) -> Floats:
        """Health on its grid, effects included; shape (n_health,)."""
        return self.effects * _GRID

    def shrinks(self) -> Floats:
        """P(a renewal is for less | health), shape (n_health,)."""
        share = self.money.downsell_share
        return np.asarray(expit(np.log(share / (1 - share)) - 0.8 * self.well))

    def log_health(self, account: int, day: int) -> tuple[Floats, dict[int, Floats]]:
        """Log posterior of health up to a constant, (n_health,), and each recurring agreement's fates, (3, n_health).

        Parameters
        ----------
        account : int
            Place of the account.
        day : int
            Epoch day; known is what was on record at the midnight that begins it.
        """
        book = self.book
        fates = {a: self.fates(a, day) for a in book.agreements_of(account, day) if book.recurs[a]}
        weight = -0.5 * _GRID**2 + self._said(account, day)
        for place, fate in fates.items():
            weight = weight + logsumexp(fate, axis=0)
            following = book.renewed_to[place]
            if following >= 0 and book.signed[following] < day:
                less = self.shrinks()
                weight = weight + np.log(less if book.net[following] < 0.95 * book.net[place] else 1 - less)
        return np.asarray(weight), fates

    def fates(self, place: int, day: int) -> Floats:
        """Log joint chance of each fate of an agreement and of its record | health, shape (3, n_health)."""
        if place in self.settled:
            return self.settled[place]
        book, money = self.book, self.money
        starts, ends, cancelled = int(book.starts[place]), int(book.ends[place]), int(book.cancelled[place])
        leaves = expit(money.renewal_churn_logit + money.renewal_health * self.well)
        cancels = np.minimum(money.cancel_share * np.exp(-0.7 * self.well), 1.0) * (ends - starts < 370)
        chance = np.stack([(1 - cancels) * (1 - leaves), (1 - cancels) * leaves, cancels])
        chance = chance * self._known_of_end(place, day)[:, None]
        by_itself = 0.30 + self.effects * np.array([0.03, -0.15, -0.15])
        chance = chance * (by_itself if book.auto_renews[place] else 1 - by_itself)[:, None]
        log_chance = np.log(chance + _TINY) + self._tickets(place, day)
        steady, fading, onset = self._use(place, day, is_kept=chance[LEAVES:].max() == 0)
        found = log_chance + steady
        if len(onset):
            last = cancelled if cancelled < day else None
            for fate, share in ((LEAVES, _onset_after(onset, ends)), (CANCELS, self._cancel_onset(place, onset, last))):
                found[fate] = log_chance[fate] + logsumexp(fading + np.log(share + _TINY)[:, None], axis=0)
        if day > min(cancelled, ends) + SIGNED_AFTER + 2 * _STEP:
            self.settled[place] = found
        return np.asarray(found)

    def signs_between(self, place: int, day: int, until: int) -> float:
        """P(renewal is signed on a day from `day` up to before `until` | it will be, and was not before `day`)."""
        ends = int(self.book.ends[place])
        left = _signed_from(ends, day)
        return 0.0 if left == 0 else (left - _signed_from(ends, until)) / left

    def _known_of_end(self, place: int, day: int) -> Floats:
        """P(what is on record about the end | fate), shape (3,)."""
        book = self.book
        starts, ends, following = int(book.starts[place]), int(book.ends[place]), int(book.renewed_to[place])
        if following >= 0 and book.signed[following] < day:
            return np.array([1.0, 0.0, 0.0])
        if book.cancelled[place] < day:
            return np.array([0.0, 0.0, 1.0])
        low, high = _CANCEL_SPAN
        spent = (day - starts) / max(ends - starts, 1)
        return np.array([_signed_from(ends, day), 1.0, float(np.clip((high - spent) / (high - low), 0.0, 1.0))])

    def _use(self, place: int, day: int, *, is_kept: bool) -> tuple[Floats, Floats, Ints]:
        """Log likelihood of the weeks without fading, (n_health,), and by onset, (n_onsets, n_health), with onsets."""
        week, active, seats = self.book.use.upto(place, day)
        level = np.clip(0.55 + 0.12 * self.well, 0.1, 0.95)
        level = level[:, None] * np.clip(self.busy[week - self.first_day], 0.05, 1.1)
        steady = _binomial(level, active, seats)
        none: Ints = np.zeros(0, dtype=np.int64)
        if is_kept:
            return steady, np.zeros((0, len(level))), none
        starts, ends = int(self.book.starts[place]), int(self.book.ends[place])
        first = starts - 60 if ends - starts < 370 else ends - _ONSET_SPAN[1]
        onset = np.arange(first, ends - _ONSET_SPAN[0] + _STEP, _STEP)
        since = np.clip((week - onset[:, None]) / 90.0, 0.0, 1.0)
        share = np.maximum(1.0 - self.effects * (1.0 - FADES_TO) * since, 0.05)
        touched = share.min(axis=0, initial=1.0) < 1
        before = _binomial(level[:, ~touched], active[~touched], seats[~touched])
        faded = level[None, :, touched] * share[:, None, touched]
        return steady, before + _binomial(faded, active[touched], seats[touched]), onset

    def _cancel_onset(self, place: int, onset: Ints, cancelled: int | None) -> Floats:
        """P(use fades from each day | cancelled), shape (n_onsets,), for a known day or any of those to come."""
        if cancelled is not None:
            return _onset_after(onset, cancelled)
        starts, ends = int(self.book.starts[place]), int(self.book.ends[place])
        first, last = (starts + share * (ends - starts) for share in _CANCEL_SPAN)
        days = np.arange(first, last, _STEP)
        return np.asarray(np.mean([_onset_after(onset, int(each)) for each in days], axis=0))

    def _tickets(self, place: int, day: int) -> Floats:
        """Log likelihood of tickets by fate and health, shape (3, n_health)."""
        book = self.book
        begin, end = int(book.used_from[place]), min(int(book.used_to[place]), day)
        days = max(end - begin, 0)
        opened, _, _ = book.tickets.upto(int(book.account[place]), day)
        opened = opened[(opened >= begin) & (opened < end)]
        others = [a for a in book.agreements_of(int(book.account[place]), day) if book.recurs[a]]
        running = np.zeros(len(opened))
        for other in others:
            running += (book.used_from[other] <= opened) & (opened < book.used_to[other])
        count = float((1 / np.maximum(running, 1)).sum())
        pain = self.effects * (-0.45 * _GRID + 0.35 * np.array([0.0, 1.0, 1.0])[:, None])
        return np.asarray(count * pain - TICKETS_PER_YEAR / 365 * days * np.exp(pain))

    def _said(self, account: int, day: int) -> Floats:
        """Log likelihood of surveys and of satisfaction, shape (n_health,)."""
        _, nps, _ = self.book.surveys.upto(account, day)
        _, mood, _ = self.book.moods.upto(account, day)
        mood = mood[np.isfinite(mood)]
        return _rounded(nps, 7.4 + 1.5 * self.well, 1.4, 0, 10) + _rounded(mood, 3.8 + 0.5 * self.well, 0.8, 1, 5)


def make_health_oracle(company: DemoCompany) -> HealthOracle:
    """The oracle of one company's customers; reads laws and tables, no latent value."""
    first_day, last_day = company.truth.clock.first_day, int(local_day(np.array([company.end_us]))[0])
    days = np.arange(first_day, last_day + 8)
    return HealthOracle(
        book=read_customers(company, first_day, last_day),
        money=company.truth.laws.money,
        effects=company.truth.laws.effects,
        first_day=first_day,
        busy=np.asarray(np.sum([day_weights(days - back) for back in range(7)], axis=0) / 5.0),
    )


def _signed_from(ends: int, day: int) -> float:
    """P(a renewal is signed on a day or later)."""
    days = SIGNED_BEFORE + SIGNED_AFTER + 1
    return float(np.clip(ends + SIGNED_AFTER + 1 - day, 0, days)) / days


def _onset_after(onset: Ints, last: int) -> Floats:
    """How the onsets before a last day spread over a grid of days, shape (n_onsets,)."""
    low, high = _ONSET_SPAN
    inside = ((onset >= last - high - _STEP // 2) & (onset <= last - low + _STEP // 2)).astype(np.float64)
    return np.asarray(inside / max(float(inside.sum()), 1.0))


def _binomial(level: Floats, active: Floats, seats: Floats) -> Floats:
    """Log likelihood of active users out of seats, summed over weeks (the last axis), up to a constant."""
    share = np.clip(level, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(share) @ active + np.log1p(-share) @ (seats - active))


def _rounded(said: Floats, mean: Floats, spread: float, low: int, high: int) -> Floats:
    """Log likelihood of rounded and clipped normal answers, summed; shape as `mean`."""
    if not len(said):
        return np.zeros(len(mean))
    above = np.where(said >= high, np.inf, said + 0.5)[:, None]
    below = np.where(said <= low, -np.inf, said - 0.5)[:, None]
    return np.asarray(np.log(ndtr((above - mean) / spread) - ndtr((below - mean) / spread) + _TINY).sum(axis=0))
