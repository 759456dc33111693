"""Answers: from ids or rows to scored rows, in order, one bad row never touching another."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.config import Config
from models.encoding import BadValue, Value
from models.explain import Reason, find_reasons
from models.predictor import N_REASONS, score_of
from models.task import BaseTask
from serving.access import NOBODY, VisibleReps
from serving.answers import AnswerRow, ReasonOut, invalid, not_found
from serving.base_rate import BaseRate, read_base_rate
from serving.champion import Champion
from serving.inputs import Inputs, make_inputs
from serving.live import State
from serving.records import BadRecord, ReadRecord
from serving.roles import Principal, Role, Sees
from serving.schemas import RowStatus, Trend
from serving.score_table import Scored, ScoreTable
from serving.trend import trend_between


class _Valued(NamedTuple):
    place: int
    entity_id: str | None
    values: Mapping[str, Value]
    encoded: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, and when.

    Attributes
    ----------
    principal : Principal
        The caller.
    now : datetime
        The moment of the request, UTC.
    as_of : datetime or None
        The moment of the answer when the caller named one.
    fresh : bool
        Compute at once, as of how far the record reaches, instead of answering from the last refresh.
    """

    principal: Principal
    now: datetime
    as_of: datetime | None = None
    fresh: bool = False


class Scoring:
    """Scores of one task from one state of record, champion and refresh; immutable.

    Parameters
    ----------
    config : Config
        Grades.
    task : BaseTask
        The task.
    state : State
        What answers.
    """

    def __init__(self, config: Config, task: BaseTask, state: State) -> None:
        self._config = config
        self._task = task
        self._state = state
        self._inputs: Inputs | None = None
        self._base_rate: BaseRate | None = None
        if state.record is not None and state.champion is None:
            self._base_rate = read_base_rate(config, state.record, task)
        if state.record is not None and state.champion is not None:
            self._inputs = make_inputs(config, state.record, state.champion, task)

    def warm_up(self, now: datetime) -> None:
        """Load libraries and compute what requests share, so that no request waits for it."""
        if self._inputs is not None:
            self._inputs.warm_up()
            nobody = Principal(user_id="", login="", role=Role.SERVICE, scopes=frozenset(), sees=Sees.NONE)
            self.score_records([{}], Asked(principal=nobody, now=now))

    @property
    def is_ready(self) -> bool:
        """Whether there is a record and a champion."""
        return self._inputs is not None

    def digest_of(self, row: AnswerRow) -> str:
        """The bundle that answered a row; empty without one."""
        state = self._state
        if state.champion is not None and row.model_version == state.champion.version:
            return state.champion.published.digest
        return state.scores.about.digest if state.scores is not None else ""

    def holds(self, ids: Sequence[str], asked: Asked) -> bool:
        """Whether the last refresh holds all these ids for this caller, so that nothing has to be computed."""
        held = self._state.scores
        if held is None or asked.fresh or asked.as_of is not None or not self._state.is_current:
            return False
        # What the caller may not see takes the way of what does not exist, so that time tells nothing either.
        seen, found = self._seen(asked), [held.get(entity_id) for entity_id in ids]
        return all(scored is not None and seen.may_see(scored.rep_id) for scored in found)

    def score_ids(self, ids: Sequence[str], asked: Asked) -> list[AnswerRow]:
        """One row an id, same order; what the caller may not see is answered like what does not exist."""
        seen, inputs, champion = self._seen(asked), self._inputs, self._state.champion
        if inputs is None or champion is None:
            return [self._without_model(entity_id, seen) for entity_id in ids]
        held = self._state.scores
        if asked.fresh or (held is not None and asked.as_of not in (None, held.as_of)):
            held = None
        at = asked.as_of
        found: dict[str, AnswerRow] = {}
        if held is not None:
            for entity_id in dict.fromkeys(ids):
                scored = held.get(entity_id)
                if scored is not None and (not self._state.is_current or seen.may_see(scored.rep_id)):
                    found[entity_id] = self._from_table(scored, held, champion)
        if held is None or not self._state.is_current or len(found) < len(set(ids)):
            self._look_up(found, [i for i in dict.fromkeys(ids) if i not in found], at, seen, inputs, champion)
        owners = self._owners(ids, found, held, inputs, asked)
        return [found[i] if i in found and seen.may_see(owners.get(i)) else not_found(i) for i in ids]

    def _owners(
        self,
        ids: Sequence[str],
        found: Mapping[str, AnswerRow],
        held: ScoreTable | None,
        inputs: Inputs,
        asked: Asked,
    ) -> dict[str, str | None]:
        # The table's owners are those of its generation; once the record has moved on, the record is asked.
        owners: dict[str, str | None] = {}
        unknown = []
        for entity_id in found:
            scored = held.get(entity_id) if held is not None and self._state.is_current else None
            if scored is None:
                unknown.append(entity_id)
            else:
                owners[entity_id] = scored.rep_id
        if unknown:
            owners |= {name: state.rep_id for name, state in inputs.states(unknown, asked.now).items()}
        return owners

    def _look_up(
        self,
        found: dict[str, AnswerRow],
        ids: Sequence[str],
        at: datetime | None,
        seen: VisibleReps,
        inputs: Inputs,
        champion: Champion,
    ) -> None:
        if not ids:
            return
        record = self._state.record
        assert record is not None
        moment = at or record.watermark
        states = inputs.states(ids, moment)
        visible = [i for i in ids if i in states and seen.may_see(states[i].rep_id)]
        for entity_id in visible:
            if not states[entity_id].is_open:
                found[entity_id] = self._closed(entity_id, states[entity_id].exists, moment, champion)
        opened = [i for i in visible if states[i].is_open]
        if not opened:
            return
        rows = inputs.rows(opened, moment)
        for row in self._predict_table(opened, rows, moment, champion):
            assert row.entity_id is not None
            found[row.entity_id] = row

    def _closed(self, entity_id: str, exists: bool, at: datetime, champion: Champion) -> AnswerRow:
        message = "Nothing is open any more: the outcome is known." if exists else "It did not exist at that moment."
        return AnswerRow(
            entity_id=entity_id,
            status=RowStatus.ABSTAINED,
            event=champion.predictor.about.event,
            horizon_days=champion.predictor.about.horizon_days,
            model_version=champion.version,
            prediction_id=uuid.uuid4().hex,
            as_of=at,
            message=message,
        )

    def _from_table(self, scored: Scored, held: ScoreTable, champion: Champion) -> AnswerRow:
        # After a promotion the scores of the champion before stand until the refresh; each row names its model.
        about = held.about
        is_present = about.digest == champion.published.digest
        return AnswerRow(
            entity_id=scored.entity_id,
            status=_status_of(about.kind),
            probability=scored.probability,
            score=scored.score,
            grade=self._config.grades.grade(scored.score),
            percentile=scored.percentile,
            horizon_days=about.horizon_days,
            event=about.event,
            trend=scored.trend,
            reasons=scored.reasons,
            prediction_id=uuid.uuid4().hex,
            model_version=about.model_version,
            as_of=held.as_of,
            evidence=champion.evidence(scored.probability) if is_present else None,
        )

    def _predict_table(
        self, ids: Sequence[str | None], rows: pa.Table, at: datetime, champion: Champion
    ) -> list[AnswerRow]:
        predictor = champion.predictor
        probabilities = predictor.predict_table(rows)
        explained = predictor.explain_table(rows, n_reasons=N_REASONS)
        found = []
        for entity_id, probability, reasons in zip(ids, probabilities.tolist(), explained, strict=True):
            row = self._row(entity_id, probability, _reasons(reasons), at, champion)
            found.append(replace(row, trend=self._trend_of(entity_id, row.score)))
        return found

    def _trend_of(self, entity_id: str | None, score: int | None) -> Trend:
        held = self._state.scores.get(entity_id) if self._state.scores and entity_id else None
        return trend_between(held.score_before if held else None, score)

    def score_records(self, records: Sequence[object], asked: Asked) -> list[AnswerRow]:
        """One row a record, same order; a record that cannot be read is answered `invalid` by itself."""
        inputs = self._inputs
        if inputs is None:
            return [self._base_rate_row(None) for _ in records]
        answers: list[AnswerRow | None] = [None] * len(records)
        read: list[tuple[int, ReadRecord]] = []
        for place, record in enumerate(records):
            try:
                read.append((place, inputs.form.read(record)))
            except BadRecord as error:
                answers[place] = invalid(inputs.form.entity_id(record), str(error))
        for (place, _), row in zip(read, self.score_rows([one for _, one in read], asked), strict=True):
            answers[place] = row
        return [row for row in answers if row is not None]

    def score_rows(self, records: Sequence[ReadRecord], asked: Asked) -> list[AnswerRow]:
        """One row a record that was read already, same order."""
        inputs, champion, seen = self._inputs, self._state.champion, self._seen(asked)
        if inputs is None or champion is None:
            return [self._base_rate_row(one.entity_id) for one in records]
        at = asked.as_of or asked.now
        answers: list[AnswerRow | None] = [None] * len(records)
        read = list(enumerate(records))
        valued: list[_Valued] = []
        values = inputs.values([r for _, r in read], at, self._joined_at(at), seen)
        for (place, one), found in zip(read, values, strict=True):
            try:
                valued.append(_Valued(place, one.entity_id, found, champion.predictor.encoder.encode(found)))
            except BadValue as error:
                answers[place] = invalid(one.entity_id, str(error))
        for asked_row, row in zip(valued, self._predict_values(valued, at, champion), strict=True):
            answers[asked_row.place] = row
        return [row for row in answers if row is not None]

    def _joined_at(self, at: datetime) -> datetime:
        # Of what rows name nothing is known beyond the reach of the record: later windows would look empty.
        record = self._state.record
        return at if record is None else min(at, record.watermark)

    def _predict_values(self, valued: Sequence[_Valued], at: datetime, champion: Champion) -> list[AnswerRow]:
        if not valued:
            return []
        predictor = champion.predictor
        rows = np.concatenate([v.encoded for v in valued])
        probabilities, parts = predictor.predict_rows(rows).tolist(), predictor.contributions(rows)
        fields, calibrator = predictor.encoder.fields, predictor.calibrator
        answers = []
        for one, probability, part in zip(valued, probabilities, parts, strict=True):
            reasons = find_reasons(fields, one.values, part, calibrator, most=N_REASONS)
            answers.append(self._row(one.entity_id, probability, _reasons(reasons), at, champion))
        return answers

    def _row(
        self,
        entity_id: str | None,
        probability: float,
        reasons: tuple[ReasonOut, ...],
        at: datetime,
        champion: Champion,
    ) -> AnswerRow:
        about, table, score = champion.predictor.about, self._state.scores, score_of(probability)
        percentile = None
        if table is not None and table.about.digest == champion.published.digest:
            percentile = table.percentile(probability)
        return AnswerRow(
            entity_id=entity_id,
            status=_status_of(about.kind),
            probability=probability,
            score=score,
            grade=self._config.grades.grade(score),
            percentile=percentile,
            horizon_days=about.horizon_days,
            event=about.event,
            reasons=reasons,
            prediction_id=uuid.uuid4().hex,
            model_version=champion.version,
            as_of=at,
            evidence=champion.evidence(probability),
        )

    def _seen(self, asked: Asked) -> VisibleReps:
        record = self._state.record
        return NOBODY if record is None else record.reps_seen_by(asked.principal, asked.now)

    def _without_model(self, entity_id: str, seen: VisibleReps) -> AnswerRow:
        record = self._state.record
        if record is None or self._task.entity not in record.generation.tables:
            return not_found(entity_id)
        states = record.states(self._task.entity, [entity_id], record.watermark)
        if entity_id not in states or not seen.may_see(states[entity_id].rep_id):
            return not_found(entity_id)
        return self._base_rate_row(entity_id)

    def _base_rate_row(self, entity_id: str | None) -> AnswerRow:
        rate, record = self._base_rate, self._state.record
        return AnswerRow(
            entity_id=entity_id,
            status=RowStatus.INSUFFICIENT_DATA,
            probability=rate.share if rate else None,
            horizon_days=rate.horizon_days if rate else None,
            event=rate.event if rate else None,
            as_of=record.watermark if record else None,
            message=_NO_MODEL if rate else "No model was promoted yet.",
        )


_NO_MODEL = "No model was promoted yet; the probability is the share of all that had the event."


def _status_of(kind: str) -> RowStatus:
    return RowStatus.BASE_RATE if kind == "base_rate" else RowStatus.SCORED


def _reasons(reasons: Sequence[Reason]) -> tuple[ReasonOut, ...]:
    return tuple(
        ReasonOut(feature=r.feature, value=r.value, effect=r.effect, text_en=r.text_en, text_zh=r.text_zh)
        for r in reasons
    )
