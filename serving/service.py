"""What one running service holds: made once at start, reached by the routes through `ServiceOf`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from crm.config import Config
from models.tasks.lead_score import TASK
from serving.auth import Keyring
from serving.live import Live
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
    """

    config: Config
    engine: Engine
    keyring: Keyring
    predictions: PredictionLog
    live: Live
    clock: Callable[[], datetime]
    _scoring: Scoring | None = None

    def scoring(self) -> Scoring:
        """Scores from what answers now; one request keeps what it got here."""
        state, scoring = self.live.state, self._scoring
        if scoring is None or not scoring.is_of(state):
            scoring = self._scoring = Scoring(self.config, TASK, state)
        return scoring


async def _service(request: Request) -> Service:
    # Not a plain function: those are sent to a thread.
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]
