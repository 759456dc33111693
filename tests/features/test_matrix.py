"""The training set as a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from features.matrix import Field, Kind, TrainingSet


def make(texts: list[str | None], *, numbers: tuple[float, ...] = (1.0, float("nan"), 3.0)) -> TrainingSet:
    n = len(texts)
    names = np.array([str(place) for place in range(n)])
    return TrainingSet(
        fields=(Field(name="channel", kind=Kind.CATEGORY), Field(name="visits", kind=Kind.NUMBER)),
        rows=pa.table({"channel": pa.array(texts, pa.string()), "visits": list(numbers)}),
        entity_id=names,
        as_of=np.full(n, np.datetime64("NaT", "us")),
        position=np.arange(n, dtype=float),
        label=np.array([0.0, 1.0, 0.0]),
        group=names,
        value=np.full(n, np.nan),
        event="won",
        horizon_days=None,
        gap_days=None,
    )


def test_equal_data_have_one_digest_and_any_other_value_or_outcome_another() -> None:
    rows = make(["web", None, "fair"])
    others = [
        make(["web", None, "web"]),
        make(["web", "fair", None]),
        make(["web", None, "fair"], numbers=(1.0, 2.0, 3.0)),
        replace(rows, label=np.array([0.0, 1.0, 1.0])),
        rows.take(np.array([0, 2, 1])),
        rows.without({"visits"}),
    ]
    assert make(["web", None, "fair"]).digest() == rows.digest()
    assert len({rows.digest(), *(other.digest() for other in others)}) == len(others) + 1
