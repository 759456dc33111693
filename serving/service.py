"""What one running service holds: made once at start, reached by the routes through `ServiceOf`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from crm.config import Config
from models.tasks.lead_score import TASK
from serving.auth import Keyring
from serving.errors import log_failure
from serving.live import Live, State
from serving.prediction_log import PredictionLog
from serving.scoring import Scoring


@dataclass(slots=True, kw_only=True)
class Service:
    """The long-lived parts.

    Attributes
    ----------
    config : Config
        The settings.
    engine : Engine
        The application database.
    keyring : Keyring
        Recognises keys.
    predictions : PredictionLog
        Keeps what is answered.
    live : Live
        The record, the champion and the scores that answer now.
    clock : callable
        Gives the time, UTC.
    unprepared : str or None
        Why the newest record or champion does not answer, although it could be read.
    """

    config: Config
    engine: Engine
    keyring: Keyring
    predictions: PredictionLog
    live: Live
    clock: Callable[[], datetime]
    unprepared: str | None = None
    _scoring: Scoring | None = None
    _prepared_for: State | None = None
    _lock: Lock = field(default_factory=Lock)

    def reload(self) -> None:
        """Take in what changed on disk: requests get the new parts once they stand ready, all together."""
        with self._lock:
            self.live.reload()
            state = self.live.state
            if self._prepared_for is state:
                return
            self._prepared_for = state
            try:
                scoring = Scoring(self.config, TASK, state)
                scoring.warm_up(self.clock())
            except Exception as error:
                # Whatever is wrong with new files, what answered before goes on answering; /health/ready says so.
                log_failure(error, 0)
                self.unprepared = f"cannot be prepared ({type(error).__name__})"
                scoring = self._scoring or Scoring(self.config, TASK, State(missing={}))
            else:
                self.unprepared = None
            self._scoring = scoring

    def scoring(self) -> Scoring:
        """Scores from what answers now; one request keeps what it got here."""
        if self._scoring is None:
            self.reload()
        assert self._scoring is not None
        return self._scoring


async def _service(request: Request) -> Service:
    # Not a plain function: those are sent to a thread.
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]
