import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from features.leakage import Finding
from features.matrix import TrainingSet
from models.card import write_cards
from models.card_words import METRIC_WORDS, WORDS
from models.tasks.lead_score import TASK
from models.train import Trained, fit_task

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
    assert "| junk | suspected | filled_in_batches: a\\|b |" in card
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
