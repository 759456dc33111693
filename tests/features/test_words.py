"""Reasons can be said in both languages: every unit, null meaning and closed value has its words."""

from __future__ import annotations

from crm.schema import DType
from crm.tables import table
from features.catalogue import FIELDS, GROUPS
from features.matrix import Kind
from features.spec import Attribute, Last
from features.words import NULLS_ZH, UNITS, VALUES_ZH, WRITTEN_OTHERWISE

EVERY_FIELD = [field for fields in FIELDS.values() for field in fields]


def test_every_unit_and_null_meaning_of_the_catalogue_has_words() -> None:
    assert {field.unit for field in EVERY_FIELD if field.kind is Kind.NUMBER} <= set(UNITS) | WRITTEN_OTHERWISE
    assert {field.null_meaning for field in EVERY_FIELD} <= set(NULLS_ZH)


def test_every_closed_value_that_a_field_shows_has_a_chinese_word() -> None:
    shown = set()
    for group in GROUPS.values():
        for feature in group.features:
            primitive = feature.primitive
            if isinstance(primitive, Attribute):
                column = table(primitive.table).column(primitive.column)
            elif isinstance(primitive, Last):
                column = table(primitive.source.table).column(primitive.column)
            else:
                continue
            if column.dtype is DType.TEXT and column.values:
                shown |= set(column.values)
    assert {"call", "email"} <= shown
    assert shown <= set(VALUES_ZH)
