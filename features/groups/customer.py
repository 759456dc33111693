"""What is known of a customer who may leave: its purchases against its own habit, how it uses and rates us."""

from __future__ import annotations

from crm.customer_history import USUAL_GAP_DAYS
from features.groups.season import season_group
from features.matrix import Kind
from features.spec import (
    Attribute,
    Count,
    DaysSince,
    Distinct,
    Feature,
    FeatureGroup,
    Last,
    Mean,
    Ratio,
    Rhythm,
    Source,
    Sum,
    Trend,
    feature,
    is_in,
    negative,
    not_negative,
    share,
    unknown,
)

_TABLE = "accounts"
# What a line or an agreement said when it was booked was known from then on, whatever was written over it.
ORDERS = Source(name="orders", table="orders", key="account_id", first=("net_amount",))
RECEIPTS = Source(name="receipts", table="receipts", key="account_id")
USAGE = Source(name="usage", table="usage", key="account_id")
TICKETS = Source(name="tickets", table="tickets", key="account_id")
SURVEYS = Source(name="surveys", table="surveys", key="account_id")
AGREEMENTS = Source(name="agreements", table="agreements", key="account_id", first=("net_amount", "ends_on"))
_BOUGHT = (not_negative("quantity"),)


def _profile() -> tuple[Feature, ...]:
    return tuple(
        feature(
            column,
            Attribute(column=column, table=_TABLE),
            kind=Kind.CATEGORY,
            null="not filled in",
            group="account",
            en=en,
            zh=zh,
        )
        for column, en, zh in (
            ("industry", "industry", "行业"),
            ("region", "region", "地区"),
            ("buyer_type", "kind of buyer", "客户类型"),
        )
    )


CUSTOMER_PROFILE = FeatureGroup(
    name="customer_profile", entity=_TABLE, doc="What the customer is.", features=_profile()
)


def _days_bought(days: int) -> Feature:
    return feature(
        f"n_purchase_days_{days}d",
        Rhythm(source=ORDERS, days=days, where=_BOUGHT, what="days"),
        unit="days",
        null="orders are not recorded",
        group="habit",
        en=f"days with a purchase in the last {days} days",
        zh=f"近{days}天下单天数",
    )


_HABIT: tuple[Feature, ...] = (
    feature(
        "days_since_purchase",
        DaysSince(source=ORDERS, where=_BOUGHT),
        unit="days",
        null="never bought",
        group="habit",
        en="days since the last purchase",
        zh="距上次下单天数",
    ),
    feature(
        "days_since_first_purchase",
        DaysSince(source=ORDERS, where=_BOUGHT, which="first"),
        unit="days",
        null="never bought",
        group="habit",
        en="days since the first purchase",
        zh="距首次下单天数",
    ),
    feature(
        "usual_gap_days",
        Rhythm(source=ORDERS, where=_BOUGHT, what="gap", usual_days=USUAL_GAP_DAYS),
        unit="days",
        null="never bought",
        group="habit",
        en="usual days between purchases",
        zh="平均下单间隔天数",
    ),
    feature(
        "gap_over_habit",
        Rhythm(source=ORDERS, where=_BOUGHT, what="overdue", usual_days=USUAL_GAP_DAYS),
        unit="times the usual gap",
        null="never bought",
        group="habit",
        en="time since the last purchase against the usual gap",
        zh="距上次下单时间与平均间隔之比",
    ),
    *(_days_bought(days) for days in (30, 90, 180, 365)),
    *(
        feature(
            f"trend_of_orders_{days}d",
            Trend(source=ORDERS, days=days, where=_BOUGHT),
            unit="-1 to 1",
            null=f"no order line in {2 * days} days",
            group="habit",
            en=f"change of pace against the {days} days before",
            zh=f"下单频率变化（对比前{days}天）",
        )
        for days in (30, 90)
    ),
)


_VOLUME: tuple[Feature, ...] = (
    *(
        feature(
            f"n_order_lines_{days}d",
            Count(source=ORDERS, days=days, where=_BOUGHT),
            unit="order lines",
            null="orders are not recorded",
            group="volume",
            en=f"order lines in the last {days} days",
            zh=f"近{days}天订单行数",
        )
        for days in (90, 365)
    ),
    *(
        feature(
            f"pieces_{days}d",
            Sum(source=ORDERS, days=days, where=_BOUGHT, column="quantity"),
            unit="pieces",
            null="nothing bought",
            group="volume",
            en=f"pieces bought in the last {days} days",
            zh=f"近{days}天购买件数",
        )
        for days in (90, 365)
    ),
    feature(
        "n_products_365d",
        Distinct(source=ORDERS, days=365, where=_BOUGHT, column="product"),
        unit="products",
        null="orders are not recorded",
        group="volume",
        en="different products bought in the last 365 days",
        zh="近365天购买产品种类数",
    ),
    feature(
        "mean_pieces",
        Mean(source=ORDERS, where=_BOUGHT, column="quantity"),
        unit="pieces",
        null="nothing bought",
        group="volume",
        en="pieces of an order line on average",
        zh="平均每行购买件数",
    ),
    feature(
        "share_of_returns",
        share(ORDERS, negative("quantity"), days=365),
        unit="share",
        null="no order in a year",
        group="service",
        en="share of order lines of the last 365 days that are returns",
        zh="近365天退货行占比",
    ),
    feature(
        "receipts_365d",
        Sum(source=RECEIPTS, days=365, column="gross_amount"),
        unit="currency, gross",
        null="nothing received",
        group="volume",
        en="money received in the last 365 days",
        zh="近365天回款额",
    ),
    feature(
        "days_since_receipt",
        DaysSince(source=RECEIPTS),
        unit="days",
        null="nothing received",
        group="volume",
        en="days since money last came in",
        zh="距上次回款天数",
    ),
)


