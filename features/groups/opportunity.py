"""What is known of an open opportunity: its terms, its way through the stages, what was done with it, who has it."""

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
    Drift,
    Feature,
    FeatureGroup,
    Ratio,
    Source,
    feature,
    is_in,
    known,
    share,
    unknown,
)

_TABLE = "opportunities"
ACTIVITIES = Source(name="activities", table="activities", key="opportunity_id")
CHANGES = Source(name="changes", table="changes", key="entity_id", where=(is_in("entity", _TABLE),))
REP_DEALS = Source(name="rep_deals", table=_TABLE, key="rep_id", reach="rep_id")
REP_ACTIVITIES = Source(name="rep_activities", table="activities", key="rep_id", reach="rep_id")
_CAME_IN, _WENT_OUT = is_in("direction", "inbound"), is_in("direction", "outbound")
_MET = is_in("kind", "meeting", "demo", "visit")


def _own(column: str) -> Attribute:
    return Attribute(column=column, table=_TABLE)


def _categories() -> tuple[Feature, ...]:
    return tuple(
        feature(column, _own(column), kind=Kind.CATEGORY, null="not filled in", group=group, en=en, zh=zh)
        for column, group, en, zh in (
            ("stage", "stage", "stage", "销售阶段"),
            ("forecast_category", "stage", "the owner's call", "预测类别"),
            ("product", "terms", "product", "产品"),
            ("competitor", "terms", "named competitor", "竞争对手"),
            ("partner_id", "origin", "partner", "渠道伙伴"),
            ("rep_id", "owner", "owner", "负责人"),
        )
    )


def _ages() -> tuple[Feature, ...]:
    return (
        feature(
            "opportunity_age_days",
            AgeDays(column="created_at", table=_TABLE),
            unit="days",
            group="timing",
            en="age of the opportunity",
            zh="商机存续天数",
        ),
        feature(
            "days_in_stage",
            DaysInState(column="stage", table=_TABLE),
            unit="days",
            group="timing",
            en="days in the present stage",
            zh="当前阶段停留天数",
        ),
        feature(
            "days_past_expected_close",
            AgeDays(column="expected_close_on", table=_TABLE),
            unit="days",
            null="no expected day",
            group="timing",
            en="days past the expected close, negative before it",
            zh="超过预计成交日天数（未到为负）",
        ),
        feature(
            "days_past_tender",
            AgeDays(column="tender_on", table=_TABLE),
            unit="days",
            null="no tender",
            group="timing",
            en="days past the tender, negative before it",
            zh="距开标日天数（未到为负）",
        ),
    )


OPPORTUNITY_PROFILE = FeatureGroup(
    name="opportunity_profile",
    entity=_TABLE,
    doc="The terms of the opportunity and where it stands.",
    features=(
        *_categories(),
        feature("net_amount", _own("net_amount"), unit="currency, net", group="terms", en="amount", zh="金额"),
        feature(
            "list_amount", _own("list_amount"), unit="currency, net", group="terms", en="list amount", zh="目录价金额"
        ),
        feature("discount", _own("discount"), unit="share", group="terms", en="discount off list", zh="折扣"),
        *_ages(),
    ),
)


def _changed(field: str, name: str, en: str, zh: str) -> Feature:
    return feature(
        name,
        Count(source=CHANGES, where=(is_in("field", field),)),
        unit="changes",
        null="changes are not recorded",
        group="stage",
        en=en,
        zh=zh,
    )


OPPORTUNITY_CHANGES = FeatureGroup(
    name="opportunity_changes",
    entity=_TABLE,
    doc="How the opportunity moved so far.",
    features=(
        _changed("stage", "n_stage_changes", "changes of stage so far", "阶段变更次数"),
        _changed(
            "expected_close_on", "n_close_date_changes", "changes of the expected close so far", "预计成交日变更次数"
        ),
        _changed("net_amount", "n_amount_changes", "changes of the amount so far", "金额变更次数"),
        _changed("rep_id", "n_owner_changes", "changes of owner so far", "负责人变更次数"),
        feature(
            "days_close_pushed",
            Drift(column="expected_close_on", table=_TABLE),
            unit="days",
            null="no expected day",
            group="stage",
            en="how far the expected close was put off, negative when brought forward",
            zh="预计成交日累计推迟天数（提前为负）",
        ),
        feature(
            "n_close_date_changes_60d",
            Count(source=CHANGES, days=60, where=(is_in("field", "expected_close_on"),)),
            unit="changes",
            null="changes are not recorded",
            group="stage",
            en="changes of the expected close in the last 60 days",
            zh="近60天预计成交日变更次数",
        ),
        feature(
            "amount_drift",
            Drift(column="net_amount", table=_TABLE),
            unit="share",
            null="no amount",
            group="terms",
            en="change of the amount since it was first stated",
            zh="金额较首次填写的变化幅度",
        ),
        feature(
            "share_of_new_stages",
            Ratio(
                upper=Distinct(source=CHANGES, column="new_value", where=(is_in("field", "stage"),)),
                lower=Count(source=CHANGES, where=(is_in("field", "stage"),)),
            ),
            unit="share",
            null="no change of stage",
            group="stage",
            en="share of stage changes that entered a new stage, low after moves back",
            zh="进入新阶段的变更占比（有回退则偏低）",
        ),
        feature(
            "days_since_change",
            DaysSince(source=CHANGES),
            unit="days",
            null="never changed",
            group="stage",
            en="days since anything was changed",
            zh="距上次更新天数",
        ),
    ),
)


