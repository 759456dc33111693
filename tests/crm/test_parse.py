"""Cells as typed columns: what is read, what is refused, and with which words."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.cell_text import clean_text
from crm.parse import parse_column
from crm.parse_numbers import parse_amount, to_hundredths
from crm.parse_rule import Rule
from crm.schema import DType

PARIS = ZoneInfo("Europe/Paris")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _values(cells: list[str | None], rule: Rule) -> list[object]:
    parsed = parse_column(pa.array(cells, pa.string()), rule)
    assert not parsed.bad
    return list(parsed.values.to_pylist())


def _reason(cell: str, rule: Rule) -> str:
    parsed = parse_column(pa.array([cell]), rule)
    assert parsed.values.to_pylist() == [None]
    return parsed.bad[0].reason


def test_text_loses_outer_spaces_of_every_kind_and_keeps_inner_ones() -> None:
    assert clean_text(pa.array(["\u00a0A\u00a0B\u3000 ", "e\u0301", " "])).to_pylist() == ["A\u00a0B", "\u00e9", None]


@pytest.mark.parametrize("key", ["0007", "1E5", "NA", "None", "NaN", "True", "12345678901234567890", "=1+1"])
def test_keys_stay_text(key: str) -> None:
    assert _values([key], Rule(dtype=DType.TEXT)) == [key]


@pytest.mark.parametrize(
    ("cell", "hundredths"),
    [
        ("12.3", 1230),
        ("1,234.50", 123450),
        ("￥１，２３４．５", 123450),
        ("(12.00)", -1200),
        ("12.00-", -1200),
        ("USD 5", 500),
        ("5 €", 500),
        ("3.5万", 3500000),
        ("0.01亿", 100000000),
        ("2k", 200000),
        ("1 234.50", 123450),
    ],
)
def test_amount_is_exact_in_hundredths(cell: str, hundredths: int) -> None:
    assert _values([cell], Rule(dtype=DType.MONEY)) == [hundredths]


@pytest.mark.parametrize(
    "cell", ["12%", "1.2.3", "1,23", "1e5", "12 34", "--5", "N/A", "1.005", "nan", "inf", "12,34,567"]
)
def test_doubtful_amount_is_refused(cell: str) -> None:
    assert _reason(cell, Rule(dtype=DType.MONEY)).startswith("expected")


def test_decimal_comma_holds_when_stated_and_is_hinted_at_when_not() -> None:
    assert _values(["1.234,50"], Rule(dtype=DType.MONEY, decimal_comma=True)) == [123450]
    assert "decimal_comma: true" in _reason("1234,50", Rule(dtype=DType.MONEY))


def test_comma_that_separates_no_thousands_makes_the_whole_column_doubtful() -> None:
    parsed = parse_column(pa.array(["1,500", "2,75"]), Rule(dtype=DType.NUMBER))
    assert [cell.row for cell in parsed.bad] == [0, 1]


def test_amount_finer_than_a_hundredth_is_rounded_only_when_stated() -> None:
    assert _values(["2.345", "2.355"], Rule(dtype=DType.MONEY, rounded=True)) == [234, 236]


@pytest.mark.parametrize(
    "cell", ["2023-02-30", "2023-13-01", "31.12.2023", "2023/12/31", "12/31/2023", "0001-01-01", "9999-12-31"]
)
def test_impossible_or_unstated_date_is_refused(cell: str) -> None:
    assert _reason(cell, Rule(dtype=DType.DATE))


@pytest.mark.parametrize(
    ("cell", "pattern", "day"),
    [
        ("1/15/2013", "M/D/YYYY", date(2013, 1, 15)),
        ("27-10-2024", "DD-MM-YYYY", date(2024, 10, 27)),
        ("2024年3月5日", "YYYY年M月D日", date(2024, 3, 5)),
        ("5-Mar-2024", "D-MMM-YYYY", date(2024, 3, 5)),
        ("20240305", "YYYYMMDD", date(2024, 3, 5)),
    ],
)
def test_stated_pattern_is_read(cell: str, pattern: str, day: date) -> None:
    assert _values([cell], Rule(dtype=DType.DATE, formats=(pattern,))) == [day]


def test_pattern_is_strict_about_padding_and_about_days_that_never_were() -> None:
    rule = Rule(dtype=DType.DATE, formats=("DD-MM-YYYY",))
    assert "DD-MM-YYYY" in _reason("1-2-2024", rule)
    assert "no such day" in _reason("30-02-2024", rule)


def test_offsets_become_utc_and_local_times_take_the_zone() -> None:
    rule = Rule(dtype=DType.TIMESTAMP, zone=PARIS)
    assert _values(["2011-10-01T00:38:44.546+02:00"], rule) == [_at("2011-09-30 22:38:44.546000")]
    assert _values(["2024-07-01 12:00:00", "2024-01-01 12:00:00"], rule) == [
        _at("2024-07-01 10:00:00"),
        _at("2024-01-01 11:00:00"),
    ]
    assert _values(["2024-07-01 12:00", "2024-07-01T12:00:00Z"], rule) == [
        _at("2024-07-01 10:00:00"),
        _at("2024-07-01 12:00:00"),
    ]


def test_hour_that_the_clocks_jump_over_is_refused_and_the_doubled_one_is_the_earlier() -> None:
    rule = Rule(dtype=DType.TIMESTAMP, zone=PARIS)
    assert "never was in Europe/Paris" in _reason("2023-03-26 02:30:00", rule)
    assert _values(["2023-10-29 02:30:00"], rule) == [_at("2023-10-29 00:30:00")]


def test_excel_serials_are_read_only_when_stated() -> None:
    assert _values(["45000"], Rule(dtype=DType.DATE, style="excel_serial")) == [date(2023, 3, 15)]
    assert _reason("45000", Rule(dtype=DType.DATE))


def test_flags_know_words_of_two_languages() -> None:
    assert _values(["Yes", "否", "1", None], Rule(dtype=DType.FLAG)) == [True, False, True, None]
    assert "expected one of" in _reason("maybe", Rule(dtype=DType.FLAG))


def test_word_outside_a_closed_list_is_refused() -> None:
    assert "won, lost, open" in _reason("Won", Rule(dtype=DType.TEXT, allowed=("won", "lost", "open")))


def test_typed_columns_are_taken_as_they_are() -> None:
    when = pa.array([_at("2024-07-01 12:00:00")], pa.timestamp("ns", "UTC"))
    assert parse_column(when, Rule(dtype=DType.DATE, zone=ZoneInfo("Asia/Tokyo"))).values.to_pylist() == [
        date(2024, 7, 1)
    ]
    assert parse_column(pa.array([17850.0]), Rule(dtype=DType.TEXT)).values.to_pylist() == ["17850"]
    assert parse_column(pa.array([Decimal("1.10")]), Rule(dtype=DType.MONEY)).values.to_pylist() == [110]
    assert parse_column(pa.array([1.1]), Rule(dtype=DType.MONEY)).values.to_pylist() == [110]
    assert parse_column(pa.array([2, None]), Rule(dtype=DType.INTEGER)).values.to_pylist() == [2, None]


def test_whole_number_written_as_a_float_is_one_key() -> None:
    assert _values(["17850.0", "17850"], Rule(dtype=DType.TEXT, style="whole_number")) == ["17850", "17850"]


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=-(10**14), max_value=10**14))
def test_every_amount_is_read_back_to_the_cent(hundredths: int) -> None:
    written = f"{Decimal(hundredths) / 100:,.2f}"
    assert to_hundredths(parse_amount(written), rounded=False) == hundredths
    assert parse_column(pa.array([written]), Rule(dtype=DType.MONEY)).values.to_pylist() == [hundredths]


@settings(max_examples=60, deadline=None)
@given(
    st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 12, 31)),
    st.sampled_from(["D/M/YYYY", "MM-DD-YYYY", "YYYYMMDD"]),
)
def test_every_day_is_read_back(day: date, pattern: str) -> None:
    written = {
        "D/M/YYYY": f"{day.day}/{day.month}/{day.year}",
        "MM-DD-YYYY": f"{day:%m-%d-}{day.year}",
        "YYYYMMDD": f"{day.year}{day:%m%d}",
    }[pattern]
    assert _values([written], Rule(dtype=DType.DATE, formats=(pattern,))) == [day]


def test_typed_columns_know_missing_words_and_bounds() -> None:
    ages = parse_column(pa.array([999, 5]), Rule(dtype=DType.NUMBER), ["999"])
    assert ages.values.to_pylist() == [None, 5.0]
    endless = parse_column(pa.array([float("inf"), float("nan"), 1.0]), Rule(dtype=DType.NUMBER))
    assert ([cell.row for cell in endless.bad], endless.values.to_pylist()) == ([0], [None, None, 1.0])
    far = parse_column(pa.array([date(9999, 12, 31), None]), Rule(dtype=DType.DATE))
    assert "1900 to 2200" in far.bad[0].reason


def test_binary_fractions_of_a_typed_source_are_amounts_again() -> None:
    assert parse_column(pa.array([0.1 + 0.2, 1e7, None]), Rule(dtype=DType.MONEY)).values.to_pylist() == [
        30,
        10**9,
        None,
    ]
