"""Synthetic rows drawn from a model's schema, with the answers the model gave when it was made.

They hold no customer's data: numbers come from the range of a field, categories from its list. Whoever loads
the bundle must reproduce the answers bit for bit.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np

from features.matrix import Kind
from models.bundle import GOLDEN
from models.encoding import Coding, Encoder, Value
from models.predictor import BadBundle
from models.scorer import Scorer

N_ROWS = 24
# Models that know the calendar need a day; any will do as long as it stays.
GOLDEN_DAY = date(2026, 1, 5)
_EMPTY_SHARE = 0.15
_UNKNOWN = "a category never seen"


def make_synthetic_rows(encoder: Encoder, *, n_rows: int, seed: int) -> list[dict[str, Value]]:
    """Rows as a caller would send them; some fields empty, some categories unknown."""
    random = np.random.default_rng(seed)
    return [{coding.field.name: _draw(coding, random) for coding in encoder.codings} for _ in range(n_rows)]


def _draw(coding: Coding, random: np.random.Generator) -> Value:
    if random.random() < _EMPTY_SHARE:
        return None
    if coding.field.kind is Kind.CATEGORY:
        choices = (*coding.categories, _UNKNOWN)
        return choices[int(random.integers(len(choices)))]
    if coding.field.kind is Kind.FLAG:
        return bool(random.integers(2))
    # Rounded: a bundle shows the scale of a field, not anybody's figure.
    return float(f"{random.uniform(coding.low, coding.high):.2g}")


def make_golden(predictor: Scorer, *, seed: int = 0) -> str:
    """Golden rows of a model as JSON."""
    rows = make_synthetic_rows(predictor.encoder, n_rows=N_ROWS, seed=seed)
    answers = [predictor.predict(row, GOLDEN_DAY).probability for row in rows]
    return json.dumps({"rows": rows, "probabilities": answers}, ensure_ascii=False, allow_nan=False)


def require_golden(predictor: Scorer, folder: Path) -> int:
    """The number of golden rows, after all were reproduced bit for bit.

    Raises
    ------
    BadBundle
        An answer differs.
    """
    content = json.loads((folder / GOLDEN).read_text(encoding="utf-8"))
    rows, expected = content["rows"], content["probabilities"]
    for place, (row, answer) in enumerate(zip(rows, expected, strict=True)):
        found = predictor.predict(row, GOLDEN_DAY).probability
        if found != answer:
            raise BadBundle(f"golden row {place}: expected {answer!r}, the loaded model says {found!r}")
    if not rows:
        raise BadBundle("no golden rows")
    return len(rows)
