"""Each leak planted in the demo company is strong enough to be found by a look at its column alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from crm.config import Config
from crm.demo.company import make_company
from crm.demo.leaks import PLANTED, SHOWS_IN
from crm.demo.write import write_company
from crm.store import Store
from features.question import Question
from features.training_set import build_training_set

Floats = npt.NDArray[np.float64]
GROUPS = ("lead_profile", "lead_activity")


def _auc(label: Floats, score: Floats) -> float:
    order = np.argsort(score, kind="stable")
    values, start, count = np.unique(score[order], return_index=True, return_counts=True)
    rank = np.repeat(start + (count + 1) / 2, count)
    assert len(values) == len(start)
    n_positive = label.sum()
    positive = rank[label[order] == 1].sum()
    area = (positive - n_positive * (n_positive + 1) / 2) / (n_positive * (len(label) - n_positive))
    return float(max(area, 1 - area))


def _ranked(column: pa.ChunkedArray, label: Floats) -> Floats:
    """Numbers with empty cells at the bottom, categories as the share of events among their rows."""
    if not pa.types.is_string(column.type):
        return np.nan_to_num(column.to_numpy(), nan=-1e12)
    codes = column.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    return (np.bincount(codes, weights=label) / np.bincount(codes))[codes]


@pytest.mark.slow
@pytest.mark.parametrize("event", ["qualified", "won"])
def test_each_planted_leak_ranks_the_outcome_by_itself(event: str, tmp_path: Path) -> None:
    assert set(SHOWS_IN) == set(PLANTED)
    store = Store(tmp_path)
    write_company(make_company("small", 2, planted_leaks=True), store)
    question = Question(task="lead_score", entity="leads", event=event, horizon_days=90, gap_days=1, groups=GROUPS)
    rows = build_training_set(store.current(), question, config=Config())
    rows = rows.take(np.isfinite(rows.label))
    area = {place: _auc(rows.label, _ranked(rows.rows[field], rows.label)) for place, field in SHOWS_IN.items()}
    assert {place: round(value, 3) for place, value in area.items() if value <= 0.85} == {}
