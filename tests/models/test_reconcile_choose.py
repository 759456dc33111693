"""The way of reconciling is chosen by what came nearest before, never by what is still to come."""

import numpy as np
import pytest
from scipy import sparse

from models.reconcile import BadHierarchy, Method
from models.reconcile_choose import Origin, choose_method

S = sparse.csr_matrix([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def make_origin(seed: int, *, total: float, part: float, n_residuals: int = 20) -> Origin:
    """Errors of the total and of the parts of a stated size."""
    random = np.random.default_rng(seed)
    outcome = S @ random.gamma(3.0, 10.0, size=(3, 12))
    size = np.array([total, part, part, part])[:, None]
    return Origin(
        base=outcome + size * random.normal(size=outcome.shape),
        outcome=outcome,
        residuals=size * random.normal(size=(4, n_residuals)),
    )


def test_parts_are_believed_where_the_total_was_wrong() -> None:
    choice = choose_method(S, [make_origin(seed, total=30.0, part=0.5) for seed in range(4)])
    assert choice.is_better
    assert choice.errors["bottom_up"] < choice.errors["ols"]
    assert choice.errors[choice.method.value] == min(choice.errors.values())


def test_total_is_believed_where_the_parts_were_wrong() -> None:
    choice = choose_method(S, [make_origin(seed, total=0.5, part=9.0) for seed in range(4)])
    assert choice.is_better
    assert choice.method in {Method.WLS_VARIANCE, Method.MINT_SHRINK}
    assert choice.errors["bottom_up"] > 1


def test_bottom_up_is_the_answer_where_nothing_can_be_judged() -> None:
    assert choose_method(S, []).method is Method.BOTTOM_UP
    unknown = make_origin(1, total=1.0, part=1.0)
    nothing = Origin(base=unknown.base, outcome=np.full_like(unknown.outcome, np.nan))
    choice = choose_method(S, [nothing])
    assert (choice.method, choice.is_better, dict(choice.errors)) == (Method.BOTTOM_UP, False, {})


def test_methods_that_need_residuals_are_left_out_without_them() -> None:
    origin = make_origin(1, total=2.0, part=2.0)
    choice = choose_method(S, [Origin(base=origin.base, outcome=origin.outcome)])
    assert set(choice.errors) == {"base", "bottom_up", "ols", "wls_struct"}


def test_months_that_have_not_come_are_left_out() -> None:
    origin = make_origin(1, total=2.0, part=2.0)
    outcome = origin.outcome.copy()
    outcome[:, 6:] = np.nan
    short = Origin(base=origin.base[:, :6], outcome=origin.outcome[:, :6], residuals=origin.residuals)
    long = Origin(base=origin.base, outcome=outcome, residuals=origin.residuals)
    assert choose_method(S, [long]).errors == pytest.approx(choose_method(S, [short]).errors)


def test_outcome_of_another_shape_is_refused() -> None:
    with pytest.raises(BadHierarchy, match="outcome: expected shape"):
        choose_method(S, [Origin(base=np.ones((4, 2)), outcome=np.ones((4, 3)))])
