"""What really drives a demo company. Kept apart from its tables; no store, file or feature ever holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crm.demo.parameters import Parameters
from crm.demo.working_time import Floats, Ints, WorkClock


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """Laws, and the latent values that were drawn.

    Attributes
    ----------
    laws : Parameters
        Laws of the company.
    clock : WorkClock
        Working time.
    contacts : float
        Factor on contact rates.
    convert_base : float
        Base rate of conversion after normalisation.
    lead_skill, deal_skill, optimism : ndarray of float64, shape (n_reps,)
        Fixed effects of the people who sell, in the order of the table `reps`.
    lead_state : ndarray of int64, shape (n_leads,)
        Latent state of each lead, in the order of the table `leads`. The oracle never reads it.
    deal_score : ndarray of float64, shape (n_opportunities,)
        Log effect that drives each opportunity, in the order of the table.
    payer : ndarray of int64, shape (n_accounts,)
        Payer habit of each account: prompt, slow, late, very late.
    health : ndarray of float64, shape (n_accounts,)
        Latent satisfaction of each account.
    planted : mapping of str to str
        Column or place of every planted leak, and its kind.
    """

    laws: Parameters
    clock: WorkClock
    contacts: float
    convert_base: float
    lead_skill: Floats
    deal_skill: Floats
    optimism: Floats
    lead_state: Ints
    deal_score: Floats
    payer: Ints
    health: Floats
    planted: Mapping[str, str] = field(default_factory=dict)
