"""The table of errors is complete, and its documents are safe to show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.exceptions import RequestValidationError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from serving.errors import MOST_ERRORS, TABLE, FieldError, MalformedRequest, answer_of, problem_of

ROOT = Path(__file__).parents[2]
# Exceptions that no request can raise, each with its reason; whatever else is new needs a row in the table.
NEVER_IN_A_REQUEST = {
    "crm.money.NoMeasure": "amounts are converted when panels are built, in training",
    "crm.money.NoRate": "amounts are converted when panels are built, in training",
    "features.own_panels.TwoRowsAMonth": "panels are built in training",
    "crm.tables.UnknownTable": "table names are written in the code",
    "crm.yaml_file.BadYaml": "settings are read before the start",
    "features.build.BadSpine": "spines are built by the service",
    "features.catalogue.UnknownGroup": "groups are resolved when a champion is prepared, before it answers",
    "features.question.BadQuestion": "questions are resolved when a champion is prepared, before it answers",
    "features.spec.BadSpec": "specs are checked at import",
    "models.booster.BadBooster": "boosters are loaded before they answer",
    "models.reconcile_weights.BadHierarchy": "forecasts are made coherent in training and when they are published",
    "models.splits.TooFewRows": "rows are split in training",
    "models.task_files.UnknownTask": "requests look tasks up among those that are served",
    "serving.auth.RouteWithoutScope": "the application does not start",
    "serving.errors.Refusal": "only its subclasses are raised",
    "serving.forecast_table.BadForecast": "forecasts are loaded before they answer",
    "serving.joint_table.BadJoint": "joint samples are loaded before they answer",
    "serving.keys.BadGrant": "keys are made by the command line",
    "serving.keys.UnknownUser": "keys are made by the command line",
    "serving.keys.UnknownKey": "keys are revoked by the command line",
    "serving.records.BadRecord": "answered by the row it belongs to",
    "serving.score_table.BadScores": "scores are loaded before they answer",
}


def test_every_exception_that_a_request_can_raise_has_a_row() -> None:
    ended = subprocess.run([sys.executable, "-c", _LIST], cwd=ROOT, capture_output=True, text=True, check=True)
    reachable = json.loads(ended.stdout)
    assert sorted(set(reachable) - set(NEVER_IN_A_REQUEST)) == []
    assert sorted(set(NEVER_IN_A_REQUEST) - set(reachable)) == []


_LIST = """
import sys, inspect, json
import serving.app, serving.refresh
from serving.errors import TABLE, problem_of
print(json.dumps(sorted(
    f"{name}.{kind.__name__}"
    for name, module in list(sys.modules.items())
    if name.split(".")[0] in ("crm", "features", "models", "serving")
    for kind in vars(module).values()
    if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == name
    and problem_of(kind.__new__(kind)) is TABLE[Exception]
)))
"""


@pytest.mark.parametrize("kind", [kind for kind in TABLE if kind is not RequestValidationError])
def test_every_row_makes_a_problem_without_the_text_of_foreign_exceptions(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "Canary \ud800")
    error.__dict__.update({"detail": "stated", "errors": (), "headers": {}})
    answer = answer_of(error, "0" * 32)
    content = json.loads(answer.body)
    assert answer.media_type == "application/problem+json"
    assert content["status"] == answer.status_code == problem_of(error).status
    assert "Canary" not in answer.body.decode()
    assert set(content) == {"type", "title", "status", "detail", "instance", "request_id", "errors"}


def test_at_most_twenty_errors_are_listed_and_surrogates_are_mended() -> None:
    errors = [FieldError(location=f"body.{n}\ud800", message="m\udfff") for n in range(100)]
    content = json.loads(answer_of(MalformedRequest("d\ud800", errors=errors), "r").body)
    assert len(content["errors"]) == MOST_ERRORS
    assert content["detail"] == "d?"


def test_what_the_database_says_never_reaches_a_caller() -> None:
    error = OperationalError("SELECT secret FROM users", {"x": "Canary"}, Exception("password=Canary"))
    answer = answer_of(error, "r")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert b"Canary" not in answer.body
    assert b"SELECT" not in answer.body


def test_scores_are_answered_while_the_database_is_away_and_kept_for_later(own_house) -> None:
    config = own_house.config
    with own_house.client() as client:
        engine = client.app.state.service.engine

        def ask() -> int:
            answer = client.post("/v1/leads/score", json={"ids": ["L0"]}, headers=own_house.headers())
            return int(answer.status_code)

        assert ask() == 200
        for name in ("api_keys", "predictions"):
            with engine.begin() as connection:
                connection.execute(text(f"ALTER TABLE {name} RENAME TO {name}_away"))
        assert [ask() for _ in range(5)] == [200] * 5
        stranger = client.get("/v1/models", headers=own_house.headers("manager"))
        assert (stranger.status_code, stranger.json()["type"]) == (503, "urn:salescast:problem:database-away")
        waiting = list(config.spool_folder.glob("*.jsonl"))
        assert sum(len(path.read_bytes().splitlines()) for path in waiting) == 5
        for name in ("api_keys", "predictions"):
            with engine.begin() as connection:
                connection.execute(text(f"ALTER TABLE {name}_away RENAME TO {name}"))
    with own_house.client() as client, client.app.state.service.engine.connect() as connection:
        client.app.state.service.predictions.stop()
        assert connection.execute(text("SELECT COUNT(*) FROM predictions")).scalar_one() == 6
