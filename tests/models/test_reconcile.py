"""Reconciled forecasts add up, are those of the textbook, and are refused where they cannot be made."""

from itertools import product

import numpy as np
import pytest
from scipy import sparse

from models.reconcile import BadHierarchy, Method, make_projection, reconcile, round_to_cents
from models.reconcile_weights import NEEDS_RESIDUALS, shrinkage_intensity

METHODS = list(Method)


def make_hierarchy(n_regions: int = 3, n_lines: int = 4) -> sparse.csr_matrix:
    """Total, regions, lines, and every pair of them: not a tree."""
    pairs = np.array(list(product(range(n_regions), range(n_lines))))
    regions = pairs[:, 0][None, :] == np.arange(n_regions)[:, None]
    lines = pairs[:, 1][None, :] == np.arange(n_lines)[:, None]
    return sparse.csr_matrix(np.vstack([np.ones((1, len(pairs))), regions, lines, np.eye(len(pairs))]))


def make_forecasts(S: sparse.csr_matrix, seed: int = 1, *, k: int = 5, n_residuals: int = 30):
    """Base forecasts and residuals of related errors."""
    random = np.random.default_rng(seed)
    bottom = random.gamma(2.0, 20.0, size=(S.shape[1], k))
    mixed = random.normal(size=(S.shape[0], S.shape[0])) * 0.3 + np.eye(S.shape[0])
    residuals = mixed @ random.normal(size=(S.shape[0], n_residuals)) * random.uniform(1, 9, size=(S.shape[0], 1))
    return S @ bottom + random.normal(scale=8.0, size=(S.shape[0], k)), residuals


def dense_covariance(S: sparse.csr_matrix, method: Method, residuals: np.ndarray) -> np.ndarray:
    """W as the textbook writes it."""
    if method is Method.OLS:
        return np.eye(S.shape[0])
    if method is Method.WLS_STRUCTURAL:
        return np.diag(S.toarray().sum(axis=1))
    if method is Method.WLS_VARIANCE:
        return np.diag((residuals**2).mean(axis=1))
    scaled = (residuals - residuals.mean(axis=1, keepdims=True)) / residuals.std(axis=1, keepdims=True)
    n = scaled.shape[1]
    above = below = 0.0
    for i, j in product(range(len(scaled)), repeat=2):
        if i != j:
            products = scaled[i] * scaled[j]
            above += ((products - products.mean()) ** 2).sum() / (n * (n - 1))
            below += products.mean() ** 2
    sample = np.cov(residuals)
    intensity = min(above / below, 1.0)
    return intensity * np.diag(np.diag(sample)) + (1 - intensity) * sample


def dense_projection(S: sparse.csr_matrix, W: np.ndarray) -> np.ndarray:
    """S G, with G = (S' W^-1 S)^-1 S' W^-1."""
    full = S.toarray()
    return full @ np.linalg.solve(full.T @ np.linalg.solve(W, full), full.T @ np.linalg.inv(W))


@pytest.mark.parametrize("method", METHODS)
def test_every_aggregate_is_the_sum_of_its_parts(method: Method) -> None:
    S = make_hierarchy()
    base, residuals = make_forecasts(S)
    found = reconcile(base, S, method, residuals)
    n_bottom = S.shape[1]
    assert found.shape == base.shape
    np.testing.assert_array_equal(found, S @ found[-n_bottom:])


@pytest.mark.parametrize("method", METHODS)
def test_forecasts_that_add_up_already_are_left_as_they_are(method: Method) -> None:
    S = make_hierarchy()
    base, residuals = make_forecasts(S)
    coherent = S @ base[-S.shape[1] :]
    np.testing.assert_allclose(reconcile(coherent, S, method, residuals), coherent, rtol=1e-10)


