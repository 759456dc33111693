"""What is known of an account and a product line together, as people read it; computed in `features.line_panel`."""

from __future__ import annotations

from features.matrix import Field, Kind

_OWN, _OTHERS = "line_history", "line_demand"


def _number(name: str, en: str, zh: str, *, unit: str, group: str, null: str = "unknown") -> Field:
    return Field(name=name, kind=Kind.NUMBER, unit=unit, null_meaning=null, group=group, phrase_en=en, phrase_zh=zh)


LINE_FIELDS: tuple[Field, ...] = (
    Field(name="line", kind=Kind.CATEGORY, group=_OTHERS, phrase_en="product line", phrase_zh="产品线"),
    Field(
        name="is_last_line",
        kind=Kind.FLAG,
        null_meaning="never bought",
        group=_OWN,
        phrase_en="bought last",
        phrase_zh="最近一次购买的产品线",
    ),
    _number(
        "days_since_line",
        "days since the line was last bought",
        "距上次购买该产品线天数",
        unit="days",
        group=_OWN,
        null="never bought",
    ),
    _number(
        "line_gap_over_habit",
        "time since the line was last bought against the usual gap",
        "距上次购买该产品线时间与通常间隔之比",
        unit="times the usual gap",
        group=_OWN,
        null="never bought",
    ),
    _number("n_line_days", "days on which the line was bought so far", "累计购买该产品线天数", unit="days", group=_OWN),
    _number(
        "n_line_days_365d",
        "days of the last 365 on which the line was bought",
        "近365天购买该产品线天数",
        unit="days",
        group=_OWN,
    ),
    _number(
        "share_of_line",
        "share of the account's purchases that were of the line",
        "该产品线占客户购买次数比例",
        unit="share",
        group=_OWN,
    ),
    _number("days_since_any_line", "days since anything was bought", "距上次购买天数", unit="days", group="habit"),
    _number("n_purchases_365d", "purchases of the last 365 days", "近365天购买次数", unit="purchases", group="habit"),
    _number("n_lines_owned", "product lines bought so far", "已购产品线数", unit="lines", group="habit"),
    _number(
        "share_of_accounts_buying",
        "share of all customers who lately bought the line",
        "近期购买该产品线的客户占比",
        unit="share",
        group=_OTHERS,
        null="nobody could have bought yet",
    ),
    _number(
        "share_of_segment_buying",
        "share of customers of the same industry, region and size who lately bought the line",
        "同行业、地区、规模客户近期购买该产品线占比",
        unit="share",
        group=_OTHERS,
        null="nobody could have bought yet",
    ),
    _number(
        "share_of_alike_buying",
        "share of the most similar customers who lately bought the line",
        "相似客户近期购买该产品线占比",
        unit="share",
        group=_OTHERS,
        null="nobody could have bought yet",
    ),
    _number(
        "lift_of_owned_lines",
        "how many times likelier customers with a line of the account's own are to have this line",
        "拥有客户已有产品线者购买该产品线的倍数",
        unit="ratio",
        group=_OTHERS,
        null="no other line",
    ),
)
