"""Rows of a flat table as the company's own file holds them: its names, its words, its texts."""

from __future__ import annotations

import pytest

from crm.facts import FlatForm
from crm.schema import DType
from serving.flat_records import FlatRecordForm
from serving.records import BadRecord

CUSTOM = {"City": DType.TEXT, "Visits": DType.NUMBER, "Mail": DType.FLAG, "pdays": DType.NUMBER, "Kind": DType.TEXT}
FORM = FlatRecordForm(
    CUSTOM,
    FlatForm(
        entity_id="Lead No",
        unread=frozenset({"Converted"}),
        rename={"Type of lead": "Kind"},
        missing=frozenset({"Select"}),
        missing_in={"pdays": frozenset({"999"})},
    ),
)


def test_a_row_of_the_file_is_read_as_the_mapping_reads_it() -> None:
    row = {
        "Lead No": "0007",
        "City": " Select ",
        "Visits": "3",
        "Mail": "Yes",
        "pdays": "999",
        "Type of lead": "hot",
        "Converted": "1",
        "always empty": "",
    }
    read = FORM.read(row)
    assert read.entity_id == "0007"
    assert read.row == {
        "entity_id": "0007",
        "City": None,
        "Visits": 3.0,
        "Mail": True,
        "pdays": None,
        "Kind": "hot",
    }


def test_typed_values_are_read_too() -> None:
    read = FORM.read({"entity_id": "7", "Visits": 3, "Mail": False, "pdays": 999, "City": "Zu\u0308rich"})
    assert read.row == {"entity_id": "7", "Visits": 3, "Mail": False, "pdays": None, "City": "Z\u00fcrich"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"Visits": "1,5"}, "column Visits: expected a number"),
        ({"Mail": "perhaps"}, "column Mail: expected true or false"),
        ({"Kind": "a", "Type of lead": "b"}, "column Kind: came twice"),
        ({"Town": "x"}, "column Town: there is no such column"),
        (["City"], "expected an object of columns"),
    ],
)
def test_what_the_mapping_would_not_read_is_named(row: object, message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        FORM.read(row)


def test_the_id_of_a_bad_row_is_found_under_the_name_of_the_file() -> None:
    assert FORM.entity_id({"Lead No": "0007", "Town": "x"}) == "0007"
    assert FORM.entity_id({"Lead No": "0007", "entity_id": "8"}) is None
    assert FORM.entity_id("0007") is None