@pytest.mark.parametrize("method", [method for method in METHODS if method is not Method.BOTTOM_UP])
@pytest.mark.parametrize("most_dense", [2000, 0])
def test_result_is_that_of_the_dense_formula(method: Method, most_dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.reconcile.MOST_DENSE", most_dense)
    S = make_hierarchy()
    base, residuals = make_forecasts(S)
    expected = dense_projection(S, dense_covariance(S, method, residuals)) @ base
    np.testing.assert_allclose(reconcile(base, S, method, residuals), expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("method", "named"),
    [
        (Method.OLS, "ols"),
        (Method.WLS_STRUCTURAL, "wls_struct"),
        (Method.WLS_VARIANCE, "wls_var"),
        (Method.MINT_SHRINK, "mint_shrink"),
    ],
)
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Converted matrix:UserWarning")
def test_result_is_that_of_hierarchicalforecast(method: Method, named: str, nonnegative: bool) -> None:
    from hierarchicalforecast.methods import MinTrace

    S = make_hierarchy(8, 9)
    base, residuals = make_forecasts(S)
    # Small parts below too low a total would go below zero; the library takes no base forecast that is negative.
    base[0] *= 0.7
    base[-20:, 1] = 0.5
    base = np.maximum(base, 0.0)
    assert (reconcile(base, S, method, residuals) < 0).any()
    library = MinTrace(method=named, nonnegative=nonnegative)
    said = library.fit_predict(
        S=S.toarray(), y_hat=base, y_insample=residuals, y_hat_insample=np.zeros_like(residuals)
    )["mean"]
    found = reconcile(base, S, method, residuals, nonnegative=nonnegative)
    # It adds a constant to deviations, and its quadratic programme stops at a tolerance of its own.
    share = 1e-4 if nonnegative else 1e-8
    assert np.abs(found - said).max() <= share * np.abs(said).max()


def test_order_of_nodes_changes_nothing() -> None:
    S = make_hierarchy()
    base, residuals = make_forecasts(S)
    for method in METHODS:
        found = reconcile(base, S, method, residuals)
        shuffled = np.random.default_rng(3).permutation(S.shape[0])
        again = reconcile(base[shuffled], S[shuffled], method, residuals[shuffled])
        np.testing.assert_allclose(again, found[shuffled], rtol=1e-9)


def test_region_with_one_line_is_a_sum_like_any_other() -> None:
    S = sparse.csr_matrix([[1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    base, residuals = make_forecasts(S)
    expected = dense_projection(S, dense_covariance(S, Method.MINT_SHRINK, residuals)) @ base
    np.testing.assert_allclose(reconcile(base, S, Method.MINT_SHRINK, residuals), expected, rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_single_node_keeps_its_forecast(method: Method) -> None:
    S = sparse.csr_matrix([[1]])
    assert reconcile([3.5], S, method, [[1.0, -2.0, 0.5]]).tolist() == [3.5]
    assert reconcile([-3.5], S, method, [[1.0, -2.0, 0.5]], nonnegative=True).tolist() == [0.0]


@pytest.mark.parametrize("method", [method for method in METHODS if method is not Method.BOTTOM_UP])
def test_nonnegative_forecasts_meet_the_conditions_of_their_optimum(method: Method) -> None:
    S = make_hierarchy(5, 6)
    base, residuals = make_forecasts(S, k=20)
    base[-18:] -= 40.0
    found = reconcile(base, S, method, residuals, nonnegative=True)
    full, b = S.toarray(), found[-S.shape[1] :]
    slope = full.T @ np.linalg.solve(dense_covariance(S, method, residuals), full @ b - base)
    size = np.abs(base).max() * np.abs(full.T @ np.linalg.inv(dense_covariance(S, method, residuals))).max()
    assert (b == 0).any()
    assert b.min() >= 0
    assert slope.min() >= -1e-9 * size
    assert np.abs(slope * b).max() <= 1e-9 * size * np.abs(b).max()


def test_columns_without_a_negative_amount_are_not_touched_by_the_bound() -> None:
    S = make_hierarchy()
    base, residuals = make_forecasts(S)
    base[-1, 0] -= 500.0
    free = reconcile(base, S, Method.MINT_SHRINK, residuals)
    bound = reconcile(base, S, Method.MINT_SHRINK, residuals, nonnegative=True)
    whole = (free[-S.shape[1] :] >= 0).all(axis=0)
    assert whole.any()
    assert not whole.all()
    np.testing.assert_array_equal(bound[:, whole], free[:, whole])


def test_errors_that_say_nothing_of_each_other_are_drawn_apart() -> None:
    random = np.random.default_rng(5)
    apart = shrinkage_intensity(random.normal(size=(40, 25)))
    shared = random.normal(size=(1, 25))
    together = shrinkage_intensity(shared + 0.05 * random.normal(size=(40, 25)))
    assert together < 0.1 < 0.7 < apart <= 1.0


def test_constant_residuals_of_a_node_do_no_harm() -> None:
    S = make_hierarchy()
    base, residuals = make_forecasts(S)
    residuals[4] = 0.0
    for method in NEEDS_RESIDUALS:
        assert np.isfinite(reconcile(base, S, method, residuals)).all()


def test_small_nodes_keep_their_own_variance_beside_very_large_ones() -> None:
    S = sparse.csr_matrix([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    size = np.array([[1e10], [1e10], [1.0], [3.0]])
    residuals = size * np.array([[1.0, -1.0, 1.0, -1.0]])
    found = reconcile([1e10 + 50.0, 1e10, 20.0, 20.0], S, Method.WLS_VARIANCE, residuals)
    # What is missing is spread by variance, nearly all of it to the total and the large part.
    np.testing.assert_allclose(found - [1e10, 1e10, 0, 0], [45.0, 5.0, 20.0, 20.0], atol=1e-5)


def test_summing_matrix_of_the_caller_stays_as_it_is() -> None:
    rows, columns = [0, 0, 1, 2, 2, 0], [0, 1, 0, 1, 1, 1]
    S = sparse.csr_matrix(sparse.coo_matrix(([1.0, 1.0, 1.0, 0.5, 0.5, 0.0], (rows, columns)), shape=(3, 2)))
    S.has_canonical_format = False
    before = S.data.copy()
    assert reconcile([13.0, 4.0, 6.0], S, Method.OLS).tolist() == pytest.approx([12.0, 5.0, 7.0])
    np.testing.assert_array_equal(S.data, before)


def test_unknown_method_is_refused_and_a_known_one_may_be_written_out() -> None:
    S = sparse.csr_matrix([[1, 1], [1, 0], [0, 1]])
    assert reconcile([13.0, 4.0, 6.0], S, "bottom_up").tolist() == [10.0, 4.0, 6.0]
    with pytest.raises(ValueError, match="is not a valid Method"):
        reconcile([13.0, 4.0, 6.0], S, "best")


def test_projection_answers_one_column_as_it_answers_many() -> None:
    S = make_hierarchy()
    base, residuals = make_forecasts(S)
    projection = make_projection(S, Method.MINT_SHRINK, residuals)
    np.testing.assert_allclose(projection.apply(base[:, 2]), projection.apply(base)[:, 2], rtol=1e-12)


@pytest.mark.parametrize(
    ("base", "residuals", "method", "told"),
    [
        (np.ones(4), None, Method.OLS, "expected 3 rows"),
        (np.array([1.0, np.nan, 2.0]), None, Method.OLS, "1 values are not finite"),
        (np.ones(3), None, Method.MINT_SHRINK, "needs residuals"),
        (np.ones(3), np.ones((2, 9)), Method.WLS_VARIANCE, "expected 3 rows"),
        (np.ones(3), np.ones((3, 2)), Method.WLS_VARIANCE, "at least 3 moments"),
        (np.ones(3), np.zeros((3, 9)), Method.MINT_SHRINK, "all are zero"),
        (np.ones(3), np.full((3, 9), np.inf), Method.MINT_SHRINK, "not finite"),
    ],
)
def test_what_cannot_be_reconciled_is_refused(base, residuals, method: Method, told: str) -> None:
    S = sparse.csr_matrix([[1, 1], [1, 0], [0, 1]])
    with pytest.raises(BadHierarchy, match=told):
        reconcile(base, S, method, residuals)


def test_bottom_series_without_a_row_of_its_own_is_refused() -> None:
    with pytest.raises(BadHierarchy, match="1 bottom series have no row"):
        make_projection(sparse.csr_matrix([[1, 1], [1, 0]]), Method.OLS)


def test_cents_add_up_in_every_draw_and_stay_near_their_amounts() -> None:
    S = make_hierarchy(6, 7)
    bottom = np.random.default_rng(2).gamma(0.5, 1e6, size=(S.shape[1], 200))
    bottom[bottom < 5e4] = 0.0
    cents = round_to_cents(bottom, S)
    parts = cents[-S.shape[1] :]
    np.testing.assert_array_equal(cents, S.astype(np.int64) @ parts)
    assert np.abs(parts - 100 * bottom).max() < 1
    assert np.abs(cents[0] - 100 * bottom.sum(axis=0)).max() <= 0.5 + 1e-5
    assert (parts[bottom == 0] == 0).all()


def test_cents_of_refunds_and_of_one_draw_add_up() -> None:
    S = sparse.csr_matrix([[1, 1], [1, 0], [0, 1]])
    assert round_to_cents([-1.005, 2.0], S).tolist() == [100, -100, 200]
    assert round_to_cents(np.array([[1e12], [0.01]]), S).tolist() == [[10**14 + 1], [10**14], [1]]


@pytest.mark.parametrize(
    ("bottom", "told"), [([1.0], "expected 2 rows"), ([np.nan, 1.0], "not finite"), ([1e15, 1.0], "more cents")]
)
def test_amounts_that_cannot_be_rounded_exactly_are_refused(bottom, told: str) -> None:
    with pytest.raises(BadHierarchy, match=told):
        round_to_cents(bottom, sparse.csr_matrix([[1, 1], [1, 0], [0, 1]]))


def test_fractions_in_the_summing_matrix_cannot_be_rounded() -> None:
    with pytest.raises(BadHierarchy, match="no whole number"):
        round_to_cents([1.0, 2.0], sparse.csr_matrix([[0.5, 0.5], [1, 0], [0, 1]]))
