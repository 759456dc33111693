"""Working time of days: holidays are free, exchanged weekends are worked."""

import numpy as np

from features.working_days import working_weight


def test_a_year_of_china_has_the_working_days_that_were_announced() -> None:
    days = np.arange("2025-01-01", "2026-01-01", dtype="datetime64[D]")

    # 365 days, 104 at weekends; 28 days off for holidays of which 10 fell on weekends; 5 weekend days worked.
    assert working_weight(days, "CN").sum() == 248


def test_a_country_that_nobody_knows_has_weekends_alone() -> None:
    days = np.array(["2025-10-01", "2025-10-04", "2025-10-05"], "datetime64[D]")

    assert working_weight(days, "??").tolist() == [1.0, 0.0, 0.0]
    assert working_weight(days, "CN").tolist() == [0.0, 0.0, 0.0]


def test_days_may_come_in_any_order() -> None:
    days = np.array(["2027-03-01", "2025-01-26", "2026-10-10", "2025-01-29"], "datetime64[D]")

    assert working_weight(days, "CN").tolist() == [1.0, 1.0, 1.0, 0.0]
