import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from features import leakage, leakage_record
from features.leakage import Finding
from features.leakage_figures import measure_leakage
from features.matrix import TrainingSet
from models.card import write_cards
from models.card_plot import write_plot
from models.card_words import CHECKS_ZH, MEASURE_WORDS, METRIC_WORDS, WORDS
from models.judge import segments_off
from models.metrics import Interval
from models.report import RandomSplitGap, Segment
from models.tasks.lead_score import TASK
from models.train import Trained, fit_task
from models.value import CAVEATS

JUNK = {
    "en": "| junk | suspected | filled_in_batches: a\\|b |",
    "zh": "| junk | 存疑 | 较早的行有值、较新的行没有：不是当时写入的（filled_in_batches）：a\\|b |",
}
Make = Callable[..., TrainingSet]


@pytest.fixture(scope="module")
def trained(make_training_set: Make) -> Trained:
    finding = Finding(column="junk", verdict="suspected", check="filled_in_batches", evidence="a|b")
    task = replace(TASK, candidates=("base_rate", "logistic"))
    return fit_task(task, make_training_set(), seed=1, findings=[finding])


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])
    assert set(METRIC_WORDS["en"]) == set(METRIC_WORDS["zh"])
    for name, english in WORDS["en"].items():
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", WORDS["zh"][name])), name
        assert english.count(" | ") == WORDS["zh"][name].count(" | "), name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_card_says_what_was_found_beside_the_baseline_and_what_was_left_out(language: str, trained: Trained) -> None:
    assert trained.predictor is not None
    card = write_cards(TASK, trained.report, trained.predictor)[language]
    assert f"{trained.report.metrics['test']['auc']:.3f}" in card
    assert f"{trained.report.metrics['baseline']['auc']:.3f}" in card
    assert JUNK[language] in card
    assert f"![{WORDS[language]['calibration']}](calibration.{language}.svg)" in card
    assert WORDS[language]["association"] in card
    assert "{" not in card
    assert "nan" not in card


def test_card_of_rows_without_time_says_optimistic(make_training_set: Make) -> None:
    task = replace(TASK, candidates=("base_rate", "logistic"))
    found = fit_task(task, make_training_set(1200, with_time=False), seed=1)
    assert found.predictor is not None
    assert "optimistic" in write_cards(task, found.report, found.predictor)["en"]
    assert "偏乐观" in write_cards(task, found.report, found.predictor)["zh"]


def test_card_of_few_events_says_how_far_boosting_is(make_training_set: Make) -> None:
    found = fit_task(TASK, make_training_set(120), seed=1)
    assert found.predictor is not None
    assert "boosting waits for 200 events" in write_cards(TASK, found.report, found.predictor)["en"]


def test_measures_beside_the_search_stand_in_both_cards(trained: Trained, make_training_set: Make) -> None:
    measures = measure_leakage(make_training_set(), seed=1)
    assert {measure.name for measure in measures} < set(MEASURE_WORDS["en"])
    report = replace(trained.report, leakage_measures=measures)
    assert trained.predictor is not None
    cards = write_cards(TASK, report, trained.predictor)
    for measure in measures:
        assert f"| {MEASURE_WORDS['en'][measure.name]} | {measure.text} |" in cards["en"]
        assert f"| {MEASURE_WORDS['zh'][measure.name]} | {measure.text_zh} |" in cards["zh"]


def test_every_check_and_measure_has_chinese_words() -> None:
    source = "".join(Path(module.__file__ or "").read_text("utf-8") for module in (leakage, leakage_record))
    checks = set(re.findall(r'"(?:quarantined|suspected)", (?:check=)?"(\w+)"[,)]', source))
    assert {"strong_alone", "built_on"} <= checks - {"suspected"} <= set(CHECKS_ZH)
    assert set(MEASURE_WORDS["en"]) == set(MEASURE_WORDS["zh"])


