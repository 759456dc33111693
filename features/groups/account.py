"""What is known of the account behind an entity: who it is, what it bought, paid and complained about."""

from __future__ import annotations

from features.matrix import Kind
from features.spec import (
    AgeDays,
    Attribute,
    Count,
    DaysSince,
    Feature,
    FeatureGroup,
    Mean,
    Source,
    Sum,
    feature,
    is_in,
    unknown,
)

_NO_ACCOUNT = "no account"


def account_group(entity: str, name: str, *, reach: str = "account_id", prefix: str = "account") -> FeatureGroup:
    """The features of an account of `entity`, as a group of that entity.

    Parameters
    ----------
    entity : str
        Table of the entity.
    name : str
        Name of the group.
    reach : str
        Column of the entity that names the account: its own, or the one that referred it.
    prefix : str
        First word of the fields' names; sources of another account than the own one begin with it.
    """
    own = "" if prefix == "account" else f"{prefix}_"
    sources = {
        table: Source(name=f"{own}{table}", table=table, key="account_id", reach=reach)
        for table in ("orders", "receipts", "tickets")
    }
    deals = Source(name=f"{own}past_deals", table="opportunities", key="account_id", reach=reach)
    return FeatureGroup(
        name=name,
        entity=entity,
        doc=f"What the {_called(prefix)[0]} is, and what it bought, paid and complained about.",
        features=(*_facts(reach, prefix), *_dealings(sources, prefix), *_relations(sources, deals, prefix)),
    )


def _called(prefix: str) -> tuple[str, str]:
    return ("account", "客户") if prefix == "account" else ("customer that referred it", "转介绍客户")


def _facts(reach: str, prefix: str) -> tuple[Feature, ...]:
    called, zh_called = _called(prefix)

    def fact(column: str) -> Attribute:
        return Attribute(column=column, table="accounts", reach=reach)

    return (
        *(
            feature(
                f"{prefix}_{column}", fact(column), kind=Kind.CATEGORY, null=_NO_ACCOUNT, group="account", en=en, zh=zh
            )
            for column, en, zh in (
                ("industry", f"industry of the {called}", f"{zh_called}行业"),
                ("region", f"region of the {called}", f"{zh_called}地区"),
                ("buyer_type", f"kind of buyer of the {called}", f"{zh_called}类型"),
            )
        ),
        feature(
            f"{prefix}_employees",
            fact("employees"),
            unit="people",
            null=_NO_ACCOUNT,
            group="account",
            en=f"employees of the {called}",
            zh=f"{zh_called}员工数",
        ),
        feature(
            f"{prefix}_age_days",
            AgeDays(column="created_at", table="accounts", reach=reach),
            unit="days",
            null=_NO_ACCOUNT,
            group="account",
            en=f"days since the {called} was created",
            zh=f"{zh_called}建档天数",
        ),
    )


def _dealings(sources: dict[str, Source], prefix: str) -> tuple[Feature, ...]:
    called, zh_called = _called(prefix)
    return (
        feature(
            f"n_{prefix}_orders_365d",
            Count(source=sources["orders"], days=365),
            unit="order lines",
            null=_NO_ACCOUNT,
            group="history",
            en=f"order lines of the {called} in the last 365 days",
            zh=f"{zh_called}近365天订单行数",
        ),
        feature(
            f"days_since_{prefix}_order",
            DaysSince(source=sources["orders"]),
            unit="days",
            null="never ordered",
            group="history",
            en=f"days since the {called} last ordered",
            zh=f"距{zh_called}上次下单天数",
        ),
        feature(
            f"{prefix}_receipts_365d",
            Sum(source=sources["receipts"], days=365, column="gross_amount"),
            unit="currency, gross",
            null="nothing received",
            group="history",
            en=f"money received from the {called} in the last 365 days",
            zh=f"{zh_called}近365天回款额",
        ),
    )


def _relations(sources: dict[str, Source], deals: Source, prefix: str) -> tuple[Feature, ...]:
    called, zh_called = _called(prefix)
    return (
        feature(
            f"n_{prefix}_deals_won",
            Count(source=deals, where=(is_in("outcome", "won"),)),
            unit="opportunities",
            null=_NO_ACCOUNT,
            group="history",
            en=f"opportunities the {called} gave us before",
            zh=f"{zh_called}历史赢单数",
        ),
        feature(
            f"n_{prefix}_deals_lost",
            Count(source=deals, where=(is_in("outcome", "lost"),)),
            unit="opportunities",
            null=_NO_ACCOUNT,
            group="history",
            en=f"opportunities lost with the {called} before",
            zh=f"{zh_called}历史输单数",
        ),
        feature(
            f"n_{prefix}_open_tickets",
            Count(source=sources["tickets"], where=(unknown("closed_at"),)),
            unit="tickets",
            null=_NO_ACCOUNT,
            group="service",
            en=f"open tickets of the {called}",
            zh=f"{zh_called}未结工单数",
        ),
        feature(
            f"{prefix}_satisfaction",
            Mean(source=sources["tickets"], column="satisfaction"),
            unit="points",
            null="never stated",
            group="service",
            en=f"satisfaction of the {called} with its tickets",
            zh=f"{zh_called}工单满意度",
        ),
    )
