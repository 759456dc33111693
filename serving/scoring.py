"""Answers: from ids or rows to scored rows, in order, one bad row never touching another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crm.config import Config
from crm.tables import table
from models.encoding import BadValue, Values
from models.task import EntityTask
from serving.access import NOBODY, VisibleReps
from serving.answer_rows import AnswerRows, base_rate_row
from serving.answers import AnswerRow, invalid, not_found
from serving.base_rate import BaseRate, read_base_rate
from serving.champion import Champion
from serving.inputs import Inputs, make_inputs
from serving.judge import days_of, judge_rows, judge_table
from serving.live import State
from serving.record_view import RecordView
from serving.records import BadRecord, ReadRecord, stated_id
from serving.roles import Principal, Role, Sees
from serving.score_table import ScoreTable


class _Valued(NamedTuple):
    place: int
    entity_id: str | None
    at: datetime
    values: Values
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """What a task answers with once there is a record and a champion."""

    record: RecordView
    champion: Champion
    inputs: Inputs
    rows: AnswerRows


class Scoring:
    """Scores of one task from one state of record, champion and refresh; immutable.

    Parameters
    ----------
    config : Config
        Grades.
    task : EntityTask
        The task.
    state : State
        What answers.
    """

    def __init__(self, config: Config, task: EntityTask, state: State) -> None:
        self._config = config
        self._task = task
        self._state = state
        self._ready: _Ready | None = None
        self._base_rate: BaseRate | None = None
        record, champion = state.record, state.champion
        if record is not None and champion is None:
            self._base_rate = read_base_rate(config, record, task)
        if record is not None and champion is not None:
            self._ready = _Ready(
                record=record,
                champion=champion,
                inputs=make_inputs(config, record, champion, task),
                rows=AnswerRows(config.grades, state, champion),
            )

    def warm_up(self, now: datetime) -> None:
        """Load libraries and compute what requests share, so that no request waits for it."""
        if self._ready is not None:
            self._ready.inputs.warm_up()
            nobody = Principal(user_id="", login="", role=Role.SERVICE, scopes=frozenset(), sees=Sees.NONE)
            self.score_records([{}], Asked(principal=nobody, now=now))

    @property
    def is_ready(self) -> bool:
        """Whether there is a record and a champion."""
        return self._ready is not None

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
        seen, ready = self._seen(asked), self._ready
        if ready is None:
            return self._without_model(ids, seen)
        held = self._state.scores
        if asked.fresh or (held is not None and asked.as_of not in (None, held.as_of)):
            held = None
        found = {} if held is None else self._held(ids, held, seen, asked, ready)
        self._look_up(found, [i for i in dict.fromkeys(ids) if i not in found], asked.as_of, seen, ready)
        return [found.get(i) or not_found(i) for i in ids]

    def _held(
        self, ids: Sequence[str], held: ScoreTable, seen: VisibleReps, asked: Asked, ready: _Ready
    ) -> dict[str, AnswerRow]:
        scored = {i: one for i in dict.fromkeys(ids) if (one := held.get(i)) is not None}
        # The table's owners are those of its generation; once the record has moved on, the record is asked.
        if self._state.is_current:
            visible = {i for i, one in scored.items() if seen.may_see(one.rep_id)}
        else:
            visible = set(ready.inputs.states(list(scored), asked.now, seen))
        return {i: ready.rows.held(one, held) for i, one in scored.items() if i in visible}

    def _look_up(
        self, found: dict[str, AnswerRow], ids: Sequence[str], at: datetime | None, seen: VisibleReps, ready: _Ready
    ) -> None:
        if not ids:
            return
        moment = at or ready.record.watermark
        states = ready.inputs.states(ids, moment, seen)
        opened = []
        for entity_id in (i for i in ids if i in states):
            why = states[entity_id].closed
            if why is None:
                opened.append(entity_id)
            else:
                found[entity_id] = ready.rows.closed(entity_id, why, moment)
        if not opened:
            return
        on = days_of([moment] * len(opened), ready.record.zone)
        judged = judge_table(self._task, ready.champion, ready.inputs.rows(opened, moment), on)
        for entity_id, one in zip(opened, judged, strict=True):
            found[entity_id] = ready.rows.judged(entity_id, one, moment, seen)

    def score_records(self, records: Sequence[object], asked: Asked) -> list[AnswerRow]:
        """One row a record, same order; a record that cannot be read is answered `invalid` by itself."""
        ready = self._ready
        if ready is None:
            key = table(self._task.entity).key[0]
            return [self._base_rate_row(stated_id(one, key)) for one in records]
        answers: list[AnswerRow | None] = [None] * len(records)
        read: list[tuple[int, ReadRecord]] = []
        for place, record in enumerate(records):
            try:
                read.append((place, ready.inputs.form.read(record)))
            except BadRecord as error:
                answers[place] = invalid(ready.inputs.form.entity_id(record), str(error))
        for (place, _), row in zip(read, self.score_rows([one for _, one in read], asked), strict=True):
            answers[place] = row
        return [row for row in answers if row is not None]

    def score_rows(self, records: Sequence[ReadRecord], asked: Asked) -> list[AnswerRow]:
        """One row a record that was read already, same order."""
        ready, seen = self._ready, self._seen(asked)
        if ready is None:
            return [self._base_rate_row(one.entity_id) for one in records]
        at = asked.as_of or asked.now
        answers: dict[int, AnswerRow] = {}
        opened: list[tuple[int, ReadRecord]] = []
        for place, (record, why) in enumerate(zip(records, ready.inputs.closed(records, at), strict=True)):
            if why is None:
                opened.append((place, record))
            else:
                answers[place] = ready.rows.closed(record.entity_id, why, at)
        # Of what rows name nothing is known beyond the reach of the record: later windows would look empty.
        values = ready.inputs.values([one for _, one in opened], at, min(at, ready.record.watermark), seen)
        valued: list[_Valued] = []
        encoder = ready.champion.predictor.encoder
        for (place, record), found in zip(opened, values, strict=True):
            try:
                moment = ready.inputs.moment(record, at)
                valued.append(_Valued(place, record.entity_id, moment, found, encoder.encode(found)))
            except BadValue as error:
                answers[place] = invalid(record.entity_id, str(error))
        answers |= self._judge(valued, at, seen, ready)
        return [answers[place] for place in range(len(records))]

    def _judge(self, valued: Sequence[_Valued], at: datetime, seen: VisibleReps, ready: _Ready) -> dict[int, AnswerRow]:
        if not valued:
            return {}
        rows, on = np.concatenate([v.encoded for v in valued]), days_of([v.at for v in valued], ready.record.zone)
        judged = judge_rows(self._task, ready.champion, rows, [v.values for v in valued], on)
        answers = zip(valued, judged, strict=True)
        return {v.place: ready.rows.judged(v.entity_id, one, at, seen) for v, one in answers}

    def _seen(self, asked: Asked) -> VisibleReps:
        record = self._state.record
        return NOBODY if record is None else record.reps_seen_by(asked.principal, asked.now)

    def _without_model(self, ids: Sequence[str], seen: VisibleReps) -> list[AnswerRow]:
        record = self._state.record
        if record is None:
            return [not_found(one) for one in ids]
        found = record.existing(self._task.entity, ids, record.watermark)
        may_see = {one for one, (rep_id, _) in found.items() if seen.may_see(rep_id)}
        return [self._base_rate_row(one) if one in may_see else not_found(one) for one in ids]

    def _base_rate_row(self, entity_id: str | None) -> AnswerRow:
        record = self._state.record
        return base_rate_row(entity_id, self._base_rate, record.watermark if record else None)
