"""How good a ranking of alternatives is: rows of one entity and moment are what can be chosen from.

Judged are the lists in which something was chosen. hit@k: something chosen is among the first k; reciprocal rank: one
over the place of the first thing chosen (Voorhees, 1999).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import TrainingSet
from models.metrics import auc, make_blocks

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.intp]

NAMES = ("hit_at_1", "hit_at_3", "reciprocal_rank")
POPULAR = "popularity"
BOUGHT_LAST = "bought_last"
POPULARITY = "share_of_accounts_buying"
LAST_BOUGHT = "days_since_line"


def lists_of(entity_id: npt.NDArray[np.str_], as_of: npt.NDArray[np.datetime64]) -> Ints:
    """The number of each row's list, shape (n_rows,): rows of one entity and moment share it."""
    _, entity = np.unique(entity_id, return_inverse=True)
    _, moment = np.unique(as_of, return_inverse=True)
    _, number = np.unique(entity * (int(moment.max(initial=0)) + 1) + moment, return_inverse=True)
    return np.asarray(number)


def rank_within(lists: Ints, *keys: Floats) -> Ints:
    """The place of each row in its list, 1 first, by descending keys; the first key decides, the others break ties.

    Examples
    --------
    >>> rank_within(np.array([0, 0, 1]), np.array([0.2, 0.7, 0.1])).tolist()
    [2, 1, 1]
    """
    order = np.lexsort((*(-np.nan_to_num(key, nan=-np.inf) for key in reversed(keys)), lists))
    sizes = np.bincount(lists)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(lists), dtype=np.intp)
    place[order] = np.arange(len(lists)) - np.repeat(starts, sizes) + 1
    return place


def list_figures(lists: Ints, y: Floats, rank: Ints) -> tuple[Ints, Floats]:
    """The lists in which something was chosen, and their hit@1, hit@3 and reciprocal rank, shape (n_lists, 3)."""
    chosen = y > 0
    best = np.full(int(lists.max(initial=-1)) + 1, np.iinfo(np.intp).max, dtype=np.intp)
    np.minimum.at(best, lists[chosen], rank[chosen])
    judged = np.unique(lists[chosen])
    first = best[judged]
    return judged, np.stack([first <= 1, first <= 3, 1.0 / first], axis=1).astype(np.float64)


def judge_ranking(
    test: TrainingSet, p: Floats, *, seed: int, n_draws: int
) -> tuple[dict[str, dict[str, float]], dict[str, tuple[float, float]]]:
    """Figures of a ranking beside two rules, and their intervals; nothing when every row stands alone.

    Parameters
    ----------
    test : TrainingSet
        Rows with known outcomes.
    p : ndarray of float64, shape (n_rows,)
        What the model says of them.
    seed, n_draws : int
        Random state and number of block-bootstrap draws; an account's lists come and go together.

    Returns
    -------
    (dict, dict)
        By side (`test`, and of the rules `popularity` and `bought_last` those whose field is there) figures by name,
        the rules with their AUC; by name, or `hit_at_1_minus_popularity` and the like, [low, high].
    """
    if np.isnat(test.as_of).any():
        return {}, {}
    lists = lists_of(test.entity_id, test.as_of)
    if len(lists) == 0 or int(lists.max()) + 1 == len(lists):
        return {}, {}
    orders: dict[str, tuple[Floats, ...]] = {"test": (p,)}
    if POPULARITY in test.rows.column_names:
        popularity = test.rows.column(POPULARITY).to_numpy()
        orders[POPULAR] = (popularity,)
        if LAST_BOUGHT in test.rows.column_names:
            orders[BOUGHT_LAST] = (-test.rows.column(LAST_BOUGHT).to_numpy(), popularity)
    found = {side: list_figures(lists, test.label, rank_within(lists, *keys)) for side, keys in orders.items()}
    judged, _ = found["test"]
    if len(judged) == 0:
        return {}, {}
    _, first = np.unique(lists, return_index=True)
    blocks = make_blocks(test.group[first][judged], n_draws=n_draws, seed=seed)
    metrics = {side: dict(zip(NAMES, each.mean(axis=0).tolist(), strict=True)) for side, (_, each) in found.items()}
    for side, keys in orders.items():
        if side != "test":
            metrics[side]["auc"] = auc(test.label, np.nan_to_num(keys[0], nan=-np.inf))
    differences = {f"_minus_{side}": found["test"][1] - each for side, (_, each) in found.items() if side != "test"}
    intervals: dict[str, tuple[float, float]] = {}
    for ending, values in {"": found["test"][1], **differences}.items():
        drawn = np.array([values[rows].mean(axis=0) for rows in blocks.draws])
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        for place, name in enumerate(NAMES):
            intervals[f"{name}{ending}"] = (float(low[place]), float(high[place]))
    return metrics, intervals
