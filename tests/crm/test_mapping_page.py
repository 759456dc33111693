"""The page on mappings: its examples are mappings, and its tables name every setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crm.mapping import Source, parse_mapping
from crm.mapping_columns import ColumnSpec

PAGE = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_of_the_page_is_a_mapping(example: str) -> None:
    assert parse_mapping(example).sources


def test_page_shows_one_whole_example_of_each_kind() -> None:
    sources = [source for example in EXAMPLES for source in parse_mapping(example).sources]
    for kind in ("table", "tables", "observations", "panel", "events"):
        assert any(getattr(source, kind) for source in sources), kind


def test_page_names_every_setting_of_a_column() -> None:
    absent = [name for name in ColumnSpec.model_fields if f"{name.rstrip('_')}" not in PAGE]
    assert not absent


def test_page_names_every_setting_of_a_source_beside_those_of_the_file() -> None:
    elsewhere = {"limits", "kind", "delimiter", "skip_rows", "currency"}
    absent = [name for name in Source.model_fields if f"`{name}" not in PAGE and f"{name}:" not in PAGE]
    assert set(absent) <= elsewhere