CUSTOMER_PURCHASES = FeatureGroup(
    name="customer_purchases",
    entity=_TABLE,
    doc="How often and how much the customer buys, and whether it is overdue by its own habit.",
    features=(*_HABIT, *_VOLUME),
)


_USE: tuple[Feature, ...] = (
    feature(
        "days_since_use",
        DaysSince(source=USAGE),
        unit="days",
        null="use is not recorded",
        group="usage",
        en="days since the product was last used",
        zh="距上次使用天数",
    ),
    feature(
        "events_30d",
        Sum(source=USAGE, days=30, column="events"),
        unit="events",
        null="no use",
        group="usage",
        en="use in the last 30 days",
        zh="近30天使用量",
    ),
    feature(
        "share_of_use_30d",
        Ratio(upper=Sum(source=USAGE, days=30, column="events"), lower=Sum(source=USAGE, days=90, column="events")),
        unit="share",
        null="no use in 90 days",
        group="usage",
        en="share of the use of 90 days that fell into the last 30",
        zh="近30天使用量占近90天比例",
    ),
    feature(
        "users_against_before",
        Ratio(
            upper=Mean(source=USAGE, days=30, column="active_users"),
            lower=Mean(source=USAGE, days=180, column="active_users"),
        ),
        unit="ratio",
        null="no use on record",
        group="usage",
        en="users of the last 30 days against those of 180",
        zh="近30天活跃用户与近180天之比",
    ),
    feature(
        "share_of_seats_used",
        Ratio(
            upper=Mean(source=USAGE, days=30, column="active_users"),
            lower=Mean(source=USAGE, days=30, column="licensed_seats"),
        ),
        unit="share",
        null="no use of seats on record",
        group="usage",
        en="share of paid seats in use",
        zh="席位使用率",
    ),
)


_SERVICE: tuple[Feature, ...] = (
    feature(
        "n_tickets_90d",
        Count(source=TICKETS, days=90),
        unit="tickets",
        null="tickets are not recorded",
        group="service",
        en="tickets in the last 90 days",
        zh="近90天工单数",
    ),
    feature(
        "n_severe_tickets_90d",
        Count(source=TICKETS, days=90, where=(is_in("severity", "high", "urgent"),)),
        unit="tickets",
        null="tickets are not recorded",
        group="service",
        en="severe tickets in the last 90 days",
        zh="近90天严重工单数",
    ),
    feature(
        "n_open_tickets",
        Count(source=TICKETS, where=(unknown("closed_at"),)),
        unit="tickets",
        null="tickets are not recorded",
        group="service",
        en="open tickets",
        zh="未结工单数",
    ),
    feature(
        "satisfaction",
        Mean(source=TICKETS, column="satisfaction"),
        unit="points",
        null="never stated",
        group="service",
        en="satisfaction with tickets",
        zh="工单满意度",
    ),
    feature(
        "last_nps",
        Last(source=SURVEYS, column="nps"),
        unit="points",
        null="never answered",
        group="service",
        en="latest likelihood to recommend",
        zh="最近一次推荐意愿",
    ),
    feature(
        "n_agreements_begun",
        Count(source=AGREEMENTS),
        unit="agreements",
        null="agreements are not recorded",
        group="agreement",
        en="agreements begun so far",
        zh="累计签约数",
    ),
    feature(
        "days_since_agreement",
        DaysSince(source=AGREEMENTS),
        unit="days",
        null="no agreement",
        group="agreement",
        en="days since the latest agreement",
        zh="距最近签约天数",
    ),
)


CUSTOMER_SERVICE = FeatureGroup(
    name="customer_service",
    entity=_TABLE,
    doc="How the customer uses the product, what it complained about and what it signed.",
    features=(*_USE, *_SERVICE),
)

# Customers are asked about at months' beginnings only: weekday and quarter are then those of a few dates.
_SEASON = season_group(_TABLE, "customer", without=("weekday", "days_to_quarter_end"))
GROUPS = (CUSTOMER_PROFILE, CUSTOMER_PURCHASES, CUSTOMER_SERVICE, _SEASON)
