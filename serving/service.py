"""What one running service holds: made once at start, reached by the routes through `ServiceOf`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from crm.config import Config
from models.task import EntityTask
from models.tasks.next_product import TASK as NEXT_PRODUCT
from serving.auth import Keyring
from serving.errors import log_failure
from serving.flow_views import FlowViews
from serving.forecast_accuracy import SummedLedger
from serving.forecast_table import ForecastTable
from serving.joint_table import JointTable
from serving.live import Live, State
from serving.next_lines import NextLines
from serving.prediction_log import PredictionLog
from serving.published import Followed
from serving.score_tasks import lacking_tables
from serving.scoring import Scoring


@dataclass(slots=True, kw_only=True)
class Service:
    """The long-lived parts.

    Attributes
    ----------
    config : Config
        The settings.
    tasks : mapping of str to EntityTask
        What is answered, by name.
    engine : Engine
        The application database.
    keyring : Keyring
        Recognises keys.
    predictions : PredictionLog
        Keeps what is answered.
    live : Live
        The record, the champions and the scores that answer now.
    forecasts : Followed of ForecastTable
        The forecast that answers now.
    ledger : SummedLedger
        The sums of what was forecast and what came.
    joint : Followed of JointTable
        The joint sample behind it.
    flows : FlowViews
        The rows of money at any moment.
    clock : callable
        Gives the time, UTC.
    unprepared : mapping of str to str
        By task, why the newest record or champion does not answer, although it could be read.
    lacking : mapping of str to tuple of str
        By task that the record cannot serve, the tables that it lacks.
    not_followed : str or None
        Why changes on disk are not taken in at present.
    """

    config: Config
    tasks: Mapping[str, EntityTask]
    engine: Engine
    keyring: Keyring
    predictions: PredictionLog
    live: Live
    forecasts: Followed[ForecastTable]
    ledger: SummedLedger
    joint: Followed[JointTable]
    flows: FlowViews
    clock: Callable[[], datetime]
    unprepared: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)
    not_followed: str | None = None
    _scorings: dict[str, Scoring] = field(default_factory=dict)
    _prepared_for: dict[str, State] = field(default_factory=dict)
    _next_lines: NextLines | None = None
    _next_lines_of: State | None = None
    _lock: Lock = field(default_factory=Lock)

    def reload(self) -> None:
        """Take in what changed on disk: requests get a task's new parts once they stand ready, all together."""
        with self._lock:
            self.live.reload()
            for task in self.tasks.values():
                state = self.live.states[task.name]
                if self._prepared_for.get(task.name) is not state:
                    self._prepared_for[task.name] = state
                    self._prepare(task, state)

    def _prepare(self, task: EntityTask, state: State) -> None:
        try:
            record = state.record
            lacking = lacking_tables(record.generation, task, self.config) if record is not None else ()
            scoring = Scoring(self.config, task, state)
            scoring.warm_up(self.clock())
        except Exception as error:
            # Whatever is wrong with new files, what answered before goes on answering; /health/ready says so.
            log_failure(error, 0)
            self.unprepared[task.name] = f"cannot be prepared ({type(error).__name__})"
            scoring = self._scorings.get(task.name) or Scoring(self.config, task, State(missing={}))
        else:
            self.unprepared.pop(task.name, None)
            self.lacking = {**self.lacking, task.name: lacking}
        self._scorings = {**self._scorings, task.name: scoring}

    def scoring(self, task: str) -> Scoring:
        """Scores of a task from what answers now; one request keeps what it got here."""
        if task not in self._scorings:
            self.reload()
        return self._scorings[task]

    @property
    def every_task(self) -> Mapping[str, EntityTask]:
        """All tasks that answer, by name: those that score entities, and the next product."""
        return {**self.tasks, NEXT_PRODUCT.name: NEXT_PRODUCT}

    def next_lines(self) -> NextLines | None:
        """Ranks product lines from what answers now; None before the first ingest."""
        state = self.live.states[NEXT_PRODUCT.name]
        if state.record is None:
            return None
        with self._lock:
            if self._next_lines is None or self._next_lines_of is not state:
                self._next_lines = NextLines(self.config, NEXT_PRODUCT, state.record, state.champion)
                self._next_lines_of = state
            return self._next_lines

    def is_possible(self, task: str) -> bool:
        """Whether the record can serve a task: it has the tables, or there is a model of it."""
        return not self.lacking.get(task) or self.live.states[task].champion is not None


async def _service(request: Request) -> Service:
    # Not a plain function: those are sent to a thread.
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]
