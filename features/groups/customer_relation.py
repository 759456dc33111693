"""How a customer relation stands: use over a year, complaints, talks, changes of owner, and how long it is covered."""

from __future__ import annotations

from features.groups.customer import AGREEMENTS, SURVEYS, TICKETS, USAGE
from features.spec import (
    Count,
    DaysSince,
    DaysUntil,
    Feature,
    FeatureGroup,
    Last,
    Mean,
    Ratio,
    Source,
    Trend,
    feature,
    is_in,
    unknown,
)

_TABLE = "accounts"
TALKS = Source(name="activities", table="activities", key="account_id")
CHANGES = Source(name="changes", table="changes", key="entity_id", where=(is_in("entity", _TABLE),))
PURCHASES = Source(name="purchases", table="purchases", key="account_id")
RENEWALS = Source(name="renewals", table="renewals", key="account_id")
DEALS = Source(name="opportunities", table="opportunities", key="account_id")
_COMPLAINT = is_in("kind", "complaint", "complaints", "Complaint", "投诉")

_USE: tuple[Feature, ...] = (
    feature(
        "share_of_seats_used_365d",
        Ratio(
            upper=Mean(source=USAGE, days=365, column="active_users"),
            lower=Mean(source=USAGE, days=365, column="licensed_seats"),
        ),
        unit="share",
        null="no use of seats on record",
        group="usage",
        en="share of paid seats in use over a year",
        zh="近一年席位使用率",
    ),
    feature(
        "users_against_year",
        Ratio(
            upper=Mean(source=USAGE, days=45, column="active_users"),
            lower=Mean(source=USAGE, days=365, column="active_users"),
        ),
        unit="ratio",
        null="no use on record",
        group="usage",
        en="users of the last 45 days against those of a year",
        zh="近45天活跃用户与近一年之比",
    ),
)

_VOICE: tuple[Feature, ...] = (
    feature(
        "n_complaints_365d",
        Count(source=TICKETS, days=365, where=(_COMPLAINT,)),
        unit="complaints",
        null="tickets are not recorded",
        group="service",
        en="complaints in the last 365 days",
        zh="近365天投诉数",
    ),
    feature(
        "mean_nps",
        Mean(source=SURVEYS, column="nps"),
        unit="points",
        null="never answered",
        group="service",
        en="likelihood to recommend on average",
        zh="平均推荐意愿",
    ),
)

_TALKS: tuple[Feature, ...] = (
    feature(
        "days_since_contact",
        DaysSince(source=TALKS),
        unit="days",
        null="no contact yet",
        group="activity",
        en="days since the customer was last in contact",
        zh="距上次与客户联系天数",
    ),
    feature(
        "trend_of_contacts_90d",
        Trend(source=TALKS, days=90),
        unit="-1 to 1",
        null="no contact in 180 days",
        group="activity",
        en="change of pace of contacts against the 90 days before",
        zh="客户联系频率变化（对比前90天）",
    ),
    feature(
        "n_owner_changes_365d",
        Count(source=CHANGES, days=365, where=(is_in("field", "rep_id"),)),
        unit="changes",
        null="changes are not recorded",
        group="owner",
        en="changes of the customer's owner in the last 365 days",
        zh="近365天客户负责人变更次数",
    ),
)


def _days_to_end(name: str, source: Source, *kinds: str, en: str, zh: str) -> Feature:
    return feature(
        name,
        DaysUntil(source=source, at="ends_on", where=(is_in("kind", *kinds), unknown("cancelled_at"))),
        unit="days",
        null="no such agreement",
        group="agreement",
        en=en,
        zh=zh,
    )


_COVER: tuple[Feature, ...] = (
    _days_to_end(
        "days_covered",
        AGREEMENTS,
        "subscription",
        "maintenance",
        en="days for which subscriptions and maintenance still cover it, negative since they ended",
        zh="订阅与维保剩余覆盖天数（已到期为负）",
    ),
    feature(
        "n_licences",
        Count(source=AGREEMENTS, where=(is_in("kind", "licence"),)),
        unit="agreements",
        null="agreements are not recorded",
        group="agreement",
        en="perpetual licences bought",
        zh="已购永久授权数",
    ),
    _days_to_end(
        "days_maintained",
        AGREEMENTS,
        "maintenance",
        en="days for which maintenance is still paid, negative since it ended",
        zh="维保剩余天数（已到期为负）",
    ),
)

