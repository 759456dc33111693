"""What the lead of an opportunity left behind: how it came, who it was, how long and how lively it went."""

from __future__ import annotations

from features.matrix import Kind
from features.spec import AgeDays, Attribute, Count, Feature, FeatureGroup, Rhythm, Source, feature, is_in, share

_TABLE = "opportunities"
_NO_LEAD = "not from a lead"
LEAD_ACTIVITIES = Source(name="lead_activities", table="activities", key="lead_id", reach="lead_id")
_CAME_IN, _WENT_OUT = is_in("direction", "inbound"), is_in("direction", "outbound")


def _of_lead(column: str) -> Attribute:
    return Attribute(column=column, table="leads", reach="lead_id")


def _categories() -> tuple[Feature, ...]:
    return tuple(
        feature(f"lead_{column}", _of_lead(column), kind=Kind.CATEGORY, null=_NO_LEAD, group="origin", en=en, zh=zh)
        for column, en, zh in (
            ("channel", "channel of its lead", "来源线索渠道"),
            ("campaign", "campaign of its lead", "来源线索营销活动"),
            ("title", "title of its lead's contact", "来源线索联系人职位"),
        )
    )


def _contacts() -> tuple[Feature, ...]:
    return (
        feature(
            "n_lead_contacts_in",
            Count(source=LEAD_ACTIVITIES, where=(_CAME_IN,)),
            unit="contacts",
            null=_NO_LEAD,
            group="origin",
            en="contacts that the customer began while it was a lead",
            zh="线索阶段客户主动联系次数",
        ),
        feature(
            "n_lead_contacts_out",
            Count(source=LEAD_ACTIVITIES, where=(_WENT_OUT,)),
            unit="contacts",
            null=_NO_LEAD,
            group="origin",
            en="contacts that we began while it was a lead",
            zh="线索阶段我方联系次数",
        ),
        feature(
            "n_lead_meetings",
            Count(source=LEAD_ACTIVITIES, where=(is_in("kind", "meeting", "demo", "visit"),)),
            unit="contacts",
            null=_NO_LEAD,
            group="origin",
            en="meetings, demos and visits while it was a lead",
            zh="线索阶段会面演示拜访次数",
        ),
        feature(
            "share_of_lead_inbound",
            share(LEAD_ACTIVITIES, _CAME_IN),
            unit="share",
            null="no contact as a lead",
            group="origin",
            en="share of its lead's contacts that the customer began",
            zh="线索阶段客户主动联系占比",
        ),
    )


def _gaps() -> tuple[Feature, ...]:
    """How lively the lead was: few contacts of a short life stand closer than many of a long one."""
    return tuple(
        feature(
            name,
            Rhythm(source=LEAD_ACTIVITIES, where=where, what="gap", usual_days=7.0),
            unit="days",
            null="no such contact as a lead",
            group="origin",
            en=en,
            zh=zh,
        )
        for name, where, en, zh in (
            ("lead_contact_gap", (), "mean days between contacts as a lead", "线索阶段平均联系间隔天数"),
            (
                "lead_inbound_gap",
                (_CAME_IN,),
                "mean days between contacts that the customer began as a lead",
                "线索阶段客户主动联系平均间隔天数",
            ),
            (
                "lead_outbound_gap",
                (_WENT_OUT,),
                "mean days between contacts that we began while it was a lead",
                "线索阶段我方联系平均间隔天数",
            ),
        )
    )


OPPORTUNITY_ORIGIN = FeatureGroup(
    name="opportunity_origin",
    entity=_TABLE,
    doc="What the lead it came from left behind.",
    features=(
        *_categories(),
        feature(
            "lead_age_days",
            AgeDays(column="created_at", table="leads", reach="lead_id"),
            unit="days",
            null=_NO_LEAD,
            group="origin",
            en="days since its lead was created",
            zh="来源线索建档天数",
        ),
        *_contacts(),
        *_gaps(),
    ),
)
