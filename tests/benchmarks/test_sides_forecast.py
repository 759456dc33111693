"""The sides of the forecast's comparisons do the same work before either is timed."""

import numpy as np
import pytest

from benchmarks.forecast_speed import require_equal_boosters, require_equal_reconciliation
from benchmarks.sides_forecast import make_hierarchy


@pytest.mark.parametrize("n_nodes", [100, 2_000])
def test_hierarchy_holds_as_many_nodes_as_asked_for(n_nodes: int) -> None:
    hierarchy = make_hierarchy(n_nodes)
    n_bottom = hierarchy.S.shape[1]
    assert hierarchy.S.shape[0] == n_nodes
    assert hierarchy.S[0].sum() == n_bottom
    np.testing.assert_array_equal(hierarchy.S[-n_bottom:].toarray(), np.eye(n_bottom))


@pytest.mark.slow
def test_both_sides_give_the_same_forecasts() -> None:
    assert require_equal_reconciliation() < 1e-8
    assert require_equal_boosters() < 1e-8