_RENEWED: tuple[Feature, ...] = (
    feature(
        "n_renewals_kept",
        Count(source=RENEWALS, where=(is_in("outcome", "kept"),)),
        unit="agreements",
        null="agreements are not recorded",
        group="agreement",
        en="agreements the customer renewed in full",
        zh="足额续签的合同数",
    ),
    feature(
        "last_renewal_ratio",
        Last(source=RENEWALS, column="amount_ratio"),
        unit="ratio",
        null="never renewed",
        group="agreement",
        en="amount of the last renewal against the one before",
        zh="最近一次续签金额与上期之比",
    ),
)

CUSTOMER_HABIT = FeatureGroup(
    name="customer_habit",
    entity=_TABLE,
    doc="The gap between its purchases to be expected, drawn to customers of its kind, and the present one against it.",
    features=(
        feature(
            "expected_gap_days",
            Last(source=PURCHASES, column="shrunk_gap_days"),
            unit="days",
            null="never bought",
            group="habit",
            en="days between purchases to be expected of it and its kind",
            zh="结合同类客户推算的下单间隔天数",
        ),
        feature(
            "gap_over_expected",
            Ratio(upper=DaysSince(source=PURCHASES), lower=Last(source=PURCHASES, column="shrunk_gap_days")),
            unit="times the usual gap",
            null="never bought",
            group="habit",
            en="time since the last purchase against the gap to be expected",
            zh="距上次下单时间与推算间隔之比",
        ),
    ),
)

CUSTOMER_DEALS = FeatureGroup(
    name="customer_deals",
    entity=_TABLE,
    doc="What is being sold to the customer, and the licences and projects that maintenance follows.",
    features=(
        feature(
            "n_open_deals",
            Count(source=DEALS, where=(unknown("closed_at"),)),
            unit="opportunities",
            null="opportunities are not recorded",
            group="history",
            en="open opportunities with the customer",
            zh="客户未关闭商机数",
        ),
        feature(
            "n_deals_won_180d",
            Count(source=DEALS, at="closed_at", days=180, where=(is_in("outcome", "won"),)),
            unit="opportunities",
            null="opportunities are not recorded",
            group="history",
            en="opportunities the customer gave us in the last 180 days",
            zh="近180天客户赢单数",
        ),
        feature(
            "days_since_deal",
            DaysSince(source=DEALS),
            unit="days",
            null="no opportunity yet",
            group="history",
            en="days since the latest opportunity with the customer began",
            zh="距最近商机创建天数",
        ),
        feature(
            "days_since_licence",
            DaysSince(source=AGREEMENTS, where=(is_in("kind", "licence", "project"),)),
            unit="days",
            null="no such agreement",
            group="agreement",
            en="days since the latest licence or project was signed",
            zh="距最近授权或项目签约天数",
        ),
    ),
)

CUSTOMER_TROUBLE = FeatureGroup(
    name="customer_trouble",
    entity=_TABLE,
    doc="How often the customer asked for help, and how often it renewed for less or not at all.",
    features=(
        feature(
            "n_tickets_365d",
            Count(source=TICKETS, days=365),
            unit="tickets",
            null="tickets are not recorded",
            group="service",
            en="tickets in the last 365 days",
            zh="近365天工单数",
        ),
        feature(
            "n_renewals_lost",
            Count(source=RENEWALS, where=(is_in("outcome", "lost"),)),
            unit="agreements",
            null="agreements are not recorded",
            group="agreement",
            en="agreements the customer did not renew",
            zh="未续签的合同数",
        ),
        feature(
            "n_renewals_reduced",
            Count(source=RENEWALS, where=(is_in("outcome", "reduced"),)),
            unit="agreements",
            null="agreements are not recorded",
            group="agreement",
            en="agreements the customer renewed for less",
            zh="降额续签的合同数",
        ),
    ),
)

CUSTOMER_RELATION = FeatureGroup(
    name="customer_relation",
    entity=_TABLE,
    doc="How the product is used over a year, how the customer is heard and talked to, and how long it is covered.",
    features=(*_USE, *_VOICE, *_TALKS, *_COVER, *_RENEWED),
)


GROUPS = (CUSTOMER_HABIT, CUSTOMER_DEALS, CUSTOMER_TROUBLE, CUSTOMER_RELATION)
