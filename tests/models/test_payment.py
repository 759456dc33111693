"""Outlooks of open invoices: chances sum to one, the past is impossible, money is spread over weeks once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from features.invoice_rows import InvoiceRows
from features.matrix import Field, Kind
from models.payment import GRID, PaymentModel, days_ahead, durations_of, expected_cash, fit_payment
from models.survival import Incidence

FIELDS = (Field(name="days_since_issue", kind=Kind.NUMBER), Field(name="shrunk_days_to_pay", kind=Kind.NUMBER))
START = np.datetime64("2025-01-01")


def make_rows(n: int, seed: int) -> tuple[InvoiceRows, pa.Table]:
    """Invoices due after 30 days, seen at issue or while open; fast customers take about 15 days, slow ones 40."""
    random = np.random.default_rng(seed)
    usual = random.choice([15.0, 40.0], n)
    paid = np.maximum(np.round(usual + random.normal(0, 4, n)), 2.0)
    age = np.where(random.random(n) < 0.5, 1.0, np.floor(1 + random.random(n) * (paid - 1)))
    followed = np.full(n, 90.0)
    followed[: n // 4] = 20.0
    is_paid = paid <= followed
    issued = START + random.integers(0, 300, n).astype("timedelta64[D]")
    keep = age <= followed
    rows = InvoiceRows(
        spine=pa.table({"entity_id": [f"I{at}" for at in range(n)], "as_of": pa.nulls(n, pa.timestamp("us"))}),
        account_id=np.array(["A"] * n),
        gross_amount=np.full(n, 100.0),
        issued_on=issued,
        due_on=issued + np.timedelta64(30, "D"),
        as_of_on=issued + age.astype("timedelta64[D]"),
        age_days=age,
        paid_days=np.where(is_paid, paid, np.nan),
        watched_days=np.where(is_paid, paid, followed),
        followed_days=followed,
    )
    features = pa.table({"days_since_issue": age, "shrunk_days_to_pay": usual})
    return rows.take(keep), features.filter(pa.array(keep))


@pytest.fixture(scope="module")
def fitted() -> PaymentModel:
    rows, features = make_rows(600, seed=1)
    return fit_payment("hazard_booster", rows, features, FIELDS, seed=1)


def test_payment_on_the_rows_own_day_comes_within_one_day_and_open_ones_are_censored() -> None:
    rows, _ = make_rows(200, seed=2)
    outcome = durations_of(rows)
    assert outcome.duration[rows.is_paid].min() >= 1.0
    np.testing.assert_array_equal(outcome.cause == 0, ~rows.is_paid)
    np.testing.assert_array_equal(
        outcome.duration[~rows.is_paid], (rows.followed_days - rows.age_days + 1)[~rows.is_paid]
    )
    assert outcome.follow_up is not None


def test_days_ahead_know_age_due_day_weekday_and_month_end() -> None:
    rows, features = make_rows(8, seed=3)
    ahead = days_ahead(rows, features, has_season=True)
    assert ahead.shape == (len(rows.age_days), GRID.n_steps, 7)
    np.testing.assert_array_equal(ahead[:, 0, 0], rows.age_days)
    np.testing.assert_array_equal(ahead[:, 0, 1], rows.age_days - 30)
    for row, day in enumerate(rows.as_of_on.tolist()):
        assert ahead[row, 0, 4] == day.isoweekday()
        assert (day.day + ahead[row, 0, 5]) >= 28
        assert ahead[row, 0, 6] == (day.replace(month=12, day=31) - day).days


def test_one_year_of_rows_teaches_no_season(fitted: PaymentModel) -> None:
    rows, features = make_rows(80, seed=8)
    fields = (*FIELDS, Field(name="month_of_year", kind=Kind.NUMBER, group="season"))
    features = features.append_column("month_of_year", pa.array(rows.as_of_on.astype("datetime64[M]").astype(float)))
    short = fit_payment("hazard_rate", rows, features, fields, seed=1)
    assert (short.has_season, short.hazard.n_fields, short.hazard.n_ahead) == (False, 2, 6)
    issued = rows.issued_on + (np.arange(len(rows.issued_on)) * 15).astype("timedelta64[D]")
    spread = replace(rows, issued_on=issued, as_of_on=issued + rows.age_days.astype("timedelta64[D]"))
    long = fit_payment("hazard_rate", spread, features, fields, seed=1)
    assert (long.has_season, long.hazard.n_fields, long.hazard.n_ahead) == (True, 3, 7)


def test_chances_sum_to_one_and_tell_fast_customers_from_slow_ones(fitted: PaymentModel) -> None:
    rows, features = make_rows(400, seed=4)
    outlook = fitted.outlook(rows, features)
    np.testing.assert_allclose(outlook.p_on_time + outlook.p_late + outlook.p_very_late, 1.0)
    assert min(outlook.p_on_time.min(), outlook.p_late.min(), outlook.p_very_late.min()) >= -1e-12
    slow = features.column("shrunk_days_to_pay").to_numpy() > 30
    assert outlook.p_on_time[~slow].mean() > 0.8
    assert outlook.p_on_time[slow].mean() < 0.2
    days = (outlook.expected_pay_on - rows.issued_on) / np.timedelta64(1, "D")
    assert np.abs(days - rows.paid_days)[rows.is_paid].mean() < 6


def test_invoice_past_its_due_day_can_no_longer_be_paid_on_time(fitted: PaymentModel) -> None:
    rows, features = make_rows(400, seed=5)
    past = rows.age_days > 30
    assert past.any()
    assert fitted.outlook(rows, features).p_on_time[past].max() == 0.0


def test_expected_cash_is_spread_over_weeks_and_never_exceeds_the_amount(fitted: PaymentModel) -> None:
    rows, features = make_rows(50, seed=6)
    incidence = fitted.outlook(rows, features).incidence
    weeks = np.arange(np.datetime64("2024-12-30"), np.datetime64("2026-06-01"), np.timedelta64(7, "D"))
    cash = expected_cash(rows, incidence, weeks)
    assert cash.shape == (len(rows.age_days), len(weeks))
    assert cash.min() >= 0
    assert (cash.sum(axis=1) <= rows.gross_amount + 1e-9).all()
    before = weeks[None, :] + np.timedelta64(7, "D") <= rows.as_of_on[:, None]
    assert cash[before].max() == 0.0


def test_payment_that_is_certain_on_one_day_falls_into_its_week() -> None:
    rows, _ = make_rows(1, seed=7)
    values = np.zeros((1, GRID.n_steps, 1))
    values[:, 9:] = 1.0
    incidence = Incidence(grid=GRID, causes=("paid",), values=values)
    day = rows.as_of_on[0] + np.timedelta64(9, "D")
    weeks = np.array([day - np.timedelta64(7, "D"), day])
    assert expected_cash(rows, incidence, weeks).tolist() == [[0.0, 100.0]]
