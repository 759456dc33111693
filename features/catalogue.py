"""Every feature group and field of the house."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm.schema import DType
from features.custom import custom_field
from features.groups import (
    agreement,
    customer,
    customer_money,
    customer_relation,
    customer_use,
    invoice,
    lead,
    opportunity,
)
from features.groups.opportunity_origin import OPPORTUNITY_ORIGIN
from features.groups.size import CUSTOMER_SIZE
from features.line_fields import LINE_FIELDS
from features.matrix import Field, Grade
from features.spec import AgeDays, Attribute, Feature, FeatureGroup, feature

GROUPS: dict[str, FeatureGroup] = {
    group.name: group
    for group in (
        *lead.GROUPS,
        *opportunity.GROUPS,
        OPPORTUNITY_ORIGIN,
        *invoice.GROUPS,
        *customer.GROUPS,
        *customer_money.GROUPS,
        *customer_relation.GROUPS,
        *customer_use.GROUPS,
        CUSTOMER_SIZE,
        *agreement.GROUPS,
    )
}
FIELDS: dict[str, tuple[Field, ...]] = {
    **{name: group.fields for name, group in GROUPS.items()},
    # Of an account and a product line together, which no group of one entity can state.
    "account_and_line": LINE_FIELDS,
}


class UnknownGroup(KeyError):
    """A name that no feature group has."""

    def __str__(self) -> str:
        """The message without the quotes that KeyError adds."""
        return str(self.args[0])


def group_named(name: str) -> FeatureGroup:
    """The feature group of that name.

    Raises
    ------
    UnknownGroup
        No group has that name; the message lists those that exist.
    """
    try:
        return GROUPS[name]
    except KeyError:
        raise UnknownGroup(f"no feature group {name!r}; there are {', '.join(sorted(GROUPS))}") from None


def custom_group(table_name: str, dtypes: Mapping[str, DType], *, with_history: Iterable[str] = ()) -> FeatureGroup:
    """The custom columns of an entity's table as a group: grade A where `changes` kept their past, else B.

    Parameters
    ----------
    table_name : str
        The entity's table.
    dtypes : mapping of str to DType
        `Generation.custom(table_name)`. Lists are left out.
    with_history : iterable of str
        The columns of which `changes` holds the past.
    """
    kept = frozenset(with_history)
    features = tuple(
        _custom_feature(table_name, name, dtype, Grade.A if name in kept else Grade.B)
        for name, dtype in dtypes.items()
        if dtype is not DType.TEXTS
    )
    return FeatureGroup(
        name=f"{table_name}_custom", entity=table_name, doc="Columns of the company's own.", features=features
    )


def _custom_feature(table_name: str, name: str, dtype: DType, grade: Grade) -> Feature:
    if dtype in {DType.DATE, DType.TIMESTAMP}:
        return feature(
            f"days_since_{name}",
            AgeDays(column=name, table=table_name, dtype=dtype),
            en=f"days since {name}",
            zh=f"距{name}天数",
            group="custom",
            unit="days",
            null="not filled in",
            grade=grade,
        )
    return Feature(
        field=custom_field(name, dtype, grade), primitive=Attribute(column=name, table=table_name, dtype=dtype)
    )
