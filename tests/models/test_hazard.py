"""The discrete-time competing risks against simulated hazards whose truth is known."""

import subprocess
import sys
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from features.matrix import Field, Kind
from models.bundle import load_bundle
from models.calibrator import logit, sigmoid
from models.encoding import make_encoder
from models.hazard import HazardModel, design_of, fit_calibrators, fit_hazard, softmax
from models.hazard_bundle import HazardPredictor, load_hazard, save_hazard
from models.hazard_learners import LEARNERS
from models.hazard_reasons import contributions_within
from models.metrics import calibration_line, make_blocks
from models.person_period import Durations, Grid, even_grid, expand
from models.predictor import About, BadBundle, score_of
from models.survival import incidence_of, recalibrate
from models.survival_metrics import (
    auc_at,
    brier_at,
    censoring_weights,
    concordance,
    interval_of,
    paired_interval_of,
)

CAUSES = ("won", "lost")
GRID = even_grid(8, 7.0)
FIELDS = (Field(name="x", kind=Kind.NUMBER), Field(name="team", kind=Kind.CATEGORY))


def simulate(n_rows, seed, *, n_steps=8, reach=None):
    """Rows, their true hazards (n_rows, n_steps, 2) and what became of them, censored at the end of the record."""
    random = np.random.default_rng(seed)
    x, team = random.normal(size=n_rows), random.integers(0, 2, n_rows)
    step = np.arange(n_steps)
    won = np.exp(-3.2 + 1.0 * x[:, None] + 0.15 * step)
    lost = np.exp(-2.4 - 0.5 * x[:, None] + 0.8 * team[:, None] - 0.1 * step)
    total = 1 + won + lost
    hazards = np.stack([won / total, lost / total], axis=2)
    duration, cause = np.full(n_rows, np.inf), np.zeros(n_rows, np.intp)
    for at in step:
        draw, is_open = random.random(n_rows), cause == 0
        first = is_open & (draw < hazards[:, at, 0])
        second = is_open & ~first & (draw < hazards[:, at].sum(axis=1))
        cause[first], cause[second] = 1, 2
        duration[first | second] = 7.0 * (at + random.random(int((first | second).sum())))
    end = 7.0 * n_steps if reach is None else reach
    follow_up = random.uniform(0, end, n_rows) * (1.0 if reach is None else 1.5)
    late = duration > follow_up
    outcome = Durations(
        duration=np.where(late, np.minimum(follow_up, 7.0 * n_steps), duration),
        cause=np.where(late, 0, cause),
        follow_up=follow_up,
    )
    table = pa.table({"x": x, "team": np.where(team == 1, "south", "north").tolist()})
    return table, hazards, outcome


def fit(learner, table, outcome, **more):
    encoder = make_encoder(FIELDS, table)
    rows = encoder.encode_table(table)
    return encoder, fit_hazard(learner, encoder, rows, outcome, grid=GRID, causes=CAUSES, seed=1, **more)


def test_expansion_gives_one_entry_for_every_step_a_row_was_watched():
    outcome = Durations(
        duration=np.array([0.0, 7.0, 7.5, 60.0, 20.0]),
        cause=np.array([1, 2, 0, 1, 0]),
        follow_up=np.array([99.0, 99.0, 7.5, 99.0, 20.0]),
    )
    periods = expand(outcome, GRID)
    found = {row: periods.cause[periods.row == row].tolist() for row in range(5)}
    assert found == {0: [1], 1: [2], 2: [0], 3: [0] * 8, 4: [0, 0]}
    assert periods.step[periods.row == 3].tolist() == list(range(8))
    assert (periods.weight == 1).all()


def test_a_step_that_the_record_reaches_in_part_counts_for_nobody():
    outcome = Durations(duration=np.array([8.0, 10.0]), cause=np.array([1, 0]), follow_up=np.array([10.0, 10.0]))
    assert expand(outcome, GRID).cause.tolist() == [0, 0]


