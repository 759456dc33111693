"""What lies ahead of a row: ages, lines, the customer's own pay days and the calendar, computed when they are read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.catalogue import group_named
from models.ahead import COLUMNS, StepsAhead, credited_fields, steps_ahead, usable_columns
from models.encoding import make_encoder
from models.person_period import Grid

GRID = Grid(edges=(0.0, 1.0, 2.0, 3.0, 10.0))
GROUPS = (
    "invoice_terms",
    "invoice_payments",
    "invoice_customer",
    "invoice_pay_days",
    "invoice_buyer",
    "opportunity_profile",
)
FIELDS = {field.name: field for name in GROUPS for field in group_named(name).fields}
# A Friday, the last but one day of a January.
FRIDAY = np.datetime64("2026-01-30")


def ahead_of(names: tuple[str, ...], **values: object) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The named columns of one row on that Friday, shape (n_steps, n_names)."""
    table = pa.table({name: [value] * 40 for name, value in values.items()})
    encoder = make_encoder([FIELDS[name] for name in values], table)
    on = np.full(40, FRIDAY)
    found = StepsAhead(names, encoder, encoder.encode_table(table), on, GRID)
    assert found.shape == (40, 4, len(names))
    part = found[2:3]
    assert isinstance(part, StepsAhead)
    told = part[np.zeros(4, dtype=np.intp), np.arange(4)]
    assert isinstance(told, np.ndarray)
    return told


def test_age_and_lines_are_counted_to_the_last_day_of_each_step() -> None:
    names = ("age", "past_due", "is_past_due", "past_usual", "past_promise")
    found = ahead_of(
        names,
        days_since_issue=29.0,
        days_past_due=-1.0,
        shrunk_days_to_pay=20.0,
        days_since_promise=4.0,
        promised_within_days=6.0,
    )
    np.testing.assert_array_equal(found[:, 0], [29, 30, 31, 38])
    np.testing.assert_array_equal(found[:, 1], [-1, 0, 1, 8])
    np.testing.assert_array_equal(found[:, 2], [0, 0, 1, 1])
    np.testing.assert_array_equal(found[:, 3], [9, 10, 11, 18])
    np.testing.assert_array_equal(found[:, 4], [-2, -1, 0, 7])


def test_a_deal_knows_ahead_how_far_its_tender_and_its_expected_close_will_be() -> None:
    names = ("past_tender", "since_tender", "past_expected_close")
    found = ahead_of(names, days_past_tender=-2.0, days_past_expected_close=85.0)
    np.testing.assert_array_equal(found[:, 0], [-2, -1, 0, 7])
    np.testing.assert_array_equal(found[:, 1], [0, 0, 0, 7])
    # Beyond a quarter a distance says no more.
    np.testing.assert_array_equal(found[:, 2], [85, 86, 87, 90])
    assert np.isnan(ahead_of(names, days_past_tender=float("nan"), days_past_expected_close=1.0)[:, :2]).all()


def test_calendar_ahead_knows_weekdays_month_quarter_and_year_ends() -> None:
    found = ahead_of(("weekday", "to_month_end", "to_year_end", "to_festival"), gross_amount=1.0)
    np.testing.assert_array_equal(found[:, 0], [5, 6, 7, 7])
    np.testing.assert_array_equal(found[:, 1], [1, 0, 27, 20])
    np.testing.assert_array_equal(found[:, 2], [335, 334, 333, 326])
    np.testing.assert_array_equal(found[:, 3], [18, 17, 16, 9])


def test_own_pay_day_of_a_customer_is_drawn_to_everybodys_by_how_little_it_paid() -> None:
    shares = {f"share_paid_on_{day}": 0.0 for day in ("monday", "tuesday", "wednesday", "thursday")}
    known = ahead_of(("own_weekday",), **shares, share_paid_on_friday=1.0, n_settled=45.0)[:, 0]
    assert known[0] == pytest.approx(0.92)
    assert (known[1], known[3]) == (0.0, pytest.approx(1 / 7))
    nothing = ahead_of(("own_weekday",), **dict.fromkeys(shares, np.nan), share_paid_on_friday=np.nan, n_settled=0.0)
    assert nothing[0, 0] == pytest.approx(0.2)
    tail = ahead_of(("own_month_end",), share_paid_at_month_end=1.0, n_settled=5.0)[:, 0]
    np.testing.assert_allclose(tail, [(1 + 5 / 30) / 2, (1 + 5 / 30) / 2, 0.0, 0.0])


@pytest.mark.parametrize(("kind", "is_public"), [("government", True), ("state_owned", True), ("small", False)])
def test_budget_calendar_is_that_of_public_buyers(kind: str, *, is_public: bool) -> None:
    found = ahead_of(("public_to_quarter_end", "public_to_year_end"), account_buyer_type=kind)
    assert np.isfinite(found).all() == is_public
    if is_public:
        np.testing.assert_array_equal(found[:, 0], [60, 59, 58, 51])


def test_columns_without_their_fields_or_their_season_are_left_out() -> None:
    table = pa.table({"days_since_issue": [1.0, 2.0], "days_past_due": [0.0, 1.0]})
    encoder = make_encoder([FIELDS[name] for name in table.column_names], table)
    names = tuple(COLUMNS)
    short = usable_columns(names, encoder, has_season=False)
    assert short == ("age", "past_due", "is_past_due", "weekday", "to_month_end")
    assert set(usable_columns(names, encoder, has_season=True)) - set(short) == {"to_year_end", "to_festival"}
    assert credited_fields(short, encoder) == (0, 1, 1, None, None)
    assert steps_ahead((), encoder, np.zeros((1, 2)), None, GRID) is None
    with pytest.raises(ValueError, match="local days"):
        steps_ahead(short, encoder, np.zeros((1, 2)), None, GRID)
