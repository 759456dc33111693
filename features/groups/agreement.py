"""What is known of a running agreement: its terms and age, and how its customer uses the product and complains."""

from __future__ import annotations

from dataclasses import replace

from features.groups.customer import CUSTOMER_SERVICE
from features.groups.customer_money import CUSTOMER_PAYMENT
from features.groups.customer_relation import CUSTOMER_RELATION, CUSTOMER_TROUBLE
from features.groups.customer_use import CUSTOMER_USE
from features.matrix import Kind
from features.spec import AgeDays, Aggregate, Attribute, FeatureGroup, Last, Mean, Ratio, Source, feature

_TABLE = "agreements"

AGREEMENT_TERMS = FeatureGroup(
    name="agreement_terms",
    entity=_TABLE,
    doc="Kind, product, amount and age of the agreement.",
    features=(
        *(
            feature(
                name,
                Attribute(column=name, table=_TABLE),
                kind=Kind.CATEGORY,
                null="not filled in",
                group="terms",
                en=en,
                zh=zh,
            )
            for name, en, zh in (("kind", "kind of agreement", "合同类型"), ("product", "product", "产品"))
        ),
        feature(
            "auto_renews",
            Attribute(column="auto_renews", table=_TABLE),
            kind=Kind.FLAG,
            null="not filled in",
            group="terms",
            en="renews by itself",
            zh="自动续约",
        ),
        feature(
            "net_amount",
            Attribute(column="net_amount", table=_TABLE),
            unit="currency, net",
            group="terms",
            en="amount",
            zh="金额",
        ),
        feature(
            "agreement_age_days",
            AgeDays(column="starts_on", table=_TABLE),
            unit="days",
            group="timing",
            en="days since the agreement began",
            zh="合同已执行天数",
        ),
        feature(
            "days_past_end",
            AgeDays(column="ends_on", table=_TABLE),
            unit="days",
            null="no last day",
            group="timing",
            en="days past its last day, negative before it",
            zh="超过到期日天数（未到为负）",
        ),
    ),
)


# How agreements of the same kind ended: not the customer's doing, but what tells a smaller renewal from none.
_OF_KIND = Source(name="renewals_of_kind", table="renewals", key="kind", reach="kind")
AGREEMENT_KIND = FeatureGroup(
    name="agreement_kind",
    entity=_TABLE,
    doc="How agreements of the same kind ended so far.",
    features=(
        feature(
            "reduced_share_of_kind",
            Last(source=_OF_KIND, column="reduced_share_of_kind"),
            unit="share",
            null="no renewal of its kind yet",
            group="agreement",
            en="share of smaller renewals among the losses of its kind",
            zh="同类合同流失中降额续签的占比",
        ),
        feature(
            "share_cut_of_kind",
            Mean(source=_OF_KIND, column="share_cut"),
            unit="share",
            null="no smaller renewal of its kind yet",
            group="agreement",
            en="share of the amount that smaller renewals of its kind took away",
            zh="同类合同降额续签减少的金额占比",
        ),
    ),
)


def reached_by(group: FeatureGroup, entity: str, name: str, *, reach: str = "account_id") -> FeatureGroup:
    """A group of accounts as one of an entity that names its account; attributes and own rows excepted."""
    features = tuple(
        replace(each, primitive=_through(each.primitive, reach))
        for each in group.features
        if isinstance(each.primitive, Aggregate | Ratio)
    )
    return replace(group, entity=entity, name=name, features=features)


def _through(primitive: Aggregate | Ratio, reach: str) -> Aggregate | Ratio:
    if isinstance(primitive, Ratio):
        upper, lower = primitive.upper, primitive.lower
        source = replace(upper.source, reach=reach)
        return Ratio(upper=replace(upper, source=source), lower=replace(lower, source=source))
    return replace(primitive, source=replace(primitive.source, reach=reach))


GROUPS = (
    AGREEMENT_TERMS,
    AGREEMENT_KIND,
    reached_by(CUSTOMER_SERVICE, _TABLE, "agreement_service"),
    reached_by(CUSTOMER_RELATION, _TABLE, "agreement_relation"),
    reached_by(CUSTOMER_TROUBLE, _TABLE, "agreement_trouble"),
    reached_by(CUSTOMER_USE, _TABLE, "agreement_use"),
    reached_by(CUSTOMER_PAYMENT, _TABLE, "agreement_payment"),
)
