"""Every feature says what it is, and the document says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crm.schema import DType
from crm.tables import table
from features.catalogue import FIELDS, GROUPS, UnknownGroup, custom_group, group_named
from features.document import render_features
from features.matrix import Field, Grade, Kind
from features.spec import Attribute, FeatureGroup

EVERY_FIELD = [field for fields in FIELDS.values() for field in fields]


@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: field.name)
def test_field_has_unit_null_meaning_group_and_both_phrases(field: Field) -> None:
    assert field.null_meaning
    assert field.group != "other"
    assert field.phrase_en
    assert re.search("[一-鿿]", field.phrase_zh)
    if field.kind is Kind.NUMBER:
        assert field.unit


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.name)
def test_group_names_each_field_once_and_reads_no_personal_column(group: FeatureGroup) -> None:
    names = [field.name for field in group.fields]
    assert len(names) == len(set(names))
    for feature in group.features:
        if isinstance(feature.primitive, Attribute):
            assert not table(feature.primitive.table).column(feature.primitive.column).personal


@pytest.mark.parametrize("entity", ["leads", "opportunities", "accounts", "agreements"])
def test_groups_of_one_entity_share_no_field_name(entity: str) -> None:
    names = [field.name for group in GROUPS.values() if group.entity == entity for field in group.fields]
    assert len(names) == len(set(names))


def test_document_of_features_is_current() -> None:
    path = Path(__file__).parents[2] / "docs" / "features.md"
    assert path.read_text(encoding="utf-8") == render_features().rstrip() + "\n"


def test_unknown_group_is_refused_by_naming_those_that_exist() -> None:
    with pytest.raises(UnknownGroup, match="lead_activity"):
        group_named("lead_activities")


def test_custom_columns_become_fields_by_dtype_with_the_grade_of_their_history() -> None:
    dtypes = {"size": DType.TEXT, "seats": DType.INTEGER, "trial_on": DType.DATE, "tags": DType.TEXTS}
    fields = {field.name: field for field in custom_group("leads", dtypes, with_history=["seats"]).fields}
    assert set(fields) == {"size", "seats", "days_since_trial_on"}
    assert fields["size"].kind is Kind.CATEGORY
    assert (fields["size"].grade, fields["seats"].grade) == (Grade.B, Grade.A)
