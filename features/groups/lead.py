"""What is known of an open lead: what it said of itself, what was done with it, where it came from, who has it."""

from __future__ import annotations

from features.groups.account import account_group
from features.groups.contacts import (
    days_since_activity,
    last_activity,
    minutes_of_contact,
    n_activities,
    trend_of_activities,
)
from features.groups.season import season_group
from features.matrix import Kind
from features.spec import (
    AgeDays,
    Attribute,
    Count,
    DaysInState,
    DaysSince,
    Distinct,
    Feature,
    FeatureGroup,
    Mean,
    Source,
    feature,
    is_in,
    known,
    share,
)

ACTIVITIES = Source(name="activities", table="activities", key="lead_id")
CHANGES = Source(name="changes", table="changes", key="entity_id", where=(is_in("entity", "leads"),))
CHANNEL_LEADS = Source(name="channel_leads", table="leads", key="channel", reach="channel")
CAMPAIGN_LEADS = Source(name="campaign_leads", table="leads", key="campaign", reach="campaign")
REP_LEADS = Source(name="rep_leads", table="leads", key="rep_id", reach="rep_id")
REP_ACTIVITIES = Source(name="rep_activities", table="activities", key="rep_id", reach="rep_id")


def _own(column: str) -> Attribute:
    return Attribute(column=column, table="leads")


LEAD_PROFILE = FeatureGroup(
    name="lead_profile",
    entity="leads",
    doc="What the lead says of itself and how it came.",
    features=(
        feature("channel", _own("channel"), kind=Kind.CATEGORY, group="origin", en="channel", zh="来源渠道"),
        feature("campaign", _own("campaign"), kind=Kind.CATEGORY, group="origin", en="campaign", zh="营销活动"),
        feature("region", _own("region"), kind=Kind.CATEGORY, group="profile", en="region", zh="地区"),
        feature("industry", _own("industry"), kind=Kind.CATEGORY, group="profile", en="industry", zh="行业"),
        feature(
            "title", _own("title"), kind=Kind.CATEGORY, group="profile", en="title of the contact", zh="联系人职位"
        ),
        feature(
            "employees",
            _own("employees"),
            unit="people",
            group="profile",
            en="employees of the company",
            zh="企业员工数",
        ),
        feature("rep_id", _own("rep_id"), kind=Kind.CATEGORY, group="owner", en="owner", zh="负责人"),
        feature(
            "lead_age_days",
            AgeDays(column="created_at", table="leads"),
            unit="days",
            group="timing",
            en="age of the lead",
            zh="线索存续天数",
        ),
        feature(
            "days_with_rep",
            DaysInState(column="rep_id", table="leads"),
            unit="days",
            group="owner",
            en="days with the present owner",
            zh="当前负责人持有天数",
        ),
    ),
)

_REACHED_OUT = is_in("direction", "outbound")
_CAME_IN = is_in("direction", "inbound")
_MEETINGS = is_in("kind", "meeting", "demo", "visit")