def _paces() -> tuple[Feature, ...]:
    """Contacts by kind per day: ten in a fortnight say more than ten in a year."""
    return tuple(
        feature(
            name,
            Ratio(
                upper=Count(source=ACTIVITIES, where=(of,)),
                lower=DaysSince(source=ACTIVITIES, which="first"),
                # A first contact of yesterday is no pace yet.
                pseudo=7.0,
            ),
            unit="contacts per day",
            null="no contact yet",
            group="activity",
            en=en,
            zh=zh,
        )
        for name, of, en, zh in (
            ("pace_of_inbound", _CAME_IN, "pace of contacts that the customer began", "客户主动联系频率"),
            ("pace_of_outbound", _WENT_OUT, "pace of contacts that we began", "我方联系频率"),
            ("pace_of_meetings", _MET, "pace of meetings, demos and visits", "会面演示拜访频率"),
        )
    )


OPPORTUNITY_ACTIVITY = FeatureGroup(
    name="opportunity_activity",
    entity=_TABLE,
    doc="What was done with the opportunity.",
    features=(
        *(n_activities(ACTIVITIES, days) for days in (7, 30, 90)),
        feature(
            "n_meetings_30d",
            Count(source=ACTIVITIES, days=30, where=(_MET,)),
            unit="contacts",
            null="activities are not recorded",
            group="activity",
            en="meetings, demos and visits in the last 30 days",
            zh="近30天会面演示拜访次数",
        ),
        feature(
            "n_contacts_in",
            Count(source=ACTIVITIES, where=(_CAME_IN,)),
            unit="contacts",
            null="activities are not recorded",
            group="activity",
            en="contacts that the customer began so far",
            zh="客户主动联系总次数",
        ),
        feature(
            "n_meetings",
            Count(source=ACTIVITIES, where=(_MET,)),
            unit="contacts",
            null="activities are not recorded",
            group="activity",
            en="meetings, demos and visits so far",
            zh="会面演示拜访总次数",
        ),
        feature(
            "share_of_inbound",
            share(ACTIVITIES, _CAME_IN),
            unit="share",
            null="no contact yet",
            group="activity",
            en="share of contacts that the customer began",
            zh="客户主动联系占比",
        ),
        *_paces(),
        trend_of_activities(ACTIVITIES),
        days_since_activity(ACTIVITIES),
        minutes_of_contact(ACTIVITIES),
        feature(
            "n_people_on_it",
            Distinct(source=ACTIVITIES, column="rep_id"),
            unit="people",
            null="activities are not recorded",
            group="activity",
            en="people of ours who worked on it",
            zh="参与跟进人数",
        ),
        *last_activity(ACTIVITIES),
    ),
)

OPPORTUNITY_OWNER = FeatureGroup(
    name="opportunity_owner",
    entity=_TABLE,
    doc="How busy the owner is and how the owner's deals fared lately.",
    features=(
        feature(
            "n_rep_deals_180d",
            Count(source=REP_DEALS, days=180),
            unit="opportunities",
            null="no owner",
            group="owner",
            en="opportunities the owner began in the last 180 days",
            zh="负责人近180天新商机数",
        ),
        feature(
            "rep_closed_share_365d",
            share(REP_DEALS, known("closed_at"), days=365),
            unit="share",
            null="no opportunity in a year",
            group="owner",
            en="share of the owner's opportunities of a year that are closed",
            zh="负责人近一年商机关闭占比",
        ),
        feature(
            "rep_won_share_365d",
            share(REP_DEALS, is_in("outcome", "won"), days=365),
            unit="share",
            null="no opportunity in a year",
            group="owner",
            en="share of the owner's opportunities of a year that are won",
            zh="负责人近一年商机赢单占比",
        ),
        feature(
            "rep_win_rate",
            # Few deals say little of a person: six more of which one in three is won are counted in.
            Ratio(
                upper=Count(source=REP_DEALS, days=730, at="closed_at", where=(is_in("outcome", "won"),)),
                lower=Count(source=REP_DEALS, days=730, at="closed_at", where=(is_in("outcome", "won", "lost"),)),
                pseudo=6.0,
                prior=1 / 3,
            ),
            unit="share",
            null="no owner",
            group="owner",
            en="win rate of the owner over two years, few deals counted with care",
            zh="负责人近两年赢单率（样本少时趋向常见水平）",
        ),
        feature(
            "n_open_deals_of_rep",
            Count(source=REP_DEALS, where=(unknown("closed_at"),)),
            unit="opportunities",
            null="no owner",
            group="owner",
            en="open opportunities that the owner holds",
            zh="负责人在手商机数",
        ),
        feature(
            "n_rep_activities_7d",
            Count(source=REP_ACTIVITIES, days=7),
            unit="contacts",
            null="no owner",
            group="owner",
            en="contacts of the owner in the last 7 days",
            zh="负责人近7天联系次数",
        ),
    ),
)

GROUPS = (
    OPPORTUNITY_PROFILE,
    OPPORTUNITY_CHANGES,
    OPPORTUNITY_ACTIVITY,
    OPPORTUNITY_OWNER,
    account_group(_TABLE, "opportunity_account"),
    season_group(_TABLE, "opportunity"),
)
