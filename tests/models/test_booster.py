from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy as np
import pytest

from models.booster import BadBooster, Booster


@pytest.fixture(scope="module")
def trained() -> tuple[lightgbm.Booster, np.ndarray]:
    random = np.random.default_rng(0)
    rows = np.column_stack([random.normal(size=800), random.integers(0, 6, 800), random.normal(size=800)])
    rows[::7, 0] = np.nan
    rows[::11, 1] = np.nan
    y = (np.nan_to_num(rows[:, 0]) + (rows[:, 1] == 2) + random.normal(size=800) > 0.4).astype(float)
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_per_group": 20}
    data = lightgbm.Dataset(rows, label=y, categorical_feature=[1], params={"verbosity": -1})
    return lightgbm.train(settings, data, num_boost_round=40), rows


def test_answers_and_contributions_equal_the_package(trained: tuple[lightgbm.Booster, np.ndarray]) -> None:
    package, rows = trained
    booster = Booster(package.model_to_string())
    assert (booster.n_fields, booster.n_trees) == (3, 40)
    unseen = np.vstack([rows, [[0.0, 77.0, 0.0], [np.nan, np.nan, np.nan]]])
    assert booster.log_odds(unseen).tolist() == package.predict(unseen, raw_score=True).tolist()
    np.testing.assert_array_equal(booster.contributions(unseen), package.predict(unseen, pred_contrib=True))


def test_threads_that_share_a_booster_get_the_same_answers(trained: tuple[lightgbm.Booster, np.ndarray]) -> None:
    package, rows = trained
    booster = Booster(package.model_to_string())
    expected = booster.log_odds(rows).tolist()

    def ask(place: int) -> float:
        if place % 5 == 0:
            booster.contributions(rows[place : place + 1])
        return float(booster.log_odds(rows[place : place + 1])[0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(len(rows)))) == expected


def test_wrong_width_is_refused_and_no_rows_are_no_error(trained: tuple[lightgbm.Booster, np.ndarray]) -> None:
    booster = Booster(trained[0].model_to_string())
    with pytest.raises(ValueError, match="n_rows, 3"):
        booster.log_odds(np.zeros((2, 4)))
    assert booster.log_odds(np.zeros((0, 3))).shape == (0,)


def test_text_that_is_no_booster_is_refused() -> None:
    with pytest.raises(BadBooster):
        Booster("no trees here")
