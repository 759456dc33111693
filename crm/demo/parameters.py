"""The laws of the demo company. They are fixed by ADR 0005, before any model was fitted.

A coefficient is an effect on a log rate at `effects = 1`; `effects` multiplies every coefficient and every
log age shape, so that 0 leaves pure chance. Base rates are per unit of working time, about one working day.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit, ndtri

from crm.demo.working_time import Floats, Steps

REGIONS = ("华东", "华南", "华北", "西南", "华中", "西北", "东北")
REGION_SHARES = (0.30, 0.20, 0.18, 0.11, 0.10, 0.06, 0.05)
REGION_EFFECTS = (0.10, 0.15, 0.0, -0.10, 0.0, -0.20, -0.25)

INDUSTRIES = ("制造", "软件", "零售", "医疗", "教育", "金融", "政务", "能源", "物流")
INDUSTRY_SHARES = (0.24, 0.15, 0.13, 0.11, 0.09, 0.08, 0.08, 0.06, 0.06)
INDUSTRY_EFFECTS = (0.15, 0.30, -0.35, 0.10, -0.45, 0.40, -0.10, 0.05, -0.15)

CHANNELS = ("website", "search_ads", "event", "webinar", "referral", "cold_call", "partner")
CHANNEL_SHARES = (0.24, 0.22, 0.14, 0.12, 0.08, 0.14, 0.06)
CHANNEL_EFFECTS = (0.20, -0.35, 0.10, -0.10, 0.95, -0.85, 0.55)
CHANNEL_COSTS = (120.0, 900.0, 1_400.0, 350.0, 60.0, 220.0, 500.0)  # yuan a lead

CAMPAIGNS = (
    ("官网表单", "website"),
    ("白皮书下载", "website"),
    ("百度品牌词", "search_ads"),
    ("百度行业词", "search_ads"),
    ("春季展会", "event"),
    ("秋季峰会", "event"),
    ("产品直播", "webinar"),
    ("客户案例直播", "webinar"),
)
CAMPAIGN_EFFECTS = (0.15, -0.20, 0.30, -0.15, -0.10, 0.20, 0.0, 0.25)

TITLES = ("总经理", "总监", "经理", "工程师", "采购", "学生")
TITLE_SHARES = (0.10, 0.18, 0.32, 0.20, 0.14, 0.06)
TITLE_EFFECTS = (0.45, 0.55, 0.15, -0.25, 0.0, -1.60)

# Kind and direction of the contacts with a lead or an opportunity.
CONTACTS = (
    ("web", "inbound"),
    ("email", "inbound"),
    ("call", "outbound"),
    ("email", "outbound"),
    ("meeting", "outbound"),
    ("demo", "outbound"),
    ("visit", "outbound"),
)
# Days by which a logged contact reaches the record late; web contacts are there at once.
LOG_DELAYS = (0, 1, 3, 9)
LOG_DELAY_SHARES = (0.86, 0.08, 0.04, 0.02)

# What a rep believes about a deal: low, middling, high. It steers effort, and effort helps.
BELIEFS = np.array([-1.0, 0.0, 1.0])
QUALITY_POINTS = 13


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentGrid:
    """The latent states of a lead or an opportunity: quality x belief.

    Attributes
    ----------
    quality, belief : ndarray of float64, shape (n_states,)
        Value of each state.
    prior : ndarray of float64, shape (n_states,)
        Probability of each state before anything is seen.
    """

    quality: Floats
    belief: Floats
    prior: Floats


def make_grid(effects: float) -> LatentGrid:
    """The latent states; a rep's belief follows quality as an ordered logit.

    Examples
    --------
    >>> grid = make_grid(1.0)
    >>> len(grid.prior), round(float(grid.prior.sum()), 9)
    (39, 1.0)
    """
    quality = ndtri((np.arange(QUALITY_POINTS) + 0.5) / QUALITY_POINTS)
    middling = expit(0.6 + 0.9 * effects * quality)
    high = expit(-1.1 + 0.9 * effects * quality)
    share = np.column_stack([1 - middling, middling - high, high]) / QUALITY_POINTS
    return LatentGrid(quality=np.repeat(quality, 3), belief=np.tile(BELIEFS, QUALITY_POINTS), prior=share.ravel())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeadLaws:
    """How leads behave: `log rate = log base + coefficients`, piecewise constant over working age."""

    convert_base: float = 0.0035  # mean over leads and latent states
    disqualify_base: float = 0.0088
    convert_quality: float = 1.4
    convert_belief: float = 0.25
    disqualify_quality: float = -0.35
    disqualify_belief: float = -0.25
    visible: float = 1.35
    employees_slope: float = 0.30
    employees_curve: float = -0.20
    event_in_manufacturing: float = 0.35
    rep_skill_sd: float = 0.30
    edges: tuple[float, ...] = (0.0, 5.0, 20.0, 60.0, 130.0)
    convert_shape: tuple[float, ...] = (0.5, 1.6, 1.2, 0.8, 0.5)
    disqualify_shape: tuple[float, ...] = (0.5, 1.2, 1.1, 0.9, 0.7)
    contact_shape: tuple[float, ...] = (4.0, 1.5, 0.6, 0.3, 0.12)
    contact_base: tuple[float, ...] = (0.030, 0.012, 0.022, 0.015, 0.004, 0.002, 0.002)
    contact_quality: tuple[float, ...] = (0.75, 0.70, 0.0, 0.0, 0.30, 0.40, 0.30)
    contact_belief: tuple[float, ...] = (0.0, 0.10, 0.45, 0.35, 0.55, 0.55, 0.60)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DealLaws:
    """How opportunities move: a chain of four stages with exits to lost, and to won from the last."""

    stages: tuple[str, ...] = ("prospecting", "qualification", "proposal", "negotiation")
    advance_base: tuple[float, ...] = (0.110, 0.080, 0.070)
    lose_base: tuple[float, ...] = (0.0240, 0.0270, 0.0310, 0.0360)
    win_base: float = 0.026
    advance_effect: float = 0.35
    lose_effect: float = -0.40
    win_effect: float = 0.70
    quality: float = 0.75
    belief: float = 0.15
    rep_skill_sd: float = 0.35
    competitor: float = -0.50
    competitor_share: float = 0.35
    partner: float = 0.40
    expansion: float = 0.55
    contact_base: tuple[float, ...] = (0.025, 0.052, 0.080, 0.070, 0.050, 0.017, 0.018)
    contact_quality: tuple[float, ...] = (0.45, 0.45, 0.0, 0.0, 0.20, 0.30, 0.20)
    contact_belief: tuple[float, ...] = (0.0, 0.10, 0.40, 0.35, 0.50, 0.45, 0.55)
    tender_share: tuple[float, ...] = (0.0, 0.55, 0.35, 0.0)  # by buyer type
    tender_lead_days: tuple[int, ...] = (60, 90, 120, 160)
    tender_months: tuple[int, ...] = (3, 5, 6, 9, 11, 12)
    tender_logit: float = -1.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MoneyLaws:
    """What is signed, when it is billed and how it is paid."""

    tax_rates: tuple[float, ...] = (0.06, 0.13)
    renewal_churn_logit: float = -1.45
    renewal_health: float = -1.0
    downsell_share: float = 0.12
    cancel_share: float = 0.02
    reversed_share: float = 0.015
    disputed_share: float = 0.03
    unpaid_share: float = 0.012
    bill_share: float = 0.18
    payer_delay_days: tuple[float, ...] = (-14.0, -3.0, 15.0, 48.0)
    payer_delay_spread: tuple[float, ...] = (3.0, 6.0, 14.0, 28.0)
    payer_shares: tuple[float, ...] = (0.32, 0.36, 0.22, 0.10)
    terms_days: tuple[int, ...] = (15, 30, 45, 60, 90)
    terms_shares: tuple[float, ...] = (0.10, 0.45, 0.15, 0.22, 0.08)
    pay_run_share: float = 0.55
    budget_months: tuple[int, ...] = (6, 11, 12)
    foreign_share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """All laws of one company and the factor on their effects."""

    effects: float
    lead: LeadLaws = field(default_factory=LeadLaws)
    deal: DealLaws = field(default_factory=DealLaws)
    money: MoneyLaws = field(default_factory=MoneyLaws)

    @property
    def grid(self) -> LatentGrid:
        """The latent states of leads and opportunities."""
        return make_grid(self.effects)

    def shape(self, levels: tuple[float, ...]) -> Steps:
        """An age shape of a lead's rates, its logarithm scaled by `effects`."""
        return Steps(edges=np.array(self.lead.edges), levels=np.array(levels) ** self.effects)

    def contact_rates(
        self, base: tuple[float, ...], quality: tuple[float, ...], belief: tuple[float, ...], factor: float
    ) -> Floats:
        """Contact rates of every latent state, shape (n_states, n_kinds)."""
        grid = self.grid
        log_effect = np.outer(grid.quality, quality) + np.outer(grid.belief, belief)
        return np.asarray(np.array(base) * factor * np.exp(self.effects * log_effect))

    def lead_contact_rates(self, factor: float) -> Floats:
        """Contact rates of a lead in every latent state, shape (n_states, n_kinds)."""
        laws = self.lead
        return self.contact_rates(laws.contact_base, laws.contact_quality, laws.contact_belief, factor)

    def lead_log_effects(self) -> tuple[Floats, Floats]:
        """Log effects of every latent state on converting and on being given up, shape (n_states,) each."""
        laws, grid = self.lead, self.grid
        convert = laws.convert_quality * grid.quality + laws.convert_belief * grid.belief
        give_up = laws.disqualify_quality * grid.quality + laws.disqualify_belief * grid.belief
        return self.effects * convert, self.effects * give_up
