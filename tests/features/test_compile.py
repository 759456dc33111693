"""The compiled SQL stays inside what DuckDB and Spark both understand, and scales with windows, not with history."""

from __future__ import annotations

import re

import pytest

from crm.tables import table
from features.asof import column_of
from features.catalogue import GROUPS
from features.compile import compile_source
from features.compile_attributes import compile_attributes
from features.online import source_of
from features.spec import Attribute, BadSpec, Calendar, Count, DaysSince, Feature, Source, Sum, Trend, feature

FORBIDDEN = (
    r"\basof\b",
    r"\bdatediff\b",
    r"\bdate_diff\b",
    r"\bextract\s*\(",
    r"\bquantile_cont\b",
    r"\bqualify\b",
    r"\bexclude\b",
    r"\bhash\s*\(",
    r"\bstruct\s*\(",
    r"::",
    r"\bepoch\s*\(",
    r"\bifnull\s*\(",
    r"\barg_max\b",
    r"\bhugeint\b",
    r"\binterval\b",
    r"\bln\s*\(",
    r"CAST\([^()]*\bDOUBLE\b[^()]* AS (BIGINT|INT)\)",
    r"(?<!AS )\bSUM\([^)]*\)(?! FILTER)",
)


def compiled() -> list[str]:
    texts = []
    for group in GROUPS.values():
        by_source: dict[Source, list[Feature]] = {}
        for each in group.features:
            primitive = each.primitive
            if isinstance(primitive, Attribute):
                column = column_of(primitive.table, primitive.column)
                wanted = [(each.field.name, primitive, column)]
                texts.append(compile_attributes(primitive.table, primitive.reach, wanted, with_changes=True).sql)
            elif not isinstance(primitive, Calendar):
                by_source.setdefault(source_of(primitive), []).append(each)
        texts += [compile_source(source, features).sql for source, features in by_source.items()]
    return texts


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_text_holds_what_one_engine_lacks(pattern: str) -> None:
    found = [re.search(pattern, text, re.IGNORECASE) for text in compiled()]
    assert [match.group() for match in found if match] == []


def test_every_division_guards_its_divisor_or_divides_by_a_constant() -> None:
    for text in compiled():
        for divisor in re.findall(r" / ([^ ]+)", text):
            assert divisor.startswith(("CAST(", "NULLIF(")), divisor


def test_sums_of_whole_numbers_are_cast_to_bigint() -> None:
    source = Source(name="receipts", table="receipts", key="account_id", reach="account_id")
    total = feature("x", Sum(source=source, column="gross_amount"), en="x", zh="x", group="x")
    assert "CAST(SUM(" in compile_source(source, [total]).sql
    assert re.search(r"CAST\(SUM\(.*\) FILTER \(WHERE .*\) AS BIGINT\)", compile_source(source, [total]).sql)


def test_windows_are_joined_by_buckets_of_time_and_whole_histories_are_not() -> None:
    source = Source(name="activities", table="activities", key="lead_id")
    narrow = feature("a", Count(source=source, days=30), en="a", zh="a", group="a")
    whole = feature("b", DaysSince(source=source), en="b", zh="b", group="b")
    assert "e.b = p.b" in compile_source(source, [narrow]).sql
    assert "e.b = p.b" not in compile_source(source, [narrow, whole]).sql


def test_an_overwritten_column_of_an_event_is_refused() -> None:
    source = Source(name="orders", table="orders", key="account_id", reach="account_id")
    assert table("orders").column("net_amount").mutable
    with pytest.raises(BadSpec, match="overwritten"):
        Sum(source=source, column="net_amount")


def test_a_trend_needs_its_window() -> None:
    with pytest.raises(BadSpec, match="days"):
        Trend(source=Source(name="activities", table="activities", key="lead_id"))
