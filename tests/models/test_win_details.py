"""What is said beside the chance to win, by hand on curves whose numbers can be checked."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from features.matrix import Field, Kind
from features.outcomes import time_outcomes
from features.timed_set import TimedSet
from models.additive import Additive, Term
from models.amount_ratio import amount_ratio_from_json, fit_amount_ratio
from models.details import Asked
from models.encoding import Coding, Encoder
from models.hazard import HazardModel
from models.hazard_bundle import HazardPredictor, load_hazard, save_hazard
from models.person_period import Grid, even_grid
from models.predictor import About
from models.survival import incidence_of
from models.win_details import expected_close, learn_extras, slip_risk, win_details

WEEK = np.timedelta64(7 * 86_400_000_000, "us")
TODAY = np.datetime64("2026-06-01", "D")
ABOUT = About(
    task="win_probability",
    kind="hazard",
    learner="hazard_rate",
    event="won",
    horizon_days=91,
    gap_days=0,
    base_rate=0.3,
    n_rows=3_000,
    n_positives=400,
)
RATIO = {"overall": 0.9, "by_value": {"offer": 0.8}, "n": 40}


def curves(won, lost, *, width=7.0):
    hazards = np.stack([np.asarray(won, dtype=float), np.asarray(lost, dtype=float)], axis=2)
    return incidence_of(hazards, even_grid(hazards.shape[1], width), ("won", "lost"))


def make_predictor(grid, **more):
    encoder = Encoder([Coding(field=Field(name="net_amount", kind=Kind.NUMBER))])
    # A week's odds of 1 to 10 to be won and 1 to 5 to be lost, whoever asks.
    terms = [Term(), Term()]
    model = HazardModel(
        learner="hazard_rate",
        grid=grid,
        causes=("won", "lost"),
        n_fields=1,
        additives=tuple(Additive(float(np.log(odds)), terms) for odds in (0.1, 0.2)),
    )
    return HazardPredictor(about=ABOUT, encoder=encoder, model=model, **more)


def ask(predictor, values):
    table = pa.table({"net_amount": pa.array([each.get("net_amount") for each in values], pa.float64())})
    rows, on = predictor.encoder.encode_table(table), np.full(len(values), TODAY)
    return Asked(scorer=predictor, rows=rows, values=values, on=on, probability=predictor.predict_rows(rows, on))


def test_every_row_says_the_same_things_and_leaves_open_what_is_unknown():
    predictor = make_predictor(even_grid(26, 7.0), extras={"amount_ratio": RATIO})
    full = {"net_amount": 1_000.0, "stage": "offer", "days_past_expected_close": -13.0}
    known, unknown = win_details(ask(predictor, [full, {"stage": "new"}]))
    assert list(known) == list(unknown)
    assert json.loads(json.dumps([known, unknown])) == [known, unknown]
    p = predictor.predict_rows(np.array([[1_000.0]]))[0]
    assert known["p_won_by"]["91"] == pytest.approx(p)
    assert known["expected_value"] == pytest.approx(p * 1_000 * 0.8)
    assert (known["amount_ratio"], unknown["amount_ratio"]) == (0.8, 0.9)
    # Two whole weeks in which 1 of 1.3 stays open each.
    assert known["slip_risk"] == pytest.approx((1 / 1.3) ** 2)
    assert (unknown["slip_risk"], unknown["expected_value"]) == (None, None)
    chances = [known["p_won_by"][days] for days in ("30", "60", "91", "182")]
    assert chances == sorted(chances)
    assert known["p_lost_by"]["60"] == pytest.approx(2 * known["p_won_by"]["60"])


def test_a_young_model_says_nothing_about_days_beyond_its_grid():
    predictor = make_predictor(even_grid(13, 7.0))
    (found,) = win_details(ask(predictor, [{"net_amount": 10.0, "days_past_expected_close": -300.0}]))
    assert found["p_won_by"]["182"] is None
    assert found["p_lost_by"]["182"] is None
    assert found["slip_risk"] is None
    assert found["amount_ratio"] is None
    assert found["expected_value"] == pytest.approx(10 * found["p_won_by"]["91"])


def test_the_expected_close_is_the_median_day_of_winning_if_it_is_won():
    fast = curves([[0.5, 0.5, 0.5, 0.5]], [[0.0, 0.0, 0.0, 0.0]])
    # Half of all wins have come after the first step of seven days.
    assert expected_close(fast, np.array([TODAY])).tolist() == [(TODAY + 7).item()]
    slow = curves([[0.01, 0.01]], [[0.01, 0.01]])
    never = curves([[0.0, 0.0]], [[0.3, 0.3]])
    assert np.isnat(expected_close(slow, np.array([TODAY]))).all()
    assert np.isnat(expected_close(never, np.array([TODAY]))).all()


def test_the_expected_close_lies_where_simulated_wins_have_their_middle():
    random, n = np.random.default_rng(1), 40_000
    hazard = np.array([0.06, 0.12])
    step = random.geometric(hazard.sum(), n) - 1
    is_won = random.random(n) < hazard[0] / hazard.sum()
    middle = float(np.median(7.0 * (step[is_won] + random.random(int(is_won.sum())))))
    grid = curves([[hazard[0]] * 26], [[hazard[1]] * 26])
    found = (expected_close(grid, np.array([TODAY]))[0] - TODAY).astype(int)
    assert found == pytest.approx(middle, abs=2)


def test_slipping_counts_from_the_end_of_the_expected_day():
    incidence = curves([[0.1, 0.1]] * 4, [[0.1, 0.1]] * 4)
    found = slip_risk(incidence, np.array([-6.0, 1.0, np.nan, -20.0]))
    assert found[0] == pytest.approx(0.8)
    # The day has passed and it is still open: that it closes later is certain.
    assert found[1] == 1.0
    assert np.isnan(found[2:]).all()


def test_other_models_have_no_such_details():
    with pytest.raises(TypeError, match="need hazards"):
        win_details(replace(ask(make_predictor(even_grid(13, 7.0)), [{}]), scorer=_Plain()))


class _Plain:
    about = replace(ABOUT, kind="linear")


def test_amount_ratios_are_learned_from_won_deals_once_a_stage_and_drawn_to_the_mean():
    rows = priced_deals(400, 7)
    ratio = fit_amount_ratio(rows)
    assert ratio.by_value["early"] == pytest.approx(0.7, abs=0.03)
    assert ratio.by_value["late"] == pytest.approx(1.0, abs=0.03)
    assert 0.7 < ratio.overall < 1.0
    # A stage that one deal alone tells of weighs against five deals' worth of the mean.
    assert ratio.by_value["rare"] == pytest.approx((1.0 + 5 * ratio.overall) / 6, abs=0.01)
    assert ratio.of({"stage": "never seen"}) == ratio.overall
    assert amount_ratio_from_json(json.loads(json.dumps(ratio.to_json()))) == ratio
    assert fit_amount_ratio(replace(rows, final_amount=None)).n == 0
    assert fit_amount_ratio(replace(rows, final_amount=np.full(len(rows.amount), np.nan))).n == 0


def test_what_was_not_closed_yet_has_no_final_amount():
    rows = priced_deals(200, 7)
    past = rows.known_at(np.datetime64("2026-04-06", "us"))
    assert np.array_equal(np.isfinite(past.final_amount), past.outcomes.cause == 1)
    assert np.isfinite(rows.final_amount).sum() > np.isfinite(past.final_amount).sum()


def test_what_was_learned_for_the_details_travels_with_the_bundle(tmp_path):
    predictor = make_predictor(Grid(edges=(0.0, 91.0)), extras=learn_extras(priced_deals(300, 7)))
    save_hazard(predictor, tmp_path / "b", cards={"en": "", "zh": ""}, report="{}", golden="[]")
    assert load_hazard(tmp_path / "b").extras == predictor.extras
    assert predictor.extras["amount_ratio"]["n"] > 50


def priced_deals(n_deals, seed):
    """Deals with two weeks in an early and two in a late stage; those won give up 30 % between the two."""
    random = np.random.default_rng(seed)
    deal, week = np.repeat(np.arange(n_deals), 4), np.tile(np.arange(4), n_deals)
    begun = np.datetime64("2026-01-05", "us") + random.integers(0, 20, n_deals)[deal] * WEEK
    as_of = begun + week * WEEK
    cause = random.integers(0, 3, n_deals)[deal]
    end = begun + 4 * WEEK
    never = np.datetime64("NaT", "us")
    happened = {name: np.where(cause == place, end, never) for place, name in enumerate(("won", "lost"), start=1)}
    stage = np.where(week < 2, "early", "late").astype("<U5")
    stage[np.flatnonzero((cause == 1) & (week == 3))[0]] = "rare"
    price = np.exp(random.normal(4.6, 0.05, n_deals))[deal]
    return TimedSet(
        fields=(Field(name="stage", kind=Kind.CATEGORY),),
        rows=pa.table({"stage": stage.tolist()}),
        entity_id=deal.astype(str),
        as_of=as_of,
        on=as_of.astype("datetime64[D]"),
        group=deal.astype(str),
        amount=np.where(week < 2, price / 0.7, price),
        outcomes=time_outcomes(as_of, happened, recorded_to=datetime(2026, 7, 1, tzinfo=UTC)),
        final_amount=np.where(cause == 1, price, np.nan),
    )
