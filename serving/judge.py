"""What a champion says of rows: probabilities, reasons and the task's own fields, alike for a refresh and a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.asof import local_days
from models.details import Asked
from models.encoding import Values
from models.explain import find_reasons
from models.predictor import N_REASONS
from models.scorer import Days
from models.task import EntityTask
from serving.answers import ReasonOut
from serving.champion import Champion


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a champion says of one row."""

    probability: float
    reasons: tuple[ReasonOut, ...]
    details: Mapping[str, object]


def judge_rows(
    task: EntityTask, champion: Champion, rows: npt.NDArray[np.float64], values: Sequence[Values], on: Days
) -> list[Judged]:
    """What a champion says of encoded rows, same order.

    Parameters
    ----------
    task : EntityTask
        Says which fields of its own an answer has.
    champion : Champion
        The model.
    rows : ndarray of float64, shape (n_rows, n_fields)
        As the champion's encoder gives them.
    values : sequence of mapping
        The same by name.
    on : ndarray of datetime64[D], shape (n_rows,)
        Local days of the rows' moments.
    """
    if len(rows) == 0:
        return []
    scorer = champion.predictor
    probability = scorer.predict_rows(rows, on)
    details: Sequence[Mapping[str, object]] = [{}] * len(rows)
    if task.details is not None:
        asked = Asked(scorer=scorer, rows=rows, values=[_plain(one) for one in values], on=on, probability=probability)
        details = task.details(asked)
    reasons: list[tuple[ReasonOut, ...]] = [()] * len(rows)
    if not champion.is_base_rate:
        parts = scorer.contributions(rows, on)
        reasons = [_reasons(champion, one, part) for one, part in zip(values, parts, strict=True)]
    return [
        Judged(probability=p, reasons=why, details=own)
        for p, why, own in zip(probability.tolist(), reasons, details, strict=True)
    ]


def judge_table(task: EntityTask, champion: Champion, rows: pa.Table, on: Days) -> list[Judged]:
    """What a champion says of a table's rows, same order."""
    return judge_rows(task, champion, champion.predictor.encoder.encode_table(rows), rows.to_pylist(), on)


def days_of(moments: Sequence[datetime], zone: ZoneInfo) -> Days:
    """The local days of moments, shape (n_moments,)."""
    naive = [np.datetime64(one.astimezone(UTC).replace(tzinfo=None), "us") for one in moments]
    return local_days(np.array(naive, dtype="datetime64[us]"), zone)


def _plain(values: Values) -> Values:
    return {name: None if isinstance(value, float) and value != value else value for name, value in values.items()}


def _reasons(champion: Champion, values: Values, parts: npt.NDArray[np.float64]) -> tuple[ReasonOut, ...]:
    scorer = champion.predictor
    found = find_reasons(scorer.encoder.fields, values, parts, scorer.calibrator, most=N_REASONS)
    return tuple(
        ReasonOut(feature=r.feature, value=r.value, effect=r.effect, text_en=r.text_en, text_zh=r.text_zh)
        for r in found
    )
