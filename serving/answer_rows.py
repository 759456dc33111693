"""Answer rows from what is known: a judgement, the last refresh, or the reason why there is none."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from crm.config import GradesSection
from models.predictor import score_of
from serving.access import VisibleReps
from serving.answers import AnswerRow
from serving.base_rate import BaseRate
from serving.champion import Champion
from serving.judge import Judged
from serving.live import State
from serving.schemas import RowStatus, Trend
from serving.score_table import Scored, ScoreTable
from serving.trend import trend_between

NO_SIGNAL = (
    "No signal was found, or too little is known to learn one: the probability is how often the event comes to "
    "entities of this kind, without reasons, grade and rank."
)
NO_MODEL = "No model was promoted yet; the probability is the share of all that had the event."


class AnswerRows:
    """Makes the rows that one state of a task answers with.

    Parameters
    ----------
    grades : GradesSection
        From score to grade.
    state : State
        What answers.
    champion : Champion
        Its model.
    """

    def __init__(self, grades: GradesSection, state: State, champion: Champion) -> None:
        self._grades = grades
        self._state = state
        self._champion = champion

    def judged(self, entity_id: str | None, judged: Judged, at: datetime, seen: VisibleReps) -> AnswerRow:
        """The row of what the champion says at a moment, to a caller who sees so much."""
        champion, table, score = self._champion, self._state.scores, score_of(judged.probability)
        about = champion.predictor.about
        percentile = None
        if table is not None and table.about.digest == champion.published.digest:
            percentile = table.percentile(judged.probability)
        row = AnswerRow(
            entity_id=entity_id,
            status=RowStatus.SCORED,
            probability=judged.probability,
            score=score,
            grade=self._grades.grade(score),
            percentile=percentile,
            horizon_days=about.horizon_days,
            event=about.event,
            trend=trend_between(self._score_before(entity_id, at, seen), score),
            reasons=judged.reasons,
            prediction_id=uuid.uuid4().hex,
            model_version=champion.version,
            as_of=at,
            evidence=champion.evidence(judged.probability),
        )
        return _with_details(without_rank(row) if champion.is_base_rate else row, judged.details)

    def _score_before(self, entity_id: str | None, at: datetime, seen: VisibleReps) -> int | None:
        """The score a week before the last refresh, of what the caller may see: a record may name any id."""
        table = self._state.scores
        held = table.get(entity_id) if table is not None and entity_id is not None else None
        if table is None or held is None or at < table.as_of or not seen.may_see(held.rep_id):
            return None
        return held.score_before

    def held(self, scored: Scored, table: ScoreTable) -> AnswerRow:
        """The row of the last refresh: after a promotion that of the champion before; each row names its model."""
        about = table.about
        is_present = about.digest == self._champion.published.digest
        row = AnswerRow(
            entity_id=scored.entity_id,
            status=RowStatus.SCORED,
            probability=scored.probability,
            score=scored.score,
            grade=self._grades.grade(scored.score),
            percentile=scored.percentile,
            horizon_days=about.horizon_days,
            event=about.event,
            trend=scored.trend,
            reasons=scored.reasons,
            prediction_id=uuid.uuid4().hex,
            model_version=about.model_version,
            as_of=table.as_of,
            evidence=self._champion.evidence(scored.probability) if is_present else None,
        )
        return _with_details(without_rank(row) if about.is_base_rate else row, scored.details)

    def closed(self, entity_id: str | None, why: str, at: datetime) -> AnswerRow:
        """The row of what has nothing to score."""
        about = self._champion.predictor.about
        return AnswerRow(
            entity_id=entity_id,
            status=RowStatus.ABSTAINED,
            event=about.event,
            horizon_days=about.horizon_days,
            model_version=self._champion.version,
            prediction_id=uuid.uuid4().hex,
            as_of=at,
            message=why,
        )


def base_rate_row(entity_id: str | None, rate: BaseRate | None, as_of: datetime | None) -> AnswerRow:
    """The row of a task without a model."""
    return AnswerRow(
        entity_id=entity_id,
        status=RowStatus.INSUFFICIENT_DATA,
        probability=rate.share if rate else None,
        horizon_days=rate.horizon_days if rate else None,
        event=rate.event if rate else None,
        as_of=as_of,
        message=NO_MODEL if rate and rate.share is not None else "No model was promoted yet.",
    )


def without_rank(row: AnswerRow) -> AnswerRow:
    """The row of a model that found no signal: a rate of many entities is no reason to rank or grade one of them."""
    return replace(
        row,
        status=RowStatus.BASE_RATE,
        grade=None,
        percentile=None,
        trend=Trend.UNKNOWN,
        reasons=(),
        message=NO_SIGNAL,
    )


def _with_details(row: AnswerRow, details: Mapping[str, object]) -> AnswerRow:
    """The row with its task's own fields; a task may name the event of a row, and the days within which it counts."""
    if not details:
        return row
    own = dict(details)
    event, horizon = own.pop("event", None), own.pop("horizon_days", None)
    return replace(
        row,
        event=row.event if event is None else str(event),
        horizon_days=horizon if isinstance(horizon, int) else row.horizon_days,
        details=own,
    )
