import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.additive import Additive, Term, additive_from_json, additive_to_json

TERMS = (
    Term(x=(0.0, 1.0, 4.0), y=(-1.0, 0.3, 2.0), missing=0.7, mean=0.1),
    Term(x=(0.0, 2.0), y=(0.0, 1.0), missing=-0.2, straight=True),
    Term(x=(3.0,), y=(0.4,), missing=0.0),
    Term(),
    Term(places=(0.5, -0.5, 0.1), missing=0.9),
)
NUMBER = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0]))


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER, st.sampled_from([0.0, 1.0, 2.0, float("nan")])), min_size=2))
def test_one_row_and_a_table_give_equal_bits(rows: list[tuple[float, ...]]) -> None:
    model = Additive(-0.4, TERMS)
    table = np.array(rows)
    assert model.log_odds(table).tolist() == [model.log_odds_of(row) for row in table.tolist()]
    assert additive_from_json(additive_to_json(model)).log_odds(table).tolist() == model.log_odds(table).tolist()


def test_curves_by_hand() -> None:
    model = Additive(0.0, TERMS)
    assert model.terms_of([-5.0, -2.0, 9.0, 1.0, 1.0]) == [-1.0, -1.0, 0.4, 0.0, -0.5]
    assert model.terms_of([2.5, 4.0, float("nan"), 1.0, float("nan")]) == [1.15, 2.0, 0.0, 0.0, 0.9]
    assert model.terms_of([99.0, 1.0, 0.0, 1.0, 2.0]) == [2.0, 0.5, 0.4, 0.0, 0.1]


def test_contributions_count_from_the_mean_and_add_up() -> None:
    rows = np.array([[2.5, 1.0, 3.0, 0.0, 0.0], [np.nan, 0.0, 3.0, 0.0, 2.0]])
    model = Additive(-0.4, TERMS).with_means(rows)
    parts = model.contributions(rows)
    np.testing.assert_allclose(parts.sum(axis=1), model.log_odds(rows))
    np.testing.assert_allclose(parts[:, :-1].mean(axis=0), 0.0, atol=1e-12)
