"""How large an account is."""

from __future__ import annotations

from features.spec import Attribute, FeatureGroup, feature

CUSTOMER_SIZE = FeatureGroup(
    name="customer_size",
    entity="accounts",
    doc="How large the customer is.",
    features=(
        feature(
            "employees",
            Attribute(column="employees", table="accounts"),
            unit="people",
            null="not filled in",
            group="account",
            en="employees of the company",
            zh="企业员工数",
        ),
    ),
)
