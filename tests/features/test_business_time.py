"""A company's working time is learned from when its deals moved."""

from __future__ import annotations

import numpy as np

from features.business_time import PRIOR, learn_day_weights, make_business_clock

FIRST = int(np.datetime64("2022-01-01", "D").astype(int))
LAST = int(np.datetime64("2024-12-31", "D").astype(int))


def test_a_company_that_works_every_day_alike_gets_weekends_that_count() -> None:
    days = np.repeat(np.arange(FIRST, LAST + 1), 20)
    weights = learn_day_weights(days, FIRST, LAST, "CN")
    assert 0.95 < weights["weekend"] < 1.05
    assert 0.9 < weights["year_end"] < 1.1


def test_a_company_of_which_nothing_moved_keeps_what_was_believed_before() -> None:
    assert learn_day_weights(np.zeros(0, dtype=np.int64), FIRST, LAST, "CN") == dict(PRIOR)


def test_growth_is_not_mistaken_for_a_rush_at_year_end() -> None:
    days = np.arange(FIRST, LAST + 1)
    growing = np.repeat(days, (5 + (days - FIRST) // 30).astype(int))
    weights = learn_day_weights(growing, FIRST, LAST, "")
    assert 0.9 < weights["year_end"] < 1.1


def test_time_runs_there_and_back() -> None:
    clock = make_business_clock(FIRST, LAST, "CN", PRIOR)
    days = np.arange(FIRST, LAST)
    assert (clock.day(clock.at(days) + 1e-6) == days).all()
    assert (np.diff(clock.at(days)) > 0).all()