LEAD_ACTIVITY = FeatureGroup(
    name="lead_activity",
    entity="leads",
    doc="What was done with the lead and what it did.",
    features=(
        *(n_activities(ACTIVITIES, days) for days in (7, 30, 90)),
        *(
            feature(
                f"n_{name}_{days}d",
                Count(source=ACTIVITIES, days=days, where=(is_in("kind", *kinds),)),
                unit="contacts",
                null="activities are not recorded",
                group="activity",
                en=f"{en} in the last {days} days",
                zh=f"近{days}天{zh}次数",
            )
            for name, kinds, en, zh in (
                ("calls", ("call",), "calls", "电话"),
                ("emails", ("email",), "e-mails", "邮件"),
                ("meetings", ("meeting", "demo", "visit"), "meetings, demos and visits", "会面演示拜访"),
                ("web_visits", ("web",), "web visits", "网站访问"),
            )
            for days in (7, 30)
        ),
        feature(
            "n_inbound_30d",
            Count(source=ACTIVITIES, days=30, where=(_CAME_IN,)),
            unit="contacts",
            null="activities are not recorded",
            group="activity",
            en="times the lead reached out in the last 30 days",
            zh="近30天客户主动联系次数",
        ),
        feature(
            "share_of_inbound",
            share(ACTIVITIES, _CAME_IN),
            unit="share",
            null="no contact yet",
            group="activity",
            en="share of contacts that the lead began",
            zh="客户主动联系占比",
        ),
        trend_of_activities(ACTIVITIES),
        days_since_activity(ACTIVITIES),
        feature(
            "days_since_inbound",
            DaysSince(source=ACTIVITIES, where=(_CAME_IN,)),
            unit="days",
            null="the lead never reached out",
            group="timing",
            en="days since the lead last reached out",
            zh="距客户上次主动联系天数",
        ),
        feature(
            "days_since_meeting",
            DaysSince(source=ACTIVITIES, where=(_MEETINGS,)),
            unit="days",
            null="no meeting yet",
            group="timing",
            en="days since the last meeting",
            zh="距上次会面天数",
        ),
        feature(
            "days_since_first_activity",
            DaysSince(source=ACTIVITIES, which="first"),
            unit="days",
            null="no contact yet",
            group="timing",
            en="days since the first contact",
            zh="距首次联系天数",
        ),
        feature(
            "days_since_outbound",
            DaysSince(source=ACTIVITIES, where=(_REACHED_OUT,)),
            unit="days",
            null="nobody reached out yet",
            group="timing",
            en="days since somebody reached out",
            zh="距上次跟进天数",
        ),
        minutes_of_contact(ACTIVITIES),
        feature(
            "mean_minutes",
            Mean(source=ACTIVITIES, column="minutes"),
            unit="minutes",
            null="no timed contact",
            group="activity",
            en="minutes of a contact on average",
            zh="平均沟通分钟数",
        ),
        feature(
            "n_activity_kinds",
            Distinct(source=ACTIVITIES, column="kind"),
            unit="kinds",
            null="activities are not recorded",
            group="activity",
            en="kinds of contact so far",
            zh="联系方式种类数",
        ),
        *last_activity(ACTIVITIES),
        feature(
            "n_owner_changes",
            Count(source=CHANGES, where=(is_in("field", "rep_id"),)),
            unit="changes",
            null="changes are not recorded",
            group="owner",
            en="changes of owner so far",
            zh="负责人变更次数",
        ),
    ),
)


def _flow(prefix: str, source: Source, group: str, en: str, zh: str) -> tuple[Feature, ...]:
    return (
        feature(
            f"n_{prefix}_leads_90d",
            Count(source=source, days=90),
            unit="leads",
            null=f"no {en}",
            group=group,
            en=f"leads of the same {en} in the last 90 days",
            zh=f"同{zh}近90天线索数",
        ),
        feature(
            f"{prefix}_conversion_180d",
            share(source, known("converted_at"), days=180),
            unit="share",
            null="no lead in 180 days",
            group=group,
            en=f"share of the leads of the same {en} created in the last 180 days that were qualified",
            zh=f"同{zh}近180天新线索转化率",
        ),
    )


LEAD_ORIGIN = FeatureGroup(
    name="lead_origin",
    entity="leads",
    doc="How leads of the same channel and campaign fared lately.",
    features=(
        *_flow("channel", CHANNEL_LEADS, "origin", "channel", "渠道"),
        *_flow("campaign", CAMPAIGN_LEADS, "origin", "campaign", "活动"),
    ),
)

LEAD_OWNER = FeatureGroup(
    name="lead_owner",
    entity="leads",
    doc="How busy the owner is and how the owner's leads fared lately.",
    features=(
        *_flow("rep", REP_LEADS, "owner", "owner", "负责人"),
        feature(
            "n_rep_activities_7d",
            Count(source=REP_ACTIVITIES, days=7),
            unit="contacts",
            null="no owner",
            group="owner",
            en="contacts of the owner in the last 7 days",
            zh="负责人近7天联系次数",
        ),
        feature(
            "n_rep_touched_leads_30d",
            Distinct(source=REP_ACTIVITIES, days=30, column="lead_id"),
            unit="leads",
            null="no owner",
            group="owner",
            en="leads the owner worked in the last 30 days",
            zh="负责人近30天跟进线索数",
        ),
    ),
)

GROUPS = (
    LEAD_PROFILE,
    LEAD_ACTIVITY,
    LEAD_ORIGIN,
    LEAD_OWNER,
    season_group("leads", "lead"),
    account_group("leads", "lead_referrer", reach="referrer_account_id", prefix="referrer"),
)
