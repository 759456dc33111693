"""How likely a deal that begins at a given moment is won by another: the second half of the oracle for `won`.

The stages are a Markov chain in working time whose rates depend on one score, so that P(won within a time) is a
matrix exponential; it is tabulated over score and time and read by linear interpolation. Competitor and tender
are not known before the deal begins and are averaged over. A tender is decided on a day of the calendar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.linalg import expm
from scipy.special import expit

from crm.demo import parameters as law
from crm.demo.deals import DECISION_DAYS, buyer_shares, next_tender_days
from crm.demo.parameters import DealLaws, Parameters
from crm.demo.working_time import Floats, Ints, WorkClock, at_hour

if TYPE_CHECKING:
    from crm.demo.company import DemoCompany

LEAST_SCORE, _MOST_SCORE, SCORE_STEP = -9.0, 9.0, 0.1
_LONGEST, TIME_STEP = 400.0, 0.5


def win_tables(deal: DealLaws) -> Floats:
    """P(won within a working time | score, stage) for a deal without tender, shape (n_stages, n_scores, n_times)."""
    scores = np.arange(LEAST_SCORE, _MOST_SCORE + SCORE_STEP / 2, SCORE_STEP)
    n_times = int(_LONGEST / TIME_STEP) + 1
    n_stages = len(deal.stages)
    steps = np.stack([expm(_generator(deal, float(score)) * TIME_STEP) for score in scores])
    # Held by the end of each step: a row per stage of departure, won as the last column.
    held = np.tile(np.eye(n_stages, n_stages + 1), (len(scores), 1, 1))
    tables = np.zeros((n_stages, len(scores), n_times))
    for time in range(1, n_times):
        held = held @ steps
        tables[:, :, time] = held[:, :, n_stages].T
    return tables


def _generator(deal: DealLaws, score: float) -> Floats:
    """Rates between the stages and won; what is missing to 0 in a row flows to lost."""
    n = len(deal.stages)
    rates = np.zeros((n + 1, n + 1))
    for stage in range(n):
        onward = deal.win_base if stage == n - 1 else deal.advance_base[stage]
        effect = deal.win_effect if stage == n - 1 else deal.advance_effect
        rates[stage, stage + 1] = onward * np.exp(effect * score)
        rates[stage, stage] = -rates[stage, stage + 1] - deal.lose_base[stage] * np.exp(deal.lose_effect * score)
    return rates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WinOdds:
    """What the chance to win depends on, for all leads of one company.

    Attributes
    ----------
    laws : Parameters
        Laws of the company.
    clock : WorkClock
        Working time.
    table : ndarray of float64, shape (n_scores, n_times)
        `win_tables` of the first stage, averaged over whether a competitor turns up.
    deal_skill : ndarray of float64, shape (n_reps,)
        Skill of each rep.
    tender : ndarray of float64, shape (n_leads,)
        Chance that the lead's deal is a tender.
    decided : ndarray of float64, shape (n_days, n_delays)
        Working time of the decision of a tender whose deal begins on each day of the clock.
    """

    laws: Parameters
    clock: WorkClock
    table: Floats
    deal_skill: Floats
    tender: Floats
    decided: Floats

    def scores(self, owner: Ints) -> Floats:
        """Score of each owner's deal in every latent state without competitor, shape (n_rows, n_states)."""
        deal, grid = self.laws.deal, self.laws.grid
        latent = deal.quality * grid.quality + deal.belief * grid.belief
        skill = self.deal_skill[np.minimum(owner, len(self.deal_skill) - 1)]
        return np.asarray(self.laws.effects * (skill[:, None] + latent))

    def tender_share(self, lead: Ints) -> Floats:
        """Chance of a tender for each lead, shape (n_rows, 1)."""
        return np.asarray(self.tender[lead][:, None])

    def won_between(self, began: Floats, opens: Floats, closes: Floats) -> Callable[[Floats, Floats], Floats]:
        """A function of scores and tender shares: P(won between two working times | the deal began at a third)."""
        day = np.clip(np.searchsorted(self.clock.elapsed, began, side="right") - 1, 0, len(self.decided) - 1)
        decided = self.decided[day]
        in_window = ((decided > opens[:, None]) & (decided <= closes[:, None])).mean(axis=1)[:, None]

        def won(score: Floats, tender: Floats) -> Floats:
            steady = self._within(score, closes - began) - self._within(score, opens - began)
            return np.asarray((1 - tender) * steady + tender * in_window * self._tender_odds(score))

        return won

    def _within(self, score: Floats, time: Floats) -> Floats:
        """P(won within a working time), bilinear in the table; 0 for times before 0."""
        row = np.clip((score - LEAST_SCORE) / SCORE_STEP, 0, self.table.shape[0] - 1.001)
        column = np.clip(time / TIME_STEP, 0, self.table.shape[1] - 1.001)[:, None]
        i, j = row.astype(np.int64), column.astype(np.int64)
        a, b = row - i, column - j
        t = self.table
        lower = (1 - b) * t[i, j] + b * t[i, j + 1]
        upper = (1 - b) * t[i + 1, j] + b * t[i + 1, j + 1]
        return np.asarray((1 - a) * lower + a * upper)

    def _tender_odds(self, score: Floats) -> Floats:
        deal = self.laws.deal
        rival = deal.competitor_share
        contested = score + self.laws.effects * deal.competitor
        return np.asarray((1 - rival) * expit(deal.tender_logit + score) + rival * expit(deal.tender_logit + contested))


def make_win_odds(company: DemoCompany) -> WinOdds:
    """The odds of one company; reads laws and visible fields of the leads, no latent value."""
    truth = company.truth
    laws, clock = truth.laws, truth.clock
    plain = win_tables(laws.deal)[0]
    shift = laws.effects * laws.deal.competitor / SCORE_STEP
    rows = np.clip(np.arange(plain.shape[0]) + shift, 0, plain.shape[0] - 1.001)
    low = rows.astype(np.int64)
    part = (rows - low)[:, None]
    contested = (1 - part) * plain[low] + part * plain[low + 1]
    rival = laws.deal.competitor_share
    leads = company.tables["leads"]
    industry = pc.index_in(leads["industry"].combine_chunks(), pa.array(law.INDUSTRIES)).to_numpy().astype(np.int64)
    buyers = buyer_shares(industry, leads["employees"].to_numpy())
    return WinOdds(
        laws=laws,
        clock=clock,
        table=(1 - rival) * plain + rival * contested,
        deal_skill=truth.deal_skill,
        tender=buyers @ np.array(laws.deal.tender_share),
        decided=_decisions(laws.deal, clock),
    )


def _decisions(deal: DealLaws, clock: WorkClock) -> Floats:
    n_days = len(clock.weights) - max(deal.tender_lead_days) - 120
    day = clock.first_day + np.arange(n_days)
    columns: list[npt.NDArray[np.float64]] = []
    for delay in deal.tender_lead_days:
        decided = next_tender_days(deal, day + delay) + DECISION_DAYS
        columns.append(clock.at(at_hour(decided, 16.0)))
    return np.column_stack(columns)
