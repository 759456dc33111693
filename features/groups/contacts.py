"""What every entity that people work on has in common: how often, how lately and how it was contacted."""

from __future__ import annotations

from features.matrix import Kind
from features.spec import Count, DaysSince, Feature, Last, Source, Sum, Trend, feature


def n_activities(source: Source, days: int) -> Feature:
    """Contacts within a window."""
    return feature(
        f"n_activities_{days}d",
        Count(source=source, days=days),
        unit="contacts",
        null="activities are not recorded",
        group="activity",
        en=f"contacts in the last {days} days",
        zh=f"近{days}天联系次数",
    )


def trend_of_activities(source: Source) -> Feature:
    """Whether contacts have become more or fewer, -1 to 1."""
    return feature(
        "trend_of_activities_30d",
        Trend(source=source, days=30),
        unit="-1 to 1",
        null="no contact in 60 days",
        group="activity",
        en="change of pace against the 30 days before",
        zh="联系频率变化（对比前30天）",
    )


def days_since_activity(source: Source) -> Feature:
    """How long ago the last contact was."""
    return feature(
        "days_since_activity",
        DaysSince(source=source),
        unit="days",
        null="no contact yet",
        group="timing",
        en="days since the last contact",
        zh="距上次联系天数",
    )


def minutes_of_contact(source: Source) -> Feature:
    """How long the contacts of 90 days took."""
    return feature(
        "minutes_90d",
        Sum(source=source, days=90, column="minutes"),
        unit="minutes",
        null="no timed contact",
        group="activity",
        en="minutes of contact in the last 90 days",
        zh="近90天沟通分钟数",
    )


def last_activity(source: Source) -> tuple[Feature, Feature]:
    """Kind and outcome of the last contact."""
    return (
        feature(
            "last_activity_kind",
            Last(source=source, column="kind"),
            kind=Kind.CATEGORY,
            null="no contact yet",
            group="activity",
            en="kind of the last contact",
            zh="最近一次联系方式",
        ),
        feature(
            "last_activity_outcome",
            Last(source=source, column="outcome"),
            kind=Kind.CATEGORY,
            null="no stated outcome yet",
            group="activity",
            en="outcome of the last contact",
            zh="最近一次联系结果",
        ),
    )