def test_without_a_known_follow_up_a_censored_row_counts_for_the_share_it_was_watched():
    periods = expand(Durations(duration=np.array([10.5]), cause=np.array([0])), GRID)
    assert periods.weight.tolist() == [1.0, 0.5]


def test_weights_are_bounded_and_thinning_keeps_every_event_and_the_total_weight():
    _, _, outcome = simulate(4_000, 3)
    plain = expand(outcome, GRID)
    heavy = expand(outcome, GRID, weight=np.where(np.arange(4_000) == 0, 1e9, 1.0))
    assert heavy.weight.max() <= 10.0
    thinned = expand(outcome, GRID, max_periods=len(plain.row) // 3, seed=5)
    assert (thinned.cause > 0).sum() == (plain.cause > 0).sum()
    assert len(thinned.row) < 0.4 * len(plain.row)
    assert thinned.weight.sum() == pytest.approx(plain.weight.sum(), rel=0.05)
    with pytest.raises(ValueError, match="finite numbers"):
        expand(outcome, GRID, weight=np.full(4_000, np.nan))


def test_a_grid_starts_at_zero_and_rises():
    with pytest.raises(ValueError, match="start at 0"):
        Grid(edges=(1.0, 2.0))
    with pytest.raises(ValueError, match="rise"):
        Grid(edges=(0.0, 2.0, 2.0))


@pytest.mark.parametrize("learner", ["hazard_logistic", pytest.param("hazard_booster", marks=pytest.mark.slow)])
def test_fitted_incidence_comes_near_the_truth_in_spite_of_censoring(learner):
    table, _, outcome = simulate(8_000, 1)
    encoder, model = fit(learner, table, outcome)
    unseen, hazards, _ = simulate(2_000, 2)
    found = model.incidence(encoder.encode_table(unseen))
    truth = incidence_of(hazards, GRID, CAUSES)
    error = found.values[:, -1] - truth.values[:, -1]
    assert np.abs(error.mean(axis=0)).max() < 0.015
    # A hundred small trees, all that so few events get, stay nearer to the mean than the lines that made these data.
    assert np.abs(error).mean() < (0.02 if learner == "hazard_logistic" else 0.06)
    assert (outcome.cause == 0).mean() > 0.4


def test_counting_open_rows_as_negatives_would_be_far_off():
    _, hazards, outcome = simulate(12_000, 1)
    truth = incidence_of(hazards, GRID, CAUSES).values[:, -1, 0].mean()
    assert ((outcome.cause == 1).mean()) < 0.75 * truth


def test_the_rate_of_each_step_is_the_same_for_everyone():
    table, hazards, outcome = simulate(12_000, 1)
    encoder, model = fit("hazard_rate", table, outcome)
    found = model.hazards(encoder.encode_table(table))
    assert np.ptp(found, axis=0).max() == 0
    assert np.abs(found[0, 0] - hazards[:, 0].mean(axis=0)).max() < 0.01


def test_incidence_by_hand():
    hazards = np.array([[[0.2, 0.3], [0.4, 0.0], [0.0, 1.0]]])
    found = incidence_of(hazards, Grid(edges=(0.0, 1.0, 3.0, 4.0)), CAUSES)
    assert found.curve("won").tolist() == [[0.0, 0.2, 0.4, 0.4]]
    assert found.curve("lost")[0] == pytest.approx([0, 0.3, 0.3, 0.6])
    assert found.survival[0] == pytest.approx([0.5, 0.3, 0.0])
    assert found.by(2.0, "won") == pytest.approx([0.3])
    assert found.by(np.array([99.0])) == pytest.approx([1.0])
    assert found.median() == pytest.approx([1.0])
    assert found.median("won").tolist() == [np.inf]
    assert found.quantile(0.3, "won") == pytest.approx([2.0])
    assert found.expected("won") == pytest.approx([(0.2 * 0.5 + 0.2 * 2.0) / 0.4])
    assert found.restricted_mean() == pytest.approx([0.75 + 0.8 + 0.15])
    assert found.mass()[0] == pytest.approx([0.5, 0.2, 0.3])


def test_expected_time_equals_a_plain_loop():
    _, hazards, _ = simulate(50, 4)
    found = incidence_of(hazards, GRID, CAUSES)
    for row in range(50):
        alive, chances = 1.0, []
        for step in range(8):
            chances.append(alive * hazards[row, step, 0])
            alive *= 1 - hazards[row, step].sum()
        mean = sum(p * 7 * (step + 0.5) for step, p in enumerate(chances)) / sum(chances)
        assert found.expected("won")[row] == pytest.approx(mean)
        assert found.survival[row, -1] == pytest.approx(alive)


def test_calibration_mends_a_wrong_level_and_keeps_the_incidence_coherent():
    _, hazards, outcome = simulate(12_000, 6)
    truth = incidence_of(hazards, GRID, CAUSES)
    tilted = incidence_of(np.stack([hazards[:, :, 0] ** 1.3, hazards[:, :, 1] * 0.6], axis=2), GRID, CAUSES)
    horizon = 28.0
    calibrators = fit_calibrators(tilted, outcome, horizon)
    mended = recalibrate(tilted, horizon, calibrators)
    assert (np.diff(mended.values, axis=1) >= -1e-12).all()
    assert mended.values.sum(axis=2).max() <= 1 + 1e-12
    for place, cause in enumerate(CAUSES, start=1):
        y = outcome.known_by(horizon, place)
        known = np.isfinite(y)
        slope, _ = calibration_line(y[known], mended.by(horizon, cause)[known])
        assert slope == pytest.approx(1, abs=0.1)
        assert mended.by(horizon, cause).mean() == pytest.approx(truth.by(horizon, cause).mean(), abs=0.02)


def test_few_outcomes_leave_the_hazards_as_they_are():
    _, hazards, outcome = simulate(60, 6)
    incidence = incidence_of(hazards, GRID, CAUSES)
    same = recalibrate(incidence, 28.0, fit_calibrators(incidence, outcome, 28.0))
    assert same.values == pytest.approx(incidence.values)


def test_an_outcome_within_the_horizon_is_unknown_until_the_window_has_passed():
    outcome = Durations(
        duration=np.array([5.0, 5.0, 9.0, 30.0]),
        cause=np.array([1, 1, 0, 0]),
        follow_up=np.array([99.0, 9.0, 9.0, 30.0]),
    )
    assert np.array_equal(outcome.known_by(28.0, 1), [1, np.nan, np.nan, 0], equal_nan=True)


def test_what_is_known_ahead_of_a_step_moves_its_hazard():
    random = np.random.default_rng(8)
    n_rows = 3_000
    ahead = (random.random((n_rows, 8, 1)) < 0.3).astype(float)
    table = pa.table({"x": random.normal(size=n_rows), "team": ["north"] * n_rows})
    chance = sigmoid(-3 + 2 * ahead[:, :, 0])
    hit = random.random((n_rows, 8)) < chance
    step = np.where(hit.any(axis=1), hit.argmax(axis=1), 8)
    outcome = Durations(duration=np.minimum(7.0 * step + 3, 56.0), cause=(step < 8).astype(np.intp))
    encoder, model = fit("hazard_logistic", table, outcome, ahead=ahead)
    days = np.zeros((1, 8, 1))
    days[0, 3, 0] = 1.0
    found = model.hazards(encoder.encode({"x": 0.0, "team": "north"}), days)[0, :, 0]
    assert found[3] == pytest.approx(sigmoid(np.array(-1.0)), abs=0.04)
    assert found[4] == pytest.approx(sigmoid(np.array(-3.0)), abs=0.03)
    with pytest.raises(ValueError, match="known ahead"):
        model.hazards(encoder.encode({"x": 0.0}))


def test_a_cause_that_training_never_saw_never_happens():
    table, _, outcome = simulate(1_000, 9)
    kept = outcome.cause != 2
    for learner in LEARNERS:
        encoder, model = fit(learner, table.filter(pa.array(kept)), outcome.take(kept))
        found = model.incidence(encoder.encode_table(table))
        assert found.by(56.0, "lost").max() < 0.02


def plain_concordance(outcome, score, cause):
    n_pairs = won = 0.0
    for i in range(len(score)):
        for j in range(len(score)):
            if i == j or outcome.cause[i] != cause:
                continue
            ends_otherwise = outcome.cause[j] not in (0, cause)
            is_later = outcome.duration[j] > outcome.duration[i] or (
                outcome.duration[j] == outcome.duration[i] and outcome.cause[j] == 0
            )
            if ends_otherwise or is_later:
                n_pairs += 1
                won += 1.0 if score[i] > score[j] else 0.5 * (score[i] == score[j])
    return won / n_pairs


def test_concordance_equals_a_loop_over_pairs():
    _, _, outcome = simulate(250, 10)
    rounded = Durations(duration=np.round(outcome.duration), cause=outcome.cause)
    score = np.round(np.random.default_rng(0).normal(size=250), 1)
    for cause in (1, 2):
        assert concordance(rounded, score, cause=cause) == pytest.approx(plain_concordance(rounded, score, cause))


def test_censored_rows_are_weighed_in_so_that_metrics_equal_those_of_full_outcomes():
    _, hazards, censored = simulate(40_000, 12)
    _, _, whole = simulate(40_000, 12, reach=1e9)
    p = incidence_of(hazards, GRID, CAUSES).by(28.0, "won")
    everything = Durations(duration=whole.duration, cause=whole.cause)
    open_ones = Durations(duration=censored.duration, cause=censored.cause)
    for metric in (auc_at, brier_at):
        truth = metric(everything, p, horizon=28.0, cause=1)
        assert metric(open_ones, p, horizon=28.0, cause=1) == pytest.approx(truth, abs=0.012)
    assert censoring_weights(open_ones, 28.0).mean() == pytest.approx(1.0, abs=0.03)


def test_intervals_draw_whole_groups():
    _, hazards, outcome = simulate(1_500, 13)
    p = incidence_of(hazards, GRID, CAUSES).by(28.0, "won")
    blocks = make_blocks(np.array([str(row // 5) for row in range(1_500)]), n_draws=60, seed=1)
    metric = partial(auc_at, horizon=28.0, cause=1)
    found = interval_of(metric, outcome, p, blocks)
    assert found.low < found.value < found.high
    assert paired_interval_of(metric, outcome, p, p, blocks).high == 0


ABOUT = About(
    task="win_probability",
    kind="hazard",
    learner="hazard_booster",
    event="won",
    horizon_days=56,
    gap_days=0,
    base_rate=0.3,
    n_rows=3_000,
    n_positives=400,
)


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_a_bundle_answers_as_before_after_a_round_trip(learner, tmp_path):
    table, _, outcome = simulate(1_000, 14)
    encoder, model = fit(learner, table, outcome)
    incidence = model.incidence(encoder.encode_table(table))
    predictor = HazardPredictor(
        about=ABOUT,
        encoder=encoder,
        model=model,
        calibrators=fit_calibrators(incidence, outcome, 28.0),
        horizon=28.0,
    )
    texts = {"cards": {"en": "a card", "zh": "卡片"}, "report": "{}", "golden": "[]"}
    digest = save_hazard(predictor, tmp_path / "one", **texts)
    assert save_hazard(predictor, tmp_path / "two", **texts) == digest
    loaded = load_hazard(tmp_path / "one", digest)
    assert np.array_equal(loaded.predict_table(table), predictor.predict_table(table))
    curves = [each.incidence_rows(each.encoder.encode_table(table)).values for each in (loaded, predictor)]
    assert np.array_equal(*curves)
    one = loaded.predict({"x": table["x"][7].as_py(), "team": table["team"][7].as_py()}, n_reasons=2)
    assert one.probability == pytest.approx(predictor.predict_table(table)[7], abs=1e-12)
    assert one.score == score_of(one.probability)
    asked = f"from models.hazard_bundle import load_hazard as load; load(Path({str(tmp_path / 'one')!r}))"
    asked += ".predict({'x': 1.0, 'team': 'north'}); import sys; assert not {'pandas', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"from pathlib import Path; {asked}"], check=True)
    assert loaded.model.grid == GRID
    assert loaded.model.causes == CAUSES


@pytest.mark.parametrize("learner", ["hazard_logistic", "hazard_booster"])
def test_reasons_sum_to_the_log_odds_and_follow_the_path_from_the_average_row(learner):
    table, _, outcome = simulate(1_500, 14)
    encoder, model = fit(learner, table, outcome)
    rows = encoder.encode_table(table)[:40]
    horizon = np.linspace(9.0, 56.0, len(rows))
    parts = contributions_within(model, rows, horizon, "won")
    p = model.incidence(rows).by(horizon, "won")
    assert parts.sum(axis=1) == pytest.approx(logit(p), abs=1e-9)
    # What drives winning in the simulation weighs more than what does not.
    assert np.abs(parts[:, 0]).mean() > 0.1
    # A field whose value changes nothing in any tree or term adds nothing.
    flat = fit("hazard_rate", table, outcome)[1]
    assert np.abs(contributions_within(flat, rows, horizon, "won")[:, :-1]).max() == 0


def test_a_reason_is_the_slope_along_the_path_summed_step_by_step():
    table, _, outcome = simulate(1_500, 14)
    encoder, model = fit("hazard_logistic", table, outcome)
    rows = encoder.encode_table(table)[:5]
    n_steps = GRID.n_steps
    period = design_of(rows, None, np.repeat(np.arange(5), n_steps), np.tile(np.arange(n_steps), 5))
    scores = np.stack([each.log_odds(period) for each in model.additives], axis=1).reshape(5, n_steps, -1)
    parts = model.score_parts(period)[:, :2].reshape(5, n_steps, 2, -1)

    def log_odds(path):
        hazards = softmax(np.column_stack([np.zeros(5 * n_steps), path.reshape(5 * n_steps, -1)]))[:, 1:]
        return logit(incidence_of(hazards.reshape(path.shape), GRID, CAUSES).by(GRID.end, "won"))

    found, n = np.zeros((5, 2)), 400
    for share in (np.arange(n) + 0.5) / n:
        here = scores - (1 - share) * parts.sum(axis=2)
        for place in range(2):
            small = 1e-5 * parts[:, :, place]
            found[:, place] += (log_odds(here + small) - log_odds(here - small)) / 2e-5 / n
    exact = contributions_within(model, rows, np.full(5, GRID.end), "won")[:, :2]
    assert exact == pytest.approx(found, abs=2e-3)


def test_a_changed_bundle_and_one_of_another_kind_are_refused(tmp_path):
    table, _, outcome = simulate(1_000, 15)
    encoder, model = fit("hazard_booster", table, outcome)
    predictor = HazardPredictor(about=ABOUT, encoder=encoder, model=model)
    save_hazard(predictor, tmp_path / "one", cards={"en": "", "zh": ""}, report="{}", golden="[]")
    with pytest.raises(BadBundle, match=r"model\.json"):
        load_bundle(tmp_path / "one")
    text = (tmp_path / "one" / "booster.txt").read_text()
    (tmp_path / "one" / "booster.txt").write_text(text.replace("0.0", "0.1", 1))
    with pytest.raises(BadBundle, match="changed after training"):
        load_hazard(tmp_path / "one")


def test_parts_that_do_not_fit_are_refused():
    table, _, outcome = simulate(1_000, 15)
    encoder, model = fit("hazard_rate", table, outcome)
    with pytest.raises(BadBundle, match="calendar"):
        HazardPredictor(about=ABOUT, encoder=encoder, model=model, ahead_names=("is_pay_day",))
    with pytest.raises(ValueError, match="a booster or one additive"):
        HazardModel(learner="x", grid=GRID, causes=CAUSES, n_fields=2)