def test_chinese_card_of_few_events_holds_no_english_sentence(make_training_set: Make) -> None:
    found = fit_task(TASK, make_training_set(120), seed=1)
    assert found.predictor is not None
    assert "收缩模型" in write_cards(TASK, found.report, found.predictor)["zh"]
    assert not re.search(r"[a-z]+ [a-z]+ [a-z]+ [a-z]+", write_cards(TASK, found.report, found.predictor)["zh"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_calibration_plot_is_a_drawing_with_one_dot_a_tenth(language: str, trained: Trained) -> None:
    drawing = ElementTree.fromstring(write_plot(trained.report.calibration, language=language))  # our own
    dots = drawing.findall("{http://www.w3.org/2000/svg}circle")
    assert len(dots) == len(trained.report.calibration) == 10
    for tenth in trained.report.calibration:
        assert tenth.low <= tenth.event_rate <= tenth.high


def test_card_says_in_both_languages_that_the_level_moves_and_that_the_baseline_did_better(trained: Trained) -> None:
    assert trained.predictor is not None
    limits = (
        "the level moves: the event rate of earlier windows went from 5.1% to 15.7%; trust the order before the level",
        "on the test window the untuned baseline has the smaller log loss (by 0.010 to 0.020); the learner was chosen "
        "on earlier windows alone",
    )
    cards = write_cards(TASK, replace(trained.report, limits=limits), trained.predictor)
    for limit in limits:
        assert f"- {limit}" in cards["en"]
    assert "更早的各窗口事件率在 5.1% 至 15.7% 之间" in cards["zh"]
    assert "基线对数损失更小（差 0.010 至 0.020）" in cards["zh"]


def test_a_base_rate_that_moves_is_a_limit_and_a_steady_one_is_none(make_training_set: Make) -> None:
    task = replace(TASK, candidates=("base_rate", "logistic"))
    steady = make_training_set(1600)
    place = np.arange(1600)
    # In the later half of the past every second lead that was lost is won.
    won = np.where((place > 900) & (place % 2 == 0), 1.0, steady.label)
    assert fit_task(task, steady, seed=1).report.limits == ()
    moved = fit_task(task, replace(steady, label=won), seed=1).report.limits
    assert moved[0].startswith("the level moves: ")


def test_a_gap_that_is_none_is_not_called_a_promise(trained: Trained) -> None:
    assert trained.predictor is not None
    for gap, words in ((0.05, "promised too much"), (-0.01, "shows no more")):
        split = RandomSplitGap(auc_random=0.8 + gap, auc_in_time=0.8, gap=gap)
        card = write_cards(TASK, replace(trained.report, random_split_gap=split), trained.predictor)["en"]
        assert [word in card for word in ("promised too much", "shows no more")].count(True) == 1
        assert words in card


def test_segments_whose_level_is_off_beyond_chance_are_named(trained: Trained) -> None:
    def segment(category: str, gap: float) -> Segment:
        spread = Interval(value=gap, low=gap - 0.05, high=gap + 0.05)
        kept = {"n": 100, "base_rate": 0.2, "mean_probability": 0.2 + gap, "auc": spread, "calibration_gap": spread}
        return Segment(field="channel", category=category, **kept)

    # The second lies outside its own interval, as one in twenty does by chance.
    segments = (segment("web", 0.27), segment("fair", 0.055), segment("call", 0.0), *[segment("x", 0.01)] * 10)
    assert [one.category for one in segments_off(segments)] == ["web"]
    assert trained.predictor is not None
    cards = write_cards(TASK, replace(trained.report, segments=segments), trained.predictor)
    assert "off beyond chance (5 % over all segments together) in: channel = web." in cards["en"]
    assert "channel = web。" in cards["zh"]


def test_a_card_of_losses_speaks_of_losses(trained: Trained) -> None:
    assert trained.predictor is not None
    losses = write_cards(replace(TASK, tells_of="loss"), trained.report, trained.predictor)
    gains = write_cards(TASK, trained.report, trained.predictor)
    for language in ("en", "zh"):
        assert CAVEATS["loss"][language] in losses[language]
        assert WORDS[language]["effort_loss"] in losses[language]
        assert CAVEATS["gain"][language] in gains[language]
