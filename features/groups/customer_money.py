"""What a customer is worth and how it pays: orders as they were first booked, and invoices settled late."""

from __future__ import annotations

from features.groups.customer import AGREEMENTS, ORDERS
from features.spec import (
    Count,
    Feature,
    FeatureGroup,
    Last,
    Mean,
    Ratio,
    Source,
    Sum,
    feature,
    is_in,
    known,
    not_negative,
)

_TABLE = "accounts"
SETTLED = Source(name="settlements", table="settlements", key="account_id")
_BOUGHT = (not_negative("quantity"),)


def _money(days: int) -> Feature:
    return feature(
        f"order_money_{days}d",
        Sum(source=ORDERS, days=days, where=_BOUGHT, column="net_amount"),
        unit="currency, net",
        null="nothing ordered",
        group="volume",
        en=f"money ordered in the last {days} days",
        zh=f"近{days}天下单金额",
    )


_ORDERED: tuple[Feature, ...] = (
    _money(90),
    _money(365),
    feature(
        "share_of_money_90d",
        Ratio(
            upper=Sum(source=ORDERS, days=90, where=_BOUGHT, column="net_amount"),
            lower=Sum(source=ORDERS, days=365, where=_BOUGHT, column="net_amount"),
        ),
        unit="share",
        null="nothing ordered in a year",
        group="volume",
        en="share of the money of 365 days that was ordered in the last 90",
        zh="近90天下单金额占近365天比例",
    ),
    feature(
        "mean_order_money",
        Mean(source=ORDERS, where=_BOUGHT, column="net_amount"),
        unit="currency, net",
        null="never ordered",
        group="volume",
        en="money of an order line on average",
        zh="平均每行下单金额",
    ),
    feature(
        "last_order_money",
        Last(source=ORDERS, where=_BOUGHT, column="net_amount"),
        unit="currency, net",
        null="never ordered",
        group="volume",
        en="money of the latest order line",
        zh="最近一行下单金额",
    ),
    feature(
        "agreement_money_365d",
        Sum(source=AGREEMENTS, days=365, column="net_amount"),
        unit="currency, net",
        null="nothing signed in a year",
        group="agreement",
        en="money of the agreements signed in the last 365 days",
        zh="近365天签约金额",
    ),
)

_PAID: tuple[Feature, ...] = (
    feature(
        "share_paid_late_365d",
        Ratio(
            upper=Count(source=SETTLED, days=365, where=(is_in("timing", "late"),)),
            lower=Count(source=SETTLED, days=365, where=(known("timing"),)),
        ),
        unit="share",
        null="no invoice settled",
        group="payment",
        en="share of its invoices of a year that were paid late",
        zh="近一年逾期回款发票占比",
    ),
)

CUSTOMER_MONEY = FeatureGroup(
    name="customer_money",
    entity=_TABLE,
    doc="How much the customer orders and signs, whether that grows, and how late it pays.",
    features=(*_ORDERED, *_PAID),
)
CUSTOMER_PAYMENT = FeatureGroup(
    name="customer_payment", entity=_TABLE, doc="How late the customer pays.", features=_PAID
)

GROUPS = (CUSTOMER_MONEY,)
