"""Replaying the past: candidates by hand, weights from earlier origins alone, ranges that hold and never cross."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from crm.money import Measure
from features.nodes import Level, Node
from features.panel import Panel
from models.series_candidates import begun, forecast_candidates, is_dense, scale_of
from models.series_combine import Radii, combine, conformal_radii, floored, spread, weigh
from models.series_histories import Histories
from models.series_judge import ALL, coverage_of, draw_months, is_tested, judge_replay
from models.series_learn import learn
from models.series_points import Batch, Points, choose_origins, make_batch, replay
from models.series_say import say
from models.series_task import QUANTILES, SeriesTask
from models.tasks.sales_forecast import TASK

# Candidates that need no library, so that a replay takes no time.
PLAIN = replace(TASK, candidates=("seasonal_naive", "last_year_grown", "recent_mean"))
FIRST = np.datetime64("2020-01", "M")


def histories(*rows: list[float]) -> Histories:
    values = np.array(rows, dtype=np.float64)
    months = FIRST + np.arange(values.shape[1])
    return Histories(groups=("bookings/company",) * len(rows), months=months, amounts=values, country="CN")


def panel(values: np.ndarray, measure: str = "bookings") -> Panel:
    nodes = (Node(level=Level.COMPANY), *(Node(level=Level.REGION, region=f"r{n}") for n in range(1, len(values))))
    return Panel(measure=measure, months=FIRST + np.arange(values.shape[1]), nodes=nodes, values=values)


def noise(n_months: int, seed: int = 0, n_regions: int = 3) -> np.ndarray:
    random = np.random.default_rng(seed)
    parts = 100 + 10 * random.standard_normal((n_regions, n_months))
    return np.concatenate([parts.sum(axis=0, keepdims=True), parts])


def walk(values: np.ndarray, task: SeriesTask = PLAIN) -> tuple[Batch, Points]:
    present = make_batch({"bookings": panel(values)})
    assert present is not None
    batches = []
    for month in choose_origins(present.months, task):
        known = values[:, : int((month - FIRST).astype(int)) + 1]
        batch = make_batch({"bookings": panel(known)})
        assert batch is not None
        batches.append(batch)
    return present, replay(batches, present, task, country="CN", seed=1)


def test_seasonal_naive_repeats_the_last_year() -> None:
    year = [float(month) for month in range(1, 13)]
    said = forecast_candidates(histories([50.0] * 12 + year), ["seasonal_naive"], horizon=14, seed=1)

    assert said["seasonal_naive"][0].tolist() == [*year, 1.0, 2.0]


def test_seasonal_naive_of_less_than_a_year_is_the_mean() -> None:
    said = forecast_candidates(histories([np.nan] * 3 + [2.0, 4.0]), ["seasonal_naive"], horizon=2, seed=1)

    assert said["seasonal_naive"][0].tolist() == [3.0, 3.0]


def test_last_year_grown_grows_as_the_last_year_did() -> None:
    said = forecast_candidates(histories([10.0] * 12 + [12.0] * 12), ["last_year_grown"], horizon=3, seed=1)

    assert said["last_year_grown"][0] == pytest.approx([14.4] * 3)


def test_seasonal_models_have_nothing_to_say_of_sparse_series() -> None:
    sparse = [0.0, 5.0, 0.0] * 10
    names = ["seasonal_naive", "ets", "theta"]
    said = forecast_candidates(histories(sparse, [100.0 + month % 12 for month in range(30)]), names, horizon=3, seed=1)

    assert not is_dense(np.array(sparse))
    assert np.isnan(said["ets"][0]).all()
    assert np.isnan(said["theta"][0]).all()
    assert np.isfinite(said["ets"][1]).all()
    assert np.isfinite(said["theta"][1]).all()


@pytest.mark.slow
def test_the_booster_follows_the_level_of_each_series() -> None:
    values = np.vstack([noise(40), 1_000 * noise(40, seed=1)])
    found = histories(*values.tolist())
    said = forecast_candidates(found, ["booster"], horizon=6, seed=1)["booster"]
    again = forecast_candidates(found, ["booster"], horizon=6, seed=1)["booster"]

    assert said == pytest.approx(np.repeat(values.mean(axis=1)[:, None], 6, axis=1), rel=0.15)
    assert said.tolist() == again.tolist()


def test_a_series_begins_with_its_first_amount() -> None:
    assert np.isnan(begun(np.array([[0.0, 0.0, 0.0]]))).all()
    assert scale_of(np.array([[np.nan, np.nan]])).tolist() == [1.0]


def test_weights_prefer_the_smaller_error_and_distrust_few_points() -> None:
    many = weigh({"naive": (1.0, 10_000), "ets": (0.8, 10_000)})
    few = weigh({"naive": (1.0, 10_000), "ets": (0.8, 2)})

    assert many["ets"] > 0.7
    assert few["ets"] == pytest.approx(0.5, abs=0.02)
    assert sum(many.values()) == pytest.approx(1.0)


def test_a_silent_candidate_gives_its_weight_to_the_others() -> None:
    said = {"a": np.array([10.0, np.nan, np.nan]), "b": np.array([20.0, 20.0, np.nan])}

    assert combine(said, {"a": 0.5, "b": 0.5})[:2].tolist() == [15.0, 20.0]
    assert np.isnan(combine(said, {"a": 0.5, "b": 0.5})[2])


def test_conformal_ranges_cover_what_they_promise() -> None:
    random = np.random.default_rng(3)
    inside = []
    for _ in range(400):
        radii = conformal_radii(random.standard_normal(60), QUANTILES)
        assert radii is not None
        low, high = radii.at[QUANTILES.index(0.1)], radii.at[QUANTILES.index(0.9)]
        inside.append(low <= random.standard_normal() <= high)

    assert 0.76 <= np.mean(inside) <= 0.88


def test_too_few_residuals_give_no_range() -> None:
    assert conformal_radii(np.arange(9.0), QUANTILES) is None


def test_quantiles_never_cross_nor_fall_below_nothing() -> None:
    radii = conformal_radii(np.random.default_rng(1).standard_normal(50), QUANTILES)
    assert radii is not None
    values = floored(spread(np.array([0.5, 100.0]), np.array([1.0, 1.0]), radii), np.array([True, False]))

    assert (np.diff(values, axis=1) >= 0).all()
    assert (values[0] >= 0).all()


def test_outcomes_after_an_origin_do_not_change_what_was_said_at_it() -> None:
    values = noise(60)
    future = values.copy()
    # The newest origin but one; everything after it is another world.
    origins = choose_origins(FIRST + np.arange(60), PLAIN)
    changed = int((origins[-2] - FIRST).astype(int)) + 1
    future[:, changed:] *= 7
    _, points = walk(values)
    _, other = walk(future)
    known = points.origin <= len(points.origins) - 2

    assert np.array_equal(learn(points, PLAIN).expected[known], learn(other, PLAIN).expected[known])
    assert np.array_equal(learn(points, PLAIN).quantiles[known], learn(other, PLAIN).quantiles[known], equal_nan=True)


def test_a_company_that_grows_is_corrected_at_every_level_alike() -> None:
    values = noise(72) * 1.02 ** np.arange(72)
    _, points = walk(values)
    replayed = learn(points, PLAIN)
    factors = {(cell[1], cell[2]): rule.factor for cell, rule in replayed.rules.items()}
    tested = is_tested(points, PLAIN)
    shrunk = points.said["recent_mean"][tested] - points.outcome[tested]

    assert all(1.0 < factors["company", bucket] == factors["region", bucket] for bucket in range(4))
    assert abs((replayed.expected - points.outcome)[tested].mean()) < abs(shrunk.mean())
    assert {rule.factor for rule in replayed.baseline_rules.values()} == {1.0}


def test_ranges_that_held_too_little_are_stretched_for_what_comes() -> None:
    random = np.random.default_rng(5)
    # Surprises double half-way: residuals of the calm years say too little of the wild ones.
    size = np.where(np.arange(96) < 66, 3.0, 24.0)
    parts = 100 + size * random.standard_normal((12, 96))
    _, points = walk(np.concatenate([parts.sum(axis=0, keepdims=True), parts]))
    replayed = learn(points, PLAIN)
    told = is_tested(points, PLAIN) & np.isfinite(replayed.quantiles[:, 0])
    inside = (points.outcome >= replayed.quantiles[:, 1]) & (points.outcome <= replayed.quantiles[:, 5])
    radii = replayed.rules["bookings", "region", 0].radii
    residuals = ((points.outcome - replayed.expected) / points.scale)[
        points.cell == points.cells.index(("bookings", "region", 0))
    ]
    unstretched = conformal_radii(residuals, QUANTILES)

    assert unstretched is not None
    assert radii.at[3] == pytest.approx(unstretched.at[3])
    assert radii.at[5] > unstretched.at[5]
    assert inside[told].mean() > 0.6


def test_the_test_points_are_of_the_newest_origins_of_each_distance() -> None:
    _, points = walk(noise(60))
    tested = is_tested(points, PLAIN)

    for step in (1, 9, 18):
        found = np.unique(points.origin[tested & (points.step == step)])
        reached = np.unique(points.origin[(points.step == step) & np.isfinite(points.outcome)])
        assert found.tolist() == reached[-PLAIN.origins.n_test :].tolist()


def test_noise_around_a_level_is_forecast_better_than_by_repeating_it() -> None:
    _, points = walk(noise(72, n_regions=12))
    accuracy = judge_replay(points, learn(points, PLAIN), PLAIN, seed=1)
    regions = next(one for one in accuracy if one.level == "region" and one.bucket == ALL)

    # The mean of a year errs by sigma, last year's month by sigma times the root of two.
    assert regions.verdict == "better"
    assert regions.wape < regions.baseline_wape
    assert regions.coverage[80].low <= 0.8 <= regions.coverage[80].high


def test_a_repeating_year_is_not_forecast_better_than_by_repeating_it() -> None:
    year = np.array([5.0, 9.0, 2.0, 7.0, 4.0, 8.0, 1.0, 6.0, 3.0, 9.0, 2.0, 30.0])
    values = np.tile(year, 6)[None, :] * np.array([[2.0], [1.0]])
    _, points = walk(values)
    accuracy = judge_replay(points, learn(points, PLAIN), PLAIN, seed=1)

    assert {one.verdict for one in accuracy} <= {"no_better", "worse"}


def test_an_interval_of_coverage_has_width_where_everything_was_inside() -> None:
    sums = {"told": np.ones(12), "inside_80": np.ones(12)}
    found = coverage_of(sums, 80, draw_months(12, 1), n_outcomes=12)

    assert found.value == 1.0
    assert found.low < 0.8
    assert found.high == 1.0


def test_origins_are_monthly_while_the_history_is_short() -> None:
    months = FIRST + np.arange(34)

    assert choose_origins(FIRST + np.arange(14), TASK).tolist() == []
    found = choose_origins(months, TASK)
    assert np.diff(found).astype(int).tolist() == [1] * (len(found) - 1)
    assert found[-1] == months[-2]


def test_a_panel_that_ended_long_ago_is_left_out() -> None:
    old = replace(panel(noise(12), "old"), months=FIRST - 40 + np.arange(12))
    found = make_batch({"bookings": panel(noise(24)), "old": old})

    assert found is not None
    assert {measure for measure, _ in found.keys} == {"bookings"}


def by_quarter(values: list[float], last: str) -> Panel:
    months = np.datetime64(last, "M") - 3 * np.arange(len(values))[::-1]
    node = Node(level=Level.SERIES, series="north")
    return Panel(measure="trips", months=months, nodes=(node,), values=np.array([values]), period=3)


def test_quarters_are_said_in_the_months_in_which_they_end() -> None:
    year = [10.0, 20.0, 30.0, 40.0]
    last = FIRST + 35
    for running, steps in ((0, [3, 6, 9, 12, 15, 18]), (1, [2, 5, 8, 11, 14, 17])):
        found = make_batch({"bookings": panel(noise(36 + running)), "trips": by_quarter(year * 3, str(last))})
        assert found is not None
        said = say(found, PLAIN.candidates, country="CN", horizon=18, seed=1)
        assert np.isfinite(said["seasonal_naive"][:-1]).all()
        north = said["seasonal_naive"][-1]
        assert (np.flatnonzero(np.isfinite(north)) + 1).tolist() == steps
        assert north[np.isfinite(north)].tolist() == [*year, 10.0, 20.0]
        assert found.scale[-1] == 0.5 * 25.0


def test_replayed_quarters_are_judged_against_their_own_outcomes() -> None:
    random = np.random.default_rng(3)
    quarters = (np.tile([10.0, 20.0, 30.0, 40.0], 14) + random.normal(size=56)).tolist()
    present = make_batch({"trips": by_quarter(quarters, "2025-12")})
    assert present is not None
    batches = []
    for month in choose_origins(present.months, PLAIN):
        closed = 56 - -(-int((present.month - month).astype(int)) // 3)
        batch = make_batch({"trips": by_quarter(quarters[:closed], str(month))})
        assert batch is not None
        batches.append(batch)
    points = replay(batches, present, PLAIN, country="CN", seed=1)
    replayed = learn(points, PLAIN)

    assert sorted(set(points.step.tolist())) == [3, 6, 9, 12, 15, 18]
    assert np.isfinite(points.outcome).all()
    assert np.abs(points.said["seasonal_naive"] - points.outcome).max() < 8
    assert set(replayed.rules) == {("trips", "series", bucket) for bucket in range(4)}
    assert all(replayed.rules["trips", "series", bucket].radii.n for bucket in range(4))


def test_the_task_covers_its_horizon_without_a_gap() -> None:
    ends = [(bucket.first, bucket.last) for bucket in TASK.buckets]

    assert ends[0][0] == 1
    assert ends[-1][1] == TASK.horizon_months
    assert all(before[1] + 1 == after[0] for before, after in pairwise(ends))
    with pytest.raises(ValueError, match="asked for month 19"):
        TASK.bucket_of(19)
    assert TASK.measures == tuple(Measure)


def test_radii_of_no_residuals_are_widened_from_the_bucket_before() -> None:
    values = noise(30)
    _, points = walk(values)
    rules = learn(points, PLAIN).rules
    far = rules["bookings", "company", 3]

    assert far.radii.n == 0
    assert isinstance(far.radii, Radii)
