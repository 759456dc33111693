"""How a customer uses the product beside all others in the same weeks and beside its own usual, season taken out."""

from __future__ import annotations

from features.spec import DaysSince, Feature, FeatureGroup, Last, Mean, Ratio, Source, Sum, feature, is_in

LEVELS = Source(name="use_levels", table="use_levels", key="account_id")
_NO_USE = "no use in that time"
# A ratio is drawn to 1 as if so many more people had been expected: three of five users say little.
_PEOPLE = 20.0


def _against(name: str, column: str, days: int | None, *, en: str, zh: str) -> Feature:
    return feature(
        name,
        Ratio(
            upper=Sum(source=LEVELS, days=days, column="active_users"),
            lower=Sum(source=LEVELS, days=days, column=column),
            pseudo=_PEOPLE,
            prior=1.0,
        ),
        unit="ratio",
        null=_NO_USE if days else "no use",
        group="usage",
        en=en,
        zh=zh,
    )


CUSTOMER_USE = FeatureGroup(
    name="customer_use",
    entity="accounts",
    doc="How the customer uses the product beside all others in the same weeks and beside its own usual.",
    features=(
        _against(
            "use_against_all_30d",
            "expected_of_all",
            30,
            en="use of the last 30 days against that of all customers of its size",
            zh="近30天使用量与同规模全部客户之比",
        ),
        _against(
            "use_against_all_90d",
            "expected_of_all",
            90,
            en="use of the last 90 days against that of all customers of its size",
            zh="近90天使用量与同规模全部客户之比",
        ),
        _against(
            "use_against_all_365d",
            "expected_of_all",
            365,
            en="use of a year against that of all customers of its size",
            zh="近一年使用量与同规模全部客户之比",
        ),
        _against(
            "use_against_all",
            "expected_of_all",
            None,
            en="use since it began against that of all customers of its size",
            zh="累计使用量与同规模全部客户之比",
        ),
        _against(
            "use_against_usual_30d",
            "expected_of_own",
            30,
            en="use of the last 30 days against its own usual, season taken out",
            zh="近30天使用量与自身常态之比（剔除季节）",
        ),
        _against(
            "use_against_usual_90d",
            "expected_of_own",
            90,
            en="use of the last 90 days against its own usual, season taken out",
            zh="近90天使用量与自身常态之比（剔除季节）",
        ),
        feature(
            "last_use_against_all",
            Last(source=LEVELS, column="share_of_all"),
            unit="ratio",
            null="no use",
            group="usage",
            en="latest use against that of all customers of its size",
            zh="最近一次使用量与同规模全部客户之比",
        ),
        feature(
            "trend_of_use_30d",
            Ratio(
                upper=Mean(source=LEVELS, days=30, column="share_of_all"),
                lower=Mean(source=LEVELS, days=120, column="share_of_all"),
            ),
            unit="ratio",
            null=_NO_USE,
            group="usage",
            en="use of the last 30 days against those of 120, season taken out",
            zh="近30天使用量与近120天之比（剔除季节）",
        ),
        feature(
            "days_since_low_use",
            DaysSince(source=LEVELS, where=(is_in("level", "low"),)),
            unit="days",
            null="never below half of its usual",
            group="usage",
            en="days since its use was below half of its usual",
            zh="距使用量低于自身常态一半的天数",
        ),
        feature(
            "days_since_usual_use",
            DaysSince(source=LEVELS, where=(is_in("level", "usual"),)),
            unit="days",
            null="no use",
            group="usage",
            en="days since its use was at least half of its usual",
            zh="距使用量不低于自身常态一半的天数",
        ),
        feature(
            "evidence_of_falling_use",
            Last(source=LEVELS, column="fall_evidence"),
            unit="log units",
            null="no use",
            group="usage",
            en="evidence that its use fell for good, 0 for none",
            zh="使用量持续下滑的证据强度（0为没有）",
        ),
    ),
)
GROUPS = (CUSTOMER_USE,)
