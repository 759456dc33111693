"""Hazards kept as a bundle of plain files."""

import subprocess
import sys

import numpy as np
import pytest

from models.bundle import load_bundle
from models.hazard import HazardModel, fit_calibrators
from models.hazard_bundle import HazardPredictor, load_hazard, save_hazard
from models.hazard_learners import LEARNERS
from models.person_period import even_grid
from models.predictor import About, BadBundle, score_of

CAUSES = ("won", "lost")
GRID = even_grid(8, 7.0)


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
def test_a_bundle_answers_as_before_after_a_round_trip(learner, tmp_path, simulate, fit):
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


def test_a_changed_bundle_and_one_of_another_kind_are_refused(tmp_path, simulate, fit):
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


def test_parts_that_do_not_fit_are_refused(simulate, fit):
    table, _, outcome = simulate(1_000, 15)
    encoder, model = fit("hazard_rate", table, outcome)
    with pytest.raises(BadBundle, match="calendar"):
        HazardPredictor(about=ABOUT, encoder=encoder, model=model, ahead_names=("is_pay_day",))
    with pytest.raises(ValueError, match="a booster or one additive"):
        HazardModel(learner="x", grid=GRID, causes=CAUSES, n_fields=2)
